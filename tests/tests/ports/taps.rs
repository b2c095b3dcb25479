//! Taps as bridge ports.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use netctl::fd::tap::{self, Header};

use super::document::{apply_document, guest_mac, lab_with_ports, lines, network, plan_document, port};
use super::host::{assert_same, fdb, is_up, link, sh, snapshot};
use super::namespace::isolated;

#[test]
fn a_tap_is_made_as_the_document_says() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        let web1 = config.ports.get_mut("web1").unwrap();
        (web1.queues, web1.owner, web1.mtu) = (4, Some(1234), Some(1400));
        apply_document(netlink, &config).await;

        let tap = link("web1");
        assert!(is_up(&tap));
        assert_eq!((&tap["mtu"], &tap["ifalias"]), (&1400.into(), &"netctl:port:web1@lab".into()));
        // Not the guest's address, or the bridge would keep the guest's frames.
        assert_eq!(tap["address"], "fe:54:00:00:00:01");
        assert_eq!(
            (&tap["master"], &tap["linkinfo"]["info_slave_kind"]),
            (&"br-lab".into(), &"bridge".into())
        );
        let options = &tap["linkinfo"]["info_slave_data"];
        assert_eq!([&options["learning"], &options["flood"], &options["mcast_flood"]], [false, false, true]);
        let facts = &tap["linkinfo"]["info_data"];
        assert_eq!([&facts["multi_queue"], &facts["persist"], &facts["vnet_hdr"]], [true, true, true]);
        assert_eq!(sh("cat /sys/class/net/web1/owner").trim(), "1234");
        assert!(fdb().contains(&"web1 52:54:00:00:00:01 static".to_owned()));
    });
}

#[test]
fn applying_a_document_twice_changes_nothing() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(3);
        config.ports.get_mut("web2").unwrap().queues = 2;
        let first = apply_document(netlink, &config).await;
        assert_eq!(
            lines(&first)[..3],
            [
                "+ bridge br-lab: network lab, MAC 02:00:00:00:ff:01",
                "+ tap web1: port web1, 1 queue, MAC fe:54:00:00:00:01",
                "+ tap web2: port web2, 2 queues, MAC fe:54:00:00:00:02"
            ]
        );
        assert_eq!(lines(&first)[5], "~ tap web1: on bridge br-lab with guest MAC 52:54:00:00:00:01, up");
        let before = snapshot();
        assert_eq!(lines(&apply_document(netlink, &config).await), [""; 0]);
        assert_same(&before, "at the end");
    });
}

#[test]
fn the_taps_own_address_is_no_guests() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(3);
        config.ports.get_mut("web2").unwrap().mac.0 = [0xfe, 0x54, 0, 0, 0, 1];
        config.ports.get_mut("web3").unwrap().mac.0 = [0xfa, 0x54, 0, 0, 0, 1];
        apply_document(netlink, &config).await;
        let own = ["web1", "web2", "web3"].map(|name| link(name)["address"].clone());
        assert_eq!(own, ["f6:54:00:00:00:01", "f2:54:00:00:00:01", "ee:54:00:00:00:01"]);
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn a_port_that_changes_its_network_moves() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(2);
        config.networks.insert("dmz".to_owned(), network("br-dmz", 2));
        apply_document(netlink, &config).await;
        config.ports.get_mut("web1").unwrap().network = "dmz".to_owned();
        assert_eq!(
            lines(&apply_document(netlink, &config).await),
            [
                "~ tap web1: port web1, on bridge br-dmz, no learning, no unknown unicast, guest MAC 52:54:00:00:00:01, up"
            ]
        );
        assert_eq!(link("web1")["master"], "br-dmz");
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn a_port_that_changes_its_mac_loses_the_old_entry() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        config.ports.get_mut("web1").unwrap().mac = guest_mac(9);
        assert_eq!(
            lines(&apply_document(netlink, &config).await),
            [
                "~ tap web1: MAC fe:54:00:00:00:09, guest MAC 52:54:00:00:00:09, without guest MAC 52:54:00:00:00:01"
            ]
        );
        let bound: Vec<_> = fdb().into_iter().filter(|line| line.ends_with("static")).collect();
        assert_eq!(bound, ["web1 52:54:00:00:00:09 static"]);
    });
}

