//! VLANs on real ports of every kind. A tap's programs have the tag beside the frame, a macvtap's in band; the switch
//! shows what is on the wire.

use netctl_common::verdict::Direction::{self, FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, BROADCAST, Build, Carrier, Eth, eth, ethertype};
use netctl_tests::tap::{GSO_TCPV4, Options, Tap, VnetHeader};

use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, Station, VEPA, WEB1, WORLD};
use super::{A_WHILE, SOON};

const ALL: [&Kind; 4] = [&BRIDGE, &MACVLAN, &PASSTHROUGH, &VEPA];
const RULES: &[&str] = &[r#"{ allow = "any", from = "any", to = "any" }"#];
const OFFLOADS: Options = Options { header_len: 12, offloads: true };
const MSS: u16 = 1448;

fn on_all(keys: [&str; 2], test: impl Fn(&Host<'_>, &[Tap; 2]) + Sync) {
    for kind in ALL {
        println!("{}", kind.name);
        kind::with_keys(kind, keys, RULES, |host| {
            let taps = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
            test(host, &taps);
        });
    }
}

fn udp(link: Eth, from: &Station, to: &Station) -> Vec<u8> {
    link.ipv4(from.v4, to.v4).udp(5000, 1000).payload(b"in its VLAN").frame()
}

/// A datagram from one to the other, whose outside `shape` changes.
fn datagram(from: &Station, to: &Station, shape: impl Fn(Eth) -> Eth) -> Vec<u8> {
    udp(shape(eth(from.mac, to.mac)), from, to)
}

#[track_caller]
fn arrives(tap: &Tap, wanted: &[u8]) {
    let found = tap.recv_matching(SOON, |frame| frame == wanted).unwrap();
    assert!(found.is_some(), "{wanted:x?} did not arrive");
}

/// Sends, and waits until a port has denied it as of another VLAN.
#[track_caller]
fn denied(host: &Host<'_>, from: &Tap, frame: &[u8], (port, direction): (&str, Direction)) {
    let counted = (port, direction, Reason::VlanTag);
    let before = host.lab.stats(counted.0, counted.1, counted.2).unwrap();
    from.send(frame).unwrap();
    host.lab.wait_stats(counted, before + 1).unwrap();
}

#[test]
fn ports_of_one_vlan_reach_each_other_and_the_wire_has_its_tag() {
    on_all(["vlan = 10", "vlan = 10"], |host, [web1, db1]| {
        web1.send(&datagram(&WEB1, &DB1, |eth| eth)).unwrap();
        arrives(db1, &datagram(&WEB1, &DB1, |eth| eth));
        let asks =
            |shape: &dyn Fn(Eth) -> Eth| shape(eth(WEB1.mac, BROADCAST)).arp_request(WEB1.v4, DB1.v4).frame();
        web1.send(&asks(&|eth| eth)).unwrap();
        arrives(db1, &asks(&|eth| eth));
        arrives(&host.world, &asks(&|eth| eth.vlan(10)));

        let explained = host.sandbox.netctl(["explain", "web1", "db1", "udp/1000"]).expect_code(0);
        assert!(explained.stdout.contains("udp/1000  vlan 10\n"), "{explained}");
        host.world.send(&datagram(&WORLD, &WEB1, |eth| eth.vlan(10))).unwrap();
        arrives(web1, &datagram(&WORLD, &WEB1, |eth| eth));
        web1.send(&datagram(&WEB1, &WORLD, |eth| eth.vlan(0xe000))).unwrap();
        arrives(&host.world, &datagram(&WEB1, &WORLD, |eth| eth.vlan(0xe00a)));
        web1.send(&datagram(&WEB1, &DB1, |eth| eth.vlan(0xe000))).unwrap();
        arrives(db1, &datagram(&WEB1, &DB1, |eth| eth));
    });
}

#[test]
fn what_is_not_the_ports_vlan_is_denied_wherever_its_tag_lies() {
    let shapes: [&(dyn Fn(Eth) -> Eth + Sync); 6] = [
        &|eth| eth.vlan(11),
        &|eth| eth.vlan(10).vlan(10),
        &|eth| eth.vlan(0).vlan(10),
        &|eth| eth.tag(ethertype::SERVICE_VLAN, 10),
        &|eth| eth.tag(ethertype::SERVICE_VLAN, 10).vlan(10),
        &|eth| eth.tag(ethertype::SERVICE_VLAN, 0),
    ];
    on_all(["vlan = 10", "vlan = 10"], |host, [web1, db1]| {
        for shape in shapes {
            denied(host, web1, &datagram(&WEB1, &DB1, shape), ("web1", FromGuest));
            denied(host, &host.world, &datagram(&WORLD, &WEB1, shape), ("web1", ToGuest));
        }
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(10)), ("web1", FromGuest));
        denied(host, &host.world, &datagram(&WORLD, &WEB1, |eth| eth), ("web1", ToGuest));
        for tap in [web1, db1] {
            assert_eq!(tap.recv_matching(A_WHILE, |frame| frame.ends_with(b"in its VLAN")).unwrap(), None);
        }
    });
}

