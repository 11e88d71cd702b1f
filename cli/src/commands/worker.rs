//! `carrack worker`: executes batches. Any number may run.

use carrack_shared::config::Config;
use clap::Args;

use crate::console;
use crate::exit::Exit;
use crate::runner::{Roles, Runner};
use crate::service::{self, Service};

/// The arguments of `worker`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Tasks that run at a time.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub concurrency: Option<String>,
}

/// Works until told to stop.
pub async fn run(config: Config) -> anyhow::Result<Exit> {
    service::check_fleet(&config)?;
    let ports = service::connect(&config).await?;
    let service = Service::new()?;
    let runner = Runner::start(&config, &ports, Roles { coordinator: false, workers: 1 }, None);
    console::result(&format!("carrack worker: ready, {} tasks at a time", config.worker.concurrency))?;
    service.run(Some(runner), || async { Ok(None) }).await
}