#[test]
fn other_queues_or_another_owner_make_the_tap_anew_and_say_so() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        let _guest = tap::open("web1", 1, Header::Virtio).unwrap();
        config.ports.get_mut("web1").unwrap().queues = 2;
        assert_eq!(
            lines(&apply_document(netlink, &config).await)[0],
            "~ tap web1: recreated for the number of queues: port web1, 2 queues, MAC fe:54:00:00:00:01; \
             the guest that uses it loses its NIC"
        );
        config.ports.get_mut("web1").unwrap().owner = Some(7);
        config.ports.insert("web2".to_owned(), port(2));
        assert_eq!(
            lines(&apply_document(netlink, &config).await)[..2],
            [
                // First what can be undone.
                "+ tap web2: port web2, 1 queue, MAC fe:54:00:00:00:02",
                "~ tap web1: recreated for the owner: port web1, 2 queues, MAC fe:54:00:00:00:01"
            ]
        );
        // A multi-queue tap takes any number of queues.
        config.ports.get_mut("web1").unwrap().queues = 5;
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn a_tap_without_an_owner_is_roots_also_one_that_was_everyones() {
    isolated(async |netlink| {
        let config = lab_with_ports(1);
        // As an older netctl made it, which told the kernel no owner: then it asks nobody for permission.
        sh("ip tuntap add web1 mode tap vnet_hdr");
        sh("ip link set web1 alias netctl:port:web1");
        let guest = tap::open("web1", 1, Header::Virtio).unwrap();
        apply_document(netlink, &config).await;
        assert_eq!(sh("cat /sys/class/net/web1/owner").trim(), "-1", "a guest keeps its NIC");
        drop(guest);
        let again = lines(&apply_document(netlink, &config).await);
        assert!(again[0].starts_with("~ tap web1: recreated for the owner: "), "{again:?}");
        assert_eq!(sh("cat /sys/class/net/web1/owner").trim(), "0");
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn a_port_that_changes_its_name_keeps_its_tap() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        let index = link("web1")["ifindex"].clone();
        let web1 = config.ports.remove("web1").unwrap();
        config.ports.insert("www".to_owned(), web1);
        assert_eq!(lines(&apply_document(netlink, &config).await), ["~ tap web1: port www"]);
        assert_eq!(
            (&link("web1")["ifalias"], &link("web1")["ifindex"]),
            (&"netctl:port:www@lab".into(), &index)
        );
    });
}

#[test]
fn what_someone_changed_on_our_tap_is_put_right() {
    isolated(async |netlink| {
        let config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        let before = snapshot();
        sh(
            "ip link set web1 down; ip link set web1 address 02:00:00:00:00:77; bridge link set dev web1 learning on",
        );
        sh("bridge fdb del 52:54:00:00:00:01 dev web1 master; sysctl -qw net.ipv6.conf.web1.disable_ipv6=0");
        assert_eq!(
            lines(&apply_document(netlink, &config).await),
            ["~ tap web1: MAC fe:54:00:00:00:01, IPv6 off, no learning, no unknown unicast, \
              guest MAC 52:54:00:00:00:01, up"]
        );
        assert_same(&before, "at the end");
    });
}

#[test]
fn a_name_that_goes_from_a_port_to_a_network_is_made_anew() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(1);
        apply_document(netlink, &config).await;
        config.ports.clear();
        config.networks.insert("dmz".to_owned(), network("web1", 2));
        config.ports.insert("new".to_owned(), port(8));
        apply_document(netlink, &config).await;
        assert_eq!(link("web1")["linkinfo"]["info_kind"], "bridge");
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
    });
}

#[test]
fn frames_reach_the_guest_that_owns_the_address_and_no_other() {
    isolated(async |netlink| {
        apply_document(netlink, &lab_with_ports(3)).await;
        let mut guests = [1, 2, 3].map(open);
        // The kernel enables a bridge port a moment after its tap has carrier.
        sh("for i in 1 2 3; do until grep -q 3 /sys/class/net/web$i/brport/state; do sleep 0.01; done; done");
        send(&mut guests[0], guest_mac(2).0, b"to the second");
        send(&mut guests[0], [0x52, 0x54, 0, 0, 0, 0x77], b"to nobody");
        send(&mut guests[0], [0xff; 6], b"to all");
        let texts = guests.map(|mut guest| receive(&mut guest));
        assert_eq!(
            texts,
            [vec![], vec!["to the second".to_owned(), "to all".to_owned()], vec!["to all".to_owned()]]
        );
    });
}

/// With forwarding on, the host joins all-routers groups on every interface and reports it by MLD.
#[test]
fn the_host_itself_sends_nothing_to_the_guests_of_a_network_without_addresses() {
    isolated(async |netlink| {
        sh("sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1");
        apply_document(netlink, &lab_with_ports(1)).await;
        let mut guest = open(1);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(read_frames(&mut guest), Vec::<Vec<u8>>::new());
    });
}

fn open(number: u8) -> File {
    let mut queues = tap::open(&format!("web{number}"), 1, Header::None).unwrap();
    let queue: OwnedFd = queues.remove(0);
    let raw = nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(&queue, nix::fcntl::FcntlArg::F_SETFL(raw)).unwrap();
    assert!(queue.as_raw_fd() > 2);
    queue.into()
}

/// An Ethernet frame of the first guest, of the experimental ethertype 0x88b5.
fn send(from: &mut File, to: [u8; 6], text: &[u8]) {
    let mut frame = [&to[..], &guest_mac(1).0, &[0x88, 0xb5], text].concat();
    frame.resize(60, 0);
    from.write_all(&frame).unwrap();
}

fn receive(guest: &mut File) -> Vec<String> {
    let text = |frame: &Vec<u8>| String::from_utf8(frame[14..].to_vec()).unwrap();
    read_frames(guest).iter().map(text).map(|text| text.trim_end_matches('\0').to_owned()).collect()
}

fn read_frames(guest: &mut File) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok(length) = guest.read(&mut buffer) {
        frames.push(buffer[..length].to_vec());
    }
    frames
}
