//! Uplinks: plugged in, and put back as they were. A veth stands for the NIC.

use netctl::config::{Config, NetworkKind, Siblings};
use serde_json::Value;

use super::document::{apply_document, down, lab, lines, network, plan_document, port};
use super::host::{assert_same, is_up, link, sh, snapshot};
use super::macvtaps::{config, nics};
use super::namespace::isolated;

fn with_uplink(uplink: &str) -> Config {
    let mut config = lab();
    config.networks.get_mut("lab").unwrap().uplinks = vec![uplink.to_owned()];
    config
}

#[test]
fn an_uplink_is_plugged_in_and_released() {
    isolated(async |netlink| {
        sh(
            "ip link add eth1 type veth peer name wire; ip link set eth1 alias 'to the switch'; ip link set eth1 up",
        );
        let before = snapshot();
        let plan = apply_document(netlink, &with_uplink("eth1")).await;
        assert_eq!(lines(&plan)[2], "+ uplink eth1: on bridge br-lab, up");
        assert_eq!(
            (&link("eth1")["master"], &link("eth1")["ifalias"]),
            (&"br-lab".into(), &"to the switch".into())
        );
        assert!(plan_document(netlink, &with_uplink("eth1")).await.unwrap().is_empty());

        let plan = apply_document(netlink, &lab()).await;
        assert_eq!(lines(&plan), ["- uplink eth1: on bridge br-lab"]);
        assert!(is_up(&link("eth1")));
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn an_uplink_that_was_down_is_put_down_again() {
    isolated(async |netlink| {
        sh("ip link add eth1 type veth peer name wire");
        let before = snapshot();
        apply_document(netlink, &with_uplink("eth1")).await;
        assert!(is_up(&link("eth1")));
        assert!(!is_up(&link("wire")));
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn an_uplink_moves_between_networks_and_still_knows_how_it_was() {
    isolated(async |netlink| {
        sh("ip link add eth1 type veth peer name wire");
        let before = snapshot();
        apply_document(netlink, &with_uplink("eth1")).await;
        let mut config = lab();
        let mut dmz = network("br-dmz", 2);
        dmz.uplinks = vec!["eth1".to_owned()];
        config.networks.insert("dmz".to_owned(), dmz);
        apply_document(netlink, &config).await;
        assert_eq!(link("eth1")["master"], "br-dmz");
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
        down(netlink).await;
        assert_same(&before, "at the end");
    });
}

#[test]
fn an_uplink_that_someone_else_plugged_in_is_left_in_place() {
    isolated(async |netlink| {
        sh("ip link add br-lab address 02:aa:00:00:00:01 type bridge; ip link set br-lab up");
        sh("ip link add eth1 type veth peer name wire; ip link set eth1 master br-lab up");
        let before = snapshot();
        assert!(apply_document(netlink, &with_uplink("eth1")).await.is_empty());
        assert!(down(netlink).await.is_empty());
        assert_same(&before, "at the end");
    });
}

#[test]
fn an_uplink_that_someone_has_taken_since_stays_there() {
    isolated(async |netlink| {
        sh("ip link add eth1 type veth peer name wire; ip link set eth1 up; ip link add br7 type bridge");
        apply_document(netlink, &with_uplink("eth1")).await;
        sh("ip link set eth1 master br7");
        down(netlink).await;
        assert_eq!(link("eth1")["master"], "br7");
        assert_eq!(link("eth1")["altnames"], serde_json::Value::Null);
    });
}

#[test]
fn an_uplink_with_a_smaller_mtu_than_its_network_is_a_warning() {
    isolated(async |netlink| {
        sh("ip link add eth1 type veth peer name wire");
        let mut config = with_uplink("eth1");
        config.networks.get_mut("lab").unwrap().mtu = Some(9000);
        assert_eq!(
            plan_document(netlink, &config).await.unwrap().warnings,
            ["network `lab` has MTU 9000, but its uplink `eth1` 1500; \
              `ip link set eth1 mtu 9000`, if the switch takes that"]
        );
    });
}

#[test]
fn an_uplink_moves_between_a_bridge_and_macvtaps_and_still_knows_how_it_was() {
    isolated(async |netlink| {
        for up in [true, false] {
            nics(1);
            if !up {
                sh("ip link set eth1 down");
            }
            let before = snapshot();
            let mut bridge = with_uplink("eth1");
            bridge.ports.insert("web1".to_owned(), port(1));
            bridge.ports.insert("web2".to_owned(), port(2));
            for kind in [NetworkKind::Macvlan(Siblings::Bridge), NetworkKind::Passthrough] {
                let macvtaps = config(kind, 1, 1);
                apply_document(netlink, &bridge).await;
                assert_eq!(link("eth1")["master"], "br-lab");
                assert!(plan_document(netlink, &bridge).await.unwrap().is_empty());
                let plan = apply_document(netlink, &macvtaps).await;
                assert_eq!(lines(&plan)[0], "~ uplink eth1: off bridge br-lab");
                assert_eq!((&link("web1")["link"], &link("eth1")["master"]), (&"eth1".into(), &Value::Null));
                let plan = plan_document(netlink, &macvtaps).await.unwrap();
                assert!(plan.is_empty(), "{:?}", lines(&plan));
            }
            apply_document(netlink, &bridge).await;
            down(netlink).await;
            assert_same(&before, "at the end");
            sh("ip link del eth1");
        }
    });
}

#[test]
fn an_uplink_with_someone_elses_macvtap_is_no_port_of_a_bridge() {
    isolated(async |netlink| {
        nics(1);
        sh("ip link add other link eth1 type macvtap mode bridge");
        let conflicts = plan_document(netlink, &with_uplink("eth1")).await.unwrap_err();
        assert_eq!(
            conflicts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["line 10: uplink `eth1` of network `lab` is in use by `other`, which is not netctl's; \
              remove it (`ip link del other`), or take another NIC"]
        );
    });
}