#[test]
fn ports_of_two_vlans_do_not_reach_each_other() {
    on_all(["vlan = 10", "vlan = 20"], |host, [web1, db1]| {
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth), ("db1", ToGuest));
        let asks = eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
        denied(host, web1, &asks, ("db1", ToGuest));
        denied(host, db1, &datagram(&DB1, &WEB1, |eth| eth), ("web1", ToGuest));
        let events = host.sandbox.netctl(["events", "--reason", "vlan-tag", "--port", "db1"]).expect_code(0);
        assert!(events.stdout.contains("udp/1000  vlan 10  vlan-tag"), "{events}");
        let explained = host.sandbox.netctl(["explain", "web1", "db1", "udp/1000"]).expect_code(1);
        assert!(explained.stdout.contains("db1 to-guest: deny, vlan-tag"), "{explained}");
        for tap in [web1, db1] {
            let heard = |frame: &[u8]| frame == asks || frame.ends_with(b"in its VLAN");
            assert_eq!(tap.recv_matching(A_WHILE, heard).unwrap(), None);
        }
    });
}

#[test]
fn a_trunk_sends_and_gets_the_tags_of_its_list() {
    on_all(["vlans = [20, \"30-31\"]", "vlan = 20"], |host, [web1, db1]| {
        web1.send(&datagram(&WEB1, &DB1, |eth| eth.vlan(20))).unwrap();
        arrives(db1, &datagram(&WEB1, &DB1, |eth| eth));
        db1.send(&datagram(&DB1, &WEB1, |eth| eth)).unwrap();
        arrives(web1, &datagram(&DB1, &WEB1, |eth| eth.vlan(20)));
        let asks =
            |shape: &dyn Fn(Eth) -> Eth| shape(eth(WEB1.mac, BROADCAST)).arp_request(WEB1.v4, DB1.v4).frame();
        web1.send(&asks(&|eth| eth.vlan(20))).unwrap();
        arrives(db1, &asks(&|eth| eth));
        arrives(&host.world, &asks(&|eth| eth.vlan(20)));

        web1.send(&datagram(&WEB1, &WORLD, |eth| eth.vlan(0x601f))).unwrap();
        arrives(&host.world, &datagram(&WEB1, &WORLD, |eth| eth.vlan(0x601f)));
        host.world.send(&datagram(&WORLD, &WEB1, |eth| eth.vlan(0xa01e))).unwrap();
        arrives(web1, &datagram(&WORLD, &WEB1, |eth| eth.vlan(0xa01e)));

        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth), ("web1", FromGuest));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(0)), ("web1", FromGuest));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(21)), ("web1", FromGuest));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(20).vlan(30)), ("web1", FromGuest));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(30)), ("db1", ToGuest));
        denied(host, &host.world, &datagram(&WORLD, &WEB1, |eth| eth), ("web1", ToGuest));
        denied(host, &host.world, &datagram(&WORLD, &WEB1, |eth| eth.vlan(32)), ("web1", ToGuest));
    });
}

#[test]
fn a_trunk_can_have_untagged_frames_too() {
    on_all(["vlan = 0\nvlans = [20]", "vlan = 20"], |host, [web1, db1]| {
        web1.send(&datagram(&WEB1, &WORLD, |eth| eth)).unwrap();
        arrives(&host.world, &datagram(&WEB1, &WORLD, |eth| eth));
        host.world.send(&datagram(&WORLD, &WEB1, |eth| eth)).unwrap();
        arrives(web1, &datagram(&WORLD, &WEB1, |eth| eth));
        web1.send(&datagram(&WEB1, &DB1, |eth| eth.vlan(20))).unwrap();
        arrives(db1, &datagram(&WEB1, &DB1, |eth| eth));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth), ("db1", ToGuest));
    });
}

