//! Every format through every layer and back: what one store writes, another one reads as the same records,
//! to the byte of their plain export.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use carrack_tests::hostile;
use carrack_tests::process::{Ended, Process, Setting};
use futures_util::{StreamExt as _, stream};

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Combinations that run at a time: most of each is waiting.
const AT_A_TIME: usize = 6;

const RECORDS: u32 = 320;

/// Small enough that every format has several parts.
const PART: &str = "12KiB";

const FORMATS: [&str; 6] = ["json", "ndjson", "csv", "xml", "yaml", "markdown"];

/// Name, ending, and how every file of it begins; brotli has no mark.
const COMPRESSIONS: [(&str, &str, &[u8]); 4] = [
    ("none", "", b""),
    ("gzip", ".gz", b"\x1f\x8b"),
    ("brotli", ".br", b""),
    ("zstd", ".zst", b"\x28\xb5\x2f\xfd"),
];

/// How every sealed file begins.
const SEALED: &[u8] = b"\x8fCARRACK";

/// How a file is made.
#[derive(Debug, Clone, Copy)]
struct Layers {
    format: &'static str,
    compression: (&'static str, &'static str, &'static [u8]),
    /// The reference to the key.
    key: Option<&'static str>,
    split: bool,
}

impl Layers {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for format in FORMATS {
            for compression in COMPRESSIONS {
                for key in [None, Some("env:RAW_KEY")] {
                    all.extend([false, true].map(|split| Self { format, compression, key, split }));
                }
            }
        }
        // Making a key of a passphrase takes time on purpose, so once is enough.
        let phrase = Some("env:PASSPHRASE");
        all.push(Self { format: "json", compression: COMPRESSIONS[1], key: phrase, split: true });
        all
    }

    fn name(&self) -> String {
        let sealed = if self.key.is_some() { ".sealed" } else { "" };
        format!("contexts.{}{}{sealed}", self.format, self.compression.1)
    }

    /// How its files begin.
    fn mark(&self) -> &'static [u8] {
        if self.key.is_some() { SEALED } else { self.compression.2 }
    }

    fn key(&self) -> Vec<&str> {
        self.key.map_or_else(Vec::new, |key| vec!["--key", key])
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, compression: (compression, ..), key, split } = self;
        let (key, split) = (key.unwrap_or("plain"), if *split { "split" } else { "whole" });
        write!(f, "{format}, {compression}, {key}, {split}")
    }
}

fn setting(folder: &Path) -> Setting {
    let keys = [("RAW_KEY", "0123456789abcdef".repeat(4)), ("PASSPHRASE", "correct horse".to_owned())];
    let variables = keys.map(|(name, key)| (name.to_owned(), key)).into();
    Setting { folder: folder.to_path_buf(), variables }
}

/// Runs a command that has to succeed.
async fn run(setting: &Setting, args: &[&str]) -> Ended {
    let ended = Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let said = std::fs::read_to_string(setting.folder.join("carrack.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{args:?}: {}{said}", ended.stdout);
    ended
}

/// The whole table as NDJSON.
async fn plain(setting: &Setting) -> Vec<u8> {
    run(setting, &["export", "--type", "contexts", "--format", "ndjson", "-o", "plain.ndjson"]).await;
    std::fs::read(setting.folder.join("plain.ndjson")).unwrap()
}

/// The files of an export.
fn written(folder: &Path) -> Vec<Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let parts = paths.filter(|path| !path.ends_with("contexts.manifest.json"));
    parts.map(|path| std::fs::read(path).unwrap()).collect()
}

/// From a store through files into a fresh store.
async fn round_trip(from: &Setting, layers: Layers, expected: &[u8]) {
    let (files, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = files.path().join(layers.name());
    let mut export = vec!["export", "--type", "contexts", "--format", layers.format];
    export.extend(["-o", file.to_str().unwrap(), "--compression", layers.compression.0]);
    export.extend(layers.key());
    export.extend(if layers.split { &["--split", PART][..] } else { &[] });
    run(from, &export).await;
    let manifest = files.path().join("contexts.manifest.json");
    let file = if layers.split { manifest } else { file };
    let to = setting(other.path());
    let mut import = vec!["import", file.to_str().unwrap(), "--type", "contexts", "--batch-size", "70"];
    import.extend(layers.key());
    run(&to, &import).await;
    assert!(plain(&to).await == expected, "other records came back");
    let files = written(files.path());
    assert!(if layers.split { files.len() > 1 } else { files.len() == 1 }, "{} files", files.len());
    assert!(files.iter().all(|file| file.starts_with(layers.mark())), "a file begins otherwise");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_comes_back_through_every_layer() {
    let folder = tempfile::tempdir().unwrap();
    let from = setting(folder.path());
    std::fs::write(folder.path().join("hostile.ndjson"), hostile::contexts(RECORDS, 3)).unwrap();
    run(&from, &["import", "hostile.ndjson", "--type", "contexts"]).await;
    let expected = plain(&from).await;
    assert_eq!(expected.iter().filter(|byte| **byte == b'\n').count(), RECORDS as usize);
    let trips = Layers::all().into_iter().map(|layers| {
        let (from, expected) = (from.clone(), expected.clone());
        async move {
            let trip = tokio::spawn(async move { round_trip(&from, layers, &expected).await });
            trip.await.unwrap_or_else(|error| panic!("{layers}: {error}"));
        }
    });
    let count = stream::iter(trips).buffer_unordered(AT_A_TIME).count().await;
    assert_eq!(count, FORMATS.len() * COMPRESSIONS.len() * 4 + 1);
}
