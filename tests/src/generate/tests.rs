//! What is written is what the recipe and the counts say, read back by other readers than Carrack's own.

use std::collections::HashSet;

use super::*;

const MIXED: Recipe = Recipe {
    records: 3_000,
    seed: 11,
    bad_percent: 10,
    duplicate_percent: 5,
    line_break_every: 7,
    revised_every: 0,
};

fn written(recipe: Recipe, shape: Shape) -> (Vec<u8>, Expected) {
    let mut bytes = Vec::new();
    let expected = Generator::new(recipe).write(shape, &mut bytes).unwrap();
    assert_eq!(expected.bytes, bytes.len() as u64);
    assert_eq!(expected.good + expected.duplicates + expected.rejected(), recipe.records);
    (bytes, expected)
}

/// The CSV file as the `csv` crate reads it: each row's cells, also of rows that are too long or not UTF-8.
fn rows(bytes: &[u8]) -> Vec<csv::ByteRecord> {
    csv::ReaderBuilder::new().flexible(true).from_reader(bytes).byte_records().map(Result::unwrap).collect()
}

/// The JSON array's elements, apart; an element holds no line break that is not escaped.
fn elements(bytes: &[u8]) -> Vec<&[u8]> {
    let body = bytes.strip_prefix(b"[\n").unwrap().strip_suffix(b"\n]\n").unwrap();
    body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b",").unwrap_or(line)).collect()
}

#[test]
fn the_same_recipe_gives_the_same_bytes_and_another_seed_others() {
    for shape in [Shape::JsonArray, Shape::Ndjson, Shape::Csv] {
        assert_eq!(written(MIXED, shape), written(MIXED, shape));
        assert_ne!(written(MIXED, shape).0, written(Recipe { seed: 12, ..MIXED }, shape).0);
    }
}

#[test]
fn a_revised_record_has_its_key_and_other_contents() {
    let (first, second) = (Generator::new(MIXED), Generator::new(Recipe { revised_every: 3, ..MIXED }));
    for number in 0..300 {
        let (before, after) = (first.context(number), second.context(number));
        let kept =
            |context: &Context| (context.id.clone(), context.created_at.clone(), context.session_id.clone());
        assert_eq!(kept(&before), kept(&after));
        assert_eq!(before != after, number % 3 == 0, "{number}");
    }
}

#[test]
fn every_shape_holds_the_same_records() {
    let recipe = Recipe { line_break_every: 3, ..Recipe::new(200) };
    let generator = Generator::new(recipe);
    let (array, expected) = written(recipe, Shape::JsonArray);
    assert_eq!((expected.good, expected.rejected(), expected.duplicates), (200, 0, 0));
    let array: Vec<Value> = serde_json::from_slice(&array).unwrap();
    let (lines, _) = written(recipe, Shape::Ndjson);
    let lines: Vec<Value> =
        serde_json::Deserializer::from_slice(&lines).into_iter().map(Result::unwrap).collect();
    assert_eq!(array, lines);
    let (table, _) = written(recipe, Shape::Csv);
    let rows = rows(&table);
    assert_eq!((array.len(), rows.len()), (200, 200));
    for (number, (value, row)) in array.iter().zip(&rows).enumerate() {
        let context = generator.context(number as u64);
        assert_eq!(*value, serde_json::to_value(&context).unwrap());
        assert_eq!(
            row.iter().collect::<Vec<_>>(),
            context.cells().iter().map(String::as_bytes).collect::<Vec<_>>()
        );
    }
    assert!(rows[3][2].contains(&b'\n') && !rows[4][2].contains(&b'\n'));
}

#[test]
fn an_empty_recipe_is_an_empty_file_of_its_shape() {
    for (shape, expected) in [(Shape::JsonArray, "[\n\n]\n"), (Shape::Ndjson, "")] {
        assert_eq!(written(Recipe::new(0), shape).0, expected.as_bytes());
    }
    assert_eq!(written(Recipe::new(0), Shape::Csv).0, format!("{}\n", COLUMNS.join(",")).as_bytes());
}

