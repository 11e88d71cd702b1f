//! Binary content: stored once under its hash, referred to by rows, and back in every format; and what happens
//! when it is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use carrack_shared::content::{self, Reference};
use carrack_shared::format::Format;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::packaging::Packaging;
use carrack_shared::operation::{Operation, State};
use carrack_shared::schema::{DataType, Field, FieldType, Identifier};
use carrack_shared::spec::{Duplicates, ExportSpec, ImportSpec, OwnTypes, Spec};
use carrack_shared::tally::Tally;
use carrack_tests::deployment::Deployment;
use serde_json::{Value, json};

fn photos() -> DataType {
    use FieldType::{Binary, Boolean, Decimal, Integer, Number, String};
    let fields = [
        ("id", String),
        ("title", String),
        ("width", Integer),
        ("rating", Number),
        ("price", Decimal),
        ("public", Boolean),
        ("image", Binary),
        ("thumbnail", Binary),
    ];
    let field = |(name, field_type)| Field::new(Identifier::new(name).unwrap(), field_type, name == "id");
    let fields = fields.into_iter().map(field);
    DataType { name: Identifier::new("photos").unwrap(), fields: fields.collect(), key: 0 }
}

/// Bytes that look random, of any length.
fn bytes(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..length).map(step).collect()
}

const MIB: usize = 1024 * 1024;

/// The records, as NDJSON: one of 10 MiB, some in between, and a thousand with the same thumbnail.
fn input() -> (String, usize) {
    let mut contents: BTreeMap<Vec<u8>, ()> = BTreeMap::new();
    let mut lines = String::new();
    let thumbnail = bytes(1, 3_000);
    for number in 0..1_000_u32 {
        let image = match number {
            0 => Some(bytes(2, 10 * MIB)),
            1 => Some(Vec::new()),
            2..50 => Some(bytes(number, 60_000 + number as usize)),
            _ => None,
        };
        let price: Value = serde_json::from_str(&format!("{number}.5")).unwrap();
        let mut record = json!({
            "id": format!("photo {number:04}"),
            "title": "true",
            "width": i64::MAX - i64::from(number),
            "rating": 0.1,
            "price": price,
            "public": number % 2 == 0,
            "thumbnail": content::encode(&thumbnail),
            "camera": {"iso": 100},
        });
        if let Some(image) = image {
            record["image"] = content::encode(&image).into();
            contents.insert(image, ());
        }
        lines.push_str(&record.to_string());
        lines.push('\n');
    }
    contents.insert(thumbnail, ());
    (lines, contents.len())
}

async fn import(
    deployment: &Deployment,
    name: &str,
    format: Format,
    duplicates: Duplicates,
    content: Vec<u8>,
) -> Operation {
    let source = deployment.upload(name, content).await.unwrap();
    let spec = Spec::import(ImportSpec {
        types: OwnTypes(vec![photos()]),
        batch_size: 100,
        duplicates,
        sources: vec![source],
        ..ImportSpec::new("photos", format)
    });
    deployment.end(spec).await.unwrap()
}

async fn export(
    deployment: &Deployment,
    format: Format,
    binary: bool,
    compression: Compression,
) -> Operation {
    let packaging = Packaging { compression, ..Packaging::default() };
    let spec = Spec::export(ExportSpec {
        types: OwnTypes(vec![photos()]),
        include_binary_data: binary,
        packaging,
        ..ExportSpec::new("photos", format)
    });
    deployment.end(spec).await.unwrap()
}

async fn exported(deployment: &Deployment, format: Format, binary: bool) -> Vec<u8> {
    let ended = export(deployment, format, binary, Compression::None).await;
    assert_eq!(ended.state, State::Succeeded, "{format:?}: {:?}", ended.failure);
    deployment.file(&ended).await.unwrap()
}

fn counts(ended: &Operation) -> [u64; 4] {
    let Tally { created, updated, unchanged, rejected, .. } = ended.tally.unwrap();
    [created, updated, unchanged, rejected]
}

/// The objects that hold contents, with their versions.
async fn stored(deployment: &Deployment) -> BTreeMap<String, String> {
    let mut stored = BTreeMap::new();
    for key in deployment.ports.objects.list("binary/").await.unwrap() {
        let meta = deployment.ports.objects.head(&key).await.unwrap().unwrap();
        stored.insert(key, meta.etag);
    }
    stored
}

