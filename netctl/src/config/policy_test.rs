//! What a document says must hold of its policy: the tables `[[test]]`. No part of the policy itself.

use std::fmt;
use std::net::IpAddr;

use netctl_common::verdict::Action;

use super::model::Service;

/// A connection that somebody opens, and what is expected to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTest {
    pub name: Option<String>,
    pub from: Endpoint,
    pub to: Endpoint,
    /// One that can be asked about: one port of TCP, UDP or SCTP, ICMP, or an IP protocol.
    pub service: Service,
    /// Of TCP, UDP and SCTP; `None` takes that of `netctl explain`.
    pub source_port: Option<u16>,
    pub expect: Action,
    pub line: u32,
}

/// One end of a connection, as `netctl explain` takes it. Displayed as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// At each of its addresses.
    Port(String),
    PortAt(String, IpAddr),
    /// Of whoever has it.
    Address(IpAddr),
    World(IpAddr),
    /// At each of its addresses.
    Host,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => f.write_str(port),
            Self::PortAt(port, address) => write!(f, "{port}/{address}"),
            Self::Address(address) => address.fmt(f),
            Self::World(address) => write!(f, "world/{address}"),
            Self::Host => f.write_str("host"),
        }
    }
}
