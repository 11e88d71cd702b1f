//! The same records in every format.

use bytes::Bytes;
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape as Parts};
use carrack_shared::schema;

use super::ours::Planned;
use crate::generate::{Generator, Recipe, Shape};

/// A source.
pub struct Input {
    /// What it is called in the table.
    pub name: &'static str,
    pub format: Format,
    pub bytes: Bytes,
}

/// So many contexts as each format has them: JSON and CSV as somebody else writes them, the others as an
/// export does.
pub fn all(records: u64) -> anyhow::Result<Vec<Input>> {
    let json = |name, shape| generated(name, Format::Json, shape, records);
    let lines = json("json lines", Shape::Ndjson)?;
    let others = [("xml", Format::Xml), ("yaml", Format::Yaml), ("markdown", Format::Markdown)];
    let mut inputs =
        vec![json("json array", Shape::JsonArray)?, generated("csv", Format::Csv, Shape::Csv, records)?];
    inputs.extend(others.map(|(name, format)| exported(name, format, &lines)));
    let braced = braced(&lines);
    inputs.insert(1, lines);
    let anchored = inputs.iter().find(|input| input.format == Format::Yaml).map(anchored);
    inputs.extend(anchored);
    inputs.push(braced);
    Ok(inputs)
}

/// YAML with an anchor in each record: one of its members is read by the parser.
fn anchored(yaml: &Input) -> Input {
    let anchor = "\n  anchored: &a x";
    let text = String::from_utf8_lossy(&yaml.bytes).replace("\n- ", &format!("{anchor}\n- "));
    let bytes = format!("{}{anchor}\n", text.trim_end()).into();
    Input { name: "yaml, anchored", format: Format::Yaml, bytes }
}

/// YAML of which all is read by the parser: records in braces, which JSON is.
fn braced(lines: &Input) -> Input {
    let text = String::from_utf8_lossy(&lines.bytes);
    let bytes = text.lines().map(|line| format!("- {line}\n")).collect::<String>().into();
    Input { name: "yaml, in braces", format: Format::Yaml, bytes }
}

fn generated(name: &'static str, format: Format, shape: Shape, records: u64) -> anyhow::Result<Input> {
    let mut bytes = Vec::new();
    Generator::new(Recipe::new(records)).write(shape, &mut bytes)?;
    Ok(Input { name, format, bytes: bytes.into() })
}

/// The same records in another format, as an export writes them.
fn exported(name: &'static str, format: Format, from: &Input) -> Input {
    let data_type = schema::built_in("contexts").unwrap();
    let encoder = Encoder::new(format, &data_type, Parts { metadata: true, extra: true });
    let (mut file, mut first) = (encoder.head(), 1);
    Planned::new(from).each(|rows| {
        let mut part = Vec::new();
        encoder.rows(rows, first, &mut part);
        if first > 1 {
            file.extend_from_slice(encoder.between());
        }
        file.extend_from_slice(&part);
        first += rows.len() as u64;
    });
    file.extend_from_slice(encoder.tail(first == 1));
    Input { name, format, bytes: file.into() }
}
