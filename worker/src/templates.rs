//! Executes a batch of an import of templates, which is one record: it goes where every template goes, to the store of
//! templates, together with the table of its type.
//!
//! What a name means, and which columns a type has, depends on the order of the templates. So a batch waits for those
//! before it, whoever works on them; as every batch of the operation does so, those that are done are always the first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::{Fault, Stage};
use carrack_shared::limits::FAULTS;
use carrack_shared::pipeline::Decoded;
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::templates::{Added, NewTemplate, StoredTemplate, TemplateEffect};
use carrack_shared::record::{Rows, Value as Held, utf8};
use carrack_shared::schema::{DataType, SAID_OF_TEMPLATES};
use carrack_shared::segment::{Claim, ClaimedRun, Segment};
use carrack_shared::spec::Duplicates;
use carrack_shared::template::{Hindrance, Storable, is_same};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::context::Context;
use crate::import::record_progress;
use crate::rejects;
use crate::task::{Interrupted, after_commit};

/// Looks at a type that others change meanwhile.
const TRIES: usize = 5;

/// How long a batch waits for those before it, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(50);

/// Commits a decoded batch: its template, or why it has none.
pub(crate) async fn commit(
    context: &Context,
    run: &ClaimedRun,
    (claim, segment): (&Claim, &Segment),
    decoded: Decoded,
) -> Result<(), Interrupted> {
    let batch = Batch { context, run, claim, bytes: segment.share() };
    batch.wait_for_those_before().await?;
    let Decoded { mut rows, mut rejects, filtered, .. } = decoded;
    if rows.len() > 1 {
        return Err(internal(format!("found {} templates in a batch, expected one", rows.len())).into());
    }
    if !rows.is_empty() {
        let added = match document(&rows, 0) {
            Ok(document) => batch.add(document).await?,
            Err(mistake) => Err(wrong(vec![mistake])),
        };
        match added {
            Ok(commit) => return batch.settle(&commit).await,
            Err(faults) => rejects.extend(rows.refuse(BTreeMap::from([(0, faults)]))),
        }
    }
    let store = &context.ports.store;
    rejects::store_long_frames(&*context.ports.objects, &mut rejects).await?;
    let (rows, stored_frames) = (Arc::new(rows), HashMap::new());
    let effect = ImportEffect {
        rows: &rows,
        rejects: &rejects,
        stored_frames: &stored_frames,
        filtered,
        bytes: batch.bytes,
    };
    let commit = store.commit_import(&run.operation, claim, effect).await?;
    batch.settle(&commit).await
}

/// A batch that is being worked on.
struct Batch<'run> {
    context: &'run Context,
    run: &'run ClaimedRun,
    claim: &'run Claim,
    bytes: u64,
}

