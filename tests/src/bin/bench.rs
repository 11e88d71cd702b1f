//! `./dev bench [--records N] [--runs N] [--only NAME]`.

use anyhow::{Context, bail};
use carrack_tests::bench::{self, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut options = Options { records: 1_000_000, runs: 3, only: None };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--records" => options.records = value.parse()?,
            "--runs" => options.runs = value.parse()?,
            "--only" => options.only = Some(value),
            _ => bail!("unknown option {name}; known: --records N, --runs N, --only postgresql|sqlite"),
        }
    }
    bench::run(&options).await
}