#[test]
fn without_vlans_a_priority_tag_is_none_and_others_are_denied() {
    on_all(["", ""], |host, [web1, db1]| {
        web1.send(&datagram(&WEB1, &DB1, |eth| eth.vlan(0xe000))).unwrap();
        arrives(db1, &datagram(&WEB1, &DB1, |eth| eth));
        host.world.send(&datagram(&WORLD, &WEB1, |eth| eth.vlan(0x2000))).unwrap();
        arrives(web1, &datagram(&WORLD, &WEB1, |eth| eth));
        denied(host, web1, &datagram(&WEB1, &DB1, |eth| eth.vlan(5)), ("web1", FromGuest));
        denied(host, &host.world, &datagram(&WORLD, &WEB1, |eth| eth.vlan(5)), ("web1", ToGuest));
    });
}

/// A TCP segment of `len` bytes, as a guest with offloads hands it over. Without a flow: what a rule allows is taken up.
fn large(to: &Station, tag: Option<u16>, len: usize) -> (VnetHeader, Vec<u8>) {
    let link = eth(WEB1.mac, to.mac);
    let (link, start) = match tag {
        Some(vlan) => (link.vlan(vlan), 38),
        None => (link, 34),
    };
    let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
    let header = VnetHeader {
        gso_type: GSO_TCPV4,
        gso_size: MSS,
        hdr_len: start + 20,
        ..VnetHeader::partial_checksum(start, 16)
    };
    let tcp = link.ipv4(WEB1.v4, to.v4).tcp(5000, 80).flags(ACK);
    (header, tcp.payload(&payload).partial_checksum().frame())
}

#[test]
fn a_segment_of_many_stays_whole_between_ports() {
    for (keys, sent, got) in [
        (["vlan = 10", "vlan = 10"], None, None),
        (["vlans = [10]", "vlan = 10"], Some(10), None),
        (["vlan = 10", "vlans = [10]"], None, Some(10)),
        (["vlans = [10]", "vlans = [10]"], Some(10), Some(10)),
    ] {
        for kind in [&BRIDGE, &MACVLAN] {
            kind::with_keys(kind, keys, RULES, |host| {
                let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap_with(name, OFFLOADS).unwrap());
                let (header, segment) = large(&DB1, sent, 60_000);
                web1.send_with(header, &segment).unwrap();
                let (found, frame) = db1.recv_with(SOON).unwrap().unwrap();
                let (wanted, whole) = large(&DB1, got, 60_000);
                assert_eq!(frame.len(), whole.len(), "{} {keys:?}: segmented on the way", kind.name);
                assert!(frame == whole, "{} {keys:?}: other bytes", kind.name);
                assert_eq!(
                    (found.gso_type, found.gso_size),
                    (wanted.gso_type, MSS),
                    "{} {keys:?}",
                    kind.name
                );
                assert_eq!(found.csum_start, wanted.csum_start, "{} {keys:?}", kind.name);
            });
        }
    }
}

#[test]
fn a_segment_of_many_goes_out_of_the_uplink_with_tags_on_all() {
    for (keys, sent) in [("vlan = 10", None), ("vlans = [10]", Some(10))] {
        for kind in ALL {
            kind::with_keys(kind, [keys, keys], RULES, |host| {
                let web1 = host.lab.tap_with("web1", OFFLOADS).unwrap();
                let (header, segment) = large(&WORLD, sent, 20_000);
                web1.send_with(header, &segment).unwrap();
                let head = [&WORLD.mac[..], &WEB1.mac, &[0x81, 0, 0, 10, 8, 0]].concat();
                let mut payload = Vec::new();
                while payload.len() < 20_000 {
                    let part = host.world.recv_matching(SOON, |frame| frame.starts_with(&WORLD.mac)).unwrap();
                    let part = part.unwrap_or_else(|| panic!("{}: {} bytes came", kind.name, payload.len()));
                    assert_eq!(part[..18], head, "{}", kind.name);
                    let end = 18 + usize::from(u16::from_be_bytes([part[20], part[21]]));
                    payload.extend(&part[58..end]);
                }
                assert!(segment.ends_with(&payload), "{}: other bytes", kind.name);
            });
        }
    }
}
