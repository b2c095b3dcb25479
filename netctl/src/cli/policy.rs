//! `netctl policy`.

use std::path::PathBuf;
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

    /// Run the tests of a document on its policy. Needs no root.
    ///
    /// Each `[[test]]` is put to the compiled policy as `netctl explain --document` would put it, for every pair of
    /// addresses that its ends have. Exits with 1 if one of them fails.
    #[command(after_help = "Example:\n  netctl policy test host.toml --coverage")]
    Test(PolicyTestArgs),

    /// Who may open which connections towards whom.
    ///
    /// Ports that the rules treat alike stand together. Of a document, without root, or of the one that runs. The matrix is
    /// about the rules: guards and limits are left aside, and it shows what audit mode does not enforce.
    #[command(
        after_help = "Example:\n  netctl policy matrix host.toml --to db1\n  netctl policy matrix --svg > matrix.svg"
    )]
    Matrix(PolicyMatrixArgs),

    /// Show the flows whose verdict changes between two documents, whatever they look like.
    ///
    /// Rules are compared by what they decide together: another order, other words or other groups that mean the same are
    /// no difference. Exits with 0 if both mean the same, with 1 if they do not, with 2 if they could not be compared.
    #[command(
        after_help = "Example:\n  netctl policy diff host.toml\n  netctl policy diff host.toml host.toml --json"
    )]
    Diff(PolicyDiffArgs),
}

#[derive(Debug, Args)]
pub struct PolicyDiffArgs {
    /// The document before and the one after; one alone is compared with what runs. `-` is standard input.
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Rows that are shown at most; 0: all.
    #[arg(long, default_value_t = 1000, value_name = "ROWS")]
    pub limit: usize,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PolicyMatrixArgs {
    /// The document; `-` for standard input. Without it, the one that runs.
    pub file: Option<PathBuf>,
    /// Only who opens from here: a port, a group, `host`, `world`, or the name of a row. Can be given several times.
    #[arg(long, value_name = "WHO")]
    pub from: Vec<String>,
    /// Only towards these.
    #[arg(long, value_name = "WHO")]
    pub to: Vec<String>,
    /// As JSON, with all services and members.
    #[arg(long, conflicts_with = "svg")]
    pub json: bool,
    /// As a picture.
    #[arg(long)]
    pub svg: bool,
}

#[derive(Debug, Args)]
pub struct PolicyTestArgs {
    /// The document; `-` for standard input.
    pub file: PathBuf,
    /// Further tests: a TOML file with nothing but `[[test]]`. Can be given several times.
    #[arg(long, value_name = "FILE")]
    pub tests: Vec<PathBuf>,
    /// How many tests each rule decided, and which rules no test touches.
    #[arg(long)]
    pub coverage: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
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
