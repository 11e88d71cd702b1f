//! Carrack's own processes, as an operator runs them: started, awaited, measured, killed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a process may take until it says that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The `carrack` binary of this build: `CARRACK_BIN`, or the one beside the running test.
///
/// # Errors
/// When it has not been built.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("CARRACK_BIN") {
        return Ok(path.into());
    }
    let here = std::env::current_exe()?;
    let built = here.ancestors().map(|folder| folder.join("carrack")).find(|path| path.is_file());
    built.with_context(|| {
        format!("no carrack binary beside {}; run: cargo build -p carrack-cli", here.display())
    })
}

/// The variables of the caller that Carrack takes settings from. A process must get none of them, or it would
/// not run as its test says: in a shell in which `./dev env` was read, an embedded import would be a fleet's.
pub fn inherited_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_setting(&name.to_string_lossy()))
}

fn is_setting(name: &str) -> bool {
    name.starts_with("CARRACK_") || name.starts_with("AWS_") || name == "LOG_LEVEL"
}

/// What a process runs with.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// All the variables that it takes settings from; other ones are inherited.
    pub variables: HashMap<String, String>,
    /// Working folder; standard error goes to a file in it.
    pub folder: PathBuf,
}

/// A running process. Killed when dropped.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
}

impl Process {
    /// Starts `carrack ARGS`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, args: &[&str], setting: &Setting) -> anyhow::Result<Self> {
        let log = setting.folder.join(format!("{name}.log"));
        let stderr = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(binary()?);
        for name in inherited_settings() {
            command.env_remove(name);
        }
        let mut child = command
            .args(args)
            .envs(&setting.variables)
            .current_dir(&setting.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { name: name.into(), log, child, stdout })
    }

    /// Starts `carrack ARGS` and waits for the line with which it says that it is ready.
    ///
    /// # Errors
    /// When it ends or says nothing in time; with the end of its log.
    pub async fn start_ready(name: &str, args: &[&str], setting: &Setting) -> anyhow::Result<Self> {
        let mut process = Self::start(name, args, setting)?;
        let mut line = String::new();
        match timeout(READY_WITHIN, process.stdout.read_line(&mut line)).await {
            Ok(Ok(read)) if read > 0 => Ok(process),
            outcome => bail!("{name} did not get ready: {outcome:?}\n{}", process.last_words()),
        }
    }

    /// Its process id, while it lives.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("kill {}", self.name))
    }

    /// SIGTERM or SIGINT, by name.
    ///
    /// # Errors
    /// When the process is gone already.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let id = self.id().context("the process has ended")?;
        signal_process(id, signal)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in time; with the end of its log.
    pub async fn wait(mut self, within: Duration) -> anyhow::Result<Ended> {
        let ending = async {
            let mut stdout = String::new();
            self.stdout.read_to_string(&mut stdout).await?;
            let status = self.child.wait().await?;
            anyhow::Ok(Ended { code: status.code(), stdout })
        };
        match timeout(within, ending).await {
            Ok(ended) => ended,
            Err(_) => bail!("{} did not end within {within:?}\n{}", self.name, self.last_words()),
        }
    }

    /// Waits for its end; also answers the largest resident size it was seen with, in bytes.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub async fn wait_measured(self, within: Duration) -> anyhow::Result<(Ended, u64)> {
        let id = self.id().context("the process has ended")?;
        let mut peak = 0;
        let mut waiting = std::pin::pin!(self.wait(within));
        loop {
            // The kernel keeps the high-water mark, so a look now and then is enough.
            match timeout(Duration::from_millis(20), &mut waiting).await {
                Ok(ended) => return Ok((ended?, peak)),
                Err(_) => peak = memory_of(id, "VmHWM:").unwrap_or(peak).max(peak),
            }
        }
    }

    /// The largest resident size it has had so far, in bytes.
    pub fn peak_memory(&self) -> Option<u64> {
        memory_of(self.id()?, "VmHWM:")
    }

    /// The resident size it has now, in bytes.
    pub fn memory(&self) -> Option<u64> {
        memory_of(self.id()?, "VmRSS:")
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        last_lines(&self.log, 30)
    }
}

/// Sends a signal to any process.
///
/// # Errors
/// When there is no such process.
pub fn signal_process(id: u32, signal: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill").args(["-s", signal, &id.to_string()]).status()?;
    anyhow::ensure!(status.success(), "kill -s {signal} {id} failed");
    Ok(())
}

fn memory_of(id: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024)
}

fn last_lines(path: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
