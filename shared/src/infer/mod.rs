//! What records of a file look like: a template for them, with the evidence for every field.
//!
//! A function of the records that it is shown, in memory that does not grow with their number but for the hashes
//! by which a key is found, which have a limit. Nothing is inferred while a file is imported: what is proposed here
//! is a document, to be read, changed and stored by its user.

mod field;
mod key;
pub mod source;

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::field::{Place, Seen, Told};
use self::key::rank;
use crate::fault::Fault;
use crate::format::json::{members, text};
use crate::limits::{FIELDS, INFERRED_KEYS};
use crate::record::{self, Rows};
use crate::schema::{DataType, FieldType, Identifier};

/// Looks at records.
#[derive(Debug)]
pub struct Inference {
    texts_only: bool,
    fields: Vec<(String, Seen)>,
    numbers: HashMap<String, usize>,
    records: u64,
    /// Records that cannot be read.
    unreadable: u64,
    first_unreadable: Option<String>,
    /// Values of fields beyond the limit.
    beyond: u64,
    hashes: usize,
}

/// A template that takes the records, and how it is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The document that `templates create` takes.
    pub template: Value,
    /// Records that were looked at.
    pub records: u64,
    /// Records among them that cannot be read, whatever the template says.
    pub unreadable: u64,
    /// Where the first of them stands, and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_unreadable: Option<String>,
    /// Values of fields behind the 1,000th, which stay in `extra`.
    pub beyond: u64,
    /// The field that identifies a record.
    pub key: String,
    /// What keeps it from identifying every record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_doubt: Option<String>,
    /// Other fields that do.
    pub other_keys: Vec<String>,
    /// Every field.
    pub fields: Vec<Evidence>,
}

/// How a field is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Its name in the file.
    pub name: String,
    /// Its name in the template, where it cannot have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
    /// Its type; none where no type takes all values: then they stay in `extra`.
    #[serde(rename = "type")]
    pub field_type: Option<FieldType>,
    /// Why it is of no narrower type.
    pub reason: String,
    /// Records that have a value.
    pub values: u64,
    /// Records that have null.
    pub nulls: u64,
    /// Records that have the empty text.
    pub empty: u64,
    /// Records that do not have the field.
    pub missing: u64,
    /// Whether no value comes twice; none where that is not known.
    pub unique: Option<bool>,
    /// Some values.
    pub examples: Vec<String>,
    /// The least and the greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[String; 2]>,
    /// Characters of the shortest and the longest text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths: Option<[u64; 2]>,
    /// All values, where they are few and come often: an `enum` if no other ones may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
}

impl Inference {
    /// Of records of a format that has nothing but texts, or that tells types; these fields stand first, in this
    /// order.
    pub fn new(texts_only: bool, first: impl IntoIterator<Item = String>) -> Self {
        let mut inference = Self {
            texts_only,
            fields: Vec::new(),
            numbers: HashMap::new(),
            records: 0,
            unreadable: 0,
            first_unreadable: None,
            beyond: 0,
            hashes: 0,
        };
        for name in first {
            inference.number(&name);
        }
        inference
    }

