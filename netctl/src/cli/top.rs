//! `netctl top`.

use std::time::Duration;

use clap::Args;

use super::duration;

#[derive(Debug, Args)]
pub struct TopArgs {
    /// Time between two looks (1s, 10s), a minute at most.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration::interval)]
    pub interval: Duration,
    /// Look for one interval, print what was seen, and end; needs no terminal.
    #[arg(long)]
    pub once: bool,
    /// As JSON.
    #[arg(long, requires = "once")]
    pub json: bool,
}
