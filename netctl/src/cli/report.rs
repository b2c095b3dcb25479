//! What can be typed after `netctl report`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Where the page goes, in place of what is there; default: standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Denied frames that are shown at most, the last ones.
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    pub denies: usize,
    /// The same facts as JSON.
    #[arg(long)]
    pub json: bool,
}
