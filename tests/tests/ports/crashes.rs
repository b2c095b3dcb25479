//! A process that dies between any two steps: the next one heals what it left. Every point is tried.

use netctl::config::{Config, NetworkKind, Siblings};
use netctl::network::{Netlink, apply, observe, plan_down};

use super::document::{apply_document, down, lab, lab_with_ports, network, plan_document, port, steps};
use super::host::{Snapshot, assert_same, sh, snapshot};
use super::namespace::isolated;

/// A host with a NIC, a bridge of its own, and someone else's tap.
fn furnish() {
    sh("ip link add eth1 type veth peer name wire; ip link set wire up");
    sh("ip link add br0 address 02:aa:00:00:00:01 type bridge; ip link set br0 up");
    sh("ip addr add 192.0.2.1/24 dev br0");
}

/// Everything that can be made: two bridges, one of them someone else's, an uplink, addresses, taps.
fn everything() -> Config {
    let mut config = lab_with_ports(2);
    let lab = config.networks.get_mut("lab").unwrap();
    lab.mtu = Some(1600);
    lab.uplinks = vec!["eth1".to_owned()];
    lab.addresses = vec!["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()];
    let mut old = network("br0", 2);
    old.addresses = vec!["192.0.2.9/24".parse().unwrap()];
    config.networks.insert("old".to_owned(), old);
    let web2 = config.ports.get_mut("web2").unwrap();
    (web2.network, web2.queues, web2.owner) = ("old".to_owned(), 4, Some(77));
    config
}

/// [`everything`], with each thing changed.
fn everything_else() -> Config {
    let mut config = everything();
    let lab = config.networks.get_mut("lab").unwrap();
    lab.uplinks.clear();
    lab.mtu = Some(1500);
    lab.addresses = vec!["10.0.0.2/24".parse().unwrap()];
    let mut dmz = network("br-dmz", 3);
    dmz.uplinks = vec!["eth1".to_owned()];
    config.networks.insert("dmz".to_owned(), dmz);
    config.networks.remove("old");
    let web2 = config.ports.get_mut("web2").unwrap();
    (web2.network, web2.queues) = ("dmz".to_owned(), 1);
    let mut web1 = port(1);
    (web1.network, web1.mac.0[5]) = ("dmz".to_owned(), 0x99);
    config.ports.insert("web1".to_owned(), web1);
    config.ports.insert("web3".to_owned(), port(3));
    config
}

/// Dies after every number of steps between the documents `from` and `to`, and applies `to` again.
async fn survive_every_crash(netlink: &Netlink, from: &Config, to: &Config) -> usize {
    let empty = snapshot();
    apply_document(netlink, from).await;
    let all = steps(&plan_document(netlink, to).await.unwrap());
    apply_document(netlink, to).await;
    let healthy = snapshot();
    back_to(netlink, &empty).await;
    for count in 0..=all.len() {
        apply_document(netlink, from).await;
        // Interface numbers differ from those of the first time.
        let these = steps(&plan_document(netlink, to).await.unwrap());
        apply::run(netlink, &these[..count]).await.unwrap();
        let last = these[..count].last();
        apply_document(netlink, to).await;
        assert_same(&healthy, &format!("after a crash behind {last:?}"));
        assert!(plan_document(netlink, to).await.unwrap().is_empty(), "after a crash behind {last:?}");
        back_to(netlink, &empty).await;
    }
    all.len()
}

async fn back_to(netlink: &Netlink, empty: &Snapshot) {
    down(netlink).await;
    assert_same(empty, "after down");
}

#[test]
fn a_crash_while_everything_is_made_is_healed() {
    isolated(async |netlink| {
        furnish();
        let mut nothing = lab();
        nothing.networks.clear();
        assert!(survive_every_crash(netlink, &nothing, &everything()).await > 15);
    });
}

#[test]
fn a_crash_while_everything_is_changed_is_healed() {
    isolated(async |netlink| {
        furnish();
        assert!(survive_every_crash(netlink, &everything(), &everything_else()).await > 20);
    });
}

/// Two NICs more, one of them down.
fn furnish_nics() {
    furnish();
    sh("ip link add eth2 address 02:aa:00:00:00:02 type veth peer name wire2; ip link set eth2 up");
    sh("ip link add eth3 address 02:aa:00:00:00:03 type veth peer name wire3");
}

/// A macvlan on an uplink that is down, and passthrough on two.
fn macvtaps() -> Config {
    let mut config = lab_with_ports(4);
    let lab = config.networks.get_mut("lab").unwrap();
    (lab.kind, lab.uplinks, lab.interface) =
        (NetworkKind::Macvlan(Siblings::Bridge), vec!["eth1".to_owned()], "eth1".to_owned());
    let mut direct = network("", 2);
    (direct.kind, direct.uplinks) = (NetworkKind::Passthrough, vec!["eth2".to_owned(), "eth3".to_owned()]);
    config.networks.insert("direct".to_owned(), direct);
    for (name, uplink) in [("web3", "eth2"), ("web4", "eth3")] {
        let port = config.ports.get_mut(name).unwrap();
        (port.network, port.uplink) = ("direct".to_owned(), Some(uplink.to_owned()));
    }
    config
}

/// The macvlan has become a bridge, and the passthrough guests have exchanged their uplinks.
fn other_macvtaps() -> Config {
    let mut config = macvtaps();
    let mut lab = network("br-lab", 1);
    lab.uplinks = vec!["eth1".to_owned()];
    config.networks.insert("lab".to_owned(), lab);
    for (name, uplink) in [("web3", "eth3"), ("web4", "eth2")] {
        config.ports.get_mut(name).unwrap().uplink = Some(uplink.to_owned());
    }
    config
}

#[test]
fn a_crash_while_macvtaps_are_made_is_healed() {
    isolated(async |netlink| {
        furnish_nics();
        let mut nothing = lab();
        nothing.networks.clear();
        assert!(survive_every_crash(netlink, &nothing, &macvtaps()).await > 15);
    });
}

#[test]
fn a_crash_while_macvtaps_become_taps_and_change_places_is_healed() {
    isolated(async |netlink| {
        furnish_nics();
        assert!(survive_every_crash(netlink, &macvtaps(), &other_macvtaps()).await > 15);
        assert!(survive_every_crash(netlink, &other_macvtaps(), &macvtaps()).await > 15);
    });
}

#[test]
fn a_crash_while_macvtaps_go_is_healed() {
    isolated(async |netlink| {
        furnish_nics();
        let mut nothing = lab();
        nothing.networks.clear();
        assert!(survive_every_crash(netlink, &macvtaps(), &nothing).await > 3);
    });
}

#[test]
fn a_crash_while_everything_is_made_leaves_nothing_that_down_does_not_remove() {
    isolated(async |netlink| {
        furnish();
        let empty = snapshot();
        for count in 0..=steps(&plan_document(netlink, &everything()).await.unwrap()).len() {
            let these = steps(&plan_document(netlink, &everything()).await.unwrap());
            apply::run(netlink, &these[..count]).await.unwrap();
            back_to(netlink, &empty).await;
        }
    });
}

#[test]
fn a_crash_while_going_down_is_healed() {
    isolated(async |netlink| {
        furnish();
        let empty = snapshot();
        let mut count = 0;
        loop {
            apply_document(netlink, &everything()).await;
            let these = steps(&plan_down(&observe(netlink).await.unwrap()));
            apply::run(netlink, these.iter().take(count)).await.unwrap();
            back_to(netlink, &empty).await;
            if count == these.len() {
                break;
            }
            count += 1;
        }
        assert!(count > 5);
    });
}
