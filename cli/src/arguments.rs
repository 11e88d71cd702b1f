//! What can be said on the command line.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};
use url::Url;

use crate::commands::{
    compare, coordinator, export, import, infer, operations, rekey, serve, templates, tokens, worker,
};
use crate::settings::Flags;
use crate::watch;

/// The end of the help.
const EXIT_CODES: &str = "Exit codes: 0 all good, 1 failed, 2 wrong usage and nothing was begun, 3 finished with \
rejects, 130 interrupted or cancelled.";

/// Move large sets of records between files and a database, exactly once.
#[derive(Debug, Parser)]
#[command(name = "carrack", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Settings file; `carrack.toml` in the working directory where it is left out.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the embedded mode: its database, its objects, its lock.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Log more to standard error: info, twice debug, three times trace.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import files into a table.
    Import(Box<import::Arguments>),
    /// Export a table into a file.
    Export(Box<export::Arguments>),
    /// Compare two exports, or tables: which records are in both, differ, or are only in one.
    Verify(compare::Arguments),
    /// Look at the records of a file, and propose a template for them.
    Infer(infer::Arguments),
    /// Give encrypted files another key, without encrypting them anew.
    Rekey(rekey::Arguments),
    /// Run the API, a coordinator and workers in one process.
    Serve(serve::Arguments),
    /// Run a coordinator of a fleet, with the API.
    Coordinator(coordinator::Arguments),
    /// Run a worker of a fleet.
    Worker(worker::Arguments),
    /// List, show, watch and cancel operations.
    #[command(subcommand)]
    Operations(operations::Command),
    /// Store, list and show templates: what records look like.
    #[command(subcommand)]
    Templates(templates::Command),
    /// Manage the API's bearer tokens.
    #[command(subcommand)]
    Tokens(tokens::Command),
}

/// How to reach a Carrack elsewhere.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// Use the API of this server, such as http://localhost:3000.
    #[arg(long, value_name = "URL")]
    pub server: Option<Url>,
    /// Bearer token for --server, made by `carrack tokens create`.
    // One of 64 tokens begins with a hyphen.
    #[arg(
        long,
        env = "CARRACK_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<String>,
}

/// Reads a whole number in a range.
///
/// # Errors
/// What was expected; the parser says what was found.
pub fn whole_number<const LEAST: u16, const MOST: u16>(text: &str) -> Result<u16, String> {
    let fits = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    fits.ok_or_else(|| format!("expected a whole number from {LEAST} to {MOST}"))
}

impl Arguments {
    /// The flags by which another command reaches the same operations, for a shell.
    pub fn reach(&self) -> String {
        let server = match &self.command {
            Command::Import(import) => import.server.server.as_ref(),
            Command::Export(export) => export.server.server.as_ref(),
            Command::Operations(command) => command.server(),
            Command::Templates(command) => command.server(),
            _ => None,
        };
        let paths = [("--config", &self.config), ("--data-dir", &self.data_dir)];
        let mut reach = String::new();
        for (flag, path) in paths.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
            reach.push_str(&format!(" {flag} {}", watch::quoted(path)));
        }
        if let Some(url) = server {
            reach.push_str(&format!(" --server {}", watch::quoted(Path::new(url.as_str()))));
        }
        reach
    }

    /// The flags that are settings.
    pub fn settings_flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.config.clone_from(&self.config);
        if let Some(data_dir) = &self.data_dir {
            flags.set("--data-dir", "data_dir", data_dir.display());
        }
        match self.verbose {
            0 => {}
            1 => flags.set("-v", "log_level", "info"),
            2 => flags.set("-v", "log_level", "debug"),
            _ => flags.set("-v", "log_level", "trace"),
        }
        match &self.command {
            Command::Serve(serve) => flags.set_some("--listen", "listen", serve.listen.as_ref()),
            Command::Coordinator(coordinator) => {
                flags.set_some("--listen", "listen", coordinator.listen.as_ref());
            }
            Command::Worker(worker) => {
                flags.set_some("--concurrency", "worker.concurrency", worker.concurrency.as_ref());
            }
            _ => {}
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_hold_together() {
        super::Arguments::command().debug_assert();
    }
}
