//! `netctl stats`.

use std::time::Duration;

use clap::Args;

use super::duration;

#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Only of this port; rules count at all ports.
    #[arg(long)]
    pub port: Option<String>,
    /// Only the rules that never decided, with their lines.
    #[arg(long, conflicts_with_all = ["port", "interval", "watch"])]
    pub zero: bool,
    /// Look twice, so long apart, and show what passed a second in between.
    #[arg(long, value_name = "TIME", value_parser = duration::limit)]
    pub interval: Option<Duration>,
    /// Go on looking, every --interval or 2 seconds, until ^C.
    #[arg(long)]
    pub watch: bool,
    /// As JSON; with --watch, one object a line.
    #[arg(long)]
    pub json: bool,
}
