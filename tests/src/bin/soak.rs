//! The soak test's command line; `cargo xtask soak` calls it. As root, in namespaces of its own.

use std::time::Duration;

use clap::Parser;
use netctl_tests::soak;

/// Changes a host at random, with frames between its guests, and looks for wrong verdicts and for what is left.
///
/// Exit status: 0 nothing was found, 1 something was.
#[derive(Parser)]
#[command(after_help = "Example: soak --minutes 10 --seed 7")]
struct Args {
    /// How long
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// In place of minutes
    #[arg(long)]
    seconds: Option<u64>,
    /// The same seed makes the same changes; default: the time
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_secs());
    let seed = args.seed.unwrap_or_else(now);
    let duration = Duration::from_secs(args.seconds.unwrap_or(args.minutes * 60));
    eprintln!("soak: seed {seed}, {} s", duration.as_secs());
    println!("{}", soak::run(seed, duration)?);
    Ok(())
}
