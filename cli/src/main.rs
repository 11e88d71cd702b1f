//! The `carrack` command: every role in one binary. This file goes from arguments to an exit code; each
//! command has its own file in `commands`.

mod access;
mod advice;
mod arguments;
mod commands;
mod console;
mod delivery;
mod display;
mod document;
mod dump;
mod exit;
mod file;
mod filters;
mod interrupt;
mod key;
mod leftovers;
mod local;
mod mapping;
mod master;
mod memory;
mod naming;
mod output;
mod place;
mod rejects;
mod remote;
mod runner;
mod service;
mod settings;
mod size;
mod summary;
mod verified;
mod watch;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use carrack_shared::config::Config;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use arguments::Arguments;
use exit::Exit;

fn main() -> ExitCode {
    memory::share_arenas();
    exit::tell_of_panics();
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::tell(&error).into(),
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let config = settings::load(&arguments.settings_flags()).map_err(exit::Usage::listing)?;
    start_log(&config)?;
    let reach = arguments.reach();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads could not be started")?;
    let outcome = runtime.block_on(commands::run(arguments.command, config, &reach));
    // A blocked thread, such as one that reads from a dead file system, must not hold the exit back.
    runtime.shutdown_background();
    outcome
}

/// Logs go to standard error, for standard output belongs to results.
fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&config.log_level).map_err(|error| exit::Usage(format!("log_level: {error}")))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    Ok(())
}
