//! `netctl policy`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration::time;
use crate::learn::GroupBy;

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Propose rules from the connections that pass now.
    ///
    /// For a policy in audit mode. The proposal is a `[policy]` section that allows what was seen, and as little else as
    /// can be written: ports and groups by name, never `any`. What was denied stands in comments.
    #[command(
        after_help = "Example:\n  netctl policy learn --follow 30s\n  netctl policy learn --port web1 --json"
    )]
    Learn(PolicyLearnArgs),
}

#[derive(Debug, Args)]
pub struct PolicyLearnArgs {
    /// Only what this port judged.
    #[arg(long)]
    pub port: Option<String>,
    /// How ports are named: by groups all of whose ports were seen, or one by one.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub group_by: GroupBy,
    /// Only connections that were not silent for longer than this: 30s, 10m, 2h.
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub since: Option<Duration>,
    /// Look for so long, or until ^C, and read events, too: what is denied, and frames to groups.
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub follow: Option<Duration>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
