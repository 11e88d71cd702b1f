//! The flags that say which records a command is about, as the document of the API.

use clap::Args;
use serde_json::{Map, Value, json};

/// The filters: a record has to match all of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct Filters {
    /// Only records last changed at this time or later: 2024-01-31, or 2024-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only records last changed at this time or earlier; a day is meant as a whole.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only records whose type is one of these: general,analysis, or ["a, b"] where one holds a comma.
    #[arg(long, value_name = "TYPES")]
    types: Vec<String>,
    /// Only records that have one of these tags.
    #[arg(long, value_name = "TAGS")]
    tags: Vec<String>,
    /// Only records of one of these sessions.
    #[arg(long, value_name = "IDS")]
    session_ids: Vec<String>,
    /// Only records whose metadata.importance is one of these.
    #[arg(long, value_name = "NAMES")]
    importance: Vec<String>,
    /// Only records for which this comes to true: 'type == "note" && size(tags) > 1'.
    #[arg(long = "where", value_name = "EXPRESSION")]
    expression: Option<String>,
}

impl Filters {
    /// The document, if anything is asked for; what cannot be read is added to `mistakes`.
    pub fn document(&self, mistakes: &mut Vec<String>) -> Option<Value> {
        let mut document = Map::new();
        let ends = [("start", &self.from), ("end", &self.to)].into_iter();
        let range: Map<String, Value> =
            ends.filter_map(|(name, end)| Some((name.to_owned(), json!(end.as_ref()?)))).collect();
        if !range.is_empty() {
            document.insert("dateRange".into(), range.into());
        }
        for (flag, name, values) in [
            ("--types", "types", &self.types),
            ("--tags", "tags", &self.tags),
            ("--session-ids", "sessionIds", &self.session_ids),
            ("--importance", "importance", &self.importance),
        ] {
            let mut texts = Vec::new();
            for value in values {
                match list(value) {
                    // What asks for nothing here is an empty variable of a script, not a wish for everything.
                    Ok(found) if found.is_empty() => {
                        mistakes.push(format!("{flag}: found nothing, expected a text"));
                    }
                    Ok(found) => texts.extend(found),
                    Err(wrong) => mistakes.push(format!("{flag}: {wrong}")),
                }
            }
            if !texts.is_empty() {
                document.insert(name.into(), texts.into());
            }
        }
        match self.expression.as_deref() {
            Some(source) if source.trim().is_empty() => {
                mistakes.push("--where: found nothing, expected an expression".into());
            }
            source => document.extend(source.map(|source| ("where".to_owned(), source.into()))),
        }
        (!document.is_empty()).then(|| document.into())
    }
}

/// The texts of a list: with commas between them, or an array of JSON.
fn list(value: &str) -> Result<Vec<Value>, String> {
    if value.trim_start().starts_with('[') {
        return serde_json::from_str(value)
            .map_err(|error| format!("found {error}, expected an array of JSON"));
    }
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let text = |text: &str| match text.trim() {
        "" => Err(format!("found {value:?}, expected a text on both sides of each comma")),
        text => Ok(text.into()),
    };
    value.split(',').map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(tags: &[&str]) -> (Option<Value>, Vec<String>) {
        let filters = Filters {
            from: None,
            to: Some("2024-01-31".into()),
            types: Vec::new(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            session_ids: Vec::new(),
            importance: Vec::new(),
            expression: None,
        };
        let mut mistakes = Vec::new();
        (filters.document(&mut mistakes), mistakes)
    }

    #[test]
    fn lists_are_written_with_commas_or_as_json() {
        for (tags, expected) in [
            (&["a,b"][..], json!(["a", "b"])),
            (&["a, b ", "c"], json!(["a", "b", "c"])),
            (&[r#"["a,b", " c"]"#, "d"], json!(["a,b", " c", "d"])),
        ] {
            let (document, mistakes) = filters(tags);
            assert_eq!(document, Some(json!({"dateRange": {"end": "2024-01-31"}, "tags": expected})));
            assert_eq!(mistakes, [""; 0]);
        }
        assert_eq!(filters(&[""]).1, ["--tags: found nothing, expected a text"]);
        for value in ["a,,b", "a,", ",a", ","] {
            let told = format!("--tags: found {value:?}, expected a text on both sides of each comma");
            assert_eq!(filters(&[value]).1, [told]);
        }
        assert_eq!(filters(&["[]"]).1, ["--tags: found nothing, expected a text"]);
        assert!(filters(&["[1,"]).1[0].starts_with("--tags: found EOF"), "{:?}", filters(&["[1,"]).1);
    }
}
