//! Looks at an input before an import is created: what its text is wrapped in, and how it is opened. What the
//! content says, what the name says and what the user says have to agree.

use bytes::Bytes;
use carrack_shared::document::Mistake;
use carrack_shared::error::PortError;
use carrack_shared::fault::Fault;
use carrack_shared::format::Format;
use carrack_shared::format::reading::Unfit;
use carrack_shared::format::sniff::{Sniffed, sniff};
use carrack_shared::layer::blob::Blob;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::derived::DerivedKeys;
use carrack_shared::layer::encoding::{self, Encoding};
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::sealed::ChunkedKey;
use carrack_shared::layer::secret::DataKey;
use carrack_shared::layer::source::{Layers, Reader, SOURCE_KEY, Seal};
use carrack_shared::layer::{Trouble, chunks, open};
use carrack_shared::limits::SNIFF_BYTES;
use carrack_shared::port::Ports;
use carrack_shared::spec::Source;

use crate::join::name;
use crate::options::Options;
use crate::parts::Seen;
use crate::start::{Input, NO_MASTER_KEY, StartError};

/// Looks at inputs, one after the other.
pub(crate) struct Eye<'a> {
    ports: &'a Ports,
    options: &'a Options,
    /// Made of the user's key, which takes time on purpose.
    keys: DerivedKeys,
}

impl<'a> Eye<'a> {
    pub fn new(ports: &'a Ports, options: &'a Options) -> Self {
        Self { ports, options, keys: DerivedKeys::default() }
    }

    /// The source that the input is, and what stands in its head, which has to be in this format.
    pub async fn look_at(
        &mut self,
        input: &Input,
        format: Option<Format>,
    ) -> Result<(Seen, Sniffed), StartError> {
        let name = &input.name;
        let wrong = |detail: String| StartError::from(Mistake::new("file", about(name, detail)));
        let Some(meta) = self.ports.objects.head(&input.key).await? else {
            return Err(wrong("found nothing, expected a file".into()));
        };
        let mut source = Source {
            data_type: None,
            name: name.clone(),
            key: input.key.clone(),
            etag: meta.etag,
            length: meta.length,
            layers: Layers::default(),
        };
        let opened = self.open(&mut source).await;
        let (head, sealed) = opened.map_err(|trouble| match trouble {
            Wrong::Mistake(at, detail) => Mistake::new(at, about(name, detail)).into(),
            Wrong::Trouble(Trouble::Port(error)) => StartError::from(error),
            Wrong::Trouble(Trouble::Fault(fault)) => wrong(fault.message),
        })?;
        let reading = &self.options.reading;
        let sniffed = sniff(name::of_text(name), &head, format, reading)
            .map_err(|message| wrong(message + self.brotli_hint(&source, &head, format)))?;
        reading.check(Some(sniffed.format)).map_err(|Unfit { option, detail }| {
            Mistake::new(format!("options.{option}"), about(name, detail))
        })?;
        Ok((Seen { source, sealed }, sniffed))
    }

