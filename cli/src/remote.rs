//! Carrack reached through a server's API. A server or network that is away is borne with for five minutes;
//! every request that creates something carries an `Idempotency-Key`, so that sending it again is harmless.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use carrack_coordinator::join::archive;
use carrack_coordinator::reject_kinds::RejectSummary;
use carrack_coordinator::reject_lines::{self, Selection};
use carrack_coordinator::report::Progress;
use carrack_coordinator::templates::TestReport;
use carrack_shared::backoff::Backoff;
use carrack_shared::operation::OperationId;
use carrack_shared::port::operations::Listing;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_util::io::ReaderStream;
use url::Url;
use uuid::Uuid;

use crate::access::{ByteStream, Download};
use crate::exit::Usage;
use crate::file::Input;
use crate::{console, exit};

/// Where the API begins.
const BASE: &str = "api/data-migration/";

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The waits between two tries.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may be silent in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What a server or a proxy before it says of troubles that pass. A defect (500) or a full disk (507) does not.
const PASSING: [StatusCode; 5] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// A server refused a request or did not answer.
#[derive(Debug)]
pub struct RemoteError {
    status: Option<StatusCode>,
    message: String,
}

impl RemoteError {
    /// Whether the same request can succeed a little later.
    pub fn try_again(&self) -> bool {
        match self.status {
            None => true,
            Some(status) => PASSING.contains(&status),
        }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RemoteError {}

/// A server.
pub struct Remote {
    client: Client,
    base: Url,
    token: String,
}

impl Remote {
    /// The server at `url`. Does not connect yet.
    pub fn new(url: &Url, token: &str) -> anyhow::Result<Self> {
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let base = base.join(BASE).context("--server")?;
        let client = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build()?;
        Ok(Self { client, base, token: token.to_owned() })
    }

    /// Uploads files and starts their import.
    pub async fn import(
        &self,
        files: &[Input],
        data_type: Option<&str>,
        options: &Value,
    ) -> anyhow::Result<Progress> {
        let key = Uuid::now_v7().to_string();
        // What has been read of standard input cannot be read again.
        let (once, sent) = (files.iter().any(|file| file.path.is_none()), Cell::new(false));
        self.patiently(|| async {
            if sent.replace(true) && once {
                return Err(Usage("standard input was read and cannot be sent again".into()).into());
            }
            let mut form = Form::new();
            if let Some(data_type) = data_type {
                form = form.text("dataType", data_type.to_owned());
            }
            form = form.text("options", options.to_string());
            for file in files {
                form = form.part("file", part(file).await?);
            }
            let request = self.client.post(self.url("import")?).multipart(form);
            document(self.send(request.header("Idempotency-Key", &key)).await?).await
        })
        .await
    }

    /// Retries an import. Sent once: the server refuses a second retry, and names the first.
    pub async fn retry(&self, id: OperationId, files: &[Input], options: &Value) -> anyhow::Result<Progress> {
        let request = self.client.post(self.url(&format!("operations/{id}/retry"))?);
        if files.is_empty() {
            return document(self.send(request.json(options)).await?).await;
        }
        let mut form = Form::new().text("options", options.to_string());
        for file in files {
            form = form.part("file", part(file).await?);
        }
        document(self.send(request.multipart(form)).await?).await
    }

    /// Starts an export.
    pub async fn export(&self, data_type: &str, options: &Value) -> anyhow::Result<Progress> {
        let key = Uuid::now_v7().to_string();
        let body = serde_json::json!({ "dataType": data_type, "options": options });
        self.patiently(|| async {
            let request = self.client.post(self.url("export")?).json(&body);
            document(self.send(request.header("Idempotency-Key", &key)).await?).await
        })
        .await
    }

    pub(crate) async fn progress(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        self.found(&format!("operations/{id}/progress")).await
    }

    pub(crate) async fn report(&self, id: OperationId) -> anyhow::Result<Option<Box<RawValue>>> {
        self.found(&format!("operations/{id}")).await
    }

    pub(crate) async fn list(&self, listing: Listing) -> anyhow::Result<Vec<Progress>> {
        let path = match listing {
            Listing::Active => "operations/active".to_owned(),
            Listing::RetriesOf(parent) => anyhow::bail!("a server does not list the retries of {parent}"),
            Listing::Latest(limit) => format!("operations/history?limit={limit}"),
        };
        document(self.send(self.client.get(self.url(&path)?)).await?).await
    }

    pub(crate) async fn add_template(&self, template: &Value) -> anyhow::Result<(Value, bool)> {
        let request = self.client.post(self.url("templates")?).json(template);
        let response = self.send(request).await?;
        let before = response.status() != StatusCode::CREATED;
        Ok((document(response).await?, before))
    }

    pub(crate) async fn test_template(&self, template: &Value) -> anyhow::Result<TestReport> {
        let request = self.client.post(self.url("templates/test")?).json(template);
        document(self.send(request).await?).await
    }

    pub(crate) async fn templates(&self) -> anyhow::Result<Vec<Value>> {
        document(self.send(self.client.get(self.url("templates")?)).await?).await
    }

    pub(crate) async fn template(&self, reference: &str) -> anyhow::Result<Option<Value>> {
        let mut url = self.url("templates")?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(reference);
        }
        match self.send(self.client.get(url)).await {
            Ok(response) => Ok(Some(document(response).await?)),
            Err(error) => none_if_not_found(error),
        }
    }

    pub(crate) async fn cancel(&self, id: OperationId) -> anyhow::Result<Option<Progress>> {
        let request = self.client.post(self.url(&format!("operations/{id}/cancel"))?);
        match self.send(request).await {
            Ok(response) => Ok(Some(document(response).await?)),
            // It has ended, or is closing its books: too late, and how it stands is the answer.
            Err(error) if status_of(&error) == Some(StatusCode::CONFLICT) => self.progress(id).await,
            Err(error) => none_if_not_found(error),
        }
    }

    pub(crate) async fn verify(&self, parent: OperationId) -> anyhow::Result<Progress> {
        let key = Uuid::now_v7().to_string();
        self.patiently(|| async {
            let request = self.client.post(self.url(&format!("operations/{parent}/verify"))?);
            document(self.send(request.header("Idempotency-Key", &key)).await?).await
        })
        .await
    }

    pub(crate) async fn undo(&self, parent: OperationId, force: bool) -> anyhow::Result<Progress> {
        let key = Uuid::now_v7().to_string();
        let body = serde_json::json!({ "force": force });
        self.patiently(|| async {
            let request = self.client.post(self.url(&format!("operations/{parent}/undo"))?).json(&body);
            document(self.send(request.header("Idempotency-Key", &key)).await?).await
        })
        .await
    }

    pub(crate) async fn reject_summary(&self, id: OperationId) -> anyhow::Result<Option<RejectSummary>> {
        self.found(&format!("operations/{id}/rejects/summary")).await
    }

    pub(crate) async fn rejects(&self, id: OperationId, wanted: Selection) -> anyhow::Result<ByteStream> {
        let mut url = self.url(&format!("operations/{id}/rejects"))?;
        for (name, value) in [
            ("code", wanted.code),
            ("after", wanted.after.map(reject_lines::place)),
            ("limit", wanted.limit.map(|limit| limit.to_string())),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        Ok(content(self.patiently(|| async { self.send(self.client.get(url.clone())).await }).await?))
    }

    pub(crate) async fn corrections(&self, id: OperationId, file: Option<u32>) -> anyhow::Result<ByteStream> {
        let mut url = self.url(&format!("operations/{id}/rejects?as=input"))?;
        if let Some(file) = file {
            url.query_pairs_mut().append_pair("file", &file.to_string());
        }
        Ok(content(self.patiently(|| async { self.send(self.client.get(url.clone())).await }).await?))
    }

    pub(crate) async fn download(&self, id: OperationId, name: Option<&str>) -> anyhow::Result<Download> {
        let mut url = self.url(&format!("operations/{id}/download"))?;
        if let Some(name) = name {
            url.query_pairs_mut().append_pair("name", name);
        }
        let response = self.patiently(|| async { self.send(self.client.get(url.clone())).await }).await?;
        let several = response.headers().get(CONTENT_TYPE).is_some_and(|found| found == archive::MEDIA_TYPE);
        Ok(Download { content: content(response), several })
    }

    async fn found<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        match self.send(self.client.get(self.url(path)?)).await {
            Ok(response) => Ok(Some(document(response).await?)),
            Err(error) => none_if_not_found(error),
        }
    }

    /// Sends; an answer that is not a success is an error.
    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.bearer_auth(&self.token).send().await.map_err(|error| no_answer(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem: Value = response.json().await.unwrap_or_default();
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(Usage(told(status, &problem)).into());
        }
        Err(RemoteError { status: Some(status), message: told(status, &problem) }.into())
    }

    async fn patiently<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        mut step: impl FnMut() -> F,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        let mut attempt = 0;
        loop {
            let error = match step().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !exit::is_passing(&error) || start.elapsed() > PATIENCE {
                return Err(error);
            }
            if attempt == 0 {
                let minutes = PATIENCE.as_secs() / 60;
                console::note(&format!("{}; trying again for {minutes} minutes", exit::chain(&error)));
            }
            tracing::info!(error = exit::chain(&error), attempt, "server not available, trying again");
            tokio::time::sleep(BACKOFF.wait(attempt, rand::random())).await;
            attempt += 1;
        }
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        self.base.join(path).with_context(|| format!("--server: {path}"))
    }
}