    /// The number of a field; none where there are too many.
    fn number(&mut self, name: &str) -> Option<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = self.fields.len();
        (number < FIELDS).then(|| {
            self.numbers.insert(name.to_owned(), number);
            self.fields.push((name.to_owned(), Seen::new(self.texts_only)));
            number
        })
    }

    /// Records that it was shown.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Looks at a record of no schema; `line` is its line.
    pub fn take(&mut self, rows: &Rows, row: usize, line: u64) {
        self.records += 1;
        let place = Place { record: self.records, line };
        let record::Value::Json(extra) = rows.value(row, rows.width() - 1) else { return };
        for (written, value) in members(&String::from_utf8_lossy(extra)) {
            let mut name = Vec::new();
            // What is canonical can be read.
            let _ = text::unescape(written, &mut name);
            let Some(number) = self.number(&String::from_utf8_lossy(&name)) else {
                self.beyond += 1;
                continue;
            };
            let seen = &mut self.fields[number].1;
            let before = seen.keys.as_ref().map_or(0, std::collections::HashSet::len);
            match seen.take(value, place) {
                true => self.hashes += 1,
                false if seen.keys.is_none() => self.hashes -= before,
                false => {}
            }
        }
        while self.hashes > INFERRED_KEYS {
            // A later field is less often a key.
            let Some((_, seen)) = self.fields.iter_mut().rev().find(|(_, seen)| seen.keys.is_some()) else {
                break;
            };
            self.hashes -= seen.keys.as_ref().map_or(0, std::collections::HashSet::len);
            seen.give_up_keys();
        }
    }

    /// A record cannot be read, because of `fault`; `line` is its line.
    pub fn refuse(&mut self, line: u64, fault: Option<&Fault>) {
        self.records += 1;
        self.unreadable += 1;
        if let (None, Some(Fault { code, message, .. })) = (&self.first_unreadable, fault) {
            self.first_unreadable = Some(format!("record {} (line {line}): {code}: {message}", self.records));
        }
    }

    /// A template for records of `data_type`, which may be known already; `key` names the field in the file that
    /// identifies a record, where it is not to be told.
    ///
    /// # Errors
    /// When no field identifies a record, or not the one that is named.
    pub fn proposal(
        &self,
        data_type: &str,
        known: Option<&DataType>,
        key: Option<&str>,
    ) -> Result<Proposal, String> {
        let readable = self.records - self.unreadable;
        let mut keys: Vec<usize> =
            (0..self.fields.len()).filter(|number| self.may_be_key(*number, readable)).collect();
        // The name says it before the values do, and these before the order.
        keys.sort_by_key(|number| {
            let (name, seen) = &self.fields[*number];
            (rank(name), !seen.is_key(readable))
        });
        let key = match (key, known) {
            (Some(name), _) => self.named_key(name)?,
            (None, Some(known)) => self.named_key(known.key_field().name.as_str())?,
            (None, None) => *keys.first().ok_or_else(|| self.no_key(readable))?,
        };
        keys.retain(|number| *number != key && self.fields[*number].1.is_key(readable));
        let mut made = Made::default();
        for (number, (name, seen)) in self.fields.iter().enumerate() {
            made.field(name, seen, number == key, readable, known, self.texts_only);
        }
        let name_of = |number: &usize| self.fields[*number].0.clone();
        let others = keys.iter().map(name_of).collect();
        Ok(Proposal {
            template: made.template(data_type),
            records: self.records,
            unreadable: self.unreadable,
            first_unreadable: self.first_unreadable.clone(),
            beyond: self.beyond,
            key: name_of(&key),
            key_doubt: self.fields[key].1.key_doubt(readable),
            other_keys: others,
            fields: made.evidence,
        })
    }
}

/// A template in the making.
#[derive(Default)]
struct Made {
    fields: Vec<Value>,
    names: Vec<String>,
    mapping: Map<String, Value>,
    steps: Vec<Value>,
    evidence: Vec<Evidence>,
}

impl Made {
    fn field(
        &mut self,
        name: &str,
        seen: &Seen,
        is_key: bool,
        readable: u64,
        known: Option<&DataType>,
        texts_only: bool,
    ) {
        let Told { field_type, format, reason } = seen.told();
        let mut evidence = Evidence {
            name: name.to_owned(),
            renamed: None,
            field_type,
            reason,
            values: seen.values,
            nulls: seen.nulls,
            empty: seen.empty,
            missing: readable.saturating_sub(seen.values + seen.nulls),
            unique: if seen.unsure {
                None
            } else {
                Some(seen.keys.is_some() && seen.repeated == 0 && seen.empty == 0 && seen.values > 0)
            },
            examples: seen.examples.clone(),
            range: seen.range().map(|(least, most)| [least, most].map(ToOwned::to_owned)),
            lengths: seen.lengths().map(<[u64; 2]>::from),
            only: seen.few().map(|few| few.into_iter().map(ToOwned::to_owned).collect()),
        };
        let at_home = known.and_then(|known| known.slot(name).map(|slot| &known.fields[slot]));
        if let Some(field) = at_home {
            evidence.field_type = Some(field.field_type);
            evidence.reason = "the type has this field already".into();
        } else if is_key {
            let how = match seen.key_doubt(readable) {
                None => ": every value is another one".to_owned(),
                Some(doubt) => format!(", but {doubt}"),
            };
            evidence.reason = format!("it identifies a record{how} ({})", evidence.reason);
            evidence.field_type = Some(FieldType::String);
        }
        if let Some(field_type) = evidence.field_type {
            let own = self.name(name);
            if own != name {
                self.mapping.insert(path(name), own.clone().into());
                evidence.renamed = Some(own.clone());
            }
            let always = seen.values == readable && (field_type == FieldType::String || seen.empty == 0);
            self.fields.push(json!({
                "name": own, "type": field_type.as_str(), "required": is_key || always,
                "description": described(&evidence, readable),
            }));
            if is_key && let Some(field) = self.fields.last_mut() {
                field["unique"] = true.into();
            }
            let text = evidence.field_type == Some(FieldType::String);
            if is_key && !texts_only && seen.lengths().is_none() {
                self.steps
                    .push(json!({"field": own, "transformation": "custom", "customFunction": "toText"}));
            } else if let Some(format) = format.filter(|_| !text) {
                self.steps.push(json!({"field": own, "transformation": "date", "formats": [format]}));
            }
        }
        self.evidence.push(evidence);
    }

