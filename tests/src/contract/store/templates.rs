//! Templates, whose versions never change, and data types, which only grow.

use std::sync::Arc;

use carrack_shared::operation::State;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::operations::{Created, Listing};
use carrack_shared::port::templates::{Added, Growth, NewTemplate, StoredTemplate, TemplateEffect};
use carrack_shared::schema::{self, DataType, Field, FieldType, Identifier};
use carrack_shared::segment::Claim;
use carrack_shared::spec::{Duplicates, OwnTypes, Spec, Work};
use uuid::Uuid;

use super::Fresh;
use super::fixture::{Given, Record, cut, json, records, text};
use super::import::{LEASE, Planned, done, export_spec, import_spec, new_operation, tally};
use super::loading::table_of;

fn new(name: &str, version: &str, growth: Option<Growth>) -> NewTemplate {
    NewTemplate {
        id: Uuid::now_v7(),
        owner: "ada".into(),
        name: name.into(),
        version: version.into(),
        data_type: growth.as_ref().map_or("contexts", |growth| growth.after.name.as_str()).into(),
        // Members keep their order, for a document comes back as it was written.
        document: serde_json::json!({"name": name, "zeta": 1, "alpha": {"b": [1.5, null], "a": "ü"}}),
        growth,
    }
}

fn pets(fields: &[&str]) -> DataType {
    let field = |name: &&str| Field::new(Identifier::new(*name).unwrap(), FieldType::String, *name == "id");
    let fields = fields.iter().map(field).collect();
    DataType { name: Identifier::new("pets").unwrap(), fields, key: 0 }
}

fn stored(added: Added) -> StoredTemplate {
    let Added::New(stored, _) = added else { panic!("expected a new template, found {added:?}") };
    stored
}

pub(super) async fn a_template_is_found_by_its_id_its_name_and_its_version(fresh: Fresh) {
    let store = fresh.store();
    let mut ids = Vec::new();
    for (name, version) in [("b", "1.0.0"), ("a", "2"), ("a", "1")] {
        let asked = new(name, version, None);
        let found = stored(store.add_template(&asked).await.unwrap());
        assert_eq!((found.id, &found.owner, &found.document), (asked.id, &asked.owner, &asked.document));
        assert_eq!(found.document.to_string(), asked.document.to_string(), "the order of the members");
        ids.push(found.id);
    }
    let store = fresh.reopened().await;
    let by_id = ids[1].to_string();
    for (reference, expected) in [
        ("b", Some(ids[0])),
        ("a", Some(ids[2])),
        ("a@2", Some(ids[1])),
        (&*by_id, Some(ids[1])),
        ("c", None),
    ] {
        let found = store.template(reference).await.unwrap();
        assert_eq!(found.map(|found| found.id), expected, "{reference}");
    }
    let listed = store.templates().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [ids[2], ids[1], ids[0]]);
}

pub(super) async fn a_version_of_a_template_never_changes(fresh: Fresh) {
    let store = fresh.store();
    let first = stored(store.add_template(&new("a", "1", None)).await.unwrap());
    assert_eq!(store.add_template(&new("a", "1", None)).await.unwrap(), Added::Before(first.clone()));
    let other = NewTemplate { document: serde_json::json!({"name": "a"}), ..new("a", "1", None) };
    assert_eq!(store.add_template(&other).await.unwrap(), Added::OtherDocument(first));
    assert_eq!(store.templates().await.unwrap().len(), 1);
}

pub(super) async fn a_new_type_has_a_table_and_a_grown_one_more_columns(fresh: Fresh) {
    let store = fresh.store();
    let (small, large) = (pets(&["id", "name"]), pets(&["id", "name", "größe"]));
    let made = Growth { before: None, after: small.clone() };
    stored(store.add_template(&new("a", "1", Some(made.clone()))).await.unwrap());
    assert_eq!(store.data_types().await.unwrap(), std::slice::from_ref(&small));
    let count = |field: &str| format!("SELECT count({field}) FROM {}", fresh.table("pets"));
    assert_eq!(fresh.integer(&count("name")).await, 0);
    let again = store.add_template(&new("a", "2", Some(made))).await.unwrap();
    assert_eq!(again, Added::TypeChanged, "the type was taken for new");
    let grown = Growth { before: Some(small), after: large.clone() };
    stored(store.add_template(&new("a", "3", Some(grown))).await.unwrap());
    assert_eq!(fresh.reopened().await.data_types().await.unwrap(), [large]);
    assert_eq!(fresh.integer(&count("\"größe\"")).await, 0);
}

