//! One of our own compressed exports is planned by its index, whoever plans it: planners die with every piece of
//! the plan. An index that is damaged is no index; one that lies fails the operation, and never changes a record.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::index::{Found, Frame, Index};
use carrack_shared::operation::State;
use carrack_tests::deadly::{Poison, Seen};
use carrack_tests::process::{Process, Setting};

use crate::mortal::{Mortals, Parts};

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// 27 MB of text: a plan has pieces of 8 MiB and a batch at most, and the last one ends it.
const RECORDS: u64 = 6_500;
const PIECES: usize = 2;

/// Two frames and a half.
const BATCH: u32 = 600;

/// Records that compress as records do.
fn write(file: &Path) {
    let mut text = String::new();
    for record in 1..=RECORDS {
        write!(text, r#"{{"id":"{record:05}","title":"one of many","content":""#).unwrap();
        for word in 0..450 {
            write!(text, "{:x} ", (record * 450 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap();
        }
        text.push_str("\"}\n");
    }
    std::fs::write(file, text).unwrap();
}

async fn run(setting: &Setting, args: &[&str]) {
    let ended = Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stdout);
}

async fn export(setting: &Setting, file: &str) -> Vec<u8> {
    run(setting, &["export", "--type", "contexts", "-o", file]).await;
    std::fs::read(setting.folder.join(file)).unwrap()
}

/// The file with what stands behind its frames made anew.
fn altered(compression: Compression, file: &[u8], alter: impl Fn(Index) -> Vec<u8>) -> Vec<u8> {
    let Found::Index(index) = Index::find(compression, file, file.len() as u64) else {
        panic!("an export without an index")
    };
    let frames = &file[..usize::try_from(index.stored()).unwrap()];
    [frames, &alter(index)].concat()
}

/// The file with another index, which is sound.
fn told(compression: Compression, file: &[u8], lie: impl Fn(&mut [Frame])) -> Vec<u8> {
    altered(compression, file, |mut index| {
        // Behind the head and a seam.
        let first = index.frames.iter().position(|frame| frame.records > 0).unwrap();
        lie(&mut index.frames[first..]);
        index.trailer(compression)
    })
}

/// What becomes of a file of which every planner dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Planned by the index.
    ByIndex,
    /// Its text was read from the beginning.
    ByText,
    /// Loaded in part or not at all, with `index.wrong`.
    Failed,
}

async fn ends(name: &str, file: &[u8], expected: End, plain: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    let database = format!("sqlite:{}", folder.path().join("carrack.sqlite").display());
    let poison = Poison { planned: true, ..Poison::default() };
    let mut mortals = Mortals::new(Parts::Embedded, &database, folder.path(), poison).await;
    let id = mortals.import(&path, BATCH).await;
    *mortals.poison.operation.lock().unwrap() = Some(id);
    mortals.work();
    let ended = mortals.ended(id).await;
    let seen = mortals.close().await;
    let failure = ended.failure.as_ref().map(|failure| failure.code.as_str());
    if expected == End::Failed {
        assert_eq!((ended.state, failure), (State::Failed, Some("index.wrong")), "{:?}", ended.failure);
        return;
    }
    let created = ended.tally.map(|tally| tally.created);
    assert_eq!((ended.state, created), (State::Succeeded, Some(RECORDS)), "{:?}", ended.failure);

    // Every piece was planned twice, and by the same means.
    let mut last = 0;
    for pair in seen.chunks(2) {
        let [
            Seen::DiedPlanning { byte: lost, stored: false, .. },
            Seen::DiedPlanning { byte, stored: true, staged },
        ] = *pair
        else {
            panic!("{seen:?}")
        };
        assert!(lost == byte && byte > last, "a planner goes on where the last one stopped: {seen:?}");
        assert_eq!(staged, expected == End::ByText, "{seen:?}");
        last = byte;
    }
    assert!(seen.len() >= 2 * PIECES, "{seen:?}");
    let variables = [("CARRACK_DATABASE_URL".to_owned(), database)].into();
    let setting = Setting { folder: folder.path().to_path_buf(), variables };
    assert!(export(&setting, "plain.ndjson").await == plain, "other records than were exported");
}

#[tokio::test(flavor = "multi_thread")]
async fn planners_that_die_are_followed_by_others_whatever_the_index_says() {
    let home = tempfile::tempdir().unwrap();
    let setting = Setting { folder: home.path().to_path_buf(), ..Setting::default() };
    write(&home.path().join("source.ndjson"));
    run(&setting, &["import", "source.ndjson", "--type", "contexts"]).await;
    let plain = export(&setting, "plain.ndjson").await;
    for (compression, name) in [(Compression::Gzip, "x.ndjson.gz"), (Compression::Zstd, "x.ndjson.zst")] {
        let file = export(&setting, name).await;
        let flipped = altered(compression, &file, |index| {
            let mut trailer = index.trailer(compression);
            trailer[20] ^= 1;
            trailer
        });
        let told = |lie: fn(&mut [Frame])| told(compression, &file, lie);
        for (what, file, expected) in [
            ("as it was exported", file.clone(), End::ByIndex),
            ("a bit flipped", flipped, End::ByText),
            ("no index", altered(compression, &file, |_| Vec::new()), End::ByText),
            ("more records than a batch may have", told(|frames| frames[0].records = BATCH + 1), End::ByText),
            ("a frame too large to be held", told(|frames| frames[0].text = 5 << 20), End::ByText),
            ("a record less", told(|frames| frames[0].records -= 1), End::Failed),
            ("a record more", told(|frames| frames[0].records += 1), End::Failed),
            ("a byte more", told(|frames| frames[0].text += 1), End::Failed),
        ] {
            println!("{name}, {what}");
            ends(name, &file, expected, &plain).await;
        }
    }
}
