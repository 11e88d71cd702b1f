//! Embedded mode: which process plans and runs. The one that holds the lock on `runner.lock` in the data
//! folder does; the others create, cancel and read. The system drops the lock when its holder dies, however
//! it dies, and the next one who looks takes over.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind as IoErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use carrack_shared::config::Config;
use carrack_shared::error::{ErrorKind, Trouble};
use carrack_shared::operation::OperationId;
use carrack_shared::port::Ports;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exit::{MAKE_ROOM, Usage};

const LOCK_FILE: &str = "runner.lock";

/// The coordinator and the workers of this process.
pub struct Runner {
    tasks: JoinSet<&'static str>,
    shutdown: CancellationToken,
    trouble: watch::Receiver<Option<Trouble>>,
    lock: Option<File>,
}

/// What runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// The coordinator's loops, not the API.
    pub coordinator: bool,
    /// How many workers.
    pub workers: u16,
}

/// Who runs.
pub enum Lock {
    /// This process may.
    Ours(File),
    /// Another process does, with this id as far as it has said so.
    Theirs(Option<u32>),
}

/// What came of trying to be the one who runs.
pub enum Trial {
    /// Nothing: it is so already, or nobody's business here.
    Unchanged,
    /// This process runs from now on, and with its own operation these, which were left unfinished.
    Here(Vec<OperationId>),
    /// Another one does; a sentence about it.
    Elsewhere(String),
}

/// Makes the data folder, readable for its owner only, if it is not there.
pub fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(path) else { return Ok(()) };
    let wrong = match error.kind() {
        IoErrorKind::StorageFull => return Err(error).with_context(|| format!("data folder {shown}")),
        IoErrorKind::AlreadyExists => "found a file, expected a folder".to_owned(),
        _ => error.to_string(),
    };
    Err(Usage(format!("data folder {shown}: {wrong}")).into())
}

/// Takes the lock if it is free.
pub fn try_lock(data_dir: &Path) -> anyhow::Result<Lock> {
    let path = data_dir.join(LOCK_FILE);
    let place = || path.display().to_string();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).with_context(place)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).with_context(place)?;
            write!(file, "{}", std::process::id()).with_context(place)?;
            Ok(Lock::Ours(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.rewind().with_context(place)?;
            file.read_to_string(&mut text).with_context(place)?;
            Ok(Lock::Theirs(text.trim().parse().ok()))
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(place),
    }
}

impl Runner {
    /// As [`Runner::start`], by the one process that holds the lock of an embedded store: what an earlier
    /// one held or sent is free again at once.
    pub async fn start_alone(
        config: &Config,
        ports: &Ports,
        roles: Roles,
        lock: File,
    ) -> anyhow::Result<Self> {
        let batches = ports.store.restart().await?;
        if batches > 0 {
            tracing::info!(batches, "taking up what an earlier process has left");
        }
        Ok(Self::start(config, ports, roles, Some(lock)))
    }

    /// Starts the parts. Holds the lock, if there is one, as long as they run.
    pub fn start(config: &Config, ports: &Ports, roles: Roles, lock: Option<File>) -> Self {
        let shutdown = CancellationToken::new();
        let (tell, trouble) = watch::channel(None);
        let mut tasks = JoinSet::new();
        if roles.coordinator {
            let run = carrack_coordinator::run(
                config.coordinator.clone(),
                config.images.clone(),
                ports.clone(),
                tell.clone(),
                shutdown.clone(),
            );
            tasks.spawn(async move {
                run.await;
                "coordinator"
            });
        }
        for _ in 0..roles.workers {
            let run =
                carrack_worker::run(config.worker.clone(), ports.clone(), tell.clone(), shutdown.clone());
            tasks.spawn(async move {
                run.await;
                "worker"
            });
        }
        Self { tasks, shutdown, trouble, lock }
    }

    /// Waits until a part of it ends by itself, which none should, or until an embedded store is full: what
    /// is done is safe, and nobody but the user can make room. Safe to drop while waiting.
    pub async fn broken(&mut self) -> anyhow::Error {
        let alone = self.lock.is_some();
        let is_full = |trouble: &Option<Trouble>| {
            alone && trouble.as_ref().is_some_and(|trouble| trouble.kind == ErrorKind::Full)
        };
        let ended = tokio::select! {
            ended = self.tasks.join_next() => ended,
            Ok(trouble) = self.trouble.wait_for(is_full) => {
                let message = trouble.as_ref().map_or_else(String::new, |trouble| trouble.message.clone());
                return anyhow::anyhow!("{message}; {MAKE_ROOM}, and it goes on");
            }
        };
        match ended {
            Some(Ok(part)) => anyhow::anyhow!("the {part} stopped by itself"),
            Some(Err(error)) if error.is_panic() => anyhow::anyhow!("a part of this process broke down"),
            Some(Err(error)) => error.into(),
            None => std::future::pending().await,
        }
    }

    /// What keeps the workers from working, for people; none while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().as_ref().map(|trouble| trouble.message.clone())
    }

    /// Lets the workers finish or give back what they hold, and stops.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_and_the_others_learn_who() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("a/b");
        make_data_dir(&data_dir).unwrap();
        let Lock::Ours(first) = try_lock(&data_dir).unwrap() else { panic!("the lock is free") };
        let Lock::Theirs(pid) = try_lock(&data_dir).unwrap() else { panic!("the lock is held") };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        assert!(matches!(try_lock(&data_dir).unwrap(), Lock::Ours(_)));
    }
}
