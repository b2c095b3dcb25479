//! What tshark finds in a capture's file.

use std::time::{SystemTime, UNIX_EPOCH};

use netctl_common::verdict::Direction::ToGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, eth, ethertype};
use netctl_tests::tap::{GSO_TCPV4, VnetHeader};

use crate::world::{DB1, WEB1, datagram, end, in_world, in_world_with};

const MSS: u16 = 1448;

fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn each_packet_says_what_was_decided_and_why() {
    in_world(|world| {
        let capture = world.capture("web1 --direction from-guest", "all");
        let began = wall_clock();
        world.send(&datagram(53, b"first"), Reason::Rule);
        world.send(&datagram(53, b"second"), Reason::Flow);
        world.send(&datagram(99, b"?"), Reason::Rule);
        world.send(&datagram(23, b"?"), Reason::Rule);
        world.send(&datagram(1, b"?"), Reason::Default);
        world.send(&datagram(7, b"?"), Reason::Audit);
        let said = end(capture);
        assert!(said.iter().any(|line| line.starts_with("netctl: 6 frames captured in ")), "{said:?}");
        let fields = [
            "frame.comment",
            "frame.interface_name",
            "frame.packet_flags_direction",
            "frame.verdict.ebpf_tc",
            "frame.time_epoch",
            "frame.len",
            "udp.dstport",
        ];
        let packets = world.read("all", &fields);
        let head = |verdict: &str| format!("verdict={verdict} direction=from-guest");
        let [pass, deny, reject] = ["allow reason=rule", "deny reason=rule", "reject reason=rule"].map(head);
        let comments = [
            format!(
                "{pass} generation=1 rule=1 line=13 name=\"all \\\"well\\\"\" \
                 text={{ allow = [\"tcp/80\", \"udp/53\"], from = \"web1\", to = \"db1\", name = \"all \\\"well\\\"\" }},"
            ),
            format!("{} generation=1 rule=1 ", head("allow reason=flow")),
            format!(
                "{deny} generation=1 rule=2 line=14 text={{ deny = \"udp/99\", from = \"web1\", to = \"db1\" }},"
            ),
            format!("{reject} generation=1 rule=3 line=15 name=\"no telnet\" text={{ reject"),
            format!("{} generation=1", head("deny reason=default")),
            format!("{} would=deny generation=1 rule=4 line=16 text={{ deny", head("allow reason=audit")),
        ];
        assert_eq!(packets.len(), comments.len(), "{packets:#?}");
        for (packet, comment) in packets.iter().zip(&comments) {
            // tshark quotes quotes.
            let found = packet[0].replace("\\\\", "\\");
            assert!(found.starts_with(comment), "{found}\n{comment}");
            assert_eq!((packet[1].as_str(), packet[2].trim_start_matches("0x0000000")), ("web1", "1"));
            let at: f64 = packet[4].parse().unwrap();
            assert!((began - 0.1..wall_clock()).contains(&at), "{at}, not since {began}");
        }
        let column = |at: usize| packets.iter().map(|packet| packet[at].as_str()).collect::<Vec<_>>();
        let ends: Vec<&str> = column(3).iter().map(|code| &code[code.len() - 1..]).collect();
        assert_eq!(ends, ["0", "0", "2", "2", "2", "0"]);
        assert_eq!(column(5), ["47", "48", "43", "43", "43", "43"]);
        assert_eq!(column(6), ["53", "53", "99", "23", "1", "7"]);
    });
}

#[test]
fn verdicts_directions_and_ports_are_chosen() {
    in_world(|world| {
        let denied = world.capture("web1 --verdict deny", "denied");
        let rejected = world.capture("web1 --verdict reject --direction from-guest", "rejected");
        let of_db1 = world.capture("db1 --verdict allow --direction to-guest", "db1");
        let all = world.capture("--all --verdict allow", "all");
        world.send(&datagram(53, b"yes"), Reason::Rule);
        world.send(&datagram(99, b"no"), Reason::Rule);
        world.send(&datagram(23, b"no"), Reason::Rule);
        [denied, rejected, of_db1, all].into_iter().for_each(|capture| drop(end(capture)));
        let packets = |file| world.read(file, &["frame.interface_name", "udp.dstport", "icmp.type"]);
        let [from_web1, to_db1] = ["web1", "db1"].map(|port| vec![port.to_owned(), "53".into(), "".into()]);
        assert_eq!(packets("denied"), [["web1", "99", ""]]);
        assert_eq!(packets("rejected"), [["web1", "23", ""]]);
        assert_eq!(packets("db1"), std::slice::from_ref(&to_db1));
        let all: Vec<_> = packets("all").into_iter().filter(|packet| packet[1] == "53").collect();
        assert_eq!(all, [from_web1, to_db1]);
    });
}

