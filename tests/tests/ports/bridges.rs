//! Bridges and the host's addresses on them.

use netctl::network::{apply, observe};

use super::document::{apply_document, down, lab, lab_with_ports, lines, network, plan_document};
use super::host::{addresses, assert_same, is_up, link, names, sh, snapshot};
use super::namespace::isolated;

#[test]
fn a_bridge_is_made_as_the_document_says() {
    isolated(async |netlink| {
        let mut config = lab();
        let lab = config.networks.get_mut("lab").unwrap();
        lab.mtu = Some(9000);
        lab.addresses = vec!["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()];
        apply_document(netlink, &config).await;

        let bridge = link("br-lab");
        assert_eq!(bridge["address"], "02:00:00:00:ff:01");
        assert_eq!(bridge["mtu"], 9000);
        assert_eq!(bridge["ifalias"], "netctl:network:lab");
        assert_eq!(bridge["group"], "default");
        assert_eq!(bridge["linkinfo"]["info_data"]["stp_state"], 0);
        assert_eq!(bridge["linkinfo"]["info_data"]["mcast_snooping"], 0);
        assert!(is_up(&bridge));
        assert_eq!(addresses(), ["br-lab 10.0.0.1/24", "br-lab fd00::1/64"]);
    });
}

#[test]
fn a_bridge_without_ipv6_addresses_has_no_ipv6() {
    isolated(async |netlink| {
        let mut config = lab();
        config.networks.get_mut("lab").unwrap().addresses = vec!["10.0.0.1/24".parse().unwrap()];
        apply_document(netlink, &config).await;
        assert_eq!(addresses(), ["br-lab 10.0.0.1/24"]);
        let disabled = || sh("cat /proc/sys/net/ipv6/conf/br-lab/disable_ipv6");
        assert_eq!(disabled(), "1\n");

        config.networks.get_mut("lab").unwrap().addresses.push("fd00::1/64".parse().unwrap());
        apply_document(netlink, &config).await;
        assert_eq!(disabled(), "0\n");
        assert_eq!(addresses(), ["br-lab 10.0.0.1/24", "br-lab fd00::1/64"]);
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn the_mtu_of_the_document_stays_when_a_smaller_port_comes() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.networks.get_mut("lab").unwrap().mtu = Some(9000);
        config.ports.get_mut("web1").unwrap().mtu = Some(1500);
        apply_document(netlink, &config).await;
        assert_eq!((&link("br-lab")["mtu"], &link("web1")["mtu"]), (&9000.into(), &1500.into()));
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn down_leaves_exactly_what_was_there() {
    isolated(async |netlink| {
        sh("ip link add eth1 type veth peer name wire; ip link set eth1 alias office; ip link set wire up");
        sh(
            "ip link add br0 address 02:aa:00:00:00:01 type bridge; ip link set br0 up; ip tuntap add vm9 mode tap",
        );
        sh("ip addr add 192.0.2.1/24 dev br0; ip link set vm9 master br0 up");
        sh("bridge fdb add 52:54:00:00:00:99 dev vm9 master static");
        let before = snapshot();

        let mut config = lab_with_ports(2);
        config.networks.get_mut("lab").unwrap().uplinks = vec!["eth1".to_owned()];
        let mut old = network("br0", 2);
        old.addresses = vec!["192.0.2.9/24".parse().unwrap()];
        config.networks.insert("old".to_owned(), old);
        config.ports.get_mut("web2").unwrap().network = "old".to_owned();
        apply_document(netlink, &config).await;
        assert_eq!(names(), ["br-lab", "br0", "eth1", "vm9", "web1", "web2", "wire"]);

        down(netlink).await;
        assert_same(&before, "at the end");
        assert!(down(netlink).await.is_empty());
    });
}

#[test]
fn someone_elses_bridge_is_used_and_keeps_its_settings() {
    isolated(async |netlink| {
        sh(
            "ip link add br-lab address 02:aa:00:00:00:01 type bridge mcast_snooping 1; ip link set br-lab up",
        );
        sh("ip link set br-lab mtu 4000; ip link set br-lab alias mine");
        let before = snapshot();
        let mut config = lab_with_ports(1);
        config.networks.get_mut("lab").unwrap().addresses = vec!["10.0.0.1/24".parse().unwrap()];
        apply_document(netlink, &config).await;

        let bridge = link("br-lab");
        assert_eq!((&bridge["address"], &bridge["ifalias"]), (&"02:aa:00:00:00:01".into(), &"mine".into()));
        assert_eq!(bridge["linkinfo"]["info_data"]["mcast_snooping"], 1);
        assert_eq!(bridge["mtu"], 4000);
        // A tap with a smaller MTU would lower that of a bridge that follows its ports.
        assert_eq!(link("web1")["mtu"], 4000);
        assert_eq!(link("web1")["master"], "br-lab");
        assert!(addresses().contains(&"br-lab 10.0.0.1/24".to_owned()));
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());

        config.ports.clear();
        config.networks.clear();
        assert_eq!(
            lines(&apply_document(netlink, &config).await),
            ["- tap web1: port web1", "- address br-lab: 10.0.0.1/24"]
        );
        assert_same(&before, "at the end");
    });
}

#[test]
fn an_address_that_was_there_before_stays_when_the_document_drops_it() {
    isolated(async |netlink| {
        sh("ip link add br-lab address 02:aa:00:00:00:01 type bridge; ip link set br-lab up");
        sh("ip addr add 10.0.0.1/24 dev br-lab; sleep 0.1");
        let before = addresses();
        let mut config = lab();
        config.networks.get_mut("lab").unwrap().addresses = vec!["10.0.0.1/24".parse().unwrap()];
        assert!(apply_document(netlink, &config).await.is_empty());
        assert!(down(netlink).await.is_empty());
        assert_eq!(addresses(), before);
    });
}

/// The kernel deletes the secondary addresses of a subnet together with its first.
#[test]
fn taking_the_first_address_of_a_subnet_leaves_the_others() {
    isolated(async |netlink| {
        let mut config = lab();
        let set = |config: &mut netctl::config::Config, list: &[&str]| {
            config.networks.get_mut("lab").unwrap().addresses =
                list.iter().map(|a| a.parse().unwrap()).collect();
        };
        set(&mut config, &["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"]);
        apply_document(netlink, &config).await;
        sh("ip addr add 10.0.0.77/24 dev br-lab");

        set(&mut config, &["10.0.0.2/24", "10.0.0.4/24"]);
        apply_document(netlink, &config).await;
        assert_eq!(addresses(), ["br-lab 10.0.0.2/24", "br-lab 10.0.0.4/24", "br-lab 10.0.0.77/24"]);
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn what_someone_changed_on_our_bridge_is_put_right() {
    isolated(async |netlink| {
        let mut config = lab();
        config.networks.get_mut("lab").unwrap().mtu = Some(1400);
        apply_document(netlink, &config).await;
        let before = snapshot();
        sh("ip link set br-lab down; ip link set br-lab mtu 1300 address 02:bb:00:00:00:01");
        sh("ip link set br-lab type bridge mcast_snooping 1 stp_state 1; ip link set br-lab up");
        let lines = lines(&apply_document(netlink, &config).await);
        assert_eq!(
            lines,
            ["~ bridge br-lab: MAC 02:00:00:00:ff:01, MTU 1400, no STP, no multicast snooping"]
        );
        assert_same(&before, "at the end");
    });
}

#[test]
fn a_network_that_changes_its_name_keeps_its_bridge() {
    isolated(async |netlink| {
        let mut config = lab();
        apply_document(netlink, &config).await;
        let index = link("br-lab")["ifindex"].clone();
        let lab = config.networks.remove("lab").unwrap();
        config.networks.insert("dmz".to_owned(), lab);
        assert_eq!(lines(&apply_document(netlink, &config).await), ["~ bridge br-lab: network dmz"]);
        assert_eq!(
            (&link("br-lab")["ifalias"], &link("br-lab")["ifindex"]),
            (&"netctl:network:dmz".into(), &index)
        );
    });
}

#[test]
fn a_make_that_fails_half_way_leaves_nothing() {
    isolated(async |netlink| {
        let before = snapshot();
        let plan = plan_document(netlink, &lab_with_ports(3)).await.unwrap();
        // Between the plan and its execution someone takes the last name.
        sh("ip link add web3 type veth peer name other");
        let error = apply::make(netlink, &plan).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            (error.to_string(), cause),
            ("no interface was made".into(), "cannot make tap `web3`".into())
        );
        assert_eq!(names(), ["other", "web3"]);
        sh("ip link del web3");
        assert_same(&before, "at the end");
    });
}

#[test]
fn what_was_made_can_be_undone() {
    isolated(async |netlink| {
        let before = snapshot();
        let plan = plan_document(netlink, &lab_with_ports(2)).await.unwrap();
        let made = apply::make(netlink, &plan).await.unwrap();
        let observed = observe(netlink).await.unwrap();
        for (name, index) in made.interfaces() {
            let interface = observed.named(name).unwrap();
            assert_eq!((interface.index, interface.up, interface.master), (index, false, None), "{name}");
        }
        assert_eq!(made.interfaces().count(), 3);
        apply::undo(netlink, made).await.unwrap();
        assert_same(&before, "at the end");
    });
}
