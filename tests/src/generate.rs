//! Generated contexts: any number of them, the same for the same recipe, streamed to a writer.
//!
//! A record is made from the seed and its number alone, so what was written can be checked against what
//! should have been, record by record, without keeping it. Bad records are well framed in every format:
//! each one is exactly one reject, whatever stands around it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::{Value, json};

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One JSON array, a record a line.
    JsonArray,
    /// One JSON object a line.
    Ndjson,
    /// A header row, then RFC 4180.
    Csv,
}

/// What to generate. The same recipe always gives the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// All records, also the bad ones and the duplicates.
    pub records: u64,
    /// The source of everything that looks random.
    pub seed: u64,
    /// Records of a hundred that must be rejected.
    pub bad_percent: u32,
    /// Records of a hundred that repeat the key of an earlier good one, with other contents. They stand in
    /// every other stretch of [`STRETCH`] records, so that there are also batches without any.
    pub duplicate_percent: u32,
    /// Every how many records the content has a line break, quotes and characters beyond ASCII; 0 is never.
    pub line_break_every: u64,
    /// Every how many records all but the key, the date and the session are others than without this; 0 is never.
    pub revised_every: u64,
}

impl Recipe {
    /// Good, distinct records, some of which have line breaks.
    pub fn new(records: u64) -> Self {
        Self {
            records,
            seed: 7,
            bad_percent: 0,
            duplicate_percent: 0,
            line_break_every: 37,
            revised_every: 0,
        }
    }
}

/// What makes a record bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bad {
    /// `createdAt` is no date.
    Date,
    /// `title` is missing.
    MissingTitle,
    /// `metadata` is not an object.
    WrongType,
    /// `content` holds a NUL, which no table takes.
    Nul,
    /// `content` holds a byte that is not UTF-8.
    NotUtf8,
    /// A cell too many in CSV, a member twice in JSON.
    Malformed,
}

impl Bad {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Date, Self::MissingTitle, Self::WrongType, Self::Nul, Self::NotUtf8, Self::Malformed];
}

/// What an import of the written records must find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// All records.
    pub records: u64,
    /// Good records with a key of their own: the rows of the table afterwards.
    pub good: u64,
    /// Good records whose key an earlier good one had.
    pub duplicates: u64,
    /// The keys of those, each with the numbers of all its records, from 1, in their order. The first of them
    /// wins the key where duplicates are rejected or skipped, the last where they overwrite.
    pub repeated: BTreeMap<String, Vec<u64>>,
    /// Records that must be rejected for what they are, by their numbers from 1.
    pub bad: BTreeMap<u64, Bad>,
    /// Bytes written.
    pub bytes: u64,
}

impl Expected {
    /// All records that must be rejected for what they are.
    pub fn rejected(&self) -> u64 {
        self.bad.len() as u64
    }
}

/// A generated context.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the data type")]
pub struct Context {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub content: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub tags: Vec<String>,
    pub created_at: String,
    pub session_id: String,
    pub metadata: Value,
}

const COLUMNS: [&str; 8] = ["id", "title", "content", "type", "tags", "createdAt", "sessionId", "metadata"];
const KINDS: [&str; 5] = ["general", "analysis", "code", "research", "Decision"];
const LEVELS: [&str; 4] = ["low", "medium", "high", "critical"];
const WORDS: usize = 5_000;
const TAGS: usize = 200;
const SESSIONS: u64 = 5_000;

/// Length of the stretches with duplicates, and of those without.
pub const STRETCH: u64 = 2_048;

/// Bytes that most rows need: a larger buffer for each row costs more than the row.
const ROW_BYTES: usize = 1_024;

/// Stands in a text for the byte 0xFF, which no `String` can hold. Of the private use area.
const BROKEN: char = '\u{E000}';

/// What is done to a good context before it is written.
enum Fate {
    Good,
    Bad(Bad),
    /// It gets the key of this earlier record, which may have been repeated or be a repetition itself.
    Repeats(u64),
}

/// The key of the context of this number, from 0.
pub fn key(number: u64) -> String {
    format!("context-{number:08}")
}

