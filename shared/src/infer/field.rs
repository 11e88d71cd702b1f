//! What the values of one field have in common: of which types they could be, and why of no narrower one.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use crate::format::json::text;
use crate::format::{instant, shown};
use crate::limits::{INFERRED_EXAMPLES, INFERRED_VALUES, KEY_BYTES};
use crate::mapping::DateForms;
use crate::scalar;
use crate::schema::FieldType;

/// Types in which a value may be seen, the narrowest first; a field is of the first that takes all its values.
const TRIED: [FieldType; 5] =
    [FieldType::Boolean, FieldType::Integer, FieldType::Number, FieldType::Decimal, FieldType::Date];

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the record, from 1.
    pub record: u64,
    /// Its line.
    pub line: u64,
}

/// Values that are not of a type.
#[derive(Debug, Default)]
struct Unfit {
    count: u64,
    /// The first, as it is shown, and where.
    first: Option<(String, Place)>,
}

/// Of so many values or records, one may be wrong in a key that is recognised in spite of it.
const FEW: u64 = 10;

/// Values that come again before it is asked whether they are too many: they may stand together.
const REPEATED: u64 = 1000;

/// What was seen of a field.
#[derive(Debug)]
pub(super) struct Seen {
    /// Whether texts may be numbers, because the format has nothing but texts.
    texts_only: bool,
    /// Values that are there and not null.
    pub values: u64,
    pub nulls: u64,
    /// Empty texts among the values.
    pub empty: u64,
    texts: u64,
    arrays: u64,
    objects: u64,
    unfit: [Unfit; TRIED.len()],
    /// Digits with a zero before them: texts, and no numbers.
    zeros: Unfit,
    forms: DateForms,
    pub examples: Vec<String>,
    least: Option<String>,
    most: Option<String>,
    lengths: Option<(u64, u64)>,
    /// Texts and how often each was seen; none once there are too many.
    distinct: Option<BTreeMap<String, u64>>,
    /// Hashes of the values; none once too many came again, or there is no more room.
    pub keys: Option<HashSet<u128>>,
    /// Where a value came again first.
    pub twice: Option<Place>,
    /// Values that had come before, until it was too many.
    pub repeated: u64,
    /// Whether uniqueness was given up for want of room.
    pub unsure: bool,
    /// Whether a value is too long for a key, or can be none.
    pub no_key: bool,
}

/// The type of a field, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// None where no type takes all values.
    pub field_type: Option<FieldType>,
    /// How dates are written, where not as RFC 3339.
    pub format: Option<String>,
    /// Why it is of no narrower type.
    pub reason: String,
}

impl Seen {
    pub fn new(texts_only: bool) -> Self {
        Self {
            texts_only,
            values: 0,
            nulls: 0,
            empty: 0,
            texts: 0,
            arrays: 0,
            objects: 0,
            unfit: Default::default(),
            zeros: Unfit::default(),
            forms: DateForms::default(),
            examples: Vec::new(),
            least: None,
            most: None,
            lengths: None,
            distinct: Some(BTreeMap::new()),
            keys: Some(HashSet::new()),
            twice: None,
            repeated: 0,
            unsure: false,
            no_key: false,
        }
    }

    /// Takes a value, which is canonical JSON; answers whether one more hash is kept.
    pub fn take(&mut self, json: &str, place: Place) -> bool {
        if json == "null" {
            self.nulls += 1;
            return false;
        }
        self.values += 1;
        let plain = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(|raw| {
            let mut plain = Vec::new();
            // What is canonical can be read.
            let _ = text::unescape(raw, &mut plain);
            String::from_utf8_lossy(&plain).into_owned()
        });
        match (&plain, json.as_bytes().first()) {
            (Some(_), _) => self.texts += 1,
            (None, Some(b'[')) => self.arrays += 1,
            (None, Some(b'{')) => self.objects += 1,
            _ => {}
        }
        if plain.as_deref() == Some("") {
            self.empty += 1;
        } else {
            self.show(plain.as_deref().unwrap_or(json), plain.is_some());
        }
        self.try_types(json, plain.as_deref(), place);
        self.measure(json, plain.as_deref());
        self.remember(json, plain.as_deref(), place)
    }

