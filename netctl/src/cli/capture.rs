//! `netctl capture`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use netctl_common::verdict::{Action, Direction};

use super::{duration, size};

/// Bytes of a frame that can be captured: headers of two more than a device is given at once.
const LONGEST: i64 = 65_560;

#[derive(Debug, Args)]
pub struct CaptureArgs {
    #[command(flatten)]
    pub place: CapturePlace,
    /// Only frames with this verdict.
    #[arg(long, value_enum, default_value_t, value_name = "VERDICT")]
    pub verdict: Verdicts,
    /// Only frames in this direction, as the guest sees it.
    #[arg(long, value_enum, default_value_t, value_name = "DIRECTION")]
    pub direction: Directions,
    /// End after this many frames.
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time (30s, 5m).
    #[arg(long, value_name = "TIME", value_parser = duration::time)]
    pub duration: Option<Duration>,
    /// End before the file has more than these bytes (64K, 100M, 1G; 0 = no limit).
    #[arg(long, default_value = "100M", value_name = "BYTES", value_parser = size::size)]
    pub size: u64,
    /// Leave out and count frames over so many a second and CPU; 0 = no limit.
    #[arg(long, default_value_t = 10_000, value_name = "FRAMES")]
    pub rate: u32,
    /// Bytes of each frame that are kept; the default is all, also of frames that are still to be cut (TSO).
    #[arg(long, default_value_t = LONGEST as u32, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(14..=LONGEST))]
    pub snap: u32,
    /// Write pcapng to this file, which only its owner can read, or to standard output (`-`); default: a line of text for each frame.
    #[arg(long, short, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long, conflicts_with = "write")]
    pub json: bool,
}

/// Where frames are captured.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct CapturePlace {
    /// Port of the running document.
    pub port: Option<String>,
    /// At all ports, and at interfaces with netctl's programs that are none.
    #[arg(long)]
    pub all: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Verdicts {
    Allow,
    Deny,
    Reject,
    #[default]
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Directions {
    FromGuest,
    ToGuest,
    #[default]
    Both,
}

impl Verdicts {
    /// A bit for each [`Action`].
    pub const fn bits(self) -> u32 {
        match self {
            Self::Allow => 1 << Action::Allow as u32,
            Self::Deny => 1 << Action::Deny as u32,
            Self::Reject => 1 << Action::Reject as u32,
            Self::All => 1 << Action::Allow as u32 | 1 << Action::Deny as u32 | 1 << Action::Reject as u32,
        }
    }
}

impl Directions {
    /// A bit for each [`Direction`].
    pub const fn bits(self) -> u32 {
        match self {
            Self::FromGuest => 1 << Direction::FromGuest as u32,
            Self::ToGuest => 1 << Direction::ToGuest as u32,
            Self::Both => 1 << Direction::FromGuest as u32 | 1 << Direction::ToGuest as u32,
        }
    }
}
