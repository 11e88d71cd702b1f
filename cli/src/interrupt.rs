//! Ctrl-C and SIGTERM, as values that are received. None is lost between two looks.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What the process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Interrupts that have not been received yet; more are not needed.
const WAITING: usize = 8;

/// Receives interrupts from now on. The process no longer dies of them.
pub struct Interrupts(mpsc::Receiver<Interrupt>);

impl Interrupts {
    /// Starts to listen.
    pub fn listen() -> anyhow::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt()).context("listening to Ctrl-C")?;
        let mut terminations = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let interrupt = tokio::select! {
                    Some(()) = interrupts.recv() => Interrupt::Interrupt,
                    Some(()) = terminations.recv() => Interrupt::Terminate,
                    else => return,
                };
                if sender.send(interrupt).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self(receiver))
    }

    /// Waits for the next one. Safe to drop while waiting.
    pub async fn next(&mut self) -> Interrupt {
        match self.0.recv().await {
            Some(interrupt) => interrupt,
            None => std::future::pending().await,
        }
    }
}
