//! Queues of taps, on the tun driver itself.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use netctl::config::Vhost;
use netctl::fd::tap::{self, Header, NewTap};
use netctl::fd::{FdError, hand_over, vhost};
use netctl::network::queues_in_use;

use super::document::{apply_document, guest_mac, lab_with_ports};
use super::host::{closed, link, names, queues_closed, sh};
use super::namespace::isolated;

fn close_on_exec(fd: &OwnedFd) -> bool {
    let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
    u32::from_str_radix(&flags, 8).unwrap() & 0o2_000_000 != 0
}

#[test]
fn a_multi_queue_tap_opens_as_many_queues_as_asked_for() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.ports.get_mut("web1").unwrap().queues = 4;
        apply_document(netlink, &config).await;
        let queues = tap::open("web1", 4, Header::Virtio).unwrap();
        assert_eq!(queues.len(), 4);
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 4);
        for queue in &queues {
            let info = tap::info(queue.as_fd()).unwrap();
            // IFF_TAP, IFF_MULTI_QUEUE, IFF_PERSIST, IFF_NO_PI, IFF_VNET_HDR
            assert_eq!((info.interface.as_str(), info.flags), ("web1", 0x5902));
        }
        drop(queues);
        queues_closed("web1");
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 0);
    });
}

#[test]
fn a_single_queue_is_open_once() {
    isolated(async |netlink| {
        apply_document(netlink, &lab_with_ports(1)).await;
        let first = tap::open("web1", 1, Header::Virtio).unwrap();
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 1);
        let error = tap::open("web1", 1, Header::Virtio).unwrap_err();
        assert_eq!(error.to_string(), "`web1` is in use by another process; stop the guest that holds it");
        drop(first);
        queues_closed("web1");
        tap::open("web1", 1, Header::Virtio).unwrap();
    });
}

#[test]
fn the_number_of_queues_has_to_fit_the_tap() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(2);
        config.ports.get_mut("web2").unwrap().queues = 2;
        apply_document(netlink, &config).await;
        let message = |name, queues| tap::open(name, queues, Header::Virtio).unwrap_err().to_string();
        assert!(message("web1", 2).contains("was made for one; run `netctl apply`"));
        assert!(message("web2", 1).contains("was made for several; run `netctl apply`"));
        assert!(message("br-lab", 1).contains("it is not a tap"));
    });
}

#[test]
fn opening_a_port_that_is_gone_makes_no_interface() {
    isolated(async |_| {
        let error = tap::open("web1", 1, Header::Virtio).unwrap_err();
        assert_eq!(error.to_string(), "no interface `web1`; `netctl apply` makes the ports of a document");
        assert_eq!(names(), [""; 0]);
    });
}

#[test]
fn a_tap_that_is_not_finished_goes_with_its_maker() {
    isolated(async |_| {
        let tap = NewTap::create("web1", false).unwrap();
        tap.set_owner(1000).unwrap();
        assert_eq!(names(), ["web1"]);
        assert!(matches!(NewTap::create("web1", false), Err(FdError::Exists { .. })));
        drop(tap);
        closed("web1", || names().is_empty());
        NewTap::create("web1", false).unwrap().persist().unwrap();
        assert_eq!(names(), ["web1"]);
    });
}

#[test]
fn names_that_no_interface_can_have_are_refused() {
    isolated(async |_| {
        for name in ["", "a/b", "a b", "sixteen-bytes-xx", "nul\0", ".."] {
            assert!(matches!(NewTap::create(name, false), Err(FdError::BadName { .. })), "{name:?}");
        }
    });
}