async fn contents_go_there_and_back(here: Deployment) {
    let (lines, distinct) = input();
    let ended =
        import(&here, "photos.ndjson", Format::Ndjson, Duplicates::Reject, lines.clone().into()).await;
    assert_eq!((ended.state, counts(&ended)), (State::Succeeded, [1_000, 0, 0, 0]), "{:?}", ended.failure);
    let objects = stored(&here).await;
    assert_eq!(objects.len(), distinct, "each content once");

    // A batch that is executed again, after everything or after its contents only, stores nothing anew.
    let again =
        import(&here, "photos.ndjson", Format::Ndjson, Duplicates::Overwrite, lines.clone().into()).await;
    assert_eq!(counts(&again), [0, 0, 1_000, 0]);
    let elsewhere = Deployment::embedded(Some(Arc::clone(&here.ports.objects))).await.unwrap();
    let beside = import(&elsewhere, "beside.ndjson", Format::Ndjson, Duplicates::Reject, lines.into()).await;
    assert_eq!(counts(&beside), [1_000, 0, 0, 0]);
    assert_eq!(stored(&here).await, objects);
    elsewhere.stop().await;

    let reference = exported(&here, Format::Ndjson, true).await;
    for format in Format::ALL {
        // What is exported as references is the same record where the contents are.
        let file = exported(&here, format, false).await;
        assert!(file.len() < MIB, "{format:?}: found {} bytes of references", file.len());
        let same = import(&here, "references", format, Duplicates::Overwrite, file).await;
        assert_eq!(counts(&same), [0, 0, 1_000, 0], "{format:?}: {:?}", same.failure);

        // What is exported with its contents is the same record everywhere.
        let file = exported(&here, format, true).await;
        assert!(file.len() > 13 * MIB, "{format:?}: found {} bytes", file.len());
        let there = Deployment::embedded(None).await.unwrap();
        let ended = import(&there, "contents", format, Duplicates::Reject, file).await;
        assert_eq!(counts(&ended), [1_000, 0, 0, 0], "{format:?}: {:?}", ended.failure);
        assert_eq!(stored(&there).await.len(), distinct, "{format:?}");
        assert!(exported(&there, Format::Ndjson, true).await == reference, "{format:?}: other records");
        there.stop().await;
    }
    here.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_go_through_every_format_on_one_machine() {
    Box::pin(contents_go_there_and_back(Deployment::embedded(None).await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_go_through_every_format_on_a_fleet() {
    Box::pin(contents_go_there_and_back(Deployment::fleet().await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_nothing_is_a_reject() {
    let deployment = Deployment::embedded(None).await.unwrap();
    let (here, nowhere) = (Reference::of(b"foo"), Reference::of(b"bar"));
    deployment.put(&here.key(), &b"foo"[..]).await.unwrap();
    let longer = Reference { size: 4, ..here };
    let line = |id: u32, image: &Reference| format!("{{\"id\":\"{id}\",\"image\":{}}}\n", image.json());
    let own = format!(
        "{{\"id\":\"5\",\"image\":\"{}\",\"thumbnail\":{}}}\n",
        content::encode(b"own"),
        Reference::of(b"own").json()
    );
    let lines = [line(1, &here), line(2, &nowhere), line(3, &longer), line(4, &nowhere), own].concat();
    let ended = import(&deployment, "a.ndjson", Format::Ndjson, Duplicates::Reject, lines.into()).await;
    assert_eq!((ended.state, counts(&ended)), (State::SucceededWithRejects, [2, 0, 0, 3]));
    let rejects = deployment.rejects(&ended).await.unwrap();
    let shown: Vec<_> = rejects
        .iter()
        .map(|reject| {
            let fault = &reject.faults[0];
            format!("{} {} {}: {}", reject.line, fault.code, fault.field.as_deref().unwrap(), fault.message)
        })
        .collect();
    let missing = |line: u32| {
        format!(
            "{line} binary.missing image: found no object at {}, expected the content of 3 bytes",
            nowhere.key()
        )
    };
    let other = format!(
        "3 binary.missing image: found an object of 3 bytes at {}, expected the content of 4 bytes",
        here.key()
    );
    assert_eq!(shown, [missing(2), other, missing(4)]);
    deployment.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_is_gone_or_altered_ends_an_export_by_its_name() {
    let deployment = Deployment::embedded(None).await.unwrap();
    let reference = Reference::of(b"foo");
    let line = format!("{{\"id\":\"1\",\"image\":\"{}\"}}\n", content::encode(b"foo"));
    import(&deployment, "a.ndjson", Format::Ndjson, Duplicates::Reject, line.into()).await;
    for compression in [Compression::None, Compression::Gzip] {
        for (code, content) in [
            ("binary.altered", Some(&b"fox"[..])),
            ("binary.missing", Some(b"longer")),
            ("binary.missing", None),
        ] {
            match content {
                Some(content) => deployment.put(&reference.key(), content).await.unwrap(),
                None => deployment.ports.objects.delete(&reference.key()).await.unwrap(),
            }
            let ended = export(&deployment, Format::Json, true, compression).await;
            let failure = ended.failure.unwrap();
            assert_eq!((ended.state, failure.code.as_str()), (State::Failed, code), "{}", failure.message);
            assert!(failure.message.contains(&reference.key()), "{}", failure.message);
            let ended = export(&deployment, Format::Json, false, compression).await;
            assert_eq!(ended.state, State::Succeeded, "references need no content");
        }
    }
    deployment.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_contents_no_record_could_hold_is_not_exported_with_them() {
    let deployment = Deployment::embedded(None).await.unwrap();
    let large = bytes(9, 7 * MIB);
    let lines = [
        format!("{{\"id\":\"1\",\"image\":\"{}\"}}\n", content::encode(&large)),
        format!("{{\"id\":\"2\",\"image\":{0},\"thumbnail\":{0}}}\n", Reference::of(&large).json()),
    ];
    for (line, code) in lines.into_iter().zip([None, Some("binary.too_large")]) {
        import(&deployment, "a.ndjson", Format::Ndjson, Duplicates::Reject, line.into()).await;
        let ended = export(&deployment, Format::Csv, true, Compression::Zstd).await;
        assert_eq!(ended.failure.as_ref().map(|failure| failure.code.as_str()), code, "{:?}", ended.failure);
    }
    deployment.stop().await;
}
