//! `netctl events`.

use clap::Args;

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Wait for more.
    #[arg(long, short)]
    pub follow: bool,
    /// Only of this port.
    #[arg(long)]
    pub port: Option<String>,
    /// Only from or to this port, address or prefix.
    #[arg(long, value_name = "PEER")]
    pub peer: Option<String>,
    /// Only with this reason.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only with this verdict: allow, deny or reject.
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Option<String>,
    /// Only of this rule: its number or its name.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only the last COUNT of those that are there.
    #[arg(long, value_name = "COUNT")]
    pub last: Option<usize>,
    /// Only those behind the event with this number, as --json shows it.
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}
