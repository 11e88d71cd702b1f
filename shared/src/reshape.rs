//! Exports through a template: rows that have only its fields, and those that it computes.
//!
//! A row goes through the template as a record of a file would, written as JSON and mapped; so one mapping says in
//! both directions what becomes of a field. What is stored stays as it is: a field of the schema is neither
//! transformed nor computed once more.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::fault::Fault;
use crate::format::draft::Draft;
use crate::format::encode::{Encoder, Shape};
use crate::format::json::Shape as JsonShape;
use crate::format::{Format, Meaning, SourceFacts, instant};
use crate::mapping::{Mapper, Mapping};
use crate::record::{Cell, Origin, Rows};
use crate::schema::{DataType, FieldType};
use crate::spec::TemplateOrigin;
use crate::template::Template;

/// What an export keeps of its template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// Which one it is.
    #[serde(flatten)]
    pub origin: TemplateOrigin,
    /// The fields of its schema, in its order.
    fields: Vec<String>,
    /// What becomes of them, and what is computed beside them.
    mapping: Mapping,
}

/// A row that does not go through the template, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row with the key {key:?} does not go through the template: {} ({})", fault.message, fault.code)]
pub struct Unfit {
    key: String,
    fault: Fault,
}

impl Reshape {
    /// Of a template.
    pub fn new(origin: TemplateOrigin, template: &Template) -> Self {
        let fields: Vec<String> =
            template.fields.iter().map(|field| field.name.as_str().to_owned()).collect();
        let document = template.mapping.as_ref().map(Mapping::document);
        let member = |name: &str| document.and_then(|document| document.get(name)).cloned();
        let mut kept = Map::new();
        kept.extend(member("fieldMappings").map(|moved| ("fieldMappings".to_owned(), moved)));
        if let Some(Json::Array(mut computed)) = member("computedFields") {
            let is_stored = |computed: &Json| {
                computed
                    .get("name")
                    .and_then(Json::as_str)
                    .is_some_and(|name| fields.iter().any(|own| own == name))
            };
            computed.retain(|computed| !is_stored(computed));
            kept.insert("computedFields".into(), computed.into());
        }
        // Part of a document that was read is one that can be read.
        let mapping = Mapping::read(&kept.into()).unwrap_or_default();
        Self { origin, fields, mapping }
    }

    /// The type of the rows that come of those of a table.
    pub fn output(&self, stored: &DataType) -> DataType {
        let names = self.mapping.names(&self.fields).into_iter();
        let type_of = |name: &str| stored.slot(name).map(|slot| stored.fields[slot].field_type);
        DataType::only_read(names.map(|name| (name.clone(), self.mapping.type_of(&name, &type_of))).collect())
    }
}

/// Takes rows through a template.
pub struct Reshaper {
    encoder: Encoder,
    mapper: Mapper,
    meaning: Box<dyn Meaning>,
    output: Arc<DataType>,
}

impl Reshaper {
    /// For rows of a table, in an operation that was created at `started`.
    pub fn new(reshape: &Reshape, stored: &Arc<DataType>, started: Timestamp) -> Self {
        let output = Arc::new(reshape.output(stored));
        let encoder = Encoder::new(Format::Ndjson, stored, Shape { metadata: true, extra: true });
        let mapper = Mapper::new(reshape.mapping.rules(), &output, Format::Ndjson, started);
        let meaning = SourceFacts::Json(JsonShape::Lines.into()).meaning(mapper.source());
        Self { encoder, mapper, meaning, output }
    }

    /// The rows that come of these, as many and in the same order.
    ///
    /// # Errors
    /// The first that the template does not fit.
    pub fn rows(&self, stored: &Rows) -> Result<Rows, Unfit> {
        let (mut text, mut frames) = (Vec::new(), Vec::with_capacity(stored.len()));
        for row in 0..stored.len() {
            let start = text.len();
            self.encoder.row(stored, row, 1, &mut text);
            frames.push(start..text.len());
        }
        let text = Bytes::from(text);
        let mut rows = Rows::new(Arc::clone(&self.output), text.clone(), 0, 1);
        rows.reserve(stored.len());
        let (mut decoder, mut run) = (self.meaning.decoder(&text), self.mapper.run(&mut rows));
        let mut draft = Draft::new(self.output.fields.len());
        for (row, frame) in frames.into_iter().enumerate() {
            draft.clear();
            let start = u32::try_from(frame.start).unwrap_or(u32::MAX);
            let record = std::str::from_utf8(&text[frame]).unwrap_or_default().trim_ascii();
            run.record(&mut *decoder, record, start, &mut rows, &mut draft);
            if let Some(fault) = draft.take_faults().into_iter().next() {
                let key = String::from_utf8_lossy(stored.key(row)).into_owned();
                return Err(Unfit { key, fault });
            }
            self.end(&mut rows, &mut draft);
            let extra = draft.extra.cell(&mut rows);
            draft.push(Origin { position: stored.origin(row).position, frame: 0..0 }, extra, &mut rows);
        }
        Ok(rows)
    }