    fn show(&mut self, value: &str, is_text: bool) {
        let shown = if is_text { shown::text(value) } else { shown::name(value) };
        if self.examples.len() < INFERRED_EXAMPLES && !self.examples.contains(&shown) {
            self.examples.push(shown);
        }
    }

    fn try_types(&mut self, json: &str, plain: Option<&str>, place: Place) {
        // Where all is text, nothing stands for a value that is missing.
        if self.texts_only && plain == Some("") {
            return;
        }
        let written = match plain {
            Some(text) if self.texts_only => Some(text),
            Some(_) => None,
            None => Some(json),
        };
        for (field_type, unfit) in TRIED.into_iter().zip(&mut self.unfit) {
            let fits = match field_type {
                FieldType::Date => plain.is_some_and(|text| instant::parse(text).is_ok()),
                // A text with a point is more than an integer, even if there is nothing behind it.
                FieldType::Integer => written.is_some_and(|text| {
                    !text.contains(['.', 'e', 'E']) && scalar::read(field_type, text).is_ok()
                }),
                _ => written.is_some_and(|text| scalar::read(field_type, text).is_ok()),
            };
            if !fits {
                unfit.count += 1;
                unfit.first.get_or_insert_with(|| {
                    let shown = plain.map_or_else(|| shown::name(json), shown::text);
                    (shown, place)
                });
            }
        }
        if plain.is_some_and(|text| {
            text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            self.zeros.count += 1;
            self.zeros.first.get_or_insert_with(|| (plain.map(shown::text).unwrap_or_default(), place));
        }
        match plain {
            Some(text) => self.forms.take(text),
            None => self.forms.fail(),
        }
    }

    fn measure(&mut self, json: &str, plain: Option<&str>) {
        if let Some(text) = plain {
            let length = text.chars().count() as u64;
            let (least, most) = self.lengths.unwrap_or((length, length));
            self.lengths = Some((least.min(length), most.max(length)));
        }
        let written = plain.unwrap_or(json);
        if let Ok(number) = scalar::read(FieldType::Decimal, written) {
            let beyond = |bound: &Option<String>, order| {
                bound.as_ref().is_none_or(|bound| scalar::compare(&number, bound) == order)
            };
            if beyond(&self.least, Ordering::Less) {
                self.least = Some(number.to_string());
            }
            if beyond(&self.most, Ordering::Greater) {
                self.most = Some(number.into_owned());
            }
        }
    }

    fn remember(&mut self, json: &str, plain: Option<&str>, place: Place) -> bool {
        if let Some(distinct) = &mut self.distinct {
            match plain {
                Some(text) if text.len() <= KEY_BYTES => *distinct.entry(text.to_owned()).or_default() += 1,
                _ => self.distinct = None,
            }
        }
        if self.distinct.as_ref().is_some_and(|distinct| distinct.len() > INFERRED_VALUES) {
            self.distinct = None;
        }
        let written = plain.unwrap_or(json);
        if written.is_empty() {
            return false;
        }
        if written.len() > KEY_BYTES || (plain.is_none() && json.starts_with(['[', '{', 't', 'f'])) {
            self.no_key = true;
            self.keys = None;
        }
        let Some(keys) = &mut self.keys else { return false };
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(written.as_bytes()).as_bytes()[..16]);
        if keys.insert(u128::from_le_bytes(hash)) {
            return true;
        }
        self.repeated += 1;
        self.twice.get_or_insert(place);
        if self.repeated > REPEATED && !Self::has_few(self.repeated, self.values) {
            self.keys = None;
        }
        false
    }

    /// Whether `some` of all values are so few that the field may be a key in spite of them.
    fn has_few(some: u64, all: u64) -> bool {
        some.saturating_mul(FEW) <= all
    }

    /// Whether the values of all `records` differ.
    pub fn is_key(&self, records: u64) -> bool {
        let there = self.values == records && self.nulls == 0 && self.empty == 0 && records > 0;
        there && self.keys.is_some() && self.repeated == 0 && !self.no_key
    }

    /// Whether those of most do.
    pub fn is_nearly_key(&self, records: u64) -> bool {
        let there = self.values - self.empty;
        let differ = self.keys.is_some() && Self::has_few(self.repeated, there);
        differ && Self::has_few(records - there, records) && !self.no_key && there > 0
    }

