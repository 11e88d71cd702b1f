//! A process that serves until it is told to stop: the API and the parts that run beside it. SIGTERM and
//! Ctrl-C let everything finish or give back what it holds; a second one ends the process at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use carrack_coordinator::api;
use carrack_shared::config::Config;
use carrack_shared::port::Ports;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exit::{self, Exit, Usage};
use crate::interrupt::Interrupts;
use crate::runner::Runner;
use crate::{console, local};

/// The time between two looks whether this process may run what it serves.
const LOOK: Duration = Duration::from_secs(1);

/// How long a starting process waits for the services behind it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A serving process.
pub struct Service {
    interrupts: Interrupts,
    shutdown: CancellationToken,
    api: Option<JoinHandle<std::io::Result<()>>>,
}

impl Service {
    /// Listens to signals from now on.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { interrupts: Interrupts::listen()?, shutdown: CancellationToken::new(), api: None })
    }

    /// Binds the address of the settings and serves the API there.
    pub async fn serve_api(&mut self, config: &Config, ports: &Ports) -> anyhow::Result<SocketAddr> {
        let place = || format!("listen: {}", config.listen);
        let listener = TcpListener::bind(&config.listen).await.with_context(place)?;
        let address = listener.local_addr().with_context(place)?;
        let settings = api::Settings { upload_limit_bytes: config.upload_limit_bytes };
        self.api = Some(tokio::spawn(api::serve(listener, ports.clone(), settings, self.shutdown.clone())));
        Ok(address)
    }

    /// Runs until told to stop. Where there is no runner yet, asks `next` for one once a second.
    pub async fn run<Next: Future<Output = anyhow::Result<Option<Runner>>>>(
        mut self,
        mut runner: Option<Runner>,
        next: impl Fn() -> Next,
    ) -> anyhow::Result<Exit> {
        let told = loop {
            let waiting = runner.is_none();
            tokio::select! {
                _ = self.interrupts.next() => break Ok(()),
                error = ended(&mut self.api) => break Err(error),
                error = broken(&mut runner) => break Err(error),
                () = tokio::time::sleep(LOOK), if waiting => match next().await {
                    Ok(found) => runner = found,
                    Err(error) => break Err(error),
                },
            }
        };
        self.shutdown.cancel();
        let api = self.api.take();
        let stop = async {
            if let Some(runner) = runner {
                runner.stop().await;
            }
            if let Some(api) = api {
                let _ = api.await;
            }
        };
        tokio::select! {
            () = stop => told.map(|()| Exit::Good),
            _ = self.interrupts.next() => Ok(Exit::Interrupted),
        }
    }
}

/// Refuses what cannot work between several processes.
pub fn check_fleet(config: &Config) -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    if config.is_embedded() {
        mistakes.push("database_url: found a SQLite file, expected postgres://…");
    }
    if config.queue_url.starts_with("memory:") {
        mistakes.push("queue_url: found memory:, expected amqp://…");
    }
    if config.progress_url.starts_with("memory:") {
        mistakes.push("progress_url: found memory:, expected redis://…");
    }
    if !mistakes.is_empty() {
        let reason =
            "for coordinators and workers are processes of their own (`carrack serve` is one for all)";
        bail!(Usage(format!("{}; {reason}", mistakes.join("; "))));
    }
    Ok(())
}

/// Connects to the services and waits until each answers: a fleet's processes may start in any order. A
/// service that refuses us, rather than being away, ends the wait at once.
pub async fn connect(config: &Config) -> anyhow::Result<Ports> {
    let mut told = false;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = match try_to_connect(config).await {
            Ok(ports) => return Ok(ports),
            Err(error) if exit::is_passing(&error) && Instant::now() < deadline => error,
            Err(error) => return Err(error),
        };
        if !told {
            console::note(&format!("waiting: {}", exit::chain(&error)));
            told = true;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn try_to_connect(config: &Config) -> anyhow::Result<Ports> {
    let ports = local::connect(config).await?;
    carrack_shared::port::Records::ready(&*ports.store).await?;
    ports.objects.ready().await?;
    ports.queue.ready().await?;
    // The progress cache is not waited for: everything works without it.
    Ok(ports)
}

async fn ended(api: &mut Option<JoinHandle<std::io::Result<()>>>) -> anyhow::Error {
    match api {
        Some(api) => match api.await {
            Ok(Err(error)) => anyhow::Error::from(error).context("the API stopped"),
            Ok(Ok(())) => anyhow::anyhow!("the API stopped by itself"),
            Err(error) => anyhow::Error::from(error).context("the API broke down"),
        },
        None => std::future::pending().await,
    }
}

async fn broken(runner: &mut Option<Runner>) -> anyhow::Error {
    match runner {
        Some(runner) => runner.broken().await,
        None => std::future::pending().await,
    }
}
