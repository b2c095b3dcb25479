//! `guards = { … }` of a port: which checks are off, and what that gives up.

use netctl_common::abi::guards;

use super::section::{Field, Section, Text};
use crate::config::escape::quoted;
use crate::config::guarding::Guards;
use crate::config::report::{Finding, Report};

/// In the order of [`guards::NAMES`].
pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "mac", example: "mac = false" },
    Field { name: "ip", example: "ip = false" },
    Field { name: "arp", example: "arp = false" },
    Field { name: "neighbor", example: "neighbor = false" },
    Field { name: "router", example: "router = false" },
    Field { name: "dhcp-server", example: "dhcp-server = false" },
    Field { name: "link-control", example: "link-control = false" },
    Field { name: "llc", example: "llc = false" },
    Field { name: "options", example: "options = false" },
    Field { name: "martian", example: "martian = false" },
    Field { name: "destination", example: "destination = false" },
    Field { name: "origin", example: "origin = false" },
    Field { name: "fragments", example: "fragments = false" },
    Field { name: "tcp-state", example: "tcp-state = false" },
];

/// What a port without the guard can do.
fn without(guard: u32) -> &'static str {
    match guard {
        guards::MAC => "can send from any MAC address, and take those of others in the switch",
        guards::IP => {
            "can send from any IP address, also another port's, and rules know the others by theirs"
        }
        guards::ARP => {
            "can claim any IPv4 address in ARP, and hears whoever claims its own or another guest's"
        }
        guards::NEIGHBOR => {
            "can claim any IPv6 address in neighbor discovery, and hears whoever claims its own or another guest's"
        }
        guards::ROUTER => "can make itself the router of all guests that hear it",
        guards::DHCP_SERVER => "can give addresses, routers and resolvers to all guests that hear it",
        guards::LINK_CONTROL => {
            "can speak those control protocols of switches whose ethertype a rule allows (LACP, LLDP, EAPOL, pause)"
        }
        guards::LLC => "can send and get frames of 802.3, which a rule for their ethertype allows",
        guards::OPTIONS => "can send and get source routes: rules judge only the next hop of them",
        guards::MARTIAN => "can send and get packets of addresses that none on a wire has, such as 127.0.0.1",
        guards::DESTINATION => "gets frames that are for others",
        guards::ORIGIN => "gets frames that come from outside with the address of a guest of this host",
        guards::FRAGMENTS => "gets and sends fragments that no rule has seen the ports of",
        _ => "gets and sends TCP segments that fit no connection",
    }
}

/// All are on unless the document says otherwise.
pub(super) fn guards(section: &Section<'_, '_>, port: Text<'_>, report: &mut Report) -> Guards {
    let mut on = Guards::default();
    let Some(entry) = section.entry("guards") else { return on };
    let Some(table) = Section::of(entry, FIELDS, "`guards`", report) else { return on };
    let port = quoted(port.text);
    for (name, guard) in guards::NAMES {
        if table.boolean(name, report) == Some(false)
            && let Some(node) = table.node(name)
        {
            on.0 &= !guard;
            let message = format!("port {port} {}", without(guard));
            let help = format!("remove `{name} = false` if that is not meant");
            report.add(Finding::warning(node.span, message, help));
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_the_names_of_the_guards() {
        let keys: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(keys, guards::NAMES.map(|(name, _)| name));
    }

    #[test]
    fn every_guard_says_something_of_its_own() {
        let texts: std::collections::BTreeSet<&str> =
            guards::NAMES.iter().map(|(_, guard)| without(*guard)).collect();
        assert_eq!(texts.len(), guards::NAMES.len());
    }
}