#[test]
fn queues_that_a_vmm_left_detached_are_attached_again() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.ports.get_mut("web1").unwrap().queues = 3;
        apply_document(netlink, &config).await;
        let queues = tap::open("web1", 3, Header::Virtio).unwrap();
        let facts = || link("web1")["linkinfo"]["info_data"].clone();
        tap::detach(queues[1].as_fd()).unwrap();
        tap::detach(queues[2].as_fd()).unwrap();
        assert_eq!((&facts()["numqueues"], &facts()["numdisabled"]), (&1.into(), &2.into()));
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 3);
        tap::reattach(queues.iter().map(AsFd::as_fd)).unwrap();
        assert_eq!((&facts()["numqueues"], &facts()["numdisabled"]), (&3.into(), &0.into()));

        sh("ip link del web1");
        tap::reattach(queues.iter().map(AsFd::as_fd)).unwrap_err();
    });
}

#[test]
fn a_queue_is_as_new_whatever_the_last_vmm_did() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        config.networks.get_mut("lab").unwrap().addresses = vec!["10.0.0.1/24".parse().unwrap()];
        apply_document(netlink, &config).await;
        sh("ip neigh add 10.0.0.9 lladdr 52:54:00:00:00:01 dev br-lab");
        let queue = tap::open("web1", 1, Header::Virtio).unwrap();
        // TUN_F_CSUM
        tap::set_offloads(queue[0].as_fd(), 1).unwrap();
        tap::set_header_len(queue[0].as_fd(), 12).unwrap();
        assert_eq!(datagram_from_host(&queue[0])[..1], [1], "VIRTIO_NET_HDR_F_NEEDS_CSUM");
        drop(queue);
        queues_closed("web1");
        let queue = tap::open("web1", 1, Header::Virtio).unwrap();
        let frame = datagram_from_host(&queue[0]);
        assert_eq!(frame[..10], [0; 10]);
        assert_eq!(frame[10..16], guest_mac(1).0, "right behind 10 bytes of header");
    });
}

/// What the guest gets when the host sends it a UDP datagram: the virtio header and the frame.
fn datagram_from_host(queue: &OwnedFd) -> Vec<u8> {
    sh("until grep -q 3 /sys/class/net/web1/brport/state; do sleep 0.01; done");
    let host = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
    host.send_to(b"hello", "10.0.0.9:9").unwrap();
    let mut frame = vec![0; 2048];
    let length = nix::unistd::read(queue, &mut frame).unwrap();
    frame.truncate(length);
    frame
}

#[test]
fn descriptors_close_on_exec_until_they_are_handed_over() {
    isolated(async |netlink| {
        apply_document(netlink, &lab_with_ports(1)).await;
        let queues = tap::open("web1", 1, Header::Virtio).unwrap();
        assert!(close_on_exec(&queues[0]));
        // Not the queue: children of other tests would get it.
        let other = std::fs::File::open("/dev/null").unwrap().into();
        assert!(close_on_exec(&other));
        hand_over(other.as_fd()).unwrap();
        assert!(!close_on_exec(&other));
    });
}

#[test]
fn the_tun_driver_knows_the_flags_that_are_used() {
    isolated(async |_| {
        // IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR
        assert_eq!(tap::features().unwrap() & 0x5102, 0x5102);
    });
}

/// Where the device exists, this opens it; where it does not, the port falls back and says why.
#[test]
fn vhost_is_used_if_it_can_be_opened_and_its_absence_has_a_reason() {
    isolated(async |_| {
        assert_eq!(vhost::open(Vhost::Off, 2).unwrap().absence().unwrap(), "the port says `vhost = \"off\"`");
        let auto = vhost::open(Vhost::Auto, 2).unwrap();
        if std::path::Path::new(vhost::DEVICE).exists() {
            assert_eq!((auto.fds().len(), auto.absence()), (2, None));
            assert!(auto.fds().iter().all(close_on_exec));
            assert_eq!(vhost::open(Vhost::On, 2).unwrap().fds().len(), 2);
        } else {
            assert_eq!(
                auto.absence().unwrap(),
                "cannot open /dev/vhost-net: No such file or directory (os error 2)"
            );
            let error = vhost::open(Vhost::On, 1).unwrap_err().to_string();
            assert!(error.contains("load it with `modprobe vhost_net`"), "{error}");
        }
    });
}
