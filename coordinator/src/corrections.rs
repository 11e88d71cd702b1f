//! The rejects of an import as a file of its own format, to be corrected and handed back: streamed, one record
//! in memory at a time. What a file of that format cannot hold is named in its place, and stands whole in the
//! NDJSON of [`crate::reject_lines`].

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::{Frame, Reject};
use carrack_shared::format::Format;
use carrack_shared::format::correction::{Sheet, can_stand, explanation, is_record};
use carrack_shared::layer::encoding::Encoding;
use carrack_shared::limits::RECORD_BYTES;
use carrack_shared::operation::Operation;
use carrack_shared::port::Ports;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::Position;
use carrack_shared::segment::Facts;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::reject_lines::{Selection, long_frame, rejects};
use crate::report::source_name;

/// The first bits of a position are its source: no record of one stands behind this.
const LAST_RECORD: u64 = (1 << 40) - 1;

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum NoRejects {
    /// The operation has none.
    #[error("operation {0} has no rejects")]
    None(carrack_shared::operation::OperationId),
    /// It does not say of which of its files.
    #[error("operation {id} has rejects of several files, expected which one: {files}")]
    Several {
        /// The operation.
        id: carrack_shared::operation::OperationId,
        /// Their numbers and names.
        files: String,
    },
    /// The file that is asked for has none.
    #[error("file {0} of the operation has no rejects, expected one of {1}")]
    OtherFile(u32, String),
    /// A service failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Rejects of one source, in its format.
#[derive(Debug)]
pub struct Corrections {
    /// Its number.
    source: u32,
    /// The name of the file that they make.
    name: String,
    sheet: Sheet,
    /// Whether it says that it is UTF-8, because the source was in another encoding. JSON may not (RFC 8259), and is
    /// nothing else.
    marked: bool,
}

/// The byte order mark of UTF-8.
const MARK: &str = "\u{feff}";

impl Corrections {
    /// Those of file number `file`, from 1; of the only one that has any where it is not said. Each says what
    /// is wrong with it.
    ///
    /// # Errors
    /// When it is not clear which, or there are none.
    pub async fn find(ports: &Ports, operation: &Operation, file: Option<u32>) -> Result<Self, NoRejects> {
        let sources = sources(ports, operation).await?;
        let shown = |source: &u32| format!("{} ({})", source + 1, source_name(operation, *source));
        let all = || sources.iter().map(shown).collect::<Vec<_>>().join(", ");
        let source = match (&sources[..], file) {
            ([], _) => return Err(NoRejects::None(operation.id)),
            ([only], None) => *only,
            (_, None) => return Err(NoRejects::Several { id: operation.id, files: all() }),
            (_, Some(file)) => *sources
                .iter()
                .find(|source| **source + 1 == file)
                .ok_or_else(|| NoRejects::OtherFile(file, all()))?,
        };
        let sheet = sheet(ports, operation, source, true).await?;
        let ending = sheet.format().ending();
        let encoding = operation.spec.as_import().and_then(|import| import.sources.get(source as usize));
        let marked = !matches!(sheet.format(), Format::Json | Format::Ndjson)
            && encoding.is_some_and(|source| source.layers.encoding != Encoding::Utf8);
        Ok(Self { source, name: format!("{}.rejects.{ending}", operation.id), sheet, marked })
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.sheet.format()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes.
    pub fn content(self, ports: &Ports, operation: &Operation) -> ByteStream {
        let rejects = of_source(ports, operation, self.source);
        let mark = Bytes::from_static(if self.marked { MARK.as_bytes() } else { b"" });
        let written = written(ports.clone(), self.sheet, rejects, |_| {});
        stream::iter([Ok(mark)]).chain(written).boxed()
    }
}

/// The sources that have rejects, by number.
pub(crate) async fn sources(ports: &Ports, operation: &Operation) -> PortResult<Vec<u32>> {
    let (mut sources, mut after) = (Vec::new(), None);
    loop {
        let page = RejectPage::first(1).behind(after);
        let Some(next) = ports.store.rejects(operation.id, &page).await?.pop() else { return Ok(sources) };
        sources.push(next.position.source());
        after = Some(Position::new(next.position.source(), LAST_RECORD));
    }
}

/// How the rejects of a source are written.
pub(crate) async fn sheet(
    ports: &Ports,
    operation: &Operation,
    source: u32,
    explained: bool,
) -> PortResult<Sheet> {
    match ports.store.facts(operation.id, source).await? {
        Some(Facts::File(facts)) => Ok(Sheet::new(facts, explained)),
        _ => {
            let message = format!("nothing is known of file number {source} of the operation");
            Err(PortError::new(ErrorKind::NotFound, "carrack", message))
        }
    }
}

/// The rejects of one source.
pub(crate) fn of_source(
    ports: &Ports,
    operation: &Operation,
    source: u32,
) -> BoxStream<'static, PortResult<Reject>> {
    let wanted = Selection { after: Some(Position::new(source, 0)), ..Selection::default() };
    let all = rejects(ports.clone(), operation.id, wanted);
    all.try_take_while(move |reject| std::future::ready(Ok(reject.position.source() == source))).boxed()
}

/// A file of these rejects. `left_out` is told of each that cannot stand in it.
pub(crate) fn written(
    ports: Ports,
    sheet: Sheet,
    rejects: BoxStream<'static, PortResult<Reject>>,
    left_out: impl FnMut(&Reject) + Send + 'static,
) -> ByteStream {
    let head = Bytes::from(sheet.head());
    let body = stream::try_unfold(Some((sheet, rejects, left_out)), move |state| {
        let ports = ports.clone();
        async move {
            let Some((mut sheet, mut rejects, mut left_out)) = state else { return Ok(None) };
            let Some(reject) = rejects.try_next().await? else {
                return Ok(Some((Bytes::from(sheet.tail()), None)));
            };
            let frame = standing(&ports, &sheet, &reject).await?;
            let written = match &frame {
                Some(frame) => sheet.record(frame, &explanation(&reject)),
                None => {
                    left_out(&reject);
                    sheet.left_out(&format!(
                        "left out, see the rejects as ndjson: record {} (line {}): {}",
                        reject.position.record(),
                        reject.line,
                        explanation(&reject)
                    ))
                }
            };
            Ok(Some((Bytes::from(written), Some((sheet, rejects, left_out)))))
        }
    });
    stream::iter([Ok(head)]).chain(body).boxed()
}

/// The bytes of a record that can stand in the file.
async fn standing(ports: &Ports, sheet: &Sheet, reject: &Reject) -> PortResult<Option<Bytes>> {
    if !is_record(reject) || reject.byte_length > RECORD_BYTES {
        return Ok(None);
    }
    let frame = match &reject.frame {
        Frame::Inline(bytes) => bytes.clone(),
        Frame::Object(key) => {
            let pieces: Vec<Bytes> = long_frame(ports, key).await?.try_collect().await?;
            Bytes::from(pieces.concat())
        }
    };
    Ok((!sheet.is_explained() || can_stand(sheet.facts(), reject, &frame)).then_some(frame))
}