pub(super) async fn a_built_in_type_grows_with_its_rows(fresh: Fresh) {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Skip, cut(&records("a=1 b=2"), &[])).await;
    let before = (*schema::built_in("contexts").unwrap()).clone();
    let mut after = before.clone();
    after.fields.push(Field::new(Identifier::new("author").unwrap(), FieldType::String, false));
    let growth = Some(Growth { before: Some(before), after });
    let refused = store.add_template(&new("a", "1", growth.clone())).await.unwrap();
    assert_eq!(refused, Added::TypeInUse, "its import has not ended");
    assert_eq!(store.templates().await.unwrap(), []);
    import.load_all().await;
    import.close().await;
    stored(store.add_template(&new("a", "1", growth)).await.unwrap());
    let count = format!("SELECT count(*) FROM {} WHERE author IS NULL", fresh.table("contexts"));
    assert_eq!(fresh.integer(&count).await, 2);
    for spec in [import_spec(Duplicates::Skip), export_spec()] {
        let refused = store.create(&new_operation(spec)).await.unwrap();
        assert!(matches!(&refused, Created::TypeChanged(name) if name == "contexts"), "{refused:?}");
    }
    assert_eq!(store.list(Listing::Active).await.unwrap().len(), 0);
}

/// A type, and the same once it has grown.
fn growing() -> (Arc<DataType>, Arc<DataType>) {
    let small = pets(&["id", "name"]);
    let mut large = small.clone();
    for (name, field_type) in
        [("größe", FieldType::Number), ("born", FieldType::Date), ("tags", FieldType::Array)]
    {
        large.fields.push(Field::new(Identifier::new(name).unwrap(), field_type, false));
    }
    (Arc::new(small), Arc::new(large))
}

