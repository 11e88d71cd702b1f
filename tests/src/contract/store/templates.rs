//! Templates, whose versions never change, and data types, which only grow.

use carrack_shared::port::templates::{Added, Growth, NewTemplate, StoredTemplate};
use carrack_shared::schema::{self, DataType, Field, FieldType, Identifier};
use carrack_shared::spec::Duplicates;
use serde_json::json;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, records};
use super::import::{Planned, create, import_spec};

fn new(name: &str, version: &str, growth: Option<Growth>) -> NewTemplate {
    NewTemplate {
        id: Uuid::now_v7(),
        owner: "ada".into(),
        name: name.into(),
        version: version.into(),
        data_type: growth.as_ref().map_or("contexts", |growth| growth.after.name.as_str()).into(),
        // Members keep their order, for a document comes back as it was written.
        document: json!({"name": name, "zeta": 1, "alpha": {"b": [1.5, null], "a": "ü"}}),
        growth,
    }
}

fn pets(fields: &[&str]) -> DataType {
    let field = |name: &&str| Field::new(Identifier::new(*name).unwrap(), FieldType::String, *name == "id");
    let fields = fields.iter().map(field).collect();
    DataType { name: Identifier::new("pets").unwrap(), fields, key: 0 }
}

fn stored(added: Added) -> StoredTemplate {
    let Added::New(stored) = added else { panic!("expected a new template, found {added:?}") };
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
    let other = NewTemplate { document: json!({"name": "a"}), ..new("a", "1", None) };
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
    create(&store, import_spec(Duplicates::Skip)).await;
    assert_eq!(fresh.integer(&count).await, 2, "an operation that knows fewer columns leaves them");
}

pub(super) async fn two_that_make_a_type_at_once_make_it_once(fresh: Fresh) {
    let (one, other) = (fresh.store(), fresh.reopened().await);
    let growth = || Some(Growth { before: None, after: pets(&["id"]) });
    let templates = [new("a", "1", growth()), new("b", "1", growth())];
    let (one, other) = tokio::join!(one.add_template(&templates[0]), other.add_template(&templates[1]));
    let mut answers = [one.unwrap(), other.unwrap()].map(|answer| matches!(answer, Added::New(_)));
    answers.sort_unstable();
    assert_eq!(answers, [false, true]);
}
