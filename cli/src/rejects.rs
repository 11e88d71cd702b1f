//! Rejects as they come: all of them into a file, the first few for people, without keeping their records.

use std::path::{Path, PathBuf};

use carrack_coordinator::reject_kinds::RejectSummary;
use carrack_coordinator::reject_lines::Line;
use carrack_shared::operation::OperationId;
use futures_util::TryStreamExt as _;

use crate::access::ByteStream;
use crate::output::Output;
use crate::place::Place;

/// Rejects that the report shows in full.
const SHOWN: usize = 5;

/// Bytes of a line that are kept to read it. What comes before the record itself is far shorter.
const HEAD_BYTES: usize = 1024 * 1024;

/// The members that hold the record itself, as they begin. They cannot occur inside a string, where quotes
/// are escaped.
const RAW: [&[u8]; 2] = [b",\"raw\":\"", b",\"rawBase64\":\""];

/// What was written.
#[derive(Debug, Default)]
pub struct Summary {
    /// The file.
    pub file: PathBuf,
    /// How many rejects there are.
    pub count: u64,
    /// Whether the user wants them only counted where they are told.
    pub only_counted: bool,
    /// The first few, for people.
    pub first: Vec<String>,
    /// How many there are of each kind, if that is known.
    pub kinds: Option<RejectSummary>,
}

/// The file's name where the user names none: `<first file's name>.<operation>.rejects.ndjson` in the working
/// directory. No other run ever writes to it, and its rejects are never taken for those of another run.
pub fn default_name(first_input: &str, operation: OperationId) -> PathBuf {
    let name = Path::new(first_input).file_name().and_then(|name| name.to_str()).unwrap_or("import");
    PathBuf::from(format!("{name}.{operation}.rejects.ndjson"))
}

/// Writes all lines to `place`.
pub async fn write(place: &Place, mut lines: ByteStream) -> anyhow::Result<Summary> {
    let mut output = Output::create(place).await?;
    let mut summary = Summary { file: place.named().to_path_buf(), ..Summary::default() };
    let mut heads = Heads::default();
    while let Some(bytes) = lines.try_next().await? {
        output.write(&bytes).await?;
        heads.push(&bytes, |line| {
            summary.count += 1;
            if let Some(line) = line.filter(|_| summary.first.len() < SHOWN) {
                summary.first.push(line.sentence());
            }
        });
    }
    output.finish().await?;
    Ok(summary)
}

/// The lines of a page, without their records.
pub async fn page(mut lines: ByteStream) -> anyhow::Result<Vec<Line>> {
    let (mut page, mut heads) = (Vec::new(), Heads::default());
    while let Some(bytes) = lines.try_next().await? {
        heads.push(&bytes, |line| page.extend(line));
    }
    Ok(page)
}

/// Reads lines that come in pieces, up to their records.
#[derive(Default)]
struct Heads(Vec<u8>);

impl Heads {
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Option<Line>)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = HEAD_BYTES.saturating_sub(self.0.len());
            self.0.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                each(self.end_line());
            }
        }
    }

    /// None for a line that this release does not know.
    fn end_line(&mut self) -> Option<Line> {
        let raw = RAW.iter().filter_map(|raw| find(&self.0, raw)).min();
        if let Some(at) = raw {
            self.0.truncate(at);
            self.0.push(b'}');
        }
        let line = serde_json::from_slice::<Line>(&self.0).ok();
        self.0.clear();
        line
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests made these files, and they are small")]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};

    const LINES: &str = concat!(
        r#"{"file":"a.csv","record":17,"line":19,"byteStart":4211,"byteEnd":4250,"field":"createdAt","#,
        r#""stage":"validate","code":"date.invalid","message":"expected a date, found \",\"raw\":\"\"","#,
        r#""faults":[],"raw":"x,\"y\"\n"}"#,
        "\n",
        r#"{"file":"a.csv","record":18,"line":20,"byteStart":4250,"byteEnd":4251,"field":null,"#,
        r#""stage":"decode","code":"utf8.invalid","message":"m","faults":[],"rawBase64":"/w=="}"#,
        "\n",
    );

    #[tokio::test]
    async fn lines_are_read_over_any_cut() {
        let folder = tempfile::tempdir().unwrap();
        for cut in [1, 7, 1000] {
            let file = folder.path().join("r.ndjson");
            let pieces = || -> Vec<anyhow::Result<Bytes>> {
                LINES.as_bytes().chunks(cut).map(|piece| Ok(Bytes::from_static(piece))).collect()
            };
            let summary =
                write(&Place::named_by_us(file.clone()), stream::iter(pieces()).boxed()).await.unwrap();
            let page = page(stream::iter(pieces()).boxed()).await.unwrap();
            let codes: Vec<_> = page.iter().map(|line| line.code.as_str()).collect();
            assert_eq!(codes, ["date.invalid", "utf8.invalid"]);
            assert_eq!(summary.count, 2);
            assert!(
                summary.first[0].starts_with("a.csv: record 17 (line 19, byte 4,211): field \"createdAt\": ")
            );
            assert_eq!(summary.first[1], "a.csv: record 18 (line 20, byte 4,250): m");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), LINES);
        }
    }

    #[test]
    fn the_file_is_named_after_the_input_and_the_operation() {
        let id = "00000000-0000-0000-0000-000000000007";
        for (input, expected) in [("records.csv", "records.csv"), ("../x/y.json", "y.json"), ("", "import")] {
            let expected = PathBuf::from(format!("{expected}.{id}.rejects.ndjson"));
            assert_eq!(default_name(input, id.parse().unwrap()), expected);
        }
    }
}
