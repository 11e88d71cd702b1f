//! Waiting for an operation to end: shows its progress, becomes its runner when nobody else is, bears with
//! services that are away for a while, and takes Ctrl-C.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use carrack_coordinator::report::Progress;
use carrack_shared::operation::OperationId;

use crate::access::Access;
use crate::display::Display;
use crate::interrupt::{Interrupt, Interrupts};
use crate::runner::Trial;
use crate::{console, exit};

/// The time between two looks at operations of this machine.
const LOCAL_LOOK: Duration = Duration::from_millis(100);

/// The time between two looks through an API.
const REMOTE_LOOK: Duration = Duration::from_millis(500);

/// How long a service may be away.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long this process's workers may be kept from working, by a full disk for example, before it gives up.
const TROUBLE: Duration = Duration::from_secs(30);

/// What Ctrl-C does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Cancels the operation: this process has started it.
    Cancel,
    /// Only stops watching.
    Leave,
}

/// How watching ended.
pub enum Ending {
    /// The operation has ended so.
    Ended(Box<Progress>),
    /// The user left; the operation has not ended.
    Left,
}

/// The command that watches an operation again, with the file that this one would have written: an option
/// and its value.
pub fn again(id: OperationId, reach: &str, file: Option<(&str, &Path)>) -> String {
    let mut command = format!("carrack operations watch {id}{reach}");
    if let Some((option, file)) = file {
        command.push_str(&format!(" {option} {}", quoted(file)));
    }
    command
}

