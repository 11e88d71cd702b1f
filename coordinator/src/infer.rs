//! What do the records of a file look like? Opens it as an import would, and proposes a template for it.

use carrack_shared::document::Mistake;
use carrack_shared::infer::{Proposal, source};
use carrack_shared::layer::Trouble;
use carrack_shared::layer::source::Reader;
use carrack_shared::port::Ports;
use carrack_shared::schema;
use carrack_shared::template::Template;

use crate::look::Eye;
use crate::options::Options;
use crate::start::{Input, StartError};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The name of the data type; told by the name of the file where it is left out.
    pub data_type: Option<String>,
    /// The field that identifies a record.
    pub key: Option<String>,
    /// How many records are looked at; all where it is left out.
    pub sample: Option<u64>,
}

/// Looks at the records of a file, and proposes a template that takes them.
///
/// # Errors
/// When the file cannot be read, or no template can be proposed.
pub async fn infer(
    ports: &Ports,
    input: &Input,
    options: &Options,
    asked: &Asked,
) -> Result<Proposal, StartError> {
    let (seen, sniffed) = Eye::new(ports, options).look_at(input, options.format).await?;
    let mut reading = options.reading.clone();
    reading.delimiter = reading.delimiter.or(sniffed.delimiter);
    let wrong = |detail: String| StartError::from(Mistake::new("file", format!("{}: {detail}", input.name)));
    let trouble = |trouble: Trouble| match trouble {
        Trouble::Port(error) => StartError::Port(error),
        Trouble::Fault(fault) => wrong(fault.message),
    };
    let reader = Reader::new(ports.objects.clone(), &seen.source, ports.master_key.as_deref())
        .map_err(|fault| wrong(fault.message))?;
    let first = sniffed.records.into_iter().flatten();
    let inference =
        source::look_at(&reader, sniffed.format, &reading, first, asked.sample).await.map_err(trouble)?;
    let name = asked.data_type.clone().unwrap_or_else(|| type_of(&input.name));
    let known = schema::built_in(&name);
    let name = known.as_ref().map_or(name, |known| known.name.as_str().to_owned());
    let proposal = inference
        .proposal(&name, known.as_deref(), asked.key.as_deref())
        .map_err(|detail| Mistake::new("key", detail))?;
    // Whatever is proposed is accepted, or it is told why not.
    let template = Template::read(&proposal.template).map_err(StartError::Wrong)?;
    template.applied_to(known.as_deref()).map_err(StartError::Wrong)?;
    Ok(proposal)
}

/// A name of a type after that of a file.
fn type_of(file: &str) -> String {
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let plain = |one: char| if one.is_ascii_alphanumeric() || one == '-' { one } else { '_' };
    let name: String = stem.chars().map(plain).take(40).collect();
    let name = name.trim_matches(['_', '-']);
    match name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => name.to_owned(),
        false => format!("records_{name}").trim_end_matches('_').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_after_files() {
        for (file, expected) in [
            ("pets.csv", "pets"),
            ("old pets (2).csv.gz", "old_pets__2"),
            ("2024-01.json", "records_2024-01"),
            (".hidden", "hidden"),
            ("größe.json", "gr__e"),
            ("€.json", "records"),
        ] {
            assert_eq!(type_of(file), expected, "{file}");
        }
    }
}
