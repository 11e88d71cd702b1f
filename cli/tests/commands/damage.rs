//! Files that are not what they should be: parts that are missing, doubled, foreign or altered, keys that do not
//! fit, files that were cut, and names that say something else. What is wrong before the first record is told
//! before anything begins; what is found later leaves the records before it, and says where it was.

use std::path::Path;

use carrack_shared::layer::compress::frame;
use carrack_shared::layer::compression::Compression;
use carrack_shared::limits::SNIFF_BYTES;

use crate::support::Home;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Of the table that the files were written from.
const RECORDS: u64 = 600;

/// Bytes of a sealed file before its first chunk, of a chunk, and of what a chunk holds.
const BEFORE_CHUNKS: usize = 172;
const SEALED_CHUNK: usize = 16_400;
const CHUNK: usize = 16_384;

/// The parts of `plain` and `sealed`, and the split that gives three of them.
const PLAIN: [&str; 3] = ["plain.0001-of-0003.json", "plain.0002-of-0003.json", "plain.0003-of-0003.json"];
const SEALED: [&str; 3] = [
    "sealed.0001-of-0003.ndjson.sealed",
    "sealed.0002-of-0003.ndjson.sealed",
    "sealed.0003-of-0003.ndjson.sealed",
];
const SPLIT: &str = "300KB";

fn home() -> Home {
    let mut home = Home::new();
    home.set("KEY", KEY);
    home.set("OTHER", OTHER_KEY);
    home
}

fn record(number: u64) -> String {
    format!("{{\"id\":\"{number:04}\",\"title\":\"t\",\"content\":\"{:x<1300}\"}}", number * 7919)
}

/// A folder with exports: `plain` and `sealed` in parts, `whole` in one sealed file, and in `foreign` the same
/// of other records.
fn exports() -> Home {
    let home = home();
    for (folder, first) in [(".", 0), ("foreign", RECORDS)] {
        let records: Vec<_> = (first..first + RECORDS).map(record).collect();
        let file = home.path(folder).join("records.ndjson");
        std::fs::create_dir_all(home.path(folder)).unwrap();
        std::fs::write(&file, records.join("\n")).unwrap();
        let data = format!("{folder}/data");
        let run = |args: &[&str]| {
            let outcome = home.run(&[&["--data-dir", &data], args].concat());
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
        };
        run(&["import", file.to_str().unwrap()]);
        for (name, format, options) in [
            ("plain.json", "json", &["--split", SPLIT][..]),
            ("sealed.ndjson.sealed", "ndjson", &["--split", SPLIT, "--key", "env:KEY"]),
            ("whole.ndjson.sealed", "ndjson", &["--key", "env:KEY"]),
            ("text.ndjson", "ndjson", &[]),
        ] {
            let output = home.path(folder).join(name);
            let to = ["export", "--type", "contexts", "--format", format, "-o", output.to_str().unwrap()];
            run(&[&to, options].concat());
        }
    }
    home
}

/// A copy of the exports, which a case may spoil, and a store of its own.
struct Bench<'a> {
    home: Home,
    exports: &'a Home,
}

impl<'a> Bench<'a> {
    fn new(exports: &'a Home) -> Self {
        let home = home();
        for entry in std::fs::read_dir(exports.path(".")).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), home.path(entry.file_name().to_str().unwrap())).unwrap();
            }
        }
        Self { home, exports }
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.home.path(name)).unwrap()
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.home.path(name)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        self.home.write(to, self.bytes(from));
    }

    fn swap(&self, one: &str, other: &str) {
        let (first, second) = (self.bytes(one), self.bytes(other));
        self.home.write(one, second);
        self.home.write(other, first);
    }

    /// Takes the file of this name from the exports of other records.
    fn foreign(&self, name: &str) {
        std::fs::copy(self.exports.path("foreign").join(name), self.home.path(name)).unwrap();
    }

    fn flip(&self, name: &str, at: usize) {
        let mut bytes = self.bytes(name);
        bytes[at] ^= 1;
        self.home.write(name, bytes);
    }

    fn cut(&self, name: &str, at: usize) {
        let bytes = self.bytes(name);
        assert!(at < bytes.len(), "{name} has {} bytes", bytes.len());
        self.home.write(name, &bytes[..at]);
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.home.read(name);
        assert!(text.contains(from), "{text}");
        self.home.write(name, text.replacen(from, to, 1));
    }
}

