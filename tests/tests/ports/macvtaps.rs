//! The macvtaps of macvlan, passthrough and vepa networks: made, kept, changed, and what they leave on their uplinks. A
//! veth stands for the NIC.

use netctl::config::{Config, Hairpin, Mac, NetworkKind, Siblings};

use super::document::{apply_document, down, guest_mac, lab_with_ports, lines, network, plan_document, port};
use super::host::{assert_same, is_up, link, names, sh, snapshot};
use super::namespace::isolated;

const MACVLAN: NetworkKind = NetworkKind::Macvlan(Siblings::Bridge);

/// Ports `web1`, `web2`, … on the uplinks `eth1`, `eth2`, ….
pub(crate) fn config(kind: NetworkKind, uplinks: u8, ports: u8) -> Config {
    let mut config = lab_with_ports(ports);
    let lab = config.networks.get_mut("lab").unwrap();
    lab.kind = kind;
    lab.uplinks = (1..=uplinks).map(|number| format!("eth{number}")).collect();
    lab.interface = if kind == NetworkKind::Passthrough { String::new() } else { lab.uplinks[0].clone() };
    config
}

/// NICs `eth1`, `eth2`, …, up, with the MAC addresses 02:aa:00:00:00:01, ….
pub(crate) fn nics(count: u8) {
    for number in 1..=count {
        sh(&format!(
            "ip link add eth{number} address 02:aa:00:00:00:0{number} type veth peer name wire{number}; \
             ip link set eth{number} up; ip link set wire{number} up"
        ));
    }
}

fn mode(name: &str) -> String {
    link(name)["linkinfo"]["info_data"]["mode"].as_str().unwrap().to_owned()
}

#[test]
fn a_macvtap_is_made_as_the_document_says() {
    isolated(async |netlink| {
        nics(1);
        for (kind, expected) in [
            (MACVLAN, "bridge"),
            (NetworkKind::Macvlan(Siblings::Private), "private"),
            (NetworkKind::Vepa(Hairpin::Switch), "vepa"),
            (NetworkKind::Vepa(Hairpin::Local), "bridge"),
            (NetworkKind::Passthrough, "passthru"),
        ] {
            let mut config = config(kind, 1, 1);
            config.ports.get_mut("web1").unwrap().mtu = Some(1400);
            let plan = apply_document(netlink, &config).await;
            let made =
                format!("+ macvtap web1: port web1, {expected} on eth1, MAC 52:54:00:00:00:01, MTU 1400");
            assert_eq!(lines(&plan), [made, "~ macvtap web1: up".to_owned()]);
            let web1 = link("web1");
            assert!(is_up(&web1));
            assert_eq!((&web1["mtu"], &web1["ifalias"]), (&1400.into(), &"netctl:port:web1@lab".into()));
            assert_eq!((&web1["address"], &web1["link"]), (&"52:54:00:00:00:01".into(), &"eth1".into()));
            assert_eq!((mode("web1").as_str(), &web1["group"]), (expected, &"default".into()));
            assert!(web1["flags"].as_array().unwrap().iter().any(|flag| flag == "ALLMULTI"), "{web1}");
            assert_eq!(sh("cat /proc/sys/net/ipv6/conf/web1/disable_ipv6").trim(), "1");
            assert!(plan_document(netlink, &config).await.unwrap().is_empty(), "{expected}");
            down(netlink).await;
        }
    });
}

