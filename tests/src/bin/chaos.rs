//! `./dev chaos N [--on fleet|embedded] [--records N] [--batch-size N] [--seed N]`: N seeded rounds; stops at
//! the first that breaks a promise and prints its seed.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

use anyhow::{Context, bail};
use carrack_tests::chaos::{self, Loads};

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
    let mut loads = Loads::new(records, batch_size)?;
    println!("{records} records in batches of {batch_size}, seeds from {seed}");
    for seed in seed..seed + rounds {
        let told = || format!("seed {seed}");
        if embedded {
            let round = chaos::embedded::round(&mut loads, seed).await.with_context(told)?;
            println!(
                "seed {seed}: {}: {:.1} s, killed after {:?} batches, {}, {} displaced",
                round.case, round.seconds, round.kills, round.report, round.displaced
            );
            must_displace(round.displaced)?;
        } else {
            fleet_round(&mut loads, seed).await.with_context(told)?;
        }
    }
    println!("{rounds} rounds: nothing lost, nothing doubled, nothing miscounted, every key its winner's");
    Ok(())
}

async fn fleet_round(loads: &mut Loads, seed: u64) -> anyhow::Result<()> {
    let round = chaos::round(loads, seed).await?;
    let kills = round.kills_inside;
    println!(
        "seed {seed}: {}: {:.1} s, {kills} kills between the first and the last commit, {}, {} displaced, {:?}",
        round.case, round.seconds, round.report, round.displaced, round.faults
    );
    must_displace(round.displaced)?;
    if kills < 3 {
        bail!("only {kills} kills struck while it ran, expected at least 3");
    }
    Ok(())
}

/// Without any, a round shows nothing of duplicates that are loaded out of order.
fn must_displace(records: u64) -> anyhow::Result<()> {
    anyhow::ensure!(
        records > 0,
        "no duplicate was loaded before the record that wins; expected some, as of more records"
    );
    Ok(())
}