    /// Makes instants of dates, and drops what is no field; that a field is null is kept.
    fn end(&self, rows: &mut Rows, draft: &mut Draft) {
        for (field, cell) in self.output.fields.iter().zip(&mut draft.cells) {
            if let (FieldType::Date, Cell::Text(span)) = (field.field_type, *cell)
                && let Ok(micros) = instant::parse(&String::from_utf8_lossy(rows.bytes(span)))
            {
                *cell = Cell::Instant(micros);
            }
        }
        let others: Vec<String> =
            draft.extra.names().filter(|name| self.output.slot(name).is_none()).collect();
        others.iter().for_each(|name| drop(draft.extra.take(name)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::record::{Position, Value};
    use crate::schema::built_in;

    fn reshape(transformation: &Json) -> Reshape {
        let fields = ["id", "title", "tags"].map(|name| {
            let kind = if name == "tags" { "array" } else { "string" };
            json!({"name": name, "type": kind})
        });
        let document = json!({
            "name": "T", "version": "1", "schema": {"type": "context", "fields": fields},
            "transformation": transformation,
        });
        let origin = TemplateOrigin { id: Uuid::nil(), name: "T".into(), version: "1".into() };
        Reshape::new(origin, &Template::read(&document).unwrap())
    }

    fn stored(extra: &str) -> Rows {
        let contexts = built_in("contexts").unwrap();
        let mut rows = Rows::new(contexts, Bytes::new(), 0, 1);
        let mut cells = vec![Cell::Missing; rows.width()];
        for (slot, text) in ["k1", "a \"title\"", "content"].into_iter().enumerate() {
            cells[slot] = Cell::Text(rows.span_of_copy(text.as_bytes()));
        }
        cells[4] = Cell::Json(rows.span_of_copy(br#"["x","y"]"#));
        cells[6] = Cell::Instant(0);
        if !extra.is_empty() {
            let last = cells.len() - 1;
            cells[last] = Cell::Json(rows.span_of_copy(extra.as_bytes()));
        }
        rows.push(Origin { position: Position::new(0, 7), frame: 0..0 }, &cells);
        rows
    }

    fn shown(reshape: &Reshape, rows: &Rows) -> String {
        let reshaper = Reshaper::new(reshape, rows.data_type(), Timestamp::UNIX_EPOCH);
        let out = match reshaper.rows(rows) {
            Ok(out) => out,
            Err(unfit) => return unfit.to_string(),
        };
        let mut cells: Vec<String> = reshaper
            .output
            .fields
            .iter()
            .enumerate()
            .map(|(slot, field)| {
                let value = match out.value(0, slot) {
                    Value::Missing => "nothing".into(),
                    Value::Text(text) | Value::Json(text) => String::from_utf8_lossy(text).into_owned(),
                    Value::Instant(micros) => format!("@{micros}"),
                };
                format!("{}={value}", field.name.as_str())
            })
            .collect();
        if let Value::Json(extra) = out.value(0, out.width() - 1) {
            cells.push(String::from_utf8_lossy(extra).into_owned());
        }
        cells.join(" ")
    }

    #[test]
    fn rows_have_the_fields_of_the_template_and_what_it_computes() {
        let now = json!([{"name": "exportedAt", "expression": "new Date()", "type": "date"}]);
        for (transformation, extra, expected) in [
            (json!({}), r#"{"more":1}"#, r#"id=k1 title=a "title" tags=["x","y"]"#),
            (json!({"computedFields": now}), "", r#"id=k1 title=a "title" tags=["x","y"] exportedAt=@0"#),
            (json!({"mapping": {"title": "name"}}), "", r#"id=k1 name=a "title" tags=["x","y"]"#),
            (json!({"mapping": {"tags": null}}), "", r#"id=k1 title=a "title""#),
            (
                json!({"mapping": {"title": "meta.title"}}),
                "",
                r#"id=k1 tags=["x","y"] meta={"title":"a \"title\""}"#,
            ),
            // What is stored is not made once more.
            (json!({"mapping": {"old_id": "id"}}), "", r#"id=k1 title=a "title" tags=["x","y"]"#),
            (
                json!({"computedFields": [{"name": "title", "expression": "old + 'x'"}],
                       "transformations": [{"field": "title", "transformation": "uppercase"}]}),
                "",
                r#"id=k1 title=a "title" tags=["x","y"]"#,
            ),
            // Other fields of the row are there to be computed with.
            (
                json!({"computedFields": [{"name": "size", "expression": "size(content)", "type": "integer"}]}),
                "",
                r#"id=k1 title=a "title" tags=["x","y"] size=7"#,
            ),
            (
                json!({"computedFields": [{"name": "x", "expression": "content + 1"}]}),
                "",
                "the row with the key \"k1\" does not go through the template: the expression failed: found string and \
                 int, for which there is no add (expression.failed)",
            ),
        ] {
            assert_eq!(shown(&reshape(&transformation), &stored(extra)), expected, "{transformation}");
        }
        let mut null = stored(r#"{"more":1,"type":null}"#);
        assert_eq!(shown(&reshape(&json!({})), &null), r#"id=k1 title=a "title" tags=["x","y"]"#);
        null = stored(r#"{"tags":null}"#);
        assert!(!shown(&reshape(&json!({})), &null).is_empty());
    }

    #[test]
    fn the_stored_form_reads_back() {
        let reshape = reshape(&json!({"mapping": {"title": "name"}}));
        let stored = serde_json::to_string(&reshape).unwrap();
        assert_eq!(serde_json::from_str::<Reshape>(&stored).unwrap(), reshape);
    }
}
