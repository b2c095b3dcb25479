//! `netctl policy`.

use std::time::Duration;

use clap::{Args, Subcommand};

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
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Look for so long, or until ^C, and read events, too: what is denied, and frames to groups.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub follow: Option<Duration>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Seconds, or a number of `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write it like 30s, 10m or 2h".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "write it like 30s, 10m or 2h".to_owned())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(["45", "30s", "10m", "2h"].map(seconds), [Some(45), Some(30), Some(600), Some(7200)]);
        assert_eq!(["", "s", "1d", "1h30m", "-1s", "1.5s", "99999999999s"].map(seconds), [None; 7]);
    }
}