/// Makes contexts.
#[derive(Debug, Clone)]
pub struct Generator {
    recipe: Recipe,
    words: Vec<String>,
}

impl Generator {
    /// Prepares the vocabulary.
    pub fn new(recipe: Recipe) -> Self {
        let mut random = SmallRng::seed_from_u64(recipe.seed);
        let mut word = |_| {
            let letters = random.random_range(3..=10);
            (0..letters).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
        };
        Self { recipe, words: (0..WORDS).map(&mut word).collect() }
    }

    /// The random numbers of one record.
    fn random(&self, number: u64) -> SmallRng {
        let revised = self.recipe.revised_every > 0 && number.is_multiple_of(self.recipe.revised_every);
        SmallRng::seed_from_u64(self.recipe.seed.rotate_left(32) ^ number ^ u64::from(revised) << 63)
    }

    /// Random numbers that decide a record's fate, and the first of them, of a hundred. Apart from the
    /// contents, so that a recipe with bad records has the same good ones.
    fn lot(&self, number: u64) -> (SmallRng, u32) {
        let mut random = SmallRng::seed_from_u64(self.recipe.seed ^ number.rotate_left(32) ^ 1);
        let chance = random.random_range(0..100);
        (random, chance)
    }

    fn is_bad(&self, number: u64) -> bool {
        self.lot(number).1 < self.recipe.bad_percent
    }

    fn fate(&self, number: u64) -> Fate {
        let (mut random, chance) = self.lot(number);
        if chance < self.recipe.bad_percent {
            return Fate::Bad(Bad::ALL.choose(&mut random).copied().unwrap_or(Bad::Date));
        }
        let repeats =
            if (number / STRETCH).is_multiple_of(2) { 2 * self.recipe.duplicate_percent } else { 0 };
        if number == 0 || chance >= self.recipe.bad_percent + repeats {
            return Fate::Good;
        }
        // As many are near as are far, at every scale: whatever the size of the batches, some meet their own
        // batch, some one that is loaded at the same time, some one that was loaded long before.
        let scale = random.random_range(0..=number.ilog2());
        let distance = random.random_range(1..=1_u64 << scale).min(number);
        let earlier = (0..=number - distance).rev().find(|&earlier| !self.is_bad(earlier));
        earlier.map_or(Fate::Good, Fate::Repeats)
    }

    /// The record that first had the key of this one.
    fn first_of_key(&self, mut number: u64) -> u64 {
        while let Fate::Repeats(earlier) = self.fate(number) {
            number = earlier;
        }
        number
    }

    /// The good context of this number, from 0, as it is before anything is done to it.
    pub fn context(&self, number: u64) -> Context {
        let mut random = self.random(number);
        let mut text = |words: usize| {
            let mut text = String::with_capacity(words * 8);
            for word in (0..words).filter_map(|_| self.words.choose(&mut random)) {
                text.push_str(if text.is_empty() { "" } else { " " });
                text.push_str(word);
            }
            text
        };
        let title = text(5);
        let length = 20 + usize::try_from(number % 41).unwrap_or_default();
        let mut content = text(length);
        if self.recipe.line_break_every > 0 && number.is_multiple_of(self.recipe.line_break_every) {
            content.push_str("\nsecond line, with \"quotes\" and ünïcode ✓");
        }
        let tags = random.random_range(0..=5);
        let seconds = i64::try_from(number * 31).unwrap_or_default();
        Context {
            id: key(number),
            title: Some(title),
            content,
            kind: KINDS.choose(&mut random).copied().unwrap_or_default(),
            tags: self.words[..TAGS].choose_multiple(&mut random, tags).cloned().collect(),
            created_at: (start() + SignedDuration::from_secs(seconds)).to_string(),
            session_id: format!("session-{}", number % SESSIONS),
            metadata: json!({
                "importance": LEVELS.choose(&mut random),
                "source": "api",
                "score": f64::from(random.random_range(0..10_000_u32)) / 10_000.0,
            }),
        }
    }