/// The operation as it is now; none if the user left before it could be read.
pub async fn first_look(
    access: &Access,
    id: OperationId,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<Progress>> {
    let mut watch = Watch::new(id, OnInterrupt::Leave);
    loop {
        if let Some(progress) = watch.find(access).await? {
            return Ok(Some(progress));
        }
        tokio::select! {
            () = tokio::time::sleep(REMOTE_LOOK) => {}
            _ = interrupts.next() => return Ok(None),
        }
    }
}

/// Watches an operation until it ends. `again` is the command that goes on with it.
pub async fn until_end(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    again: &str,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Ending> {
    let mut watch = Watch::new(id, on_interrupt);
    let ending = watch.run(access, interrupts).await;
    watch.display.clear();
    watch.tell_of_others(access).await;
    let continues = format!("`{again}` continues it");
    match ending {
        Ok(Ending::Left) => console::note(&format!("left operation {id} unfinished; {continues}")),
        Err(error) if watch.found => bail!("{}; {continues}", exit::with_advice(&error)),
        _ => {}
    }
    ending
}

struct Watch {
    id: OperationId,
    on_interrupt: OnInterrupt,
    display: Display,
    found: bool,
    cancelling: bool,
    failing_since: Option<Instant>,
    trouble: Option<(String, Instant)>,
    /// Operations that were left unfinished before, and go on here.
    others: Vec<OperationId>,
}

impl Watch {
    fn new(id: OperationId, on_interrupt: OnInterrupt) -> Self {
        Self {
            id,
            on_interrupt,
            display: Display::new(),
            found: false,
            cancelling: false,
            failing_since: None,
            trouble: None,
            others: Vec::new(),
        }
    }

    async fn run(&mut self, access: &mut Access, interrupts: &mut Interrupts) -> anyhow::Result<Ending> {
        let between = if matches!(access, Access::Remote(_)) { REMOTE_LOOK } else { LOCAL_LOOK };
        if let Trial::Elsewhere(somebody) = self.try_to_run(access).await? {
            self.display.note(&somebody);
        }
        loop {
            tokio::select! {
                look = self.look(access) => if let Some(progress) = look? {
                    return Ok(Ending::Ended(Box::new(progress)));
                },
                interrupt = interrupts.next() => if !self.interrupted(access, interrupt).await? {
                    return Ok(Ending::Left);
                },
            }
            tokio::select! {
                () = tokio::time::sleep(between) => {}
                error = access.broken() => return Err(error),
                interrupt = interrupts.next() => if !self.interrupted(access, interrupt).await? {
                    return Ok(Ending::Left);
                },
            }
            self.try_to_run(access).await?;
            self.tell_trouble(access.trouble())?;
        }
    }

    /// Says which operations this process runs beside the one that it watches.
    async fn try_to_run(&mut self, access: &mut Access) -> anyhow::Result<Trial> {
        let trial = access.try_to_run(self.id).await?;
        if let Trial::Here(others) = &trial {
            for id in others {
                self.display.note(&format!(
                    "operation {id} was left unfinished, and goes on while this command runs"
                ));
            }
            self.others.extend(others);
        }
        Ok(trial)
    }

    /// Says what has become of them.
    async fn tell_of_others(&self, access: &Access) {
        for id in &self.others {
            // It is the watched one that the command is about.
            let Ok(Some(other)) = access.progress(*id).await else { continue };
            let status = other.status.as_str().replace('_', " ");
            console::note(&match &other.failure {
                _ if !other.status.is_terminal() => {
                    format!(
                        "operation {id} is still unfinished; `carrack operations watch {id}` goes on with it"
                    )
                }
                Some(failure) => format!("operation {id} has ended meanwhile: {status}: {}", failure.message),
                None => format!("operation {id} has ended meanwhile: {status}"),
            });
        }
    }

    /// One look; answers the progress if the operation has ended.
    async fn look(&mut self, access: &Access) -> anyhow::Result<Option<Progress>> {
        let found = self.find(access).await?;
        Ok(found.filter(|progress| {
            self.found = true;
            self.display.show(progress);
            progress.status.is_terminal()
        }))
    }

    /// The progress, unless it cannot be read for the moment.
    async fn find(&mut self, access: &Access) -> anyhow::Result<Option<Progress>> {
        match access.progress(self.id).await {
            Ok(found) => {
                self.failing_since = None;
                found.map(Some).with_context(|| format!("there is no operation {}", self.id))
            }
            Err(error) => self.bear(error).map(|()| None),
        }
    }

    /// Whether to go on watching.
    async fn interrupted(&mut self, access: &Access, interrupt: Interrupt) -> anyhow::Result<bool> {
        let leave = self.cancelling || self.on_interrupt == OnInterrupt::Leave;
        if leave || interrupt == Interrupt::Terminate {
            return Ok(false);
        }
        self.cancelling = true;
        self.display.note("cancelling; Ctrl-C once more leaves at once");
        if let Err(error) = access.cancel(self.id).await {
            self.cancelling = false;
            self.bear(error)?;
        }
        Ok(true)
    }

    /// Says what keeps the workers from working, once; gives up when it lasts.
    fn tell_trouble(&mut self, now: Option<String>) -> anyhow::Result<()> {
        match (now, &self.trouble) {
            (None, _) => self.trouble = None,
            (Some(now), Some((before, since))) if now == *before => {
                if since.elapsed() > TROUBLE {
                    bail!("{now}");
                }
            }
            (Some(now), before) => {
                let since = before.as_ref().map_or_else(Instant::now, |(_, since)| *since);
                self.display.note(&format!("not getting on: {now}"));
                self.trouble = Some((now, since));
            }
        }
        Ok(())
    }

    fn bear(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !exit::is_passing(&error) || since.elapsed() > PATIENCE {
            return Err(error);
        }
        tracing::info!(error = exit::chain(&error), "progress not readable, trying again");
        Ok(())
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |character: char| character.is_alphanumeric() || "/._-+,:@%".contains(character);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_continues_is_a_command_for_a_shell() {
        let id = "00000000-0000-0000-0000-000000000007".parse().unwrap();
        for (reach, file, expected) in [
            ("", None, ""),
            (" --data-dir d", Some(("-o", "out/a-1.json")), " --data-dir d -o out/a-1.json"),
            ("", Some(("--rejects", "my $file.csv")), " --rejects 'my $file.csv'"),
            ("", Some(("-o", "it's")), r" -o 'it'\''s'"),
        ] {
            let file = file.map(|(option, file)| (option, Path::new(file)));
            assert_eq!(again(id, reach, file), format!("carrack operations watch {id}{expected}"));
        }
    }
}