    /// What keeps it from being a key of all `records`, as far as is known.
    pub fn key_doubt(&self, records: u64) -> Option<String> {
        let missing = records - (self.values - self.empty);
        let many = if self.keys.is_some() { self.repeated.to_string() } else { "many".to_owned() };
        let repeated = self.twice.map(|Place { record, line }| {
            format!("{many} of its values came before, such as that of record {record} (line {line})")
        });
        let missing = (missing > 0).then(|| format!("{missing} of {records} records have none"));
        let told: Vec<String> = repeated.into_iter().chain(missing).collect();
        (!told.is_empty()).then(|| told.join(", and "))
    }

    /// Forgets the values, because there is no room for them.
    pub fn give_up_keys(&mut self) {
        self.unsure = self.keys.take().is_some() || self.unsure;
    }

    /// The narrowest type that takes all values.
    pub fn told(&self) -> Told {
        let told = |field_type, reason: String| Told { field_type, format: None, reason };
        let known = if self.texts_only { self.values - self.empty } else { self.values };
        if known == 0 {
            let reason = match self.empty {
                0 => "no value was seen".to_owned(),
                _ => "only empty texts were seen".to_owned(),
            };
            return told((self.empty > 0).then_some(FieldType::String), reason);
        }
        if self.arrays == self.values || self.objects == self.values {
            let field_type = if self.arrays > 0 { FieldType::Array } else { FieldType::Object };
            return told(Some(field_type), format!("every value is an {}", field_type.as_str()));
        }
        if let Some(index) = self.unfit.iter().position(|unfit| unfit.count == 0) {
            let narrower = index.checked_sub(1).filter(|_| (2..=3).contains(&index));
            let reason = match narrower {
                Some(narrower) => self.but_for(narrower, known),
                None => format!("every value is one: {}", TRIED[index].as_str()),
            };
            return told(Some(TRIED[index]), reason);
        }
        let texts = self.texts == self.values;
        if texts && let Some(format) = self.forms.only() {
            let reason = format!("every value is a date as {format}");
            return Told { field_type: Some(FieldType::Date), format: Some(format), reason };
        }
        let nearest = (0..TRIED.len()).min_by_key(|index| self.unfit[*index].count).unwrap_or_default();
        let mut reason = match (&self.zeros.first, self.unfit[nearest].count < known) {
            (Some((shown, place)), _) => {
                let count = self.zeros.count;
                format!(
                    "{count} of {known} values are digits behind a zero, e.g. {shown} at line {}",
                    place.line
                )
            }
            (None, true) => self.but_for(nearest, known),
            (None, false) => "texts".to_owned(),
        };
        if let Some([one, other]) = self.forms.either() {
            reason = format!("dates, but no value tells whether they are {one} or {other}");
        }
        if !texts {
            let count = self.values - self.texts;
            let reason =
                format!("texts and {count} values that are none, such as {}: kept in extra", self.example());
            return told(None, reason);
        }
        told(Some(FieldType::String), reason)
    }

    fn but_for(&self, index: usize, known: u64) -> String {
        let Unfit { count, first } = &self.unfit[index];
        let (shown, place) = first.clone().unwrap_or((String::new(), Place { record: 0, line: 0 }));
        let name = TRIED[index].as_str();
        format!("{name} but for {count} of {known} values, e.g. {shown} at line {}", place.line)
    }

    fn example(&self) -> &str {
        self.examples.iter().find(|shown| !shown.starts_with('"')).map_or("null", String::as_str)
    }

    /// The least and the greatest number.
    pub fn range(&self) -> Option<(&str, &str)> {
        Some((self.least.as_deref()?, self.most.as_deref()?))
    }

    /// Characters of the shortest and the longest text.
    pub fn lengths(&self) -> Option<(u64, u64)> {
        self.lengths
    }

    /// The texts, where they are few and each came often.
    pub fn few(&self) -> Option<Vec<&str>> {
        let distinct = self.distinct.as_ref()?;
        let often = self.values >= 10 * distinct.len() as u64;
        (often && !distinct.is_empty()).then(|| distinct.keys().map(String::as_str).collect())
    }
}