pub(super) async fn new_columns_are_filled_from_what_rows_keep_in_extra(fresh: Fresh) {
    let store = fresh.store();
    let (small, large) = growing();
    let grown = |before: Option<&Arc<DataType>>, after: &Arc<DataType>| {
        Some(Growth { before: before.map(|before| (**before).clone()), after: (**after).clone() })
    };
    stored(store.add_template(&new("a", "1", grown(None, &small))).await.unwrap());
    let before = |id: &str, extra: &str| {
        let record = Record::new(id, "").of(&small).with("name", text("Rex"));
        if extra.is_empty() { record } else { record.with("extra", json(extra)) }
    };
    let mut given = vec![
        before("", r#"{"größe":0.1}"#),
        before(
            "all",
            r#"{"born":"1970-01-01T01:00:00+01:00","more":[1],"tags":["a",{"b":null}],"größe":-12}"#,
        ),
        before("none", ""),
        before("null", r#"{"tags":null,"größe":1}"#),
        before("other", r#"{"tag":1}"#),
        before("unfit", r#"{"born":"yesterday","tags":"a","größe":"0.1"}"#),
    ];
    // More than any store looks at in one piece.
    given.extend(
        (0..1_500).map(|number| before(&format!("x{number:04}"), &format!(r#"{{"größe":{number}}}"#))),
    );
    let import = Planned::import(&store, Duplicates::Reject, cut(&given, &[])).await;
    import.load_all().await;
    import.close().await;
    let Added::New(_, filled) =
        store.add_template(&new("a", "2", grown(Some(&small), &large))).await.unwrap()
    else {
        panic!("expected a new template")
    };
    assert_eq!((filled.moved, filled.left), (1_505, 3), "what was filled is told");

    let after = |id: &str, values: &[(&'static str, Given)]| {
        let record = Record::new(id, "").of(&large).with("name", text("Rex"));
        values.iter().fold(record, |record, (name, value)| record.with(name, value.clone()))
    };
    let mut expected = vec![
        after("", &[("größe", json("0.1"))]),
        after(
            "all",
            &[
                ("größe", json("-12")),
                ("born", Given::Instant(0)),
                ("tags", json(r#"["a",{"b":null}]"#)),
                ("extra", json(r#"{"more":[1]}"#)),
            ],
        ),
        after("none", &[]),
        after("null", &[("größe", json("1")), ("extra", json(r#"{"tags":null}"#))]),
        after("other", &[("extra", json(r#"{"tag":1}"#))]),
        after("unfit", &[("extra", json(r#"{"born":"yesterday","tags":"a","größe":"0.1"}"#))]),
    ];
    expected.extend(
        (0..1_500).map(|number| after(&format!("x{number:04}"), &[("größe", json(&number.to_string()))])),
    );
    let mut table = table_of(&store, &large).await;
    for record in &expected {
        let id = record.id();
        let (found, mut values) = (table.remove(id), record.values());
        if let (Some(Given::Json(found)), Some(Given::Json(extra))) =
            (found.as_ref().and_then(|found| found.last()), values.last_mut())
        {
            // Members of an object have an order of their own.
            let [was, is] =
                [&*extra, found].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
            assert_eq!(was, is, "{id:?}");
            extra.clone_from(found);
        }
        assert_eq!(found, Some(values), "{id:?}");
    }
    assert!(table.is_empty(), "unexpected: {:?}", table.keys());
    // The hash is that of the record as an import makes it now.
    expected.retain(|record| record.id() != "unfit");
    let again = Planned::import(&store, Duplicates::Overwrite, cut(&expected, &[])).await;
    assert_eq!(again.load_all().await, tally([0, 0, expected.len() as u64, 0, 0]));
}

/// Whoever comes first wins; the other is told so.
pub(super) async fn no_operation_begins_with_the_shape_of_before(fresh: Fresh) {
    let (one, other) = (fresh.store(), fresh.reopened().await);
    for round in 0..20 {
        let name = Identifier::new(format!("pets{round}")).unwrap();
        let of = |fields: &[&str]| DataType { name: name.clone(), ..pets(fields) };
        let (small, large) = (of(&["id"]), of(&["id", "name"]));
        let growth = |before, after| Some(Growth { before, after });
        let made = new(name.as_str(), "1", growth(None, small.clone()));
        stored(one.add_template(&made).await.unwrap());
        let Spec::V1(Work::Import(mut import)) = import_spec(Duplicates::Skip) else { unreachable!() };
        name.as_str().clone_into(&mut import.data_type);
        import.types = OwnTypes(vec![small.clone()]);
        let operation = new_operation(Spec::import(import));
        let growing = new(name.as_str(), "2", growth(Some(small), large));
        let (created, grown) = tokio::join!(one.create(&operation), other.add_template(&growing));
        match (created.unwrap(), grown.unwrap()) {
            (Created::New(_), Added::TypeInUse) | (Created::TypeChanged(_), Added::New(..)) => {}
            both => panic!("round {round}: {both:?}"),
        }
    }
}

pub(super) async fn two_that_make_a_type_at_once_make_it_once(fresh: Fresh) {
    let (one, other) = (fresh.store(), fresh.reopened().await);
    let growth = || Some(Growth { before: None, after: pets(&["id"]) });
    let templates = [new("a", "1", growth()), new("b", "1", growth())];
    let (one, other) = tokio::join!(one.add_template(&templates[0]), other.add_template(&templates[1]));
    let mut answers = [one.unwrap(), other.unwrap()].map(|answer| matches!(answer, Added::New(..)));
    answers.sort_unstable();
    assert_eq!(answers, [false, true]);
}

/// An import of templates of as many batches, and how a worker commits one.
async fn importing(fresh: &Fresh, batches: usize) -> Planned {
    let templates = schema::built_in(schema::TEMPLATES).unwrap();
    let record = |number: usize| Record::new(&number.to_string(), "").of(&templates).without("title");
    let pieces = cut(&(0..batches).map(record).collect::<Vec<_>>(), &vec![1; batches]);
    let Spec::V1(Work::Import(mut import)) = import_spec(Duplicates::Skip) else { unreachable!() };
    schema::TEMPLATES.clone_into(&mut import.data_type);
    Planned::import_as(&fresh.store(), Spec::import(import), pieces).await
}

async fn commit(import: &Planned, claim: &Claim, new: Option<&NewTemplate>) -> Commit {
    let effect = TemplateEffect { new, bytes: 9 };
    import.store.commit_template(&import.operation, claim, effect).await.unwrap()
}

pub(super) async fn the_template_of_a_batch_is_stored_once(fresh: Fresh) {
    let import = importing(&fresh, 3).await;
    let growth = Some(Growth { before: None, after: pets(&["id"]) });
    let first = new("a", "1", growth);
    let claim = import.claim(0, LEASE).await;
    assert_eq!(done(commit(&import, &claim, Some(&first)).await), tally([1, 0, 0, 0, 0]));
    // As a worker does who was killed before it heard the answer; and as one who has lost the batch.
    let other = fresh.reopened().await;
    assert_eq!(commit(&import.through(&other), &claim, Some(&first)).await, Commit::Before);
    let claim = import.claim(1, LEASE).await;
    let again = import.steal(1, 1).await.remove(0);
    let second = new("a", "2", None);
    assert_eq!(commit(&import, &claim, Some(&second)).await, Commit::LeaseLost);
    assert_eq!(done(commit(&import, &again, Some(&second)).await), tally([1, 0, 0, 0, 0]));
    // It is there, and is to be skipped.
    let claim = import.claim(2, LEASE).await;
    assert_eq!(done(commit(&import, &claim, None).await), tally([0, 0, 0, 1, 0]));
    let listed = import.store.templates().await.unwrap();
    assert_eq!(
        listed.iter().map(|one| (one.id, &*one.owner)).collect::<Vec<_>>(),
        [(second.id, "ada"), (first.id, "ada")]
    );
    assert_eq!(import.store.data_types().await.unwrap(), [pets(&["id"])]);
    assert_eq!(import.close().await.state, State::Succeeded);
}

pub(super) async fn a_batch_without_its_template_changes_nothing(fresh: Fresh) {
    let import = importing(&fresh, 2).await;
    let growth = |before, after| Some(Growth { before, after });
    let (small, large) = (pets(&["id"]), pets(&["id", "name"]));
    let known = stored(import.store.add_template(&new("a", "1", growth(None, small.clone()))).await.unwrap());
    let claim = import.claim(0, LEASE).await;
    let other = NewTemplate { document: serde_json::json!({"name": "b"}), ..new("a", "1", None) };
    let grown = new("a", "2", growth(Some(small.clone()), large.clone()));
    let wrong = new("a", "2", growth(None, large.clone()));
    let Spec::V1(Work::Import(mut running)) = import_spec(Duplicates::Skip) else { unreachable!() };
    "pets".clone_into(&mut running.data_type);
    running.types = OwnTypes(vec![small.clone()]);
    let Created::New(running) = import.store.create(&new_operation(Spec::import(running))).await.unwrap()
    else {
        panic!("expected a new operation")
    };
    for (template, expected) in [
        (new("a", "1", None), Added::Before(known.clone())),
        (other, Added::OtherDocument(known.clone())),
        (grown, Added::TypeInUse),
        (wrong, Added::TypeChanged),
    ] {
        let answer = commit(&import, &claim, Some(&template)).await;
        assert_eq!(answer, Commit::NotAdded(Box::new(expected)));
    }
    assert_eq!(import.store.templates().await.unwrap(), [known]);
    assert_eq!(import.store.data_types().await.unwrap(), [small]);
    assert_eq!(import.store.totals(import.operation.id).await.unwrap().batches, 0);
    // The batch is still ours. What was refused by the pipeline goes the way of every record.
    import.store.cancel(running.id).await.unwrap();
    assert_eq!(done(commit(&import, &claim, Some(&new("b", "1", None))).await), tally([1, 0, 0, 0, 0]));
    import.store.cancel(import.operation.id).await.unwrap();
    let stopped = commit(&import, &claim, Some(&new("c", "1", None))).await;
    assert!(matches!(stopped, Commit::Before | Commit::Stopped(State::Cancelling)), "{stopped:?}");
    assert_eq!(import.store.templates().await.unwrap().len(), 2);
}

pub(super) async fn templates_are_records_in_the_order_in_which_they_were_stored(fresh: Fresh) {
    let (store, templates) = (fresh.store(), schema::built_in(schema::TEMPLATES).unwrap());
    assert!(table_of(&store, &templates).await.is_empty());
    // Made by clocks that differ.
    let late = Uuid::from_u128(0xffff << 100);
    let mut expected = Vec::new();
    for (id, document) in [
        (late, serde_json::json!({"schema": {"type": "ü", "fields": [1.5, {"b": null}]}})),
        (
            Uuid::from_u128(1),
            serde_json::json!({"schema": {}, "description": null, "examples": [{"a": "b c"}]}),
        ),
        (
            Uuid::from_u128(late.as_u128() + 9),
            serde_json::json!({"schema": {}, "description": "", "transformation": {}}),
        ),
    ] {
        let version = expected.len().to_string();
        let template = NewTemplate { id, document, ..new("ä", &version, None) };
        expected.push(stored(store.add_template(&template).await.unwrap()));
    }
    let ids: Vec<u128> = expected.iter().map(|one| one.id.as_u128()).collect();
    assert_eq!(ids, [late.as_u128(), late.as_u128() + 1, late.as_u128() + 9]);
    let table = table_of(&store, &templates).await;
    let found: Vec<Vec<Given>> = table.into_values().collect();
    let missing = || Given::Missing;
    for ((found, stored), (description, schema, transformation, examples, extra)) in
        found.iter().zip(&expected).zip([
            (missing(), json(r#"{"type":"ü","fields":[1.5,{"b":null}]}"#), missing(), missing(), missing()),
            (missing(), json("{}"), missing(), json(r#"[{"a":"b c"}]"#), json(r#"{"description":null}"#)),
            (text(""), json("{}"), json("{}"), missing(), missing()),
        ])
    {
        let created = Given::Instant(stored.created_at.as_microsecond());
        let own = [text(&stored.id.to_string()), text(&stored.name), text(&stored.version), description];
        let rest = [schema, transformation, examples, created, text("ada"), extra];
        assert_eq!(*found, [&own[..], &rest[..]].concat());
    }
    assert_eq!(found.len(), 3);
}