    /// A name that a column can have, which is the field's own if that can be.
    fn name(&mut self, name: &str) -> String {
        let is_free = |made: &Self, name: &str| {
            Identifier::new(name).is_ok() && !made.names.iter().any(|own| own.eq_ignore_ascii_case(name))
        };
        let mut own = name.to_owned();
        if !is_free(self, &own) {
            let plain: String =
                name.chars().filter(|one| one.is_alphanumeric() || "_ -".contains(*one)).take(15).collect();
            let plain = plain.trim_matches(['_', ' ']).to_owned();
            let plain = if plain.is_empty() { "field".to_owned() } else { plain };
            let numbered = (2..).map(|number| format!("{plain}_{number}"));
            own = std::iter::once(plain.clone())
                .chain(numbered)
                .find(|name| is_free(self, name))
                .unwrap_or(plain);
        }
        self.names.push(own.clone());
        own
    }

    fn template(&mut self, data_type: &str) -> Value {
        let mut template = json!({
            "name": data_type, "version": "1",
            "schema": { "type": data_type, "fields": std::mem::take(&mut self.fields) },
        });
        let mut transformation = Map::new();
        if !self.mapping.is_empty() {
            transformation.insert("mapping".into(), std::mem::take(&mut self.mapping).into());
        }
        if !self.steps.is_empty() {
            transformation.insert("transformations".into(), std::mem::take(&mut self.steps).into());
        }
        if !transformation.is_empty() {
            template["transformation"] = transformation.into();
        }
        template
    }
}

/// A name as the path of a mapping.
fn path(name: &str) -> String {
    match name.contains(['.', '[', ']', '\'']) || name == "*" {
        true => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        false => name.to_owned(),
    }
}

