//! Whatever a round may do wrong is told: an undisturbed round passes, and each single thing that is changed
//! in what it left is found, in every mode.

use super::*;
use crate::chaos::Loads;

const RECORDS: u64 = 3_000;

/// What must be told, and what is changed.
type Tampered = (&'static str, fn(&mut Left));

#[test]
fn an_undisturbed_round_passes_and_whatever_is_wrong_is_told() {
    let tampered: [Tampered; 15] = [
        ("the operation ended", |left| left.report.status = "succeeded".into()),
        ("created", |left| left.report.created += 1),
        ("skipped", |left| left.report.skipped += 1),
        ("rows", |left| drop(left.rows.pop())),
        ("stored rejects", |left| left.rejects += 1),
        ("records in the ledger", |left| left.read += 1),
        ("batches with two ledger rows", |left| left.doubled += 1),
        ("lines in the rejects file", |left| left.rejects_file.push_str("{}\n")),
        ("the title", |left| left.rows[0].title.push('!')),
        ("a second effect", |left| left.effects.push(left.effects[0].clone())),
        ("expected inserts, and updates", |left| left.effects[0].kind = "UPDATE".into()),
        ("expected inserts, and updates", |left| left.effects[0].kind = "DELETE".into()),
        ("(inserts, keys)", |left| drop(left.effects.pop())),
        ("the key \"context-00000000\": found record 2", |left| left.effects[0].record = 2),
        ("not expected", |left| {
            let first = left.rejects_file.lines().next().unwrap().to_owned();
            let end = left.rejects_file.trim_end().rfind('\n').unwrap();
            left.rejects_file.replace_range(end.., &format!("\n{first}\n"));
        }),
    ];
    let mut loads = Loads::new(RECORDS, 100).unwrap();
    for case in (0..12).map(Case::of) {
        let load = loads.of(case).unwrap();
        let good = undisturbed(load, case);
        verify(load, case, &good).unwrap();
        for (told, tamper) in tampered {
            let mut left = good.clone();
            tamper(&mut left);
            let error = format!("{:?}", verify(load, case, &left).expect_err(told));
            assert!(error.contains(told), "{case}: expected {told:?} in {error}");
        }
        wrong_winners(load, case, &good);
    }
}

/// The other records of a repeated key: in its row, and in the rejects that name it.
fn wrong_winners(load: &Load, case: Case, good: &Left) {
    let (key, records) = load.expected.repeated.first_key_value().unwrap();
    let at = good.rows.iter().position(|row| row.key == *key).unwrap();
    for &record in records.iter().filter(|&&record| record != good.rows[at].record) {
        let mut left = good.clone();
        left.rows[at].record = record;
        let error = format!("{:?}", verify(load, case, &left).unwrap_err());
        assert!(error.contains(&format!("found record {record}, expected record")), "{case}: {error}");
    }
    if case.duplicates == Duplicates::Reject {
        let mut left = good.clone();
        let [right, wrong] = [records[0], records[1]].map(|record| format!("\"record\":{record}}}"));
        left.rejects_file = left.rejects_file.replacen(&right, &wrong, 1);
        let error = format!("{:?}", verify(load, case, &left).unwrap_err());
        assert!(error.contains(&format!("expected the winner Some({})", records[0])), "{case}: {error}");
    }
}

/// What one process would leave that loads the batches one after another.
fn undisturbed(load: &Load, case: Case) -> Left {
    let expected = &load.expected;
    let losers: BTreeMap<u64, u64> = expected
        .repeated
        .values()
        .flat_map(|records| records[1..].iter().map(|&record| (record, records[0])))
        .collect();
    let overwrite = matches!(case.duplicates, Duplicates::Overwrite | Duplicates::Merge);
    let (mut rows, mut effects) = (BTreeMap::new(), Vec::new());
    let mut rejects: BTreeMap<u64, String> = BTreeMap::new();
    let name = load.file.file_name().unwrap().to_str().unwrap();
    for record in 1..=RECORDS {
        let loser = losers.get(&record);
        if expected.bad.contains_key(&record) {
            rejects.insert(record, format!(r#"{{"record":{record},"code":"bad"}}"#));
        } else if loser.is_none() || overwrite {
            let key = generate::key(loser.unwrap_or(&record) - 1);
            let title = load.generator.context(record - 1).title.unwrap();
            rows.insert(key.clone(), Row { key: key.clone(), title, record });
            let kind = if loser.is_some() { "UPDATE" } else { "INSERT" }.to_owned();
            effects.push(Effect { key, kind, record });
        } else if case.duplicates == Duplicates::Reject {
            let winner = format!(r#"{{"file":"{name}","record":{}}}"#, losers[&record]);
            let line = format!(r#"{{"record":{record},"code":"duplicate.in_file","winner":{winner}}}"#);
            rejects.insert(record, line);
        }
    }
    let skipped = if case.duplicates == Duplicates::Reject { 0 } else { expected.duplicates };
    let report = Report {
        operation_id: String::new(),
        status: "succeeded_with_rejects".into(),
        read: expected.records,
        created: expected.good,
        updated: 0,
        unchanged: 0,
        skipped,
        rejected: rejects.len() as u64,
    };
    Left {
        report,
        rows: rows.into_values().collect(),
        effects,
        rejects: rejects.len() as u64,
        read: expected.records,
        doubled: 0,
        rejects_file: rejects.into_values().map(|line| line + "\n").collect(),
    }
}