    /// What to do about a text of no known format that opens as one by brotli, which nothing else tells.
    fn brotli_hint(&self, source: &Source, text: &[u8], format: Option<Format>) -> &'static str {
        let plain = source.layers.compression == Compression::None && self.options.compression.is_none();
        let inside = plain.then(|| open::open_head(Compression::Brotli, text, SNIFF_BYTES).ok()).flatten();
        match inside.is_some_and(|inside| sniff("", &inside, format, &self.options.reading).is_ok()) {
            true => {
                "; it opens with brotli: if that is what it is, say so: --compression brotli (compression)"
            }
            false => "",
        }
    }

    /// Finds the layers, and opens the head.
    async fn open(&mut self, source: &mut Source) -> Result<(Vec<u8>, Option<(Part, DataKey)>), Wrong> {
        let head = self.read(source).await?;
        let mut sealed = None;
        if Envelope::recognises(&head) {
            let envelope = Envelope::decode(&head)?;
            let data_key = self.data_key(&envelope).await?;
            source.layers.seal = Some(self.unseal(source, &envelope, &data_key).await?);
            sealed = Some((envelope.part(), data_key));
        } else if self.options.key.is_some() {
            let detail = "found a file that is not encrypted, expected no key for it";
            return Err(Wrong::Mistake("options.encryption", detail.into()));
        }
        let head = if sealed.is_some() { self.read(source).await? } else { head };
        let compression = compression(&source.name, &head, self.options.compression)?;
        source.layers.compression = compression;
        let text = open::open_head(compression, &head, SNIFF_BYTES)?;
        if compression != Compression::None
            && let Some(inside) = Compression::recognised(&text)
        {
            let detail = format!(
                "found {} inside {}, expected one layer of compression",
                inside.title(),
                compression.title()
            );
            return Err(Wrong::Mistake("file", detail));
        }
        source.layers.encoding = encoded(&text, self.options.encoding)?;
        let text = match source.layers.encoding {
            Encoding::Utf8 => text,
            encoding => encoding::head_to_utf8(encoding, &text)?,
        };
        Ok((text, sealed))
    }

    /// The first bytes of what is inside the encryption.
    async fn read(&self, source: &Source) -> Result<Vec<u8>, Wrong> {
        let reader = Reader::new(self.ports.objects.clone(), source, self.ports.master_key.as_deref())?;
        let end = reader.length().min(SNIFF_BYTES as u64);
        Ok(reader.get(0..end).await.map(Vec::from)?)
    }

    /// What opens the source later, once it is known to end where it was sealed to end.
    async fn unseal(&self, source: &Source, envelope: &Envelope, data_key: &DataKey) -> Result<Seal, Wrong> {
        let master = self.ports.master_key.as_ref().ok_or_else(no_master_key)?;
        let content = source.length.saturating_sub(Envelope::LENGTH as u64);
        let (_, last) = chunks::last_chunk(content)?;
        let salt = self.stored(source, 0..chunks::HEAD as u64).await?;
        let context = envelope.part().context();
        let key = ChunkedKey::new(data_key, &context, &head_of(&salt)?)?;
        key.verify_end(content, &self.stored(source, last).await?)?;
        Ok(Seal {
            context: Blob::new(context),
            head: Blob::new(salt),
            key: Blob::new(master.wrap(data_key, nonce_of(data_key), SOURCE_KEY)),
        })
    }

    /// Bytes of the content of a sealed file, as they are stored.
    async fn stored(&self, source: &Source, range: std::ops::Range<u64>) -> Result<Bytes, PortError> {
        let start = Envelope::LENGTH as u64;
        self.ports.objects.get(&source.key, start + range.start..start + range.end, &source.etag).await
    }

    async fn data_key(&mut self, envelope: &Envelope) -> Result<DataKey, Wrong> {
        let Some(text) = &self.options.key else {
            let detail = "found an encrypted file, expected its key: --key REF, or options.encryption.key";
            return Err(Wrong::Mistake("options.encryption", detail.into()));
        };
        let parameters = envelope.parameters();
        let made = match self.keys.known(&parameters) {
            Some(made) => made,
            None => {
                let wrong = |detail: String| Wrong::Mistake("options.encryption", detail);
                let key = text.key().map_err(|error| wrong(error.to_string()))?;
                let mut keys = std::mem::take(&mut self.keys);
                let making = tokio::task::spawn_blocking(move || (keys.of(&key, parameters), keys));
                let (made, keys) = making.await.map_err(|error| wrong(error.to_string()))?;
                self.keys = keys;
                made?
            }
        };
        Ok(envelope.open_with(&made)?)
    }
}

/// Why an input cannot be opened.
enum Wrong {
    /// In a part of the request.
    Mistake(&'static str, String),
    Trouble(Trouble),
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::Trouble(fault.into())
    }
}