impl Batch<'_> {
    /// Not forever: if nobody works on those before, because all wait, this one has to be given back.
    async fn wait_for_those_before(&self) -> PortResult<()> {
        let (number, deadline) = (self.claim.batch.number, Instant::now() + PATIENCE);
        loop {
            let done = self.context.ports.store.totals(self.run.operation.id).await?.batches;
            if done >= u64::from(number) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let message = format!("batch {number} waits for those before it, of which {done} are done");
                return Err(PortError::new(ErrorKind::Contended, "worker", message));
            }
            sleep(GLANCE).await;
        }
    }

    /// Stores the template of the batch, or says what is wrong with it.
    async fn add(&self, document: Value) -> PortResult<Result<Commit, Vec<Fault>>> {
        let store = &self.context.ports.store;
        let storable = match off_thread(move || Storable::read(&document)).await? {
            Ok(storable) => Arc::new(storable),
            Err(mistakes) => return Ok(Err(wrong(mistakes))),
        };
        match storable.built_in() {
            Ok(None) => {}
            Ok(Some(built_in)) => return self.meet(&built_in).await,
            Err(mistakes) => return Ok(Err(wrong(mistakes))),
        }
        // The same template stays the same, whatever has become of its type since.
        if let Some(before) = store.template(&storable.reference()).await?
            && is_same(&before.document, storable.document())
        {
            return self.meet(&before).await;
        }
        for _ in 0..TRIES {
            let new = match self.beside(&storable, store.data_types().await?).await? {
                Ok(new) => new,
                Err(mistakes) => return Ok(Err(wrong(mistakes))),
            };
            let effect = TemplateEffect { new: Some(&new), bytes: self.bytes };
            let answer = match store.commit_template(&self.run.operation, self.claim, effect).await? {
                Commit::NotAdded(answer) => *answer,
                commit => return Ok(Ok(commit)),
            };
            match (storable.hindrance(&answer), answer) {
                (_, Added::Before(before)) => return self.meet(&before).await,
                (Some(Hindrance::OtherDocument(told)), _) => {
                    return Ok(Err(vec![Fault::new(Stage::Duplicate, "template.conflict", told)]));
                }
                (Some(Hindrance::TypeInUse(told)), _) => {
                    return Ok(Err(vec![Fault::new(Stage::Load, "template.type_in_use", told)]));
                }
                (None, _) => {}
            }
        }
        let name = storable.template.data_type.as_str();
        let message = format!("the data type {name} is being changed by others");
        Err(PortError::new(ErrorKind::Contended, "worker", message))
    }

    /// The template beside these types. Its examples may take a while.
    async fn beside(
        &self,
        storable: &Arc<Storable>,
        types: Vec<DataType>,
    ) -> PortResult<Result<NewTemplate, Vec<Mistake>>> {
        let (storable, owner) = (Arc::clone(storable), self.run.operation.owner.clone());
        off_thread(move || storable.beside(&types, Uuid::now_v7(), &owner)).await
    }

    /// What becomes of a template that is there already.
    async fn meet(&self, before: &StoredTemplate) -> PortResult<Result<Commit, Vec<Fault>>> {
        let operation = &self.run.operation;
        if operation.spec.as_import().is_some_and(|import| import.duplicates == Duplicates::Skip) {
            let effect = TemplateEffect { new: None, bytes: self.bytes };
            return self.context.ports.store.commit_template(operation, self.claim, effect).await.map(Ok);
        }
        let StoredTemplate { id, name, version, .. } = before;
        let message = format!("the template {name}@{version} is stored already ({id}), expected a new one");
        Ok(Err(vec![Fault::new(Stage::Duplicate, "duplicate.existing", message)]))
    }

    async fn settle(&self, commit: &Commit) -> Result<(), Interrupted> {
        record_progress(self.context, self.run, self.claim, commit, self.bytes).await;
        after_commit(commit)
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> PortResult<T> {
    spawn_blocking(work).await.map_err(|error| {
        let kind = if error.is_panic() { ErrorKind::Internal } else { ErrorKind::Unavailable };
        PortError::new(kind, "worker", "looking at a template was stopped").because(error)
    })
}

/// Each mistake in a template, with its place in it.
fn wrong(mistakes: Vec<Mistake>) -> Vec<Fault> {
    let fault = |Mistake { at, detail }: Mistake| {
        let fault = Fault::new(Stage::Validate, "template.wrong", detail);
        if at.is_empty() { fault } else { fault.in_field(at) }
    };
    mistakes.into_iter().take(FAULTS).map(fault).collect()
}

/// A record as the document of a template, without what the store that it comes from has said of it. A record may
/// have larger numbers and go deeper.
fn document(rows: &Rows, row: usize) -> Result<Value, Mistake> {
    let json = |name: &str, bytes: &[u8]| {
        let read = serde_json::from_slice::<Value>(bytes);
        read.map_err(|error| Mistake {
            at: name.to_owned(),
            detail: format!("found {error}, expected JSON of a template"),
        })
    };
    let mut members = Map::new();
    for (slot, field) in rows.data_type().fields.iter().enumerate() {
        let name = field.name.as_str();
        if SAID_OF_TEMPLATES.contains(&name) {
            continue;
        }
        let value = match rows.value(row, slot) {
            Held::Text(bytes) => Value::String(utf8(bytes).into_owned()),
            Held::Json(bytes) => json(name, bytes)?,
            Held::Missing | Held::Instant(_) => continue,
        };
        members.insert(name.to_owned(), value);
    }
    if let Held::Json(extra) = rows.value(row, rows.width() - 1)
        && let Value::Object(extra) = json("", extra)?
    {
        members.extend(extra);
    }
    Ok(in_its_order(&rows.frame(row), Value::Object(members)))
}

/// The document with its members as they stand in the record, where that is JSON: the order of properties in a JSON
/// Schema is that of columns, and records know none.
fn in_its_order(frame: &[u8], document: Value) -> Value {
    let Ok(Value::Object(mut own)) = serde_json::from_slice(frame) else { return document };
    own.retain(|name, _| !SAID_OF_TEMPLATES.contains(&name.as_str()));
    let own = Value::Object(own);
    if is_same(&own, &document) { own } else { document }
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "worker", message)
}