/// The evidence in a sentence, for the template.
fn described(evidence: &Evidence, readable: u64) -> String {
    let mut text = format!("in {} of {readable} records", evidence.values);
    if evidence.nulls > 0 {
        text.push_str(&format!(", null in {}", evidence.nulls));
    }
    text.push_str(&format!("; {}", evidence.reason));
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::record::{Cell, Origin, Position};

    /// What is told of records, whose members stand in canonical order.
    fn looked_at(texts_only: bool, records: &[&str]) -> Inference {
        let mut inference = Inference::new(texts_only, []);
        for (line, record) in (1..).zip(records) {
            let mut rows = Rows::new(Arc::new(DataType::without_fields()), Bytes::new(), 0, 0);
            let extra = Cell::Json(rows.span_of_copy(record.as_bytes()));
            rows.push(Origin { position: Position::new(0, line), frame: 0..0 }, &[extra]);
            inference.take(&rows, 0, line);
        }
        inference
    }

    fn told(texts_only: bool, values: &[&str]) -> String {
        let records: Vec<String> =
            (0..).zip(values).map(|(number, value)| format!(r#"{{"id":"k{number}","v":{value}}}"#)).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let proposal = looked_at(texts_only, &records).proposal("things", None, None).unwrap();
        let evidence = &proposal.fields[1];
        let name = evidence.field_type.map_or("none", FieldType::as_str);
        format!("{name}: {}", evidence.reason)
    }

    #[test]
    fn a_field_is_of_the_narrowest_type_that_takes_all_values() {
        for (texts_only, values, expected) in [
            (true, &[r#""12""#, r#""-3""#, r#""""#][..], "integer: every value is one: integer"),
            (
                true,
                &[r#""12""#, r#""1.50""#],
                r#"number: integer but for 1 of 2 values, e.g. "1.50" at line 2"#,
            ),
            (
                true,
                &[r#""1""#, r#""0.1000000000000000055511151231257827""#],
                r#"decimal: number but for 1 of 2 values, e.g. "0.1000000000000000055511151231257827" at line 2"#,
            ),
            (
                true,
                &[r#""12""#, r#""12a""#, r#""13""#],
                r#"string: integer but for 1 of 3 values, e.g. "12a" at line 2"#,
            ),
            (
                true,
                &[r#""001""#, r#""12""#],
                r#"string: 1 of 2 values are digits behind a zero, e.g. "001" at line 1"#,
            ),
            (true, &[r#""true""#, r#""false""#], "boolean: every value is one: boolean"),
            (true, &[r#""2024-01-31""#], "date: every value is one: date"),
            (true, &[r#""31.01.2024""#], "date: every value is a date as %d.%m.%Y"),
            (
                true,
                &[r#""03/04/2009""#],
                "string: dates, but no value tells whether they are %d/%m/%Y or %m/%d/%Y",
            ),
            (true, &[r#""red""#, r#""blue""#], "string: texts"),
            (true, &[r#""""#], "string: only empty texts were seen"),
            (false, &["12", "null", "13"], "integer: every value is one: integer"),
            (false, &[r#""12""#, r#""13""#], "string: texts"),
            (false, &["12", r#""x""#], "none: texts and 1 values that are none, such as 12: kept in extra"),
            (false, &["[1]", "[]"], "array: every value is an array"),
            (false, &[r#"{"a":1}"#], "object: every value is an object"),
            (false, &["true", "false"], "boolean: every value is one: boolean"),
            (false, &["null"], "none: no value was seen"),
            (
                false,
                &[r#""2024-01-31T00:00:00Z""#, r#""""#],
                r#"string: date but for 1 of 2 values, e.g. "" at line 2"#,
            ),
        ] {
            assert_eq!(told(texts_only, values), expected, "{values:?}");
        }
    }

    #[test]
    fn the_key_is_a_field_with_another_value_in_each_record() {
        let records = [r#"{"id":"a","no":1,"name":"x"}"#, r#"{"id":"a","no":2,"name":"y"}"#];
        let inference = looked_at(false, &records);
        let found = inference.proposal("things", None, None).unwrap();
        assert_eq!((found.key.as_str(), found.other_keys.as_slice()), ("no", ["name".to_owned()].as_slice()));
        assert_eq!(
            found.template["transformation"]["transformations"],
            json!([{"field": "no", "transformation": "custom", "customFunction": "toText"}])
        );
        let named = inference.proposal("things", None, Some("name")).unwrap();
        assert_eq!(named.template["schema"]["fields"][2]["unique"], true);
        let doubtful = inference.proposal("things", None, Some("id")).unwrap();
        let doubt = "1 of its values came before, such as that of record 2 (line 2)";
        assert_eq!((doubtful.key.as_str(), doubtful.key_doubt.as_deref()), ("id", Some(doubt)));
        let refused = inference.proposal("things", None, Some("ID")).unwrap_err();
        assert_eq!(refused, "found the key \"ID\", expected one of id, no, name");
        let refused = looked_at(false, &[r#"{"a":[1]}"#]).proposal("things", None, Some("a")).unwrap_err();
        assert!(refused.starts_with("found the key \"a\" with values that no key can have"), "{refused}");
        let none = looked_at(false, &[r#"{"a":1}"#, r#"{"a":1,"b":2}"#]).proposal("things", None, None);
        let told = "found no field with another value in each record, expected one that identifies them: \
            a (line 2: a value that came before), b (in 1 of 2 records)";
        assert_eq!(none.unwrap_err(), told);
    }

    #[test]
    fn a_few_bad_records_do_not_hide_the_key() {
        let mut records: Vec<String> =
            (0..20).map(|number| format!(r#"{{"id":"{number}","mail":"{number}@x"}}"#)).collect();
        records[7] = r#"{"id":"6","mail":"again@x"}"#.into();
        records[9] = r#"{"id":"","mail":"none@x"}"#.into();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let found = looked_at(true, &records).proposal("things", None, None).unwrap();
        let doubt =
            "1 of its values came before, such as that of record 8 (line 8), and 1 of 20 records have none";
        assert_eq!((found.key.as_str(), found.key_doubt.as_deref()), ("id", Some(doubt)));
        assert_eq!(found.other_keys, ["mail"]);
        assert_eq!(found.fields[0].unique, Some(false));
        let more = looked_at(true, &records[5..10]).proposal("things", None, None).unwrap();
        assert_eq!((more.key.as_str(), more.key_doubt), ("mail", None), "too many for so few records");
    }

    #[test]
    fn names_that_no_column_can_have_are_changed() {
        let record = r#"{"ID":"1","_x":"a","id":"2","a.b":"3","extra":"4","ü\"":"5"}"#;
        let found = looked_at(false, &[record]).proposal("things", None, None).unwrap();
        assert_eq!(
            found.template["transformation"]["mapping"],
            json!({"_x": "x", "id": "id_2", "extra": "extra_2", "ü\"": "ü"})
        );
        let template = crate::template::Template::read(&found.template).unwrap();
        assert_eq!(template.applied_to(None).unwrap().key_field().name.as_str(), "ID");
    }
}