impl From<PortError> for Wrong {
    fn from(error: PortError) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<Trouble> for Wrong {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// The same for the same key, so that the same import is known again. Then the same bytes are wrapped, too,
/// which tells no more than one of them.
fn nonce_of(data_key: &DataKey) -> [u8; 12] {
    let mac = data_key.mac("nonce of the wrapped key", SOURCE_KEY);
    mac.first_chunk().copied().unwrap_or_default()
}

fn no_master_key() -> Wrong {
    Wrong::Mistake("options.encryption", NO_MASTER_KEY.into())
}

fn head_of(salt: &[u8]) -> Result<[u8; chunks::HEAD], Fault> {
    salt.try_into().map_err(|_| chunks::last_chunk(salt.len() as u64).err().unwrap_or_else(short))
}

fn short() -> Fault {
    Fault::new(carrack_shared::fault::Stage::Open, "seal.truncated", "the file ends inside its header")
}

/// The compression of which content, name and user agree.
fn compression(name: &str, head: &[u8], asked: Option<Compression>) -> Result<Compression, Wrong> {
    let wrong = |detail: String| Err(Wrong::Mistake("file", detail));
    let found = Compression::recognised(head);
    let named = name::compression(name);
    match (asked, found) {
        (Some(asked), Some(found)) if asked != found => {
            let (found, asked) = (found.title(), asked.title());
            wrong(format!("found {found}, expected {asked} as the option compression says"))
        }
        (Some(asked @ (Compression::Gzip | Compression::Zstd)), None) => {
            wrong(format!("found no {}, expected it as the option compression says", asked.title()))
        }
        (None, Some(found)) => match named {
            Some(named) if named != found => {
                wrong(format!("found {}, expected {} as the name says", found.title(), named.title()))
            }
            _ => Ok(found),
        },
        (None, None) => match named {
            Some(named @ (Compression::Gzip | Compression::Zstd)) => {
                wrong(format!("found no {}, expected it as the name says", named.title()))
            }
            // It has no mark by which it could be told.
            named => Ok(named.unwrap_or(Compression::None)),
        },
        (Some(asked), _) => Ok(asked),
    }
}

/// The encoding on which the text's mark and the user agree.
fn encoded(text: &[u8], asked: Option<Encoding>) -> Result<Encoding, Wrong> {
    match (encoding::told_by_mark(text).map(|(told, _)| told), asked) {
        // Of the two orders of UTF-16 the mark tells which.
        (Some(told), Some(asked)) if told.is_utf16() && asked.is_utf16() => Ok(told),
        (Some(told), Some(asked)) if told != asked => {
            let (told, asked) = (told.as_str(), asked.as_str());
            let detail = format!("found the mark of {told}, expected {asked} as the option encoding says");
            Err(Wrong::Mistake("file", detail))
        }
        // No text that is read byte by byte begins so. Its order would be a guess, so the user has to say it.
        (None, None) if matches!(text, [0, 1..=255, ..] | [1..=255, 0, ..]) => {
            let order = if text[0] == 0 { Encoding::Utf16Be } else { Encoding::Utf16Le }.as_str();
            let detail =
                format!("found a NUL byte beside the first character, expected text; {order} has to be said");
            Err(Wrong::Mistake("options.encoding", detail))
        }
        (told, asked) => Ok(asked.or(told).unwrap_or_default()),
    }
}

/// The message with the file's name before it, unless it is there.
fn about(name: &str, what: String) -> String {
    if what.starts_with(name) { what } else { format!("{name}: {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T>(found: Result<T, Wrong>, show: fn(T) -> String) -> String {
        match found {
            Ok(found) => show(found),
            Err(Wrong::Mistake(_, detail)) => detail,
            Err(Wrong::Trouble(trouble)) => trouble.to_string(),
        }
    }

    #[test]
    fn content_name_and_option_agree_on_the_compression() {
        use Compression::{Brotli, Gzip, None as Plain, Zstd};
        let (gzip, zstd, text): (&[u8], &[u8], &[u8]) = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"[{}]");
        for (name, head, asked, expected) in [
            ("a.json", text, None, "none"),
            ("a.json", text, Some(Plain), "none"),
            ("a.json", gzip, None, "gzip"),
            ("a.json.gz", gzip, Some(Gzip), "gzip"),
            ("a.json.gz.sealed", gzip, None, "gzip"),
            ("a.zst", zstd, None, "zstd"),
            ("a.json.br", text, None, "brotli"),
            ("a.json", text, Some(Brotli), "brotli"),
            ("a.gz", text, None, "found no gzip, expected it as the name says"),
            ("a.gz", zstd, None, "found zstd, expected gzip as the name says"),
            ("a.br", gzip, None, "found gzip, expected brotli as the name says"),
            ("a", gzip, Some(Plain), "found gzip, expected plain text as the option compression says"),
            ("a", text, Some(Zstd), "found no zstd, expected it as the option compression says"),
        ] {
            let found = shown(compression(name, head, asked), |found| found.as_str().to_owned());
            assert_eq!(found, expected, "{name} {asked:?}");
        }
        assert_eq!(name::of_text("a.csv.gz.sealed"), "a.csv");
        assert_eq!(name::of_text("a.csv"), "a.csv");
    }

    #[test]
    fn a_mark_and_an_option_agree_on_the_encoding() {
        for (text, asked, expected) in [
            (b"a".as_slice(), None, "utf-8"),
            (b"a", Some(Encoding::Windows1252), "windows-1252"),
            (b"\xef\xbb\xbfa", None, "utf-8"),
            (b"\xff\xfea\0", None, "utf-16le"),
            (b"\xfe\xff\0a", Some(Encoding::Utf16Be), "utf-16be"),
            (b"\xfe\xff\0a", Some(Encoding::Utf16Le), "utf-16be"),
            (
                b"[\0",
                None,
                "found a NUL byte beside the first character, expected text; utf-16le has to be said",
            ),
            (
                b"\0[",
                None,
                "found a NUL byte beside the first character, expected text; utf-16be has to be said",
            ),
            (b"[\0", Some(Encoding::Utf16Le), "utf-16le"),
            (
                b"\xfe\xff\0a",
                Some(Encoding::Utf8),
                "found the mark of utf-16be, expected utf-8 as the option encoding says",
            ),
        ] {
            assert_eq!(shown(encoded(text, asked), |found| found.as_str().to_owned()), expected);
        }
    }
}
