//! How a command reaches operations: through the ports of this process, or through a server's API.

use std::path::PathBuf;

use bytes::Bytes;
use carrack_coordinator::reject_kinds::RejectSummary;
use carrack_coordinator::reject_lines::Selection;
use carrack_coordinator::report::Progress;
use carrack_coordinator::templates::{self, TestReport};
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use carrack_shared::port::operations::Listing;
use futures_util::stream::BoxStream;
use serde_json::Value;

use crate::arguments::Server;
use crate::document::Document;
use crate::exit::Usage;
use crate::local::Local;
use crate::remote::Remote;
use crate::runner::Trial;

/// Bytes as they arrive.
pub type ByteStream = BoxStream<'static, anyhow::Result<Bytes>>;

/// What comes of an export.
pub struct Download {
    /// A file, or an archive of files.
    pub content: ByteStream,
    /// Whether it is an archive, because there are several.
    pub several: bool,
}

/// The way to operations.
pub enum Access {
    /// See [`Local`].
    Local(Box<Local>),
    /// See [`Remote`].
    Remote(Remote),
}

impl Access {
    /// The way that the arguments and settings name.
    pub async fn open(server: &Server, config: Config) -> anyhow::Result<Self> {
        match (&server.server, &server.token) {
            (Some(url), Some(token)) => Ok(Self::Remote(Remote::new(url, token)?)),
            (Some(_), None) => {
                Err(Usage("--server: expected --token beside it, or CARRACK_TOKEN".into()).into())
            }
            (None, _) => Ok(Self::Local(Box::new(Local::connect(config).await?))),
        }
    }

    /// How far an operation is; none if there is none.
    pub async fn progress(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match self {
            Self::Local(local) => local.progress(id).await,
            Self::Remote(remote) => remote.progress(id).await,
        }
    }

    /// The same, with its first errors.
    pub async fn progress_with_errors(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match self {
            Self::Local(local) => local.progress_with_errors(id).await,
            Self::Remote(remote) => remote.progress(id).await,
        }
    }

    /// The whole report of an operation; none if there is none.
    pub async fn report(&self, id: OperationId) -> anyhow::Result<Option<Document>> {
        let text = match self {
            Self::Local(local) => local.report(id).await?.as_ref().map(serde_json::to_string).transpose()?,
            Self::Remote(remote) => remote.report(id).await?.map(|report| report.get().to_owned()),
        };
        Ok(text.map(Document::new))
    }

    /// The files of this machine that an import reads in place.
    pub async fn sources(&self, id: OperationId) -> anyhow::Result<Vec<PathBuf>> {
        match self {
            Self::Local(local) => local.sources(id).await,
            Self::Remote(_) => Ok(Vec::new()),
        }
    }

    /// Operations, newest first.
    pub async fn list(&self, listing: Listing) -> anyhow::Result<Vec<Progress>> {
        match self {
            Self::Local(local) => local.list(listing).await,
            Self::Remote(remote) => remote.list(listing).await,
        }
    }

    /// Stores a template; answers it, and whether it was there before.
    pub async fn add_template(&self, document: &Value) -> anyhow::Result<(Value, bool)> {
        match self {
            Self::Local(local) => local.add_template(document).await,
            Self::Remote(remote) => remote.add_template(document).await,
        }
    }

    /// Tries the examples of a template that need not be stored.
    pub async fn test_template(&self, document: &Value) -> anyhow::Result<TestReport> {
        match self {
            Self::Local(local) => local.test_template(document).await,
            Self::Remote(remote) => remote.test_template(document).await,
        }
    }

    /// All templates.
    pub async fn templates(&self) -> anyhow::Result<Vec<Value>> {
        match self {
            Self::Local(local) => Ok(templates::list(local.ports()).await?),
            Self::Remote(remote) => remote.templates().await,
        }
    }

    /// The template that a name or id says; none if there is none.
    pub async fn template(&self, reference: &str) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Local(local) => {
                let found = templates::find(local.ports(), reference).await?;
                Ok(found.as_ref().map(templates::shown))
            }
            Self::Remote(remote) => remote.template(reference).await,
        }
    }

    /// Cancels an operation; answers how it stands then, or none if there is none.
    pub async fn cancel(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        match self {
            Self::Local(local) => local.cancel(id).await,
            Self::Remote(remote) => remote.cancel(id).await,
        }
    }

    /// Starts the undo of an import.
    pub async fn undo(&self, parent: OperationId, force: bool) -> anyhow::Result<OperationId> {
        match self {
            Self::Local(local) => local.undo(parent, force).await,
            Self::Remote(remote) => Ok(remote.undo(parent, force).await?.operation_id),
        }
    }

    /// Starts the verification of an import.
    pub async fn verify(&self, parent: OperationId) -> anyhow::Result<OperationId> {
        match self {
            Self::Local(local) => local.verify(parent).await,
            Self::Remote(remote) => Ok(remote.verify(parent).await?.operation_id),
        }
    }

    /// The rejects of an operation, counted; none if there is no operation.
    pub async fn reject_summary(&self, id: OperationId) -> anyhow::Result<Option<RejectSummary>> {
        match self {
            Self::Local(local) => local.reject_summary(id).await,
            Self::Remote(remote) => remote.reject_summary(id).await,
        }
    }

    /// Rejects of an operation, as lines of JSON.
    pub async fn rejects(&self, id: OperationId, wanted: Selection) -> anyhow::Result<ByteStream> {
        match self {
            Self::Local(local) => local.rejects(id, wanted).await,
            Self::Remote(remote) => remote.rejects(id, wanted).await,
        }
    }

    /// The rejects of an import as a file like its own.
    pub async fn corrections(&self, id: OperationId, file: Option<u32>) -> anyhow::Result<ByteStream> {
        match self {
            Self::Local(local) => local.corrections(id, file).await,
            Self::Remote(remote) => remote.corrections(id, file).await,
        }
    }

    /// The file of a finished export, or its files, named after `name`.
    pub async fn download(&self, id: OperationId, name: Option<&str>) -> anyhow::Result<Download> {
        match self {
            Self::Local(local) => local.download(id, name).await,
            Self::Remote(remote) => remote.download(id, name).await,
        }
    }

    /// Becomes the runner where that is this process's business. See [`Local::try_to_run`].
    pub async fn try_to_run(&mut self, own: OperationId) -> anyhow::Result<Trial> {
        match self {
            Self::Local(local) => local.try_to_run(own).await,
            Self::Remote(_) => Ok(Trial::Unchanged),
        }
    }

    /// Waits until this process's runner breaks down, if there is one.
    pub async fn broken(&mut self) -> anyhow::Error {
        match self {
            Self::Local(local) => local.broken().await,
            Self::Remote(_) => std::future::pending().await,
        }
    }

    /// What keeps this process's workers from working, if it has workers.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Local(local) => local.trouble(),
            Self::Remote(_) => None,
        }
    }

    /// Lets this process's runner finish what it holds, and stops it.
    pub async fn stop(&mut self) {
        if let Self::Local(local) = self {
            local.stop().await;
        }
    }
}
