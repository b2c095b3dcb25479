//! What can be typed after `netctl explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use netctl_common::verdict::Direction;

use crate::explain::question::SOURCE_PORT;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Who opens, towards whom, and one service; those that an option says are left out.
    ///
    /// FROM is a port, `host`, or an address (`world/192.0.2.7`, `web1/10.0.0.11` where it has several); TO is the same, or a group
    /// address; SERVICE as in a rule: tcp/443, udp/53, icmp/echo-request, ip/47.
    #[arg(value_name = "FROM TO SERVICE", num_args = 0..=3, conflicts_with_all = ["pcap", "hex"])]
    pub words: Vec<String>,
    /// Who opens.
    #[arg(long, conflicts_with_all = ["pcap", "hex"])]
    pub from: Option<String>,
    /// Towards whom.
    #[arg(long, conflicts_with_all = ["pcap", "hex"])]
    pub to: Option<String>,
    /// One service.
    #[arg(long, conflicts_with_all = ["pcap", "hex"])]
    pub service: Option<String>,
    /// Source port of TCP and UDP.
    #[arg(long, default_value_t = SOURCE_PORT, value_name = "PORT")]
    pub source_port: u16,
    /// Each frame of a pcap or pcapng file, at one port.
    #[arg(long, value_name = "FILE", requires = "port", conflicts_with = "hex")]
    pub pcap: Option<PathBuf>,
    /// One frame at one port, as hexadecimal digits; `-` reads them from standard input, as `tcpdump -xx` prints them.
    #[arg(long, value_name = "BYTES", requires = "port", allow_hyphen_values = true)]
    pub hex: Option<String>,
    /// The port that judges the frames of --pcap and --hex.
    #[arg(long)]
    pub port: Option<String>,
    /// Which way they go; chosen by their MAC addresses if not said.
    #[arg(long, value_enum, requires = "port", value_name = "WAY")]
    pub direction: Option<Way>,
    /// Leave flows out of it: as if the connection began now.
    #[arg(long)]
    pub as_new: bool,
    /// Ask a document that does not run, in user space.
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// As JSON; of --pcap, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// A direction, as seen from the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    FromGuest,
    ToGuest,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::FromGuest => Self::FromGuest,
            Way::ToGuest => Self::ToGuest,
        }
    }
}