#[test]
fn an_uplink_that_was_down_is_set_up_for_its_guests_and_down_again() {
    isolated(async |netlink| {
        nics(1);
        sh("ip link set eth1 down");
        let before = snapshot();
        let plan = apply_document(netlink, &config(MACVLAN, 1, 2)).await;
        assert!(lines(&plan).contains(&"~ uplink eth1: up".to_owned()), "{:?}", lines(&plan));
        assert!(is_up(&link("eth1")) && is_up(&link("web1")));
        assert!(plan_document(netlink, &config(MACVLAN, 1, 2)).await.unwrap().is_empty());
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn a_network_that_changes_its_kind_keeps_its_ports_where_the_driver_can() {
    isolated(async |netlink| {
        nics(1);
        apply_document(netlink, &config(MACVLAN, 1, 1)).await;
        let index = link("web1")["ifindex"].clone();
        let vepa = config(NetworkKind::Vepa(Hairpin::Switch), 1, 1);
        assert_eq!(lines(&apply_document(netlink, &vepa).await), ["~ macvtap web1: mode vepa"]);
        assert_eq!((mode("web1").as_str(), &link("web1")["ifindex"]), ("vepa", &index));

        let passthrough = config(NetworkKind::Passthrough, 1, 1);
        assert_eq!(
            lines(&apply_document(netlink, &passthrough).await)[0],
            "~ macvtap web1: recreated for the mode: port web1, passthru on eth1, MAC 52:54:00:00:00:01; \
             the guest that uses it loses its NIC"
        );
        assert_eq!(
            (mode("web1").as_str(), &link("eth1")["address"]),
            ("passthru", &"52:54:00:00:00:01".into())
        );
        apply_document(netlink, &vepa).await;
        assert_eq!((mode("web1").as_str(), &link("eth1")["address"]), ("vepa", &"02:aa:00:00:00:01".into()));
        assert!(plan_document(netlink, &vepa).await.unwrap().is_empty());
    });
}

#[test]
fn a_port_moves_between_a_bridge_and_a_macvlan() {
    isolated(async |netlink| {
        nics(1);
        let before = snapshot();
        for _ in 0..2 {
            apply_document(netlink, &lab_with_ports(1)).await;
            assert_eq!(link("web1")["linkinfo"]["info_kind"], "tun");
            apply_document(netlink, &config(MACVLAN, 1, 1)).await;
            assert_eq!(link("web1")["linkinfo"]["info_kind"], "macvtap");
            assert_eq!(names(), ["eth1", "web1", "wire1"]);
            assert!(plan_document(netlink, &config(MACVLAN, 1, 1)).await.unwrap().is_empty());
        }
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn a_port_that_changes_its_uplink_is_made_anew() {
    isolated(async |netlink| {
        nics(2);
        apply_document(netlink, &config(MACVLAN, 1, 1)).await;
        let mut other = config(MACVLAN, 1, 1);
        other.networks.get_mut("lab").unwrap().uplinks = vec!["eth2".to_owned()];
        let plan = apply_document(netlink, &other).await;
        assert!(
            lines(&plan)[0]
                .starts_with("~ macvtap web1: recreated on another uplink: port web1, bridge on eth2")
        );
        assert_eq!(link("web1")["link"], "eth2");
        assert!(plan_document(netlink, &other).await.unwrap().is_empty());
    });
}

#[test]
fn a_port_that_changes_its_mac_keeps_its_macvtap() {
    isolated(async |netlink| {
        nics(2);
        for kind in [MACVLAN, NetworkKind::Passthrough] {
            let mut config = config(kind, 1, 1);
            apply_document(netlink, &config).await;
            let index = link("web1")["ifindex"].clone();
            config.ports.get_mut("web1").unwrap().mac = guest_mac(9);
            assert_eq!(
                lines(&apply_document(netlink, &config).await),
                ["~ macvtap web1: MAC 52:54:00:00:00:09"]
            );
            assert_eq!(
                (&link("web1")["address"], &link("web1")["ifindex"]),
                (&"52:54:00:00:00:09".into(), &index)
            );
            assert!(plan_document(netlink, &config).await.unwrap().is_empty());
            down(netlink).await;
            assert_eq!(link("eth1")["address"], "02:aa:00:00:00:01");
        }
    });
}

#[test]
fn what_someone_changed_on_our_macvtap_is_put_right() {
    isolated(async |netlink| {
        nics(1);
        let config = config(MACVLAN, 1, 1);
        apply_document(netlink, &config).await;
        let before = snapshot();
        sh("ip link set web1 down; ip link set web1 address 02:00:00:00:00:77 allmulticast off");
        sh("ip link set web1 type macvtap mode vepa; sysctl -qw net.ipv6.conf.web1.disable_ipv6=0");
        assert_eq!(
            lines(&apply_document(netlink, &config).await),
            ["~ macvtap web1: MAC 52:54:00:00:00:01, mode bridge, IPv6 off, all multicast, up"]
        );
        assert_same(&before, "at the end");
    });
}

#[test]
fn passthrough_guests_keep_their_uplinks_and_new_ones_take_what_is_left() {
    isolated(async |netlink| {
        nics(3);
        let below = |name: &str| link(name)["link"].as_str().unwrap().to_owned();
        let mut config = config(NetworkKind::Passthrough, 3, 0);
        for number in [2, 3] {
            config.ports.insert(format!("web{number}"), port(number));
        }
        config.ports.get_mut("web3").unwrap().uplink = Some("eth1".to_owned());
        apply_document(netlink, &config).await;
        assert_eq!(["web2", "web3"].map(below), ["eth2", "eth1"]);
        // First in the order of names, and yet it drives nobody out.
        config.ports.insert("web1".to_owned(), port(1));
        apply_document(netlink, &config).await;
        assert_eq!(["web1", "web2", "web3"].map(below), ["eth3", "eth2", "eth1"]);
        config.ports.remove("web2");
        apply_document(netlink, &config).await;
        assert_eq!(link("eth2")["address"], "02:aa:00:00:00:02");
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn a_macvtap_whose_making_was_interrupted_is_finished_and_not_taken_for_someone_elses() {
    isolated(async |netlink| {
        nics(1);
        // As it is between the two requests: the group, and no alias.
        sh("ip link add web1 link eth1 address 52:54:00:00:00:01 group 1852011628 type macvtap mode bridge");
        let config = config(MACVLAN, 1, 1);
        apply_document(netlink, &config).await;
        assert_eq!(
            (&link("web1")["group"], &link("web1")["ifalias"]),
            (&"default".into(), &"netctl:port:web1@lab".into())
        );
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
        assert_eq!(Mac([0x52, 0x54, 0, 0, 0, 1]), guest_mac(1));
        down(netlink).await;
        assert_eq!(names(), ["eth1", "wire1"]);
    });
}

#[test]
fn an_uplink_goes_from_one_passthrough_guest_to_another() {
    isolated(async |netlink| {
        nics(1);
        let before = snapshot();
        apply_document(netlink, &config(NetworkKind::Passthrough, 1, 1)).await;
        let mut other = config(NetworkKind::Passthrough, 1, 0);
        other.ports.insert("web2".to_owned(), port(2));
        assert_eq!(
            lines(&apply_document(netlink, &other).await),
            [
                "- macvtap web1: port web1",
                "+ macvtap web2: port web2, passthru on eth1, MAC 52:54:00:00:00:02",
                "~ macvtap web2: up"
            ]
        );
        assert_eq!(link("eth1")["address"], "52:54:00:00:00:02");
        assert!(plan_document(netlink, &other).await.unwrap().is_empty());
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn passthrough_guests_exchange_their_uplinks() {
    isolated(async |netlink| {
        nics(2);
        let below = |name: &str| link(name)["link"].as_str().unwrap().to_owned();
        let on = |uplinks: [&str; 2]| {
            let mut config = config(NetworkKind::Passthrough, 2, 2);
            for (port, uplink) in config.ports.values_mut().zip(uplinks) {
                port.uplink = Some(uplink.to_owned());
            }
            config
        };
        apply_document(netlink, &on(["eth1", "eth2"])).await;
        let plan = apply_document(netlink, &on(["eth2", "eth1"])).await;
        assert_eq!(
            lines(&plan)[..2],
            ["web1", "web2"].map(|port| format!(
                "- macvtap {port}: port {port} makes room for another; the guest that uses it loses its NIC"
            ))
        );
        assert_eq!(["web1", "web2"].map(below), ["eth2", "eth1"]);
        assert!(plan_document(netlink, &on(["eth2", "eth1"])).await.unwrap().is_empty());
    });
}

#[test]
fn guests_of_one_uplink_get_one_each_and_share_it_again() {
    isolated(async |netlink| {
        nics(2);
        let before = snapshot();
        for _ in 0..2 {
            for kind in [MACVLAN, NetworkKind::Passthrough, NetworkKind::Vepa(Hairpin::Switch)] {
                let uplinks = if kind == NetworkKind::Passthrough { 2 } else { 1 };
                apply_document(netlink, &config(kind, uplinks, 2)).await;
                let plan = plan_document(netlink, &config(kind, uplinks, 2)).await.unwrap();
                assert!(plan.is_empty(), "{kind:?}: {:?}", lines(&plan));
            }
        }
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn networks_of_two_kinds_are_beside_each_other() {
    isolated(async |netlink| {
        nics(2);
        let before = snapshot();
        let mut both = config(MACVLAN, 1, 1);
        let mut dmz = network("br-dmz", 2);
        dmz.uplinks = vec!["eth2".to_owned()];
        both.networks.insert("dmz".to_owned(), dmz);
        let mut web2 = port(2);
        web2.network = "dmz".to_owned();
        both.ports.insert("web2".to_owned(), web2);
        apply_document(netlink, &both).await;
        assert_eq!((&link("web1")["link"], &link("web2")["master"]), (&"eth1".into(), &"br-dmz".into()));
        assert!(plan_document(netlink, &both).await.unwrap().is_empty());
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}