/// What is done, what is imported then, the exit code, the records that are loaded, and the words in what is said.
type Case = (fn(&Bench<'_>), &'static [&'static str], i32, u64, &'static [&'static str]);

/// Runs each case on a bench of its own.
fn check(cases: &[Case]) {
    let exports = exports();
    for (spoil, args, code, loaded, words) in cases {
        let bench = Bench::new(&exports);
        spoil(&bench);
        let outcome = bench.home.run(&[&["import"], *args, &["--type", "contexts"]].concat());
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(*code), "{args:?}: {said}");
        for word in *words {
            assert!(said.contains(word), "{args:?}: expected {word:?}, found {said}");
        }
        assert!(!said.contains(KEY) && !said.contains(OTHER_KEY), "{args:?}: {said}");
        let operations = bench.home.run(&["operations", "list", "--json"]).json();
        let operations = operations.as_array().unwrap();
        assert_eq!(operations.len(), usize::from(*code != 2), "{args:?}: whether anything began");
        let created = operations.iter().map(|one| one["created"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(created, *loaded, "{args:?}: {said}");
    }
}

const ALL: u64 = RECORDS;
const NOTHING: fn(&Bench<'_>) = |_| {};

#[test]
fn parts_without_encryption_are_told_by_name_and_hash() {
    check(&[
        (NOTHING, &["plain.manifest.json"], 0, ALL, &[]),
        (NOTHING, &[PLAIN[0], PLAIN[1], PLAIN[2]], 0, ALL, &[]),
        (|bench| bench.remove(PLAIN[1]), &["plain.manifest.json"], 2, 0, &[PLAIN[1], "No such file"]),
        (NOTHING, &["plain.manifest.json", PLAIN[1]], 0, ALL, &[]),
        (
            |bench| bench.copy("records.ndjson", "more.json"),
            &["plain.manifest.json", "more.json"],
            2,
            0,
            &["more.json: found a file that plain.manifest.json does not know"],
        ),
        (
            |bench| bench.foreign(PLAIN[1]),
            &["plain.manifest.json"],
            2,
            0,
            &[PLAIN[1], "found content with the SHA-256", "as the manifest says"],
        ),
        (
            |bench| bench.swap(PLAIN[0], PLAIN[1]),
            &["plain.manifest.json"],
            2,
            0,
            &[PLAIN[0], PLAIN[1], "as the manifest says"],
        ),
        (
            |bench| bench.cut(PLAIN[2], 1_000),
            &["plain.manifest.json"],
            2,
            0,
            &[PLAIN[2], "found 1000 bytes, expected"],
        ),
        (
            |bench| bench.edit("plain.manifest.json", PLAIN[1], PLAIN[0]),
            &["plain.manifest.json"],
            2,
            0,
            &["plain.manifest.json: found plain.0001-of-0003.json twice"],
        ),
        (
            |bench| bench.edit("plain.manifest.json", PLAIN[1], "../plain.json"),
            &["plain.manifest.json"],
            2,
            0,
            &["expected a name without folders"],
        ),
        (NOTHING, &[PLAIN[0], PLAIN[2]], 2, 0, &["found no part 2 of 3, expected all of them"]),
        (NOTHING, &[PLAIN[1]], 2, 0, &["found no part 1, 3 of 3"]),
        (
            NOTHING,
            &[PLAIN[0], PLAIN[1], PLAIN[2], PLAIN[1]],
            2,
            0,
            &["plain.0002-of-0003.json: found part 2 again, expected it once"],
        ),
        (NOTHING, &[PLAIN[1], PLAIN[0], PLAIN[2]], 2, 0, &["found part 1 behind part 2, expected it before"]),
    ]);
}

#[test]
fn sealed_parts_are_told_by_their_envelopes_and_the_manifests_code() {
    let manifest: &[&str] = &["sealed.manifest.json", "--key", "env:KEY"];
    check(&[
        (NOTHING, manifest, 0, ALL, &[]),
        (NOTHING, &[SEALED[0], SEALED[1], SEALED[2], "--key", "env:KEY"], 0, ALL, &[]),
        (NOTHING, &["sealed.manifest.json"], 2, 0, &["found an encrypted file, expected its key", "--key"]),
        (NOTHING, &["sealed.manifest.json", "--key", "env:OTHER"], 2, 0, &["the key does not open it"]),
        (NOTHING, &["plain.manifest.json", "--key", "env:KEY"], 2, 0, &["not encrypted, expected no key"]),
        (|bench| bench.remove(SEALED[2]), manifest, 2, 0, &[SEALED[2], "No such file"]),
        (|bench| bench.foreign(SEALED[1]), manifest, 2, 0, &[SEALED[1], "is not that of the file"]),
        (
            |bench| bench.swap(SEALED[0], SEALED[1]),
            manifest,
            2,
            0,
            &[SEALED[1], "found part 1 behind part 2"],
        ),
        (|bench| bench.copy(SEALED[0], SEALED[1]), manifest, 2, 0, &[SEALED[1]]),
        (
            |bench| bench.edit("sealed.manifest.json", "\"records\": 600", "\"records\": 601"),
            manifest,
            2,
            0,
            &["the manifest was altered", "its code does not open"],
        ),
        (
            |bench| bench.edit("sealed.manifest.json", "\"encrypted\": true", "\"encrypted\": false"),
            manifest,
            2,
            0,
            &["the manifest was altered"],
        ),
        (|bench| bench.foreign("sealed.manifest.json"), manifest, 2, 0, &["is not that of the file"]),
        (
            NOTHING,
            &[SEALED[0], SEALED[2], "--key", "env:KEY"],
            2,
            0,
            &["found no part 2 of 3, expected all of them"],
        ),
        (
            |bench| bench.copy(SEALED[0], "x.sealed"),
            &[SEALED[0], SEALED[1], SEALED[2], "x.sealed", "--key", "env:KEY"],
            2,
            0,
            &["x.sealed: found part 1 again, expected it once: it is sealed.0001-of-0003.ndjson.sealed too"],
        ),
        (
            |bench| bench.swap(SEALED[0], SEALED[1]),
            &[SEALED[0], SEALED[1], SEALED[2], "--key", "env:KEY"],
            2,
            0,
            &["found part 1 behind part 2"],
        ),
        (
            |bench| bench.foreign(SEALED[1]),
            &[SEALED[0], SEALED[1], SEALED[2], "--key", "env:KEY"],
            2,
            0,
            &["found no part 2 of 3", "found no part 1, 3 of 3"],
        ),
        (
            |bench| bench.swap("plain.0001-of-0003.json", SEALED[0]),
            manifest,
            2,
            0,
            &[SEALED[0], "not encrypted"],
        ),
    ]);
}

/// The records of `text.ndjson` that end before this byte.
fn records_before(text: &Path, byte: usize) -> u64 {
    let text = std::fs::read(text).unwrap();
    text[..byte].iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn a_sealed_file_that_was_cut_is_refused_and_an_altered_chunk_loads_nothing_of_itself() {
    let whole: &[&str] = &["whole.ndjson.sealed", "--key", "env:KEY"];
    check(&[
        (NOTHING, whole, 0, ALL, &[]),
        (|bench| bench.cut("whole.ndjson.sealed", BEFORE_CHUNKS + 2 * SEALED_CHUNK), whole, 2, 0, &["ends"]),
        (|bench| bench.cut("whole.ndjson.sealed", BEFORE_CHUNKS + 40_000), whole, 2, 0, &["end"]),
        (|bench| bench.cut("whole.ndjson.sealed", 150), whole, 2, 0, &["whole.ndjson.sealed: "]),
        (|bench| bench.cut("whole.ndjson.sealed", 60), whole, 2, 0, &["whole.ndjson.sealed: "]),
        (|bench| bench.flip("whole.ndjson.sealed", 70), whole, 2, 0, &["the key does not open it"]),
        (|bench| bench.flip("whole.ndjson.sealed", 130), whole, 2, 0, &["whole.ndjson.sealed: "]),
    ]);
    let exports = exports();
    for chunk in [3, 20, 40] {
        let bench = Bench::new(&exports);
        bench.flip("whole.ndjson.sealed", BEFORE_CHUNKS + chunk * SEALED_CHUNK + 77);
        let outcome = bench.home.run(&[&["import", "--type", "contexts", "--json"], whole].concat());
        let begins = BEFORE_CHUNKS + chunk * SEALED_CHUNK;
        let place = format!("bytes {begins} to {} are not those that were sealed", begins + SEALED_CHUNK);
        if chunk * CHUNK < SNIFF_BYTES {
            // The head of the file is looked at before anything begins.
            assert!(outcome.code == Some(2) && outcome.stderr.contains(&place), "{outcome:?}");
            continue;
        }
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let report = outcome.json();
        assert_eq!(report["failure"]["code"], "seal.altered", "{report}");
        let message = report["failure"]["message"].as_str().unwrap();
        let before = records_before(&exports.path("text.ndjson"), chunk * CHUNK);
        assert!(message.starts_with(&format!("whole.ndjson.sealed: record {} (", before + 1)), "{message}");
        assert!(message.contains(&place), "{message}, expected {place}");
        assert_eq!((&report["created"], &report["rejected"]), (&before.into(), &1.into()), "{report}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    frame(Compression::Gzip, 6, bytes)
}

/// A record, and one with twelve mebibytes of blanks.
fn bomb(compression: Compression) -> Vec<u8> {
    let blanks = " ".repeat(12 * 1024 * 1024);
    let text = format!("[{},{{\"id\":\"b\",\"title\":\"{blanks}\",\"content\":\"\"}}]", record(1));
    frame(compression, compression.default_level(), text.as_bytes())
}

#[test]
fn compression_is_what_content_name_and_option_say() {
    check(&[
        (
            |bench| bench.home.write("a.json.gz", gzip(&bench.bytes("text.ndjson"))),
            &["a.json.gz"],
            0,
            ALL,
            &[],
        ),
        (|bench| bench.home.write("a.json", gzip(&bench.bytes("text.ndjson"))), &["a.json"], 0, ALL, &[]),
        (
            |bench| bench.home.write("a.json.gz", gzip(&gzip(&bench.bytes("text.ndjson")))),
            &["a.json.gz"],
            2,
            0,
            &["a.json.gz: found gzip inside gzip, expected one layer of compression"],
        ),
        (
            |bench| bench.copy("text.ndjson", "a.gz"),
            &["a.gz"],
            2,
            0,
            &["found no gzip, expected it as the name says"],
        ),
        (
            |bench| bench.copy("text.ndjson", "a.json"),
            &["a.json", "--compression", "zstd"],
            2,
            0,
            &["found no zstd, expected it as the option compression says"],
        ),
        (
            |bench| bench.home.write("a.br", frame(Compression::Brotli, 5, &bench.bytes("text.ndjson"))),
            &["a.br"],
            0,
            ALL,
            &[],
        ),
        (
            |bench| bench.home.write("a", frame(Compression::Brotli, 5, &bench.bytes("text.ndjson"))),
            &["a", "--compression", "brotli"],
            0,
            ALL,
            &[],
        ),
        (
            |bench| bench.home.write("a", frame(Compression::Brotli, 5, &bench.bytes("text.ndjson"))),
            &["a"],
            1,
            0,
            // Nothing tells that it is brotli.
            &["a: record 1 (line 1, byte "],
        ),
        (
            |bench| bench.home.write("a.json.gz", bomb(Compression::Gzip)),
            &["a.json.gz"],
            1,
            1,
            &["compression.bomb", "a.json.gz"],
        ),
        (
            |bench| bench.home.write("a.json.zst", bomb(Compression::Zstd)),
            &["a.json.zst"],
            1,
            1,
            &["compression.bomb", "a.json.zst"],
        ),
    ]);
}

#[test]
fn a_gzip_file_that_was_cut_loads_what_stands_before() {
    let exports = exports();
    let bench = Bench::new(&exports);
    let packed = gzip(&bench.bytes("text.ndjson"));
    bench.home.write("a.ndjson.gz", &packed[..packed.len() * 9 / 10]);
    let outcome = bench.home.run(&["import", "a.ndjson.gz", "--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report = outcome.json();
    let message = report["failure"]["message"].as_str().unwrap();
    assert!(message.starts_with("a.ndjson.gz: ") && message.contains("inside its gzip"), "{report}");
    assert_eq!(report["failure"]["code"], "compression.truncated", "{report}");
    let created = report["created"].as_u64().unwrap();
    assert!(created > RECORDS / 2 && created < RECORDS, "{report}");
}

fn utf16(text: &str, mark: &str) -> Vec<u8> {
    mark.encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn encodings_are_told_by_the_mark_or_by_the_user() {
    check(&[
        (
            |bench| bench.home.write("a.json", utf16(&bench.home.read("text.ndjson"), "\u{feff}")),
            &["a.json"],
            0,
            ALL,
            &[],
        ),
        (
            |bench| bench.home.write("a.json", utf16(&bench.home.read("text.ndjson"), "")),
            &["a.json", "--encoding", "utf-16le"],
            0,
            ALL,
            &[],
        ),
        (
            |bench| bench.home.write("a.json", utf16(&bench.home.read("text.ndjson"), "")),
            &["a.json"],
            2,
            0,
            &["a.json: "],
        ),
        (
            |bench| bench.home.write("a.json", utf16(&bench.home.read("text.ndjson"), "\u{feff}")),
            &["a.json", "--encoding", "utf-8"],
            2,
            0,
            &["found the mark of utf-16le, expected utf-8 as the option encoding says"],
        ),
        (
            |bench| bench.home.write("a.csv", b"id,title,content\n1,M\xfcnchen,\x80 5\n"),
            &["a.csv", "--encoding", "windows-1252"],
            0,
            1,
            &[],
        ),
        (
            |bench| bench.home.write("a.csv", b"id,title,content\n1,M\xfcnchen,\x80 5\n2,a,b\n"),
            &["a.csv"],
            3,
            1,
            &["found the byte 0xfc", "expected UTF-8"],
        ),
    ]);
    let home = home();
    home.write("a.csv", b"id,title,content\n1,M\xfcnchen,\x80 5\n");
    home.run(&["import", "a.csv", "--encoding", "windows-1252"]);
    home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "out"]);
    assert_eq!(home.read("out"), "{\"id\":\"1\",\"title\":\"München\",\"content\":\"€ 5\"}\n");
}
