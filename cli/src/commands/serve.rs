//! `carrack serve`: the API, a coordinator and workers in one process.

use carrack_shared::config::Config;
use carrack_shared::port::Ports;
use clap::Args;

use crate::arguments::whole_number;
use crate::console;
use crate::exit::Exit;
use crate::runner::{self, Lock, Roles, Runner};
use crate::service::{self, Service};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Workers in this process.
    #[arg(long, default_value_t = 1, value_name = "N", allow_negative_numbers = true,
        value_parser = whole_number::<1, 64>)]
    workers: u16,
    /// Address and port of the API.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// Serves until told to stop.
pub async fn run(arguments: Arguments, config: Config) -> anyhow::Result<Exit> {
    let roles = Roles { coordinator: true, workers: arguments.workers };
    let ports = service::connect(&config).await?;
    let mut service = Service::new()?;
    let address = service.serve_api(&config, &ports).await?;
    let first = start(&config, &ports, roles).await?;
    let waiting =
        if first.is_none() { "; another process runs the operations of its data folder" } else { "" };
    console::result(&format!("carrack serve: ready at http://{address}{waiting}"))?;
    service.run(first, || start(&config, &ports, roles)).await
}

/// Starts to run operations, unless another process runs those of this data folder.
async fn start(config: &Config, ports: &Ports, roles: Roles) -> anyhow::Result<Option<Runner>> {
    if !config.is_embedded() {
        return Ok(Some(Runner::start(config, ports, roles, None)));
    }
    match runner::try_lock(&config.data_dir)? {
        Lock::Ours(lock) => Ok(Some(Runner::start_alone(config, ports, roles, lock).await?)),
        Lock::Theirs(_) => Ok(None),
    }
}
