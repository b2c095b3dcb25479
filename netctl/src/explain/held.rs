//! What a port is held to besides the rules, when that is what denied a frame: which guard or limit, what the frame
//! claimed, what would pass, and where the document says so.

use netctl_common::abi::Answer;
use netctl_common::limit::Limit;
use netctl_common::verdict::{Direction, Reason};
use serde::Serialize;

use crate::config::{Addresses, Config, Port, print_trunk};
use crate::names;

/// A guard, a VLAN or a limit that denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// `guard mac`, `vlans`, `limit new-flows`.
    pub by: String,
    pub claimed: String,
    pub allowed: String,
    /// Where the document says what is allowed.
    pub change: String,
}

/// The guard's name in the document; see [`netctl_common::abi::guards`].
pub(super) const fn guard(reason: Reason, direction: Direction) -> Option<&'static str> {
    Some(match reason {
        Reason::SpoofedMac => "mac",
        Reason::SpoofedIpv4 | Reason::SpoofedIpv6 => "ip",
        Reason::SpoofedArp => "arp",
        Reason::SpoofedNeighbor => "neighbor",
        Reason::RogueRouter => "router",
        Reason::RogueDhcp => "dhcp-server",
        Reason::LinkControl => "link-control",
        Reason::LlcFrame => "llc",
        Reason::Ipv4Options | Reason::RoutingHeader => "options",
        Reason::MartianAddress => "martian",
        Reason::WrongDestination if matches!(direction, Direction::ToGuest) => "destination",
        Reason::SpoofedOrigin => "origin",
        Reason::TinyFragment | Reason::OverlappingFragment | Reason::StrayFragment => "fragments",
        Reason::TcpState => "tcp-state",
        _ => return None,
    })
}

/// The limit that a reason is about.
pub(super) fn limit(reason: Reason) -> Option<Limit> {
    Limit::ALL.into_iter().find(|limit| limit.reason() == reason)
}

pub(super) fn held(
    config: &Config,
    (name, direction): (&str, Direction),
    reason: Reason,
    answer: &Answer,
) -> Option<Held> {
    let port = config.ports.get(name)?;
    if let Some(limit) = limit(reason) {
        return by_limit(name, port, direction, limit);
    }
    if reason == Reason::VlanTag {
        return Some(by_vlan(name, port, answer));
    }
    let guard = guard(reason, direction)?;
    let (claimed, allowed) = claim(name, port, (reason, direction), answer);
    let line = port.line;
    let change = match guard {
        "mac" => format!("`mac` of port {name}, line {line}"),
        "ip" | "arp" | "neighbor" | "destination" => {
            format!("`addresses` of port {name}, line {line}, or `guards = {{ {guard} = false }}` there")
        }
        _ => format!("`guards = {{ {guard} = false }}` at port {name}, line {line}"),
    };
    Some(Held { by: format!("guard {guard}"), claimed, allowed, change })
}

fn claim(
    name: &str,
    port: &Port,
    (reason, direction): (Reason, Direction),
    answer: &Answer,
) -> (String, String) {
    let macs = [answer.source_mac, answer.destination_mac].map(names::mac);
    let addresses = [answer.source, answer.destination].map(names::address);
    match reason {
        Reason::SpoofedMac => (format!("source MAC address {}", macs[0]), format!("{}", port.mac)),
        Reason::SpoofedIpv4 | Reason::SpoofedIpv6 => (format!("source {}", addresses[0]), own(port)),
        Reason::SpoofedArp | Reason::SpoofedNeighbor => {
            (format!("an address that is not {name}'s, from {} ({})", addresses[0], macs[0]), own(port))
        }
        Reason::WrongDestination if direction == Direction::ToGuest => {
            (format!("for {} ({})", addresses[1], macs[1]), format!("{} ({})", own(port), port.mac))
        }
        Reason::SpoofedOrigin => {
            (format!("from {} ({})", addresses[0], macs[0]), "only its owner's frames".to_owned())
        }
        Reason::MartianAddress => {
            (format!("{} > {}", addresses[0], addresses[1]), "addresses that a wire can have".to_owned())
        }
        Reason::LinkControl | Reason::LlcFrame => {
            (format!("{} > {}", macs[0], macs[1]), "frames with an ethertype, not to a switch".to_owned())
        }
        _ => (reason.describe().trim().trim_end_matches('.').to_owned(), "nothing of the kind".to_owned()),
    }
}

/// The addresses that a port may use.
fn own(port: &Port) -> String {
    let link_local = port.mac.link_local().to_string();
    match &port.addresses {
        Addresses::Any => "any address that no other port has".to_owned(),
        Addresses::Learned => format!("what it is given on the network (`learn`), {link_local}"),
        Addresses::Listed(listed) => {
            let all = listed.iter().map(ToString::to_string).chain([link_local]);
            all.collect::<Vec<_>>().join(", ")
        }
    }
}

fn by_vlan(name: &str, port: &Port, answer: &Answer) -> Held {
    let vlans = &port.vlans;
    let untagged = match vlans.access {
        Some(vlan) => format!("untagged (VLAN {vlan})"),
        None if !vlans.trunk.is_empty() && !vlans.native_untagged => String::new(),
        None => "untagged".to_owned(),
    };
    let trunk = print_trunk(vlans);
    let trunk = if trunk.is_empty() { String::new() } else { format!("VLANs {}", trunk.join(" ")) };
    let allowed =
        [untagged, trunk].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    let claimed = match answer.vlan {
        0 => "no tag, or one that no VLAN has".to_owned(),
        vlan => format!("VLAN {vlan}"),
    };
    let change = format!("`vlan` and `vlans` of port {name}, line {}", port.line);
    Held { by: "vlans".to_owned(), claimed, allowed, change }
}

fn by_limit(name: &str, port: &Port, direction: Direction, limit: Limit) -> Option<Held> {
    let (_, _, rate) = port.limits.each().find(|(side, of, _)| *side == direction && *of == limit)?;
    let (word, side) = (limit.name(), direction.name());
    let unit = if limit == Limit::Bits { " bytes" } else { "" };
    Some(Held {
        by: format!("limit {word}"),
        claimed: "one more than there are tokens now".to_owned(),
        allowed: format!("{} a second, {}{unit} at once", rate.per_second, rate.burst_of(limit)),
        change: format!("`limits = {{ {side} = {{ {word} = … }} }}` of port {name}, line {}", port.line),
    })
}