    /// Writes all records and says what an import of them must find.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, shape: Shape, out: impl Write) -> io::Result<Expected> {
        let mut out = Counting { out, bytes: 0 };
        let mut expected = Expected { records: self.recipe.records, ..Expected::default() };
        let mut line = Vec::new();
        out.write_all(&head(shape)?)?;
        for number in 0..self.recipe.records {
            let mut context = self.context(number);
            let mut malformed = false;
            match self.fate(number) {
                Fate::Good => expected.good += 1,
                Fate::Bad(bad) => {
                    malformed = context.spoil(bad);
                    expected.bad.insert(number + 1, bad);
                }
                Fate::Repeats(earlier) => {
                    let first = self.first_of_key(earlier);
                    context.id = key(first);
                    expected.duplicates += 1;
                    let records = expected.repeated.entry(key(first)).or_insert_with(|| vec![first + 1]);
                    records.push(number + 1);
                }
            }
            line.clear();
            context.render(shape, malformed, &mut line)?;
            out.write_all(if shape == Shape::JsonArray && number > 0 { b",\n" } else { b"" })?;
            out.write_all(&line)?;
        }
        out.write_all(if shape == Shape::JsonArray { b"\n]\n" } else { b"" })?;
        out.flush()?;
        expected.bytes = out.bytes;
        Ok(expected)
    }
}

fn start() -> Timestamp {
    Timestamp::constant(1_704_067_200, 0) // 2024-01-01T00:00:00Z
}

fn head(shape: Shape) -> io::Result<Vec<u8>> {
    match shape {
        Shape::JsonArray => Ok(b"[\n".to_vec()),
        Shape::Ndjson => Ok(Vec::new()),
        Shape::Csv => row(COLUMNS),
    }
}

fn row<T: AsRef<[u8]>>(cells: impl IntoIterator<Item = T>) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .buffer_capacity(ROW_BYTES)
        .from_writer(Vec::with_capacity(ROW_BYTES));
    writer.write_record(cells)?;
    writer.into_inner().map_err(io::Error::other)
}

impl Context {
    /// Makes the record bad; answers whether its frame must be malformed, too.
    fn spoil(&mut self, bad: Bad) -> bool {
        match bad {
            Bad::Date => self.created_at = "31/02/2024".to_owned(),
            Bad::MissingTitle => self.title = None,
            Bad::WrongType => self.metadata = Value::from("none"),
            Bad::Nul => self.content.push('\0'),
            Bad::NotUtf8 => self.content.push(BROKEN),
            Bad::Malformed => return true,
        }
        false
    }

    fn render(&self, shape: Shape, malformed: bool, line: &mut Vec<u8>) -> io::Result<()> {
        match shape {
            Shape::Csv => {
                *line = row(self.cells().into_iter().chain(malformed.then(|| "one too many".to_owned())))?;
            }
            Shape::JsonArray | Shape::Ndjson => {
                serde_json::to_writer(&mut *line, self)?;
                if malformed {
                    line.splice(..1, *b"{\"id\":\"twice\",");
                }
            }
        }
        if self.content.ends_with(BROKEN) {
            replace_broken(line);
        }
        line.extend_from_slice(if shape == Shape::Ndjson { b"\n" } else { b"" });
        Ok(())
    }

    /// The cells of a CSV row: arrays as `a,b,c`, objects as JSON text, a missing value as nothing.
    fn cells(&self) -> Vec<String> {
        let tags = if self.tags.is_empty() { "[]".to_owned() } else { self.tags.join(",") };
        vec![
            self.id.clone(),
            self.title.clone().unwrap_or_default(),
            self.content.clone(),
            self.kind.to_owned(),
            tags,
            self.created_at.clone(),
            self.session_id.clone(),
            self.metadata.to_string(),
        ]
    }
}

fn replace_broken(line: &mut Vec<u8>) {
    let mut mark = [0; 4];
    let mark = BROKEN.encode_utf8(&mut mark).as_bytes();
    if let Some(at) = line.windows(mark.len()).position(|window| window == mark) {
        line.splice(at..at + mark.len(), [0xFF]);
    }
}

struct Counting<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