fn content(response: Response) -> ByteStream {
    response.bytes_stream().map_err(|error| no_answer(&error).into()).boxed()
}

async fn part(file: &Input) -> anyhow::Result<Part> {
    let (Some(path), Some(length)) = (&file.path, file.length) else {
        let body = Body::wrap_stream(ReaderStream::with_capacity(tokio::io::stdin(), PIECE_BYTES));
        return Ok(Part::stream(body).file_name(file.name.clone()));
    };
    let content = tokio::fs::File::open(path).await.with_context(|| path.display().to_string())?;
    let body = Body::wrap_stream(ReaderStream::with_capacity(content, PIECE_BYTES));
    Ok(Part::stream_with_length(body, length).file_name(file.name.clone()))
}

async fn document<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let bytes = response.bytes().await.map_err(|error| no_answer(&error))?;
    serde_json::from_slice(&bytes).context("the server's answer is not one that this release knows")
}

fn no_answer(error: &reqwest::Error) -> RemoteError {
    let mut message = "no answer from the server".to_owned();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    RemoteError { status: error.status(), message }
}

fn status_of(error: &anyhow::Error) -> Option<StatusCode> {
    error.downcast_ref::<RemoteError>().and_then(|error| error.status)
}

fn none_if_not_found<T>(error: anyhow::Error) -> anyhow::Result<Option<T>> {
    if status_of(&error) == Some(StatusCode::NOT_FOUND) { Ok(None) } else { Err(error) }
}

