//! The decision over sequences of frames: nothing panics, and nothing is allowed that the reference denies.

use std::sync::LazyLock;

use netctl_common::decide::{Facts, decide};

use super::mutate::frame_of;
use super::reference::Reference;
use crate::cases::World;
use crate::cases::random::RandomFrame;

/// Those of its document.
pub const PORTS: [&str; 3] = ["web1", "db1", "router1"];

/// Next to everything is allowed between some, so that guards and flows are what is tested.
const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21", "fd00::21"]
[ports.router1]
network = "lab"
mac = "52:54:00:00:00:fe"
addresses = "any"
[policy]
rules = [
  { deny = ["tcp/22", "udp/22", "sctp/22"], from = "any", to = "any" },
  { deny = ["ip/ipip", "ip/41", "ip/gre"], from = "any", to = "any" },
  { allow = ["tcp/80", "udp/53", "icmp/echo-request", "icmp6/echo-request"], from = "any", to = "any" },
  { deny = "any", from = "db1", to = "web1" },
  { allow = "any", from = "any", to = "any" },
]
"#;

/// Appends a frame to a sequence.
///
/// # Panics
/// If it is of none of the [`PORTS`], or too long for one.
pub fn append(sequence: &mut Vec<u8>, frame: &RandomFrame) {
    let port = PORTS.iter().position(|port| *port == frame.port).expect("a port of the document") as u8;
    let len = u16::try_from(frame.bytes.len() + 1).expect("a frame");
    sequence.extend(len.to_be_bytes());
    sequence.push(port << 1 | frame.direction as u8);
    sequence.extend(&frame.bytes);
}

/// Bytes: for each frame, two of its length in big-endian order, one for port and direction, the frame.
///
/// # Panics
/// If the decision is wrong.
pub fn decision(mut bytes: &[u8]) {
    static WORLD: LazyLock<World> = LazyLock::new(|| World::new(DOCUMENT));
    let world = &*WORLD;
    let reference = Reference::new(&world.document.config);
    let tables = world.tables(1);
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (one, rest) = rest.split_at(len);
        bytes = rest;
        tables.now.set(tables.now.get() + 1);
        let Some((port, direction, frame)) = frame_of(&PORTS, one) else { continue };
        let verdict = decide(direction, world.ifindex(port), frame, &tables, &mut Facts::default());
        if let Err(why) = reference.agrees(port, direction, frame, &verdict) {
            panic!("{} at {port} {}: {why}\n{frame:02x?}", world.describe(&verdict), direction.name());
        }
    }
}
