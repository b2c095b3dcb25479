//! What can be typed after `netctl metrics`.

use clap::{Args, ValueEnum};

use crate::metrics::RULES;
use crate::metrics::text::Encoding;

#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Serve them over HTTP at /metrics until stopped: PORT (on 127.0.0.1), ADDRESS:PORT, or unix:PATH (for root).
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["format", "json"])]
    pub listen: Option<String>,
    /// Form of the text; over HTTP, the scraper chooses.
    #[arg(long, value_enum, default_value_t = MetricsFormat::Openmetrics, value_name = "FORM")]
    pub format: MetricsFormat,
    /// Rules, from the first, that have series of their own; those behind them are summed up as rule="rest".
    #[arg(long, default_value_t = RULES, value_name = "N")]
    pub rules: usize,
    /// As JSON.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// OpenMetrics 1.0.
    Openmetrics,
    /// Prometheus' older text, for promtool and the textfile collector of node_exporter.
    Prometheus,
}

impl From<MetricsFormat> for Encoding {
    fn from(format: MetricsFormat) -> Self {
        match format {
            MetricsFormat::Openmetrics => Self::OpenMetrics,
            MetricsFormat::Prometheus => Self::Prometheus,
        }
    }
}
