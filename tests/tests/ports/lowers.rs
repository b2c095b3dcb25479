//! Uplinks that macvtaps cannot be on: refused with the reason and the next step, and nothing changed.

use netctl::config::{Config, Hairpin, Mac, NetworkKind, Siblings};
use netctl::network::{Consent, Netlink, observe, plan};
use netctl_tests::bench::raw_bpf::xdp_pass;

use super::document::{apply_document, guest_mac, network, plan_document, port};
use super::host::{assert_same, is_up, link, sh, snapshot};
use super::macvtaps::{config, nics};
use super::namespace::isolated;

const MACVLAN: NetworkKind = NetworkKind::Macvlan(Siblings::Bridge);
const KINDS: [NetworkKind; 3] = [MACVLAN, NetworkKind::Vepa(Hairpin::Switch), NetworkKind::Passthrough];

/// The one message for `config`; the host is as it was.
#[track_caller]
fn only(conflicts: Vec<String>, wanted: &str) {
    assert_eq!(conflicts, [wanted]);
}

async fn conflicts(netlink: &Netlink, config: &Config) -> Vec<String> {
    let before = snapshot();
    let conflicts = plan_document(netlink, config).await.unwrap_err();
    assert_same(&before, "after a refusal");
    conflicts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_missing_uplink_is_refused() {
    isolated(async |netlink| {
        for kind in KINDS {
            only(
                conflicts(netlink, &config(kind, 1, 1)).await,
                "line 10: network `lab` has the uplink `eth1`, but there is no such interface; `ip link` lists them",
            );
        }
    });
}

#[test]
fn an_uplink_that_is_a_port_of_a_bridge_is_refused() {
    isolated(async |netlink| {
        nics(1);
        sh("ip link add br7 type bridge; ip link set eth1 master br7");
        for kind in KINDS {
            only(
                conflicts(netlink, &config(kind, 1, 1)).await,
                "line 10: uplink `eth1` of network `lab` is a port of `br7`, which takes all its frames; \
                 release it with `ip link set eth1 nomaster`, or make the network one of kind \"bridge\"",
            );
        }
    });
}

#[test]
fn an_uplink_that_is_no_nic_is_refused() {
    isolated(async |netlink| {
        for (make, what) in [
            ("ip link add eth1 type bridge", "a bridge"),
            ("ip tuntap add eth1 mode tap", "a tap"),
            (
                "ip link add eth9 type veth peer name wire9; ip link add eth1 link eth9 type macvtap",
                "a macvtap",
            ),
        ] {
            sh(make);
            only(
                conflicts(netlink, &config(MACVLAN, 1, 1)).await,
                &format!(
                    "line 10: uplink `eth1` of network `lab` is {what}; macvtaps need a NIC, a VLAN or a bond below"
                ),
            );
            sh("ip link del eth1");
        }
    });
}

#[test]
fn an_uplink_that_someone_elses_macvtap_has_for_itself_is_refused() {
    isolated(async |netlink| {
        nics(1);
        sh("ip link add other link eth1 type macvtap mode passthru");
        let in_use = "line 10: uplink `eth1` of network `lab` is in use by `other`, which is not netctl's; \
                      remove it (`ip link del other`), or take another NIC";
        for kind in KINDS {
            only(conflicts(netlink, &config(kind, 1, 1)).await, in_use);
        }
        // With one that shares, macvlan and vepa share, too; passthrough cannot.
        sh("ip link del other; ip link add other link eth1 type macvlan mode bridge");
        only(conflicts(netlink, &config(NetworkKind::Passthrough, 1, 1)).await, in_use);
        apply_document(netlink, &config(MACVLAN, 1, 1)).await;
        assert!(is_up(&link("web1")));
    });
}

#[test]
fn the_nic_of_the_default_route_is_given_away_only_with_consent() {
    isolated(async |netlink| {
        nics(2);
        sh("ip addr add 192.0.2.5/24 dev eth1; ip route add default via 192.0.2.1 dev eth1");
        let passthrough = config(NetworkKind::Passthrough, 1, 1);
        only(
            conflicts(netlink, &passthrough).await,
            "line 10: uplink `eth1` of network `lab` holds the host's default route, and a passthrough guest takes \
             the whole NIC: the host may be cut off; say `--yes` if that is meant",
        );
        let agreed = plan(&passthrough, &observe(netlink).await.unwrap(), Consent::Given).unwrap();
        assert!(!agreed.is_empty());
        // These leave the host its NIC.
        for kind in [MACVLAN, NetworkKind::Vepa(Hairpin::Switch)] {
            plan_document(netlink, &config(kind, 1, 1)).await.unwrap();
        }
        // IPv6 is a way out as well.
        sh("ip route del default; ip addr add 2001:db8::5/64 dev eth1 nodad");
        plan_document(netlink, &passthrough).await.unwrap();
        sh("ip -6 route add default via 2001:db8::1 dev eth1");
        assert_eq!(conflicts(netlink, &passthrough).await.len(), 1);
    });
}

#[test]
fn a_guest_with_the_address_of_its_uplink_is_refused_where_both_stay() {
    isolated(async |netlink| {
        nics(1);
        let with = |kind| {
            let mut config = config(kind, 1, 1);
            config.ports.get_mut("web1").unwrap().mac = Mac([0x02, 0xaa, 0, 0, 0, 1]);
            config
        };
        for kind in [MACVLAN, NetworkKind::Vepa(Hairpin::Switch)] {
            only(
                conflicts(netlink, &with(kind)).await,
                "line 101: port `web1` has the MAC address 02:aa:00:00:00:01 of its uplink `eth1`; \
                 give it another `mac`",
            );
        }
        // The guest takes the NIC's place.
        apply_document(netlink, &with(NetworkKind::Passthrough)).await;
        assert!(plan_document(netlink, &with(NetworkKind::Passthrough)).await.unwrap().is_empty());
    });
}

#[test]
fn a_larger_mtu_than_the_uplinks_is_refused() {
    isolated(async |netlink| {
        nics(1);
        for kind in KINDS {
            let mut config = config(kind, 1, 1);
            config.ports.get_mut("web1").unwrap().mtu = Some(9000);
            let wanted = "line 101: port `web1` has MTU 9000, but its uplink `eth1` 1500; \
                          `ip link set eth1 mtu 9000`, if the switch takes that";
            only(conflicts(netlink, &config).await, wanted);
            config.ports.get_mut("web1").unwrap().mtu = None;
            config.networks.get_mut("lab").unwrap().mtu = Some(9000);
            only(conflicts(netlink, &config).await, wanted);
            config.networks.get_mut("lab").unwrap().mtu = Some(1500);
            plan_document(netlink, &config).await.unwrap();
        }
    });
}

#[test]
fn more_passthrough_guests_than_uplinks_are_refused_by_name() {
    isolated(async |netlink| {
        nics(2);
        only(
            conflicts(netlink, &config(NetworkKind::Passthrough, 2, 3)).await,
            "line 103: port `web3` has no uplink: network `lab` has 2 for 3 guests, one for each; \
             add a NIC to its `uplinks`",
        );
    });
}

#[test]
fn xdp_on_an_uplink_is_a_warning() {
    isolated(async |netlink| {
        nics(1);
        let _program = xdp_pass("eth1").unwrap();
        let plan = plan_document(netlink, &config(MACVLAN, 1, 1)).await.unwrap();
        let [warning] = &plan.warnings[..] else { panic!("{:?}", plan.warnings) };
        assert!(warning.starts_with("uplink `eth1` of network `lab` has XDP program "), "{warning}");
        assert!(warning.ends_with("what it drops or redirects reaches no guest"), "{warning}");
    });
}

#[test]
fn an_uplink_of_two_networks_is_refused() {
    isolated(async |netlink| {
        nics(1);
        let mut config = config(MACVLAN, 1, 1);
        let mut dmz = network("br-dmz", 2);
        dmz.uplinks = vec!["eth1".to_owned()];
        config.networks.insert("dmz".to_owned(), dmz);
        let found = conflicts(netlink, &config).await;
        assert!(
            found[0].contains("interface `eth1` is wanted twice, by the uplinks of network `dmz`"),
            "{found:?}"
        );
    });
}

#[test]
fn what_is_refused_leaves_the_running_ports_alone() {
    isolated(async |netlink| {
        nics(1);
        apply_document(netlink, &config(MACVLAN, 1, 1)).await;
        let mut more = config(MACVLAN, 1, 1);
        let mut web2 = port(2);
        web2.mac = Mac([0x02, 0xaa, 0, 0, 0, 1]);
        more.ports.insert("web2".to_owned(), web2);
        assert_eq!(conflicts(netlink, &more).await.len(), 1);
        assert_eq!(link("web1")["address"], guest_mac(1).to_string());
    });
}
