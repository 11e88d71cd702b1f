//! `./dev chaos N [--on fleet|embedded] [--records N] [--batch-size N] [--seed N]`: N seeded rounds; stops at
//! the first that breaks a promise and prints its seed.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

use anyhow::{Context, bail};
use carrack_tests::chaos::{self, Load};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let rounds: u64 = args.next().context("how many rounds?")?.parse().context("the number of rounds")?;
    let mut embedded = false;
    let (mut records, mut batch_size, mut seed) = (300_000, 1_000, chaos::random_seed());
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--records" => records = value.parse()?,
            "--batch-size" => batch_size = value.parse()?,
            "--seed" => seed = value.parse()?,
            "--on" => embedded = value == "embedded",
            _ => bail!(
                "unknown option {name}; known: --on fleet|embedded, --records N, --batch-size N, --seed N"
            ),
        }
    }
    let folder = tempfile::tempdir()?;
    let load = Load::generate(folder.path(), records, batch_size)?;
    println!("{records} records ({} bad) in batches of {batch_size}, seeds from {seed}", load.bad);
    for seed in seed..seed + rounds {
        let told = || format!("seed {seed}");
        if embedded {
            let round = chaos::embedded::round(&load, seed).await.with_context(told)?;
            println!("seed {seed}: {:.1} s, killed after {:?} batches", round.seconds, round.kills);
        } else {
            fleet_round(&load, seed).await.with_context(told)?;
        }
    }
    println!("{rounds} rounds: nothing lost, nothing doubled, nothing miscounted");
    Ok(())
}

async fn fleet_round(load: &Load, seed: u64) -> anyhow::Result<()> {
    let round = chaos::round(load, seed).await?;
    let kills = round.kills_inside;
    println!(
        "seed {seed}: {:.1} s, {kills} kills between the first and the last commit, created {}, rejected {}, {:?}",
        round.seconds, round.report.created, round.report.rejected, round.faults
    );
    if kills < 3 {
        bail!("only {kills} kills struck while it ran, expected at least 3");
    }
    Ok(())
}
