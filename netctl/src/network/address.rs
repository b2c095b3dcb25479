//! The host's own addresses on a bridge. Those that netctl adds are marked, those of others stay.

use ipnet::IpNet;

use super::change::{Action, Change, Object};
use super::link::{Address, Interface};
use super::step::Step;
use super::tag::ADDRESS_PROTOCOL;

/// Removes first: of two IPv4 addresses in one subnet the second is secondary and goes with the first.
pub(super) fn plan(found: Option<&Interface>, interface: &str, wanted: &[IpNet]) -> Vec<Change> {
    let have = found.map_or(&[][..], |found| &found.addresses);
    let stale: Vec<_> = have.iter().filter(|a| a.is_ours() && !wanted.contains(&a.net)).copied().collect();
    let missing = wanted.iter().filter(|net| have.iter().all(|a| a.net != **net));
    let mut changes = remove(interface, have, &stale);
    changes.extend(missing.map(|net| {
        let step = add(interface, *net, ADDRESS_PROTOCOL);
        change(Action::Add, interface, net, vec![step])
    }));
    changes
}

/// Removes `stale`, and puts back what the kernel takes along.
pub(super) fn remove(interface: &str, have: &[Address], stale: &[Address]) -> Vec<Change> {
    let changes = stale.iter().map(|address| {
        let mut steps = vec![Step::DeleteAddress { interface: interface.to_owned(), net: address.net }];
        let lost = have.iter().filter(|other| !stale.contains(other) && goes_with(other, address));
        steps.extend(lost.map(|other| add(interface, other.net, other.protocol)));
        change(Action::Remove, interface, &address.net, steps)
    });
    changes.collect()
}

/// net/ipv4/devinet.c, inet_del_ifa: same prefix length and same network.
fn goes_with(secondary: &Address, primary: &Address) -> bool {
    let both_v4 = matches!((secondary.net, primary.net), (IpNet::V4(_), IpNet::V4(_)));
    both_v4 && secondary.secondary && !primary.secondary && secondary.net.trunc() == primary.net.trunc()
}

fn add(interface: &str, net: IpNet, protocol: u8) -> Step {
    Step::AddAddress { interface: interface.to_owned(), net, protocol }
}

fn change(action: Action, interface: &str, net: &IpNet, steps: Vec<Step>) -> Change {
    let interface = interface.to_owned();
    Change { action, object: Object::Address, interface, detail: net.to_string(), steps }
}
