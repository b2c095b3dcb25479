//! The benchmark's command line; `cargo xtask bench` calls it. As root, in namespaces of its own.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use netctl_tests::bench::traffic::Traffic;
use netctl_tests::bench::way::Kind;
use netctl_tests::bench::{self, Plan};

/// Measures what a frame costs from tap to tap, and what a change of rules costs.
#[derive(Parser)]
#[command(after_help = "Example: bench --rules 10,10000 --without nft-linear --out /tmp/bench")]
struct Args {
    /// Numbers of rules
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rules: Vec<u32>,
    /// Rounds in which each row is measured once
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Length of one measurement
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 200)]
    millis: u64,
    /// What to leave out
    #[arg(long, value_delimiter = ',')]
    without: Vec<Kind>,
    /// What to send
    #[arg(long, value_delimiter = ',', default_value = "established,new,tso")]
    traffic: Vec<Traffic>,
    /// Where bench.json, bench.md and bench.svg go
    #[arg(long, value_name = "DIRECTORY", default_value = "target/bench")]
    out: PathBuf,
    /// One short round with few rules: shows that everything works, and measures nothing
    #[arg(long, conflicts_with_all = ["rules", "rounds", "millis"])]
    quick: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let kinds = Kind::value_variants().iter().copied().filter(|kind| !args.without.contains(kind)).collect();
    let plan = match args.quick {
        true => Plan {
            kinds,
            traffics: args.traffic,
            sizes: vec![10, 100],
            rounds: 1,
            duration: Duration::from_millis(10),
            change_rounds: 1,
            out: args.out,
        },
        false => Plan {
            kinds,
            traffics: args.traffic,
            sizes: args.rules,
            rounds: args.rounds,
            duration: Duration::from_millis(args.millis),
            change_rounds: args.rounds,
            out: args.out,
        },
    };
    let report = bench::run(&plan)?;
    print!("{}", bench::table::markdown(&report));
    eprintln!("written: bench.json, bench.md and bench.svg in {}", plan.out.display());
    Ok(())
}