/// What a problem document says, in one line.
fn told(status: StatusCode, problem: &Value) -> String {
    let list = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts: Vec<String> = list
        .iter()
        .filter_map(|error| Some(format!("{}: {}", error["at"].as_str()?, error["detail"].as_str()?)))
        .collect();
    match (parts.is_empty(), problem["detail"].as_str()) {
        (false, _) => parts.join("; "),
        (true, Some(detail)) => format!("the server says {}: {detail}", status.as_u16()),
        (true, None) => format!("the server says {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_become_one_line() {
        let wrong =
            json!({"detail": "d", "errors": [{"at": "a", "detail": "b"}, {"at": "c", "detail": "e"}]});
        assert_eq!(told(StatusCode::UNPROCESSABLE_ENTITY, &wrong), "a: b; c: e");
        assert_eq!(told(StatusCode::CONFLICT, &json!({"detail": "d"})), "the server says 409: d");
        assert_eq!(told(StatusCode::BAD_GATEWAY, &Value::Null), "the server says 502 Bad Gateway");
    }

    #[test]
    fn a_server_may_stand_below_a_path() {
        for (url, expected) in [
            ("http://h:3000", "http://h:3000/api/data-migration/import"),
            ("http://h/carrack", "http://h/carrack/api/data-migration/import"),
            ("http://h/carrack/", "http://h/carrack/api/data-migration/import"),
        ] {
            let remote = Remote::new(&url.parse().unwrap(), "t").unwrap();
            assert_eq!(remote.url("import").unwrap().as_str(), expected);
        }
    }
}
