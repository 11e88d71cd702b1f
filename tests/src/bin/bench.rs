//! `./dev bench [--records N] [--runs N] [--only NAME]`, and `./dev bench decode` and `./dev bench records` with
//! the same options.

use anyhow::{Context, bail};
use carrack_tests::bench::{self, Options, after, decode, records};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|first| first == "decode").is_some() {
        return decode::run(&options(Options { records: 100_000, runs: 5, only: None }, args)?);
    }
    if args.next_if(|first| first == "records").is_some() {
        let options = options(Options { records: 300_000, runs: 3, only: None }, args)?;
        if options.only.is_none() {
            records::run(&options).await?;
        }
        return after::run(&options).await;
    }
    bench::run(&options(Options { records: 1_000_000, runs: 3, only: None }, args)?).await
}

/// The options as they are given, and otherwise as they are.
fn options(mut options: Options, mut args: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--records" => options.records = value.parse()?,
            "--runs" => options.runs = value.parse()?,
            "--only" => options.only = Some(value),
            _ => bail!(
                "unknown option {name}; known: --records N, --runs N, --only PART, such as postgresql, sqlite, or of decode a format"
            ),
        }
    }
    Ok(options)
}
