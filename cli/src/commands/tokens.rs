//! `carrack tokens`: bearer tokens of the API.

use carrack_coordinator::token;
use carrack_shared::config::Config;
use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::{console, local};

/// The commands of `tokens`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it, and nothing else. It is shown this once: only its hash is stored.
    Create(Create),
}

/// The arguments of `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// Who uses it; operations that it starts belong to this name.
    #[arg(long, default_value = local::OWNER, value_name = "NAME")]
    owner: String,
}

/// Runs a command of `tokens`.
pub async fn run(command: Command, config: Config) -> anyhow::Result<Exit> {
    let Command::Create(arguments) = command;
    let ports = local::connect(&config).await?;
    let token = token::generate().map_err(anyhow::Error::msg)?;
    ports.store.add_token(&arguments.owner, token::sha256(&token)).await?;
    console::result(&token)?;
    Ok(Exit::Good)
}
