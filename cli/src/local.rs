//! Carrack reached through its ports: the embedded store, or the services of a fleet.

use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;
use carrack_coordinator::corrections::Corrections;
use carrack_coordinator::gauge::{Gauge, Origin};
use carrack_coordinator::join::{Files, archive};
use carrack_coordinator::reject_kinds::RejectSummary;
use carrack_coordinator::reject_lines::Selection;
use carrack_coordinator::report::{Progress, Report};
use carrack_coordinator::retry::{self, Changes, NotRetried};
use carrack_coordinator::start::{self, Input};
use carrack_coordinator::templates::{self, NotAdded, TestReport};
use carrack_coordinator::{clock, reject_kinds, reject_lines, verify};
use carrack_shared::config::Config;
use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::Ports;
use carrack_shared::port::operations::Listing;
use carrack_shared::spec::Spec;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::access::{ByteStream, Download};
use crate::exit::Usage;
use crate::runner::{self, Lock, Roles, Runner, Trial};
use crate::{commands, console, file, master};

/// Who starts operations from the command line, where no server says it.
pub const OWNER: &str = "local";

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Connections to the database beside one for each batch that runs: the coordinator's and the API's.
const SPARE_CONNECTIONS: usize = 6;

/// What runs beside a command in embedded mode.
const ROLES: Roles = Roles { coordinator: true, workers: 1 };

/// The ports, and in embedded mode the runner.
pub struct Local {
    ports: Ports,
    config: Config,
    gauge: Gauge,
    runner: Option<Runner>,
}

impl Local {
    /// Connects. Runs nothing yet.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let ports = connect(&config).await?;
        // Workers of another process do not reach a cache in this one's memory.
        let shared_cache = !config.progress_url.starts_with("memory:");
        let origin = if shared_cache { Origin::Cache } else { Origin::Database };
        Ok(Self { gauge: Gauge::new(ports.clone(), origin), ports, config, runner: None })
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Becomes the runner, for operation `own` and whatever else is unfinished, if this is the embedded mode and
    /// nobody else is.
    pub async fn try_to_run(&mut self, own: OperationId) -> anyhow::Result<Trial> {
        if self.runner.is_some() || !self.config.is_embedded() {
            return Ok(Trial::Unchanged);
        }
        match runner::try_lock(&self.config.data_dir)? {
            Lock::Ours(lock) => {
                let active = self.ports.store.list(Listing::Active).await?;
                self.runner = Some(Runner::start_alone(&self.config, &self.ports, ROLES, lock).await?);
                let others = active.into_iter().map(|operation| operation.id).filter(|id| *id != own);
                Ok(Trial::Here(others.collect()))
            }
            Lock::Theirs(pid) => {
                let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                let data_dir = self.config.data_dir.display();
                Ok(Trial::Elsewhere(format!("another process{pid} runs the operations of {data_dir}")))
            }
        }
    }

    /// Waits until the runner breaks down, if there is one.
    pub async fn broken(&mut self) -> anyhow::Error {
        match &mut self.runner {
            Some(runner) => runner.broken().await,
            None => std::future::pending().await,
        }
    }

    /// What keeps this process's workers from working; none while all is well or if there are none.
    pub fn trouble(&self) -> Option<String> {
        self.runner.as_ref().and_then(Runner::trouble)
    }

    /// Stops the runner, if there is one.
    pub async fn stop(&mut self) {
        if let Some(runner) = self.runner.take() {
            runner.stop().await;
        }
    }

