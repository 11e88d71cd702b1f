//! `carrack coordinator`: plans, relays, rescues, closes the books, and serves the API. Any number may run.

use carrack_shared::config::Config;
use clap::Args;

use crate::console;
use crate::exit::Exit;
use crate::runner::{Roles, Runner};
use crate::service::{self, Service};

/// The arguments of `coordinator`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Address and port of the API.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// Coordinates until told to stop.
pub async fn run(config: Config) -> anyhow::Result<Exit> {
    service::check_fleet(&config)?;
    let ports = service::connect(&config).await?;
    let mut service = Service::new()?;
    let address = service.serve_api(&config, &ports).await?;
    let runner = Runner::start(&config, &ports, Roles { coordinator: true, workers: 0 }, None);
    console::result(&format!("carrack coordinator: ready at http://{address}"))?;
    service.run(Some(runner), || async { Ok(None) }).await
}
