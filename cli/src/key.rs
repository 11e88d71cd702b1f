//! The keys of files: a reference on the command line leads to a key in a variable or a file, so that none
//! stands in a list of processes or a history of commands.

use std::io::Read as _;

use carrack_shared::layer::key_text::KeyText;
use carrack_shared::limits::KEY_TEXT_BYTES;

use crate::exit::Usage;

/// The text of the key to which `reference` leads.
///
/// # Errors
/// What is wrong with it, beginning with the option. The key is not repeated.
pub fn read(option: &str, reference: &str) -> Result<String, Usage> {
    let wrong = |what: String| Usage(format!("{option}: {what}"));
    let text = if let Some(name) = reference.strip_prefix("env:") {
        variable(name).map_err(|what| wrong(format!("the variable {name}: {what}")))?
    } else if let Some(path) = reference.strip_prefix("file:") {
        file(path).map_err(|error| wrong(format!("the file {path}: {error}")))?
    } else {
        // It may be the key itself, which must not be shown.
        return Err(wrong("expected a reference to the key: env:NAME or file:PATH".into()));
    };
    KeyText::new(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}

fn variable(name: &str) -> Result<String, &'static str> {
    #[expect(clippy::disallowed_methods, reason = "the user names the variable that holds the key")]
    match std::env::var(name) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Err("it is not set, expected a key in it"),
        Err(std::env::VarError::NotUnicode(_)) => Err("found no text in it, expected a key"),
    }
}

fn file(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(KEY_TEXT_BYTES as u64 + 2).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("key"), "correct horse\n").unwrap();
        std::fs::write(path("empty"), "\n").unwrap();
        assert_eq!(read("--key", &format!("file:{}", path("key"))).unwrap(), "correct horse\n");
        for (reference, expected) in [
            ("hunter2".to_owned(), "--key: expected a reference to the key: env:NAME or file:PATH"),
            ("env:CARRACK_NO_SUCH".into(), "--key: the variable CARRACK_NO_SUCH: it is not set"),
            (format!("file:{}", path("none")), "No such file"),
            (format!("file:{}", path("empty")), "--key: found an empty key"),
        ] {
            let refused = read("--key", &reference).unwrap_err().to_string();
            assert!(refused.contains(expected) && !refused.contains("hunter2"), "{refused}");
        }
    }
}
