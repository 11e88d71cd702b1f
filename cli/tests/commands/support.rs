//! A folder with an embedded store, the commands that run in it, and a server over it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Two good contexts.
pub const GOOD: &str = r#"[{"id":"a","title":"A","content":"1"},{"id":"b","title":"B","content":"2"}]"#;

/// A good context and two bad ones.
pub const MIXED: &str = "id,title,content,createdAt\na,A,1,2024-01-01T00:00:00Z\nb,B,2,31/02/2024\nc,,3,\n";

/// How long anything may take.
pub const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// The variables of the caller that settings come from. A command gets none of them, or in a shell in which
/// `./dev env` was read it would be a fleet's.
fn inherited_settings() -> impl Iterator<Item = OsString> {
    let from_settings =
        |name: &str| name.starts_with("CARRACK_") || name.starts_with("AWS_") || name == "LOG_LEVEL";
    std::env::vars_os().map(|(name, _)| name).filter(move |name| from_settings(&name.to_string_lossy()))
}

/// A working folder; the store is in its `carrack-data`.
pub struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.into(), value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The lines of a file of rejects.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).outcome()
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Running::new(self.command(args).spawn().unwrap())
    }

    /// The command, not started, with its output to be read.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
        for name in inherited_settings() {
            command.env_remove(name);
        }
        command
            .args(args)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Takes the place of a process that runs the operations of this store.
    pub fn hold_lock(&self) -> File {
        let data_dir = self.path("carrack-data");
        std::fs::create_dir_all(&data_dir).unwrap();
        let lock = File::options().write(true).create(true).truncate(true).open(data_dir.join("runner.lock"));
        let lock = lock.unwrap();
        lock.lock().unwrap();
        lock
    }

    /// Starts an import, and kills it before any of it is done; answers the operation.
    pub fn leave_unfinished(&self, import: &[&str]) -> String {
        let lock = self.hold_lock();
        let left = self.start(import);
        left.wait_for_note("another process");
        let unfinished = self.wait_for_operation(|operation| operation["status"] == "running");
        left.signal("KILL");
        left.outcome();
        drop(lock);
        unfinished["operationId"].as_str().unwrap().to_owned()
    }

    /// Waits until an operation is listed for which `wanted` holds.
    pub fn wait_for_operation(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let list = self.run(&["operations", "list", "--json"]).json();
            if let Some(found) = list.as_array().unwrap().iter().find(|operation| wanted(operation)) {
                return found.clone();
            }
            assert!(start.elapsed() < ENDS_WITHIN, "no such operation in {list}");
        }
    }

    /// All files below a folder of the store.
    pub fn objects(&self, below: &str) -> Vec<PathBuf> {
        files(&self.path("carrack-data/objects").join(below))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A running command; killed when it is dropped.
pub struct Running {
    child: Child,
    stdout: Said,
    stderr: Said,
}

/// What a process has said so far, and whether it has said everything.
type Said = Arc<(Mutex<(String, bool)>, Condvar)>;

impl Running {
    fn new(mut child: Child) -> Self {
        let stdout = listen(child.stdout.take().unwrap());
        let stderr = listen(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub fn outcome(mut self) -> Outcome {
        let stdout = wait_until(&self.stdout, |_, ended| ended);
        let stderr = wait_until(&self.stderr, |_, ended| ended);
        let code = self.child.wait().unwrap().code();
        let outcome = Outcome { code, stdout, stderr };
        assert!(!outcome.stderr.contains("defect in carrack"), "{outcome:?}");
        outcome
    }

    /// Waits until standard error says this.
    pub fn wait_for_note(&self, part: &str) {
        let said = wait_until(&self.stderr, |said, ended| ended || said.contains(part));
        assert!(said.contains(part), "expected {part:?}, found {said:?}");
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

fn listen(mut stream: impl Read + Send + 'static) -> Said {
    let said = Said::default();
    let heard = Arc::clone(&said);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            let length = stream.read(&mut piece).unwrap_or(0);
            let mut said = heard.0.lock().unwrap();
            said.0.push_str(&String::from_utf8_lossy(&piece[..length]));
            said.1 = length == 0;
            heard.1.notify_all();
            if length == 0 {
                return;
            }
        }
    });
    said
}

fn wait_until(said: &Said, holds: impl Fn(&str, bool) -> bool) -> String {
    let waiting = |said: &mut (String, bool)| !holds(&said.0, said.1);
    let (said, timeout) = said.1.wait_timeout_while(said.0.lock().unwrap(), ENDS_WITHIN, waiting).unwrap();
    assert!(!timeout.timed_out(), "waited in vain after {:?}", said.0);
    said.0.clone()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `carrack serve` over a folder, with a token.
pub struct Server {
    pub url: String,
    pub token: String,
    pub client: reqwest::Client,
    process: Running,
}

impl Server {
    pub fn start(home: &Home) -> Self {
        let token = home.run(&["tokens", "create", "--owner", "ann"]).stdout.trim().to_owned();
        let process = home.start(&["serve", "--listen", "127.0.0.1:0"]);
        let line = wait_until(&process.stdout, |said, ended| ended || said.contains('\n'));
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let url = url.trim_end_matches(';').to_owned();
        Self { url, token, client: reqwest::Client::new(), process }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}/api/data-migration/{path}", self.url)
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send(self.client.get(self.at(path)), 200).await
    }

    pub async fn post(&self, path: &str, body: &str, status: u16) -> Value {
        let request = self.client.post(self.at(path)).header("Content-Type", "application/json");
        self.send(request.body(body.to_owned()), status).await
    }

    /// Sends with the token; the answer must have this status.
    pub async fn send(&self, request: reqwest::RequestBuilder, status: u16) -> Value {
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let found = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(found, status, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a form; parts come in the order in which they are given.
    pub async fn post_form(&self, path: &str, parts: &[(&str, &str)], status: u16) -> Value {
        self.send(self.client.post(self.at(path)).multipart(form(parts)), status).await
    }

    /// Imports files, as [`Self::post_form`].
    pub async fn import(&self, parts: &[(&str, &str)], status: u16) -> Value {
        self.post_form("import", parts, status).await
    }

    /// Waits until the operation has ended; answers its whole report.
    pub async fn ended(&self, operation: &Value) -> Value {
        let id = operation["operationId"].as_str().unwrap();
        let deadline = Instant::now() + ENDS_WITHIN;
        let path = format!("operations/{id}/progress");
        while !self.get(&path).await["endTime"].is_string() {
            assert!(Instant::now() < deadline, "operation {id} does not end");
        }
        self.get(&format!("operations/{id}")).await
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(self) -> Outcome {
        self.process.signal("TERM");
        self.process.outcome()
    }
}

/// A form; a part `file:NAME` is a file.
pub fn form(parts: &[(&str, &str)]) -> reqwest::multipart::Form {
    parts.iter().fold(reqwest::multipart::Form::new(), |form, (name, content)| {
        let part = reqwest::multipart::Part::text((*content).to_owned());
        match name.split_once(':') {
            Some((name, file)) => form.part(name.to_owned(), part.file_name(file.to_owned())),
            None => form.part((*name).to_owned(), part),
        }
    })
}
