//! How queues are opened, as the drivers themselves tell it afterwards.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use netctl::config::{Napi, Offload};
use netctl::fd::FdError;
use netctl::fd::inspect::{Facts, facts};
use netctl::fd::tap::{self, Header, NewTap, Options};
use netctl::network::queues_in_use;

use super::document::{apply_document, lab_with_ports, plan_document};
use super::host::{closed, queues_closed, sh};
use super::namespace::isolated;

fn described(queue: &OwnedFd) -> Facts {
    facts(queue.try_clone().unwrap()).unwrap()
}

fn offloads(of: &[Offload]) -> BTreeSet<Offload> {
    of.iter().copied().collect()
}

/// What the kernel would hand to the guest unfinished, as ethtool shows it for the interface.
fn features(interface: &str) -> Vec<String> {
    let known = [
        ("tx-checksum-ip-generic", "csum"),
        ("tx-tcp-segmentation", "tso4"),
        ("tx-tcp6-segmentation", "tso6"),
        ("tx-tcp-ecn-segmentation", "ecn"),
        ("tx-udp-segmentation", "uso"),
    ];
    let shown = sh(&format!("ethtool --show-features {interface}"));
    let on = |name: &str| shown.lines().any(|line| line.trim().starts_with(&format!("{name}: on")));
    known.iter().filter(|(name, _)| on(name)).map(|(_, word)| (*word).to_owned()).collect()
}

#[test]
fn a_tap_is_opened_as_its_options_say_and_as_new_without_them() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.ports.get_mut("web1").unwrap().queues = 2;
        apply_document(netlink, &config).await;
        let all = Options {
            header: Header::Virtio,
            header_bytes: 12,
            offloads: offloads(&[
                Offload::Checksum,
                Offload::Tso4,
                Offload::Ecn,
                Offload::Uso4,
                Offload::Uso6,
            ]),
            sndbuf: Some(1 << 20),
            napi: Napi::Frags,
        };
        let queues = tap::open("web1", 2, &all).unwrap();
        for queue in &queues {
            let facts = described(queue);
            let flags = ["tap", "no_pi", "vnet_hdr", "multi_queue", "napi", "napi_frags", "persist"];
            assert_eq!(facts.flags, flags);
            assert_eq!((facts.header_bytes, facts.sndbuf), (Some(12), Some(1 << 20)));
        }
        assert_eq!(features("web1"), ["csum", "tso4", "ecn", "uso"]);
        drop(queues);
        queues_closed("web1");

        let queues = tap::open("web1", 2, Options::default()).unwrap();
        let facts = described(&queues[1]);
        assert_eq!(facts.flags, ["tap", "no_pi", "vnet_hdr", "multi_queue", "persist"]);
        assert_eq!((facts.header_bytes, facts.sndbuf), (Some(10), Some(0x7fff_ffff)));
        assert_eq!(features("web1"), [""; 0]);
    });
}

#[test]
fn without_a_header_frames_are_read_bare() {
    isolated(async |netlink| {
        apply_document(netlink, &lab_with_ports(1)).await;
        let queues = tap::open("web1", 1, Header::None).unwrap();
        let facts = described(&queues[0]);
        assert_eq!((facts.flags, facts.header_bytes), (vec!["tap", "no_pi", "persist"], None));
    });
}

#[test]
fn what_the_driver_has_not_is_refused_by_name_and_leaves_nothing_open() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.ports.get_mut("web1").unwrap().queues = 2;
        apply_document(netlink, &config).await;
        // One kind of UDP segments alone: the document refuses it earlier, and the kernel does.
        let options = Options { offloads: offloads(&[Offload::Uso4]), ..Options::default() };
        let error = tap::open("web1", 2, options).unwrap_err();
        assert!(matches!(&error, FdError::Unsupported { interface, .. } if interface == "web1"), "{error}");
        let error = tap::open("web1", 2, Options { header_bytes: 9, ..Options::default() }).unwrap_err();
        let wanted = "`web1`: this kernel's driver has no `header-size`; leave it out of the port's `tap`";
        assert_eq!(error.to_string(), wanted);
        queues_closed("web1");
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 0);
    });
}

#[test]
fn more_queues_than_the_kernel_allows_are_refused_and_leave_nothing_open() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.ports.get_mut("web1").unwrap().queues = 2;
        apply_document(netlink, &config).await;
        // drivers/net/tun.c, MAX_TAP_QUEUES.
        assert_eq!(tap::open("web1", 256, Options::default()).unwrap().len(), 256);
        queues_closed("web1");
        let error = tap::open("web1", 257, Options::default()).unwrap_err().to_string();
        assert_eq!(
            error,
            "`web1` cannot have 257 more queues: the kernel allows 256; give the port fewer `queues`"
        );
        queues_closed("web1");
    });
}

#[test]
fn a_tap_can_belong_to_a_group() {
    isolated(async |netlink| {
        let tap = NewTap::create("loose", false).unwrap();
        tap.set_group(12).unwrap();
        drop(tap);
        closed("loose", || !sh("ip -brief link").contains("loose"));
        let mut config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        config.ports.get_mut("web1").unwrap().owner_group = Some(12);
        let lines = super::document::lines(&apply_document(netlink, &config).await);
        let wanted = "~ tap web1: recreated for the owner's group: port web1, 1 queue, MAC fe:54:00:00:00:01";
        assert_eq!(lines[0], wanted);
        assert!(sh("ip -details tuntap show").contains("group 12"), "{}", sh("ip -details tuntap show"));
        assert!(plan_document(netlink, &config).await.unwrap().changes().next().is_none(), "it is as wanted");
        // Options of opening are nothing of the interface.
        config.ports.get_mut("web1").unwrap().tap = Header::None.into();
        assert!(plan_document(netlink, &config).await.unwrap().changes().next().is_none());
    });
}