#[test]
fn keys_repeat_as_often_as_counted_and_only_good_ones_do() {
    let (table, expected) = written(MIXED, Shape::Csv);
    let keys: Vec<Vec<u8>> = rows(&table).iter().map(|row| row[0].to_vec()).collect();
    let distinct: HashSet<_> = keys.iter().collect();
    assert!(expected.duplicates > 100, "{expected:?}");
    assert_eq!(distinct.len() as u64, expected.good + expected.rejected());
}

/// Told by the file itself: the numbers of the records of each key, and of the bad ones.
#[test]
fn the_records_of_every_repeated_key_are_told_in_their_order() {
    let (array, expected) = written(MIXED, Shape::JsonArray);
    let mut records: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (number, element) in (1..).zip(elements(&array)) {
        if !expected.bad.contains_key(&number) {
            let key = serde_json::from_slice::<Value>(element).unwrap()["id"].as_str().unwrap().to_owned();
            records.entry(key).or_default().push(number);
        }
    }
    assert_eq!(records.len() as u64, expected.good);
    records.retain(|_, records| records.len() > 1);
    assert_eq!(records, expected.repeated);
    assert!(records.values().any(|records| records.len() > 2));
}

#[test]
fn repetitions_are_near_and_far_and_leave_stretches_without_any() {
    let recipe = Recipe { bad_percent: 2, duplicate_percent: 2, ..Recipe::new(40_000) };
    let (_, expected) = written(recipe, Shape::Ndjson);
    assert!((600..=1_000).contains(&expected.duplicates), "{}", expected.duplicates);
    let again = || expected.repeated.values().flat_map(|records| &records[1..]);
    assert!(again().all(|record| ((record - 1) / STRETCH).is_multiple_of(2)));
    let distances =
        expected.repeated.values().flat_map(|records| records.windows(2).map(|two| two[1] - two[0]));
    for scale in [1..10, 10..100, 100..1_000, 1_000..10_000_u64] {
        let found = distances.clone().filter(|distance| scale.contains(distance)).count();
        assert!(found > 50, "{scale:?}: {found}");
    }
}

#[test]
fn bad_records_are_bad_in_the_way_that_was_counted() {
    let (table, expected) = written(MIXED, Shape::Csv);
    let (array, same) = written(MIXED, Shape::JsonArray);
    assert_eq!(expected.bad, same.bad);
    let (rows, elements) = (rows(&table), elements(&array));
    assert_eq!((rows.len(), elements.len()), (3_000, 3_000));
    let parsed: Vec<Value> =
        elements.iter().filter_map(|element| serde_json::from_slice(element).ok()).collect();
    let json = |is_bad: fn(&Value) -> bool| parsed.iter().filter(|value| is_bad(value)).count();
    let csv = |is_bad: fn(&csv::ByteRecord) -> bool| rows.iter().filter(|row| is_bad(row)).count();
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned).unwrap_or_default();
    for (bad, in_json, in_csv) in [
        (Bad::Date, json(|it| it["createdAt"] == "31/02/2024"), csv(|row| &row[5] == b"31/02/2024")),
        (Bad::MissingTitle, json(|it| it.get("title").is_none()), csv(|row| row[1].is_empty())),
        (Bad::WrongType, json(|it| !it["metadata"].is_object()), csv(|row| !row[7].starts_with(b"{"))),
        (
            Bad::Nul,
            parsed.iter().filter(|it| text(it, "content").contains('\0')).count(),
            csv(|row| row[2].contains(&0)),
        ),
        (Bad::NotUtf8, 3_000 - parsed.len(), csv(|row| str::from_utf8(&row[2]).is_err())),
        (
            Bad::Malformed,
            elements.iter().filter(|element| element.starts_with(b"{\"id\":\"twice\",\"id\":")).count(),
            csv(|row| row.len() != COLUMNS.len()),
        ),
    ] {
        let counted = expected.bad.values().filter(|&&found| found == bad).count();
        assert!(counted > 20, "{bad:?}: {counted}");
        assert_eq!((in_json, in_csv), (counted, counted), "{bad:?}");
    }
}
