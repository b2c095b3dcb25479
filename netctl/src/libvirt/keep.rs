//! Ports of running guests when a whole document is applied: they come and go with their guests, not with a file.
//!
//! A file that was written before a guest started does not know of its port, and without it the guest would go on
//! unfiltered. One that `netctl show` printed while a guest ran may know of a port whose guest has ended.

use super::{Edit, NewPort};
use crate::config::{Addresses, Config, Port};
use crate::network::Observed;

/// What has to change in the document `new`. `running`: the document that runs, if one does.
pub fn keep(new: &Config, running: Option<&Config>, observed: &Observed) -> Edit {
    let is_there = |port: &Port| observed.named(&port.interface).is_some();
    let guests = running.into_iter().flat_map(|running| &running.ports);
    let guests: Vec<_> = guests.filter(|(_, port)| port.domain.is_some() && is_there(port)).collect();
    let replaced = |name: &String, port: &Port| {
        let meets = |other: &&(&String, &Port)| other.0 == name || other.1.interface == port.interface;
        guests.iter().find(meets).is_some_and(|guest| !(guest.0 == name && is_same(guest.1, port)))
    };
    let marked = new.ports.iter().filter(|(_, port)| port.domain.is_some());
    let remove: Vec<String> = marked
        .filter(|(name, port)| !is_there(port) || replaced(name, port))
        .map(|(name, _)| name.clone())
        .collect();
    // Who writes a port for the interface by hand has taken it over.
    let stands = |guest: &Port| {
        let mut kept = new.ports.iter().filter(|(name, _)| !remove.contains(name));
        kept.any(|(_, port)| port.interface == guest.interface)
    };
    let add = guests.iter().filter(|(_, port)| !stands(port)).filter_map(|(name, port)| new_port(name, port));
    Edit { add: add.collect(), remove, heal: false }
}

fn is_same(one: &Port, other: &Port) -> bool {
    Port { line: 0, ..one.clone() } == Port { line: 0, ..other.clone() }
}

fn new_port(name: &str, port: &Port) -> Option<NewPort> {
    Some(NewPort {
        name: name.to_owned(),
        network: port.network.clone(),
        mac: port.mac,
        addresses: match &port.addresses {
            Addresses::Any => vec!["any".to_owned()],
            Addresses::Learned => vec!["learn".to_owned()],
            Addresses::Listed(listed) => listed.iter().map(ToString::to_string).collect(),
        },
        groups: port.groups.iter().cloned().collect(),
        interface: port.interface.clone(),
        domain: port.domain.clone()?,
    })
}