    /// The inputs of these files: the files themselves in embedded mode, uploads otherwise.
    pub async fn inputs(&self, files: &[file::Input]) -> anyhow::Result<Vec<Input>> {
        let prefix = clock::new_source_prefix();
        let mut inputs = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let name = file.name.clone();
            let in_place = file.key().filter(|_| self.config.is_embedded());
            let key = match in_place {
                Some(key) => key,
                None => {
                    let key = format!("{prefix}/{number}");
                    self.ports.objects.put(&key, read(file).await?).await?;
                    key
                }
            };
            inputs.push(Input { name, key });
        }
        Ok(inputs)
    }

    /// Removes uploads of an operation that was not created.
    pub async fn forget_inputs(&self, inputs: &[Input]) {
        for input in inputs.iter().filter(|input| file::path_of(&input.key).is_none()) {
            if let Err(error) = self.ports.objects.delete(&input.key).await {
                tracing::warn!(key = input.key, error = error.chain(), "upload not removed");
            }
        }
    }

    /// The newest unfinished operation that does exactly this, if there is one.
    pub async fn unfinished(&self, spec: &Spec) -> anyhow::Result<Option<Operation>> {
        let wanted = spec.sha256();
        let active = self.ports.store.list(Listing::Active).await?;
        // One that is being cancelled will not go on.
        let goes_on = |operation: &Operation| operation.state != State::Cancelling;
        Ok(active.into_iter().find(|operation| goes_on(operation) && operation.spec.sha256() == wanted))
    }

    /// Creates an operation.
    pub async fn create(&self, spec: Spec) -> Result<OperationId, start::StartError> {
        Ok(start::create(&self.ports, OWNER, spec, None).await?.operation.id)
    }

    /// Retries the rejects of an import: those of these files, or as they stood.
    pub async fn retry(
        &self,
        id: OperationId,
        files: &[file::Input],
        changes: Changes,
    ) -> anyhow::Result<OperationId> {
        let parent = self.ports.store.get(id).await?.context("the operation is gone")?;
        let started = match files {
            [] => retry::of_rejects(&self.ports, OWNER, &parent, changes, None).await,
            files => {
                let inputs = self.inputs(files).await?;
                let started = retry::of_files(&self.ports, OWNER, &parent, &inputs, changes, None).await;
                let certain = matches!(
                    &started,
                    Err(NotRetried::Conflict(_) | NotRetried::Start(start::StartError::Wrong(_)))
                );
                if certain {
                    self.forget_inputs(&inputs).await;
                }
                started
            }
        };
        match started {
            Ok(started) => Ok(started.operation.id),
            Err(NotRetried::Start(error)) => Err(commands::refused(error)),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn progress(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match self.ports.store.get(id).await? {
            Some(operation) => Ok(Some(self.gauge.progress(&operation).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn report(&self, id: OperationId) -> anyhow::Result<Option<Report>> {
        match self.ports.store.get(id).await? {
            Some(operation) => Ok(Some(self.gauge.report(&operation, None).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn sources(&self, id: OperationId) -> anyhow::Result<Vec<PathBuf>> {
        let operation = self.ports.store.get(id).await?;
        let import = operation.as_ref().and_then(|operation| operation.spec.as_import());
        let sources = import.map_or(&[][..], |import| &import.sources);
        Ok(sources.iter().filter_map(|source| file::path_of(&source.key)).collect())
    }

    pub(crate) async fn list(&self, listing: Listing) -> anyhow::Result<Vec<Progress>> {
        let mut list = Vec::new();
        for operation in self.ports.store.list(listing).await? {
            list.push(self.gauge.progress(&operation).await?);
        }
        Ok(list)
    }

    pub(crate) async fn add_template(&self, document: &Value) -> anyhow::Result<(Value, bool)> {
        match templates::add(&self.ports, OWNER, document).await {
            Ok(added) => Ok((added.shown, added.before)),
            Err(error) => Err(not_added(error)),
        }
    }

    pub(crate) async fn test_template(&self, document: &Value) -> anyhow::Result<TestReport> {
        templates::test(&self.ports, document).await.map_err(not_added)
    }

    pub(crate) async fn cancel(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match start::cancel(&self.ports, id).await? {
            Some(operation) => Ok(Some(self.gauge.progress_with_errors(&operation).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn undo(&self, parent: OperationId, force: bool) -> anyhow::Result<OperationId> {
        let spec = start::undo_spec(&self.ports, parent, force).await?;
        if let Some(unfinished) = self.unfinished(&spec).await? {
            console::note(&format!("continuing the unfinished undo {}", unfinished.id));
            return Ok(unfinished.id);
        }
        Ok(self.create(spec).await?)
    }

    pub(crate) async fn verify(&self, parent: OperationId) -> anyhow::Result<OperationId> {
        let parent = self.ports.store.get(parent).await?.with_context(|| commands::missing(parent))?;
        let spec = verify::spec(&self.ports, &parent).await?;
        if let Some(unfinished) = self.unfinished(&spec).await? {
            console::note(&format!("continuing the unfinished verification {}", unfinished.id));
            return Ok(unfinished.id);
        }
        Ok(verify::create(&self.ports, OWNER, &parent, spec, None).await?.operation.id)
    }

    pub(crate) async fn progress_with_errors(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match self.ports.store.get(id).await? {
            Some(operation) => Ok(Some(self.gauge.progress_with_errors(&operation).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn reject_summary(&self, id: OperationId) -> anyhow::Result<Option<RejectSummary>> {
        match self.ports.store.get(id).await? {
            Some(operation) => Ok(Some(reject_kinds::summary(&self.ports, &operation).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn rejects(&self, id: OperationId, wanted: Selection) -> anyhow::Result<ByteStream> {
        let operation = self.ports.store.get(id).await?.context("the operation is gone")?;
        Ok(reject_lines::lines(self.ports.clone(), operation, wanted).map_err(Into::into).boxed())
    }

    pub(crate) async fn corrections(&self, id: OperationId, file: Option<u32>) -> anyhow::Result<ByteStream> {
        let operation = self.ports.store.get(id).await?.context("the operation is gone")?;
        let corrections = Corrections::find(&self.ports, &operation, file).await?;
        Ok(corrections.content(&self.ports, &operation).map_err(Into::into).boxed())
    }

    pub(crate) async fn download(&self, id: OperationId, name: Option<&str>) -> anyhow::Result<Download> {
        let operation = self.ports.store.get(id).await?.context("the operation is gone")?;
        let files = Files::of(&self.ports, &operation).await?;
        let several = files.has_manifest();
        let content = match several {
            true => archive::tar(files, name),
            false => files.streamed(0).await?.1,
        };
        Ok(Download { content: content.map_err(Into::into).boxed(), several })
    }
}

/// Connects to what the settings name; makes the data folder in embedded mode.
pub async fn connect(config: &Config) -> anyhow::Result<Ports> {
    if config.is_embedded() {
        runner::make_data_dir(&config.data_dir)?;
    }
    let urls = carrack_adapters::Urls {
        database: config.database_url.clone(),
        objects: config.objects_url.clone(),
        queue: config.queue_url.clone(),
        progress: config.progress_url.clone(),
    };
    let settings = carrack_adapters::ConnectSettings {
        // Those of the usual AWS variables, profiles and roles.
        s3_credentials: None,
        pool_size: usize::from(config.worker.concurrency) + SPARE_CONNECTIONS,
        read_in_place: config.is_embedded(),
        master_key: master::key(config)?,
    };
    Ok(carrack_adapters::connect(&urls, &settings).await?)
}

async fn read(input: &file::Input) -> anyhow::Result<carrack_shared::port::objects::ByteStream> {
    let Some(path) = &input.path else {
        let failed =
            |error| PortError::new(ErrorKind::Refused, "standard input", "cannot be read").because(error);
        let pieces = ReaderStream::with_capacity(tokio::io::stdin(), PIECE_BYTES);
        return Ok(pieces.map_err(failed).boxed());
    };
    let place = path.display().to_string();
    let file = tokio::fs::File::open(path).await.with_context(|| place.clone())?;
    let pieces = ReaderStream::with_capacity(file, PIECE_BYTES);
    let named = move |error| PortError::new(ErrorKind::Refused, "file", place.clone()).because(error);
    Ok(pieces.map(move |piece: std::io::Result<Bytes>| piece.map_err(&named)).boxed())
}

/// Mistakes in a document are those of its user.
fn not_added(error: NotAdded) -> anyhow::Error {
    match error {
        NotAdded::Wrong(mistakes) => {
            Usage::listing(mistakes.iter().map(ToString::to_string).collect()).into()
        }
        error => error.into(),
    }
}
