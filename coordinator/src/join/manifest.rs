//! The manifest of a split export: which files there are, in which order, and how to know them again. Written
//! behind the files, read before them.

use std::collections::HashSet;

use carrack_shared::format::Format;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::secret::DataKey;
use carrack_shared::schema::ALL;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes of a manifest, at most.
pub const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// What the authentication code of a manifest is for.
const DOMAIN: &str = "manifest";

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Version of this document: 1.
    pub carrack_manifest: u32,
    /// The export that has made the files.
    pub export_id: Uuid,
    /// What the records are, or `all` where each file says it of its own.
    pub data_type: String,
    /// The format of every file.
    pub format: Format,
    /// Its compression.
    pub compression: Compression,
    /// Whether the files are sealed.
    pub encrypted: bool,
    /// Records of all files.
    pub records: u64,
    /// The files, in their order.
    pub files: Vec<Entry>,
    /// HMAC-SHA-256 of the document without it, under a key made of the files' data key; in hex. Only where
    /// the files are sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its name, in the folder of the manifest.
    pub name: String,
    /// What its records are, where the files have several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// Its bytes.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// The first member of every manifest.
const FIRST: &[u8] = b"\"carrackManifest\"";

impl Manifest {
    /// Whether a file that begins so is a manifest.
    pub fn recognises(head: &[u8]) -> bool {
        let inside = head.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        inside.is_some_and(|inside| inside.starts_with(FIRST))
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if manifest.carrack_manifest != 1 {
            return Err(format!("found a manifest of version {}, expected 1", manifest.carrack_manifest));
        }
        if manifest.files.is_empty() {
            return Err("found no files, expected at least one".into());
        }
        let mut names = HashSet::new();
        for Entry { name, data_type, .. } in &manifest.files {
            if name.is_empty() || name.contains(['/', '\\', '\0']) || name == "." || name == ".." {
                return Err(format!("found the file name {name:?}, expected a name without folders"));
            }
            if !names.insert(name) {
                return Err(format!("found {name} twice, expected it once"));
            }
            match data_type {
                None if manifest.data_type == ALL => {
                    return Err(format!("{name}: found no dataType, expected one in a manifest of {ALL}"));
                }
                Some(own) if manifest.data_type != ALL || own == ALL => {
                    let of = &manifest.data_type;
                    return Err(format!("{name}: found the dataType {own:?} in a manifest of {of}"));
                }
                _ => {}
            }
        }
        Ok(manifest)
    }

    /// The text of the document.
    pub fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// The same, authenticated.
    pub fn sealed(mut self, key: &DataKey) -> Self {
        self.mac = None;
        self.mac = Some(hex(&key.mac(DOMAIN, &self.text())));
        self
    }

    /// Whether it is as it was when it was sealed.
    pub fn is_authentic(&self, key: &DataKey) -> bool {
        let plain = Self { mac: None, ..self.clone() };
        self.mac.as_deref().and_then(unhex).is_some_and(|mac| key.verifies(DOMAIN, &plain.text(), &mac))
    }
}

/// The bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..32).map(digits).collect();
    bytes.filter(|_| text.len() == 64)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entry = |name: &str| Entry {
            name: name.into(),
            data_type: None,
            bytes: 9,
            records: 2,
            sha256: hex(&[7; 32]),
        };
        Manifest {
            carrack_manifest: 1,
            export_id: Uuid::from_u128(7),
            data_type: "contexts".into(),
            format: Format::Json,
            compression: Compression::Gzip,
            encrypted: true,
            records: 4,
            files: vec![entry("a.0001-of-0002.json.gz"), entry("a.0002-of-0002.json.gz")],
            mac: None,
        }
    }

    #[test]
    fn what_was_sealed_is_authentic_until_it_is_changed() {
        let key = DataKey::new([1; 32]);
        let sealed = manifest().sealed(&key);
        let text = sealed.text();
        assert!(Manifest::recognises(&text));
        let read = Manifest::read(&text).unwrap();
        assert_eq!(read, sealed);
        assert!(read.is_authentic(&key) && !read.is_authentic(&DataKey::new([2; 32])));
        assert!(!manifest().is_authentic(&key));
        let mut swapped = sealed.clone();
        swapped.files.swap(0, 1);
        assert!(!swapped.is_authentic(&key));
        let mut fewer = sealed;
        fewer.files.pop();
        assert!(!fewer.is_authentic(&key));
    }

    #[test]
    fn bad_manifests_are_refused() {
        let text = |change: fn(&mut Manifest)| {
            let mut changed = manifest();
            change(&mut changed);
            Manifest::read(&changed.text()).unwrap_err()
        };
        for (found, expected) in [
            (text(|manifest| manifest.carrack_manifest = 2), "found a manifest of version 2, expected 1"),
            (text(|manifest| manifest.files.clear()), "found no files, expected at least one"),
            (
                text(|manifest| manifest.files[1].name = "../a".into()),
                "found the file name \"../a\", expected a name without folders",
            ),
            (
                text(|manifest| manifest.files[1].name = manifest.files[0].name.clone()),
                "found a.0001-of-0002.json.gz twice, expected it once",
            ),
            (
                text(|manifest| manifest.data_type = "all".into()),
                "a.0001-of-0002.json.gz: found no dataType, expected one in a manifest of all",
            ),
            (
                text(|manifest| manifest.files[1].data_type = Some("sessions".into())),
                "a.0002-of-0002.json.gz: found the dataType \"sessions\" in a manifest of contexts",
            ),
        ] {
            assert_eq!(found, expected);
        }
        assert!(Manifest::read(b"{\"carrackManifest\": 1, \"colour\": 2}").is_err());
    }
}
