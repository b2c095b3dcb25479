//! `netctl flows`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FlowsArgs {
    #[command(subcommand)]
    pub command: Option<FlowsCommand>,
    #[command(flatten)]
    pub filter: FlowFilterArgs,
    /// How full each port's table is, and how it grew.
    #[arg(long, conflicts_with_all = ["peer", "service", "rule", "state", "verdict", "sort", "limit", "follow", "rates"])]
    pub summary: bool,
    /// The largest first: most bytes or packets, oldest, longest silent.
    #[arg(long, value_enum, value_name = "BY")]
    pub sort: Option<FlowSort>,
    /// Show so many, and no more.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Wait, and show flows as they begin and end, one a line.
    #[arg(long, short, conflicts_with_all = ["sort", "limit", "rates"])]
    pub follow: bool,
    /// Look twice, and show what passed a second in between.
    #[arg(long)]
    pub rates: bool,
    /// Time between two looks of --follow and --rates.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::limit)]
    pub interval: Duration,
    /// As JSON; with --follow, one object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum FlowsCommand {
    /// End connections: from the next frame on they are denied, at both ports.
    ///
    /// They stay so until they are idle, whatever is applied meanwhile. A new TCP connection is a new question to the policy,
    /// also between the same ports. Exits with 1 if there was none.
    #[command(after_help = "Example:\n  netctl flows kill --peer 10.0.0.0/24 --dry-run || echo none")]
    Kill(FlowsKillArgs),
}

#[derive(Debug, Args)]
pub struct FlowsKillArgs {
    #[command(flatten)]
    pub filter: FlowFilterArgs,
    /// Print how many at which ports, and end none.
    #[arg(long)]
    pub dry_run: bool,
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which flows. Of several, all have to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct FlowFilterArgs {
    /// Only in the table of this port.
    #[arg(long)]
    pub port: Option<String>,
    /// Only with this other end: an address, a prefix, a port or `host`.
    #[arg(long, value_name = "WHO")]
    pub peer: Option<String>,
    /// Only to this service, as in a rule: tcp/443, udp, icmp/echo-request.
    #[arg(long)]
    pub service: Option<String>,
    /// Only what this rule decided: its number or its name.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only in this state.
    #[arg(long, value_enum)]
    pub state: Option<FlowState>,
    /// Only allowed ones, or denied ones.
    #[arg(long, value_enum)]
    pub verdict: Option<FlowVerdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowSort {
    Bytes,
    Packets,
    Age,
    Idle,
}

/// A word of the column STATE, or one for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowState {
    /// Opening or unanswered.
    New,
    /// TCP: not answered.
    Opening,
    /// TCP: both sides have spoken.
    Established,
    /// TCP: one side has closed.
    Closing,
    /// TCP: both sides have closed.
    Closed,
    /// TCP: one side has reset it.
    Reset,
    /// Not TCP.
    Unanswered,
    /// Not TCP: both sides have spoken.
    Answered,
    /// Denied since it was allowed.
    Denied,
    /// Ended by `flows kill`.
    Killed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowVerdict {
    Allow,
    /// Rejected ones too.
    Deny,
}
