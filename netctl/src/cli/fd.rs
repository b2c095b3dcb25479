//! `netctl fd` and what it takes.

use std::os::fd::RawFd;
use std::str::FromStr;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum FdCommand {
    /// What descriptors are: kind, interface, flags, header, network.
    ///
    /// A bare number is a descriptor that netctl was started with; `pid:PID` is all network descriptors of a process, and
    /// `pid:PID/N` one descriptor of it, of any kind. Nothing is changed by asking.
    #[command(
        after_help = "Example:\n  netctl fd inspect 0\n  netctl fd inspect pid:$$ --json\n  netctl run web1 -- netctl fd inspect '{web1.fds}'"
    )]
    Inspect(FdInspectArgs),

    /// Make queues that a monitor left behind fit for the next one.
    ///
    /// Monitors detach queues that their guest does not use, and choose the header's size and offloads; all of it stays
    /// when they end. For a supervisor that keeps the descriptors: attaches the queues, and sets them up as the running
    /// document says for their port, or as new. To be called when the monitor has ended.
    #[command(
        after_help = "Example:\n  netctl run web1 -- sh -c 'netctl fd reset --dry-run \"$0\" && netctl fd reset \"$0\"' '{web1.fds}'"
    )]
    Reset(FdResetArgs),
}

#[derive(Debug, Args)]
pub struct FdResetArgs {
    /// Descriptors that netctl was started with.
    #[arg(required = true, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub numbers: Vec<RawFd>,
    /// Print what would be reset, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct FdInspectArgs {
    /// `N`, `pid:PID` or `pid:PID/N`.
    #[arg(required = true, value_name = "N|pid:PID")]
    pub targets: Vec<FdTarget>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which descriptors are meant. A number and a process never look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdTarget {
    /// Of netctl itself, inherited.
    Own(RawFd),
    Process(u32),
    OfProcess(u32, RawFd),
}

impl FromStr for FdTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no = || {
            let help = "write `3` for a descriptor of netctl's own, `pid:1234` for a process, `pid:1234/3` for one of its";
            format!("`{text}` is neither a descriptor nor a process; {help}")
        };
        let descriptor = |text: &str| text.parse().ok().filter(|number: &RawFd| *number >= 0).ok_or_else(no);
        let Some(process) = text.strip_prefix("pid:") else { return descriptor(text).map(Self::Own) };
        // Linux gives processes numbers from 1 to 4194304 (proc(5), pid_max).
        let pid = |text: &str| {
            text.parse::<i32>().ok().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
        };
        match process.split_once('/') {
            None => pid(process).map(Self::Process).ok_or_else(no),
            Some((process, number)) => Ok(Self::OfProcess(pid(process).ok_or_else(no)?, descriptor(number)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FdTarget::{self, OfProcess, Own, Process};

    #[test]
    fn a_number_is_a_descriptor_and_a_process_says_that_it_is_one() {
        let parse = |text: &str| text.parse::<FdTarget>();
        assert_eq!(parse("3"), Ok(Own(3)));
        assert_eq!(parse("pid:3"), Ok(Process(3)));
        assert_eq!(parse("pid:3/4"), Ok(OfProcess(3, 4)));
        for wrong in ["", "-1", "three", "pid:", "pid:0", "pid:-1", "pid:3/", "pid:/3", "99999999999", "3/4"]
        {
            assert!(parse(wrong).unwrap_err().starts_with(&format!("`{wrong}` is neither")), "{wrong}");
        }
    }
}