#[test]
fn frames_that_are_still_to_be_cut_are_captured_whole() {
    in_world(|world| {
        let capture = world.capture("--all", "whole");
        let cut = world.capture("web1 --snap 100", "cut");
        let payload: Vec<u8> = (0..61_440).map(|n| (n % 251) as u8).collect();
        let tcp = eth(WEB1, DB1).ipv4("10.0.0.11", "10.0.0.21").tcp(5000, 80).flags(ACK).payload(&payload);
        let frame = tcp.partial_checksum().frame();
        let header = VnetHeader {
            gso_type: GSO_TCPV4,
            gso_size: MSS,
            hdr_len: 54,
            ..VnetHeader::partial_checksum(34, 16)
        };
        // A guest may keep nearly all of a frame out of the linear part.
        world.web1.send_with(header, &frame).unwrap();
        world.web1.send_with(VnetHeader { hdr_len: 14, ..header }, &frame).unwrap();
        world.lab.wait_stats(("db1", ToGuest, Reason::Flow), 1).unwrap();
        drop((end(capture), end(cut)));
        let fields = ["frame.len", "frame.cap_len", "frame.interface_name", "tcp.payload", "frame.comment"];
        let packets: Vec<_> =
            world.read("whole", &fields).into_iter().filter(|packet| packet[4].contains("segment")).collect();
        let length = frame.len().to_string();
        let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(packets.len(), 4, "two frames at two ports");
        for packet in &packets {
            assert_eq!((&packet[0], &packet[1]), (&length, &length));
            assert!(packet[3] == hex, "other bytes at {}", packet[2]);
            assert!(packet[4].contains(" segment=1448 rule=1 "), "{}", packet[4]);
        }
        let cut = world.read("cut", &["frame.len", "frame.cap_len"]);
        assert_eq!(cut, vec![vec![length, "100".to_owned()]; 2]);
    });
}

#[test]
fn tags_are_where_the_frame_had_them() {
    in_world_with("vlan = 10\nvlans = [20]\n", |world| {
        let capture = world.capture("web1 --direction from-guest", "tags");
        let tagged = |shape: &dyn Fn(netctl_tests::frame::Eth) -> netctl_tests::frame::Eth| {
            shape(eth(WEB1, DB1)).ipv4("10.0.0.11", "10.0.0.21").udp(5000, 53).payload(b"tag").frame()
        };
        let frames = [
            (tagged(&|eth| eth), Reason::Rule),
            (tagged(&|eth| eth.vlan(0xe014)), Reason::Flow),
            (tagged(&|eth| eth.vlan(30)), Reason::VlanTag),
            (tagged(&|eth| eth.tag(ethertype::SERVICE_VLAN, 20)), Reason::VlanTag),
            (tagged(&|eth| eth.vlan(20).vlan(21)), Reason::VlanTag),
        ];
        for (frame, reason) in &frames {
            world.send(frame, *reason);
        }
        end(capture);
        let packets = world.read("tags", &["frame.len", "vlan.id", "vlan.priority", "frame.comment"]);
        assert_eq!(packets.len(), frames.len(), "{packets:#?}");
        let lengths: Vec<String> = frames.iter().map(|(frame, _)| frame.len().to_string()).collect();
        let column = |at: usize| packets.iter().map(|packet| packet[at].clone()).collect::<Vec<_>>();
        assert_eq!(column(0), lengths);
        assert_eq!(column(1), ["", "20", "30", "", "20,21"]);
        assert_eq!(column(2), ["", "7", "0", "", "0,0"]);
        for (comment, vlan) in column(3).iter().zip(["10", "20", "30", "20", "20"]) {
            assert!(comment.contains(&format!(" vlan={vlan}")), "{comment}");
        }
        let bytes = std::fs::read(crate::world::path("tags")).unwrap();
        for (frame, _) in &frames {
            assert!(bytes.windows(frame.len()).any(|window| window == frame), "{frame:x?}");
        }
    });
}
