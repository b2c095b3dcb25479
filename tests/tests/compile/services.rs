//! What each service takes, and how source ports narrow it.

use netctl::compile::reference::Wanted;
use netctl::config::{IcmpMatch, Rule, Service};

use crate::lab::{Case, check, compiled, ip, lab, rule, tcp, udp};

/// The services take the ones and not the others, in each family of chains.
#[track_caller]
fn takes(services: &[Service], inside: &[Wanted], outside: &[Wanted]) {
    for (from, to) in [("any", "any"), ("any", "db1"), ("web1", "any"), ("web1", "db1")] {
        let config = lab(vec![rule(from, to, services)]);
        let cases = |wanted: &[Wanted], expected: Option<u32>| {
            wanted
                .iter()
                .map(|wanted| ("10.0.0.11", "10.0.0.21", *wanted, expected))
                .collect::<Vec<Case<'_>>>()
        };
        check(&config, &cases(inside, Some(0)));
        check(&config, &cases(outside, None));
    }
}

#[test]
fn port_ranges_end_where_they_say() {
    let outside =
        [ip(6, 79), ip(6, 82), ip(17, 80), ip(132, 80), ip(1, 80), ip(47, 0), Wanted::Ethertype(80)];
    takes(&[tcp(80, 81)], &[ip(6, 80), ip(6, 81)], &outside);
    takes(&[udp(0, 0)], &[ip(17, 0)], &[ip(17, 1), ip(6, 65535), ip(6, 0)]);
    takes(&[udp(65535, 65535)], &[ip(17, 65535)], &[ip(17, 65534), ip(132, 0)]);
    let sctp = Service::Sctp(netctl::config::PortRange::ALL);
    takes(&[sctp], &[ip(132, 0), ip(132, 65535)], &[ip(17, 65535), ip(1, 0)]);
}

#[test]
fn icmp_is_matched_by_type_and_code() {
    let outside = [ip(1, 0x0700), ip(1, 0x07ff), ip(1, 0x0900), ip(58, 0x0800), ip(6, 0x0800)];
    takes(&[Service::Icmp(IcmpMatch::Type(8))], &[ip(1, 0x0800), ip(1, 0x08ff)], &outside);
    takes(
        &[Service::Icmp(IcmpMatch::Code(3, 4))],
        &[ip(1, 0x0304)],
        &[ip(1, 0x0303), ip(1, 0x0305), ip(58, 0x0304)],
    );
    takes(&[Service::Icmp6(IcmpMatch::All)], &[ip(58, 0), ip(58, 0xffff)], &[ip(1, 0), Wanted::Ethertype(0)]);
}

#[test]
fn a_protocol_number_is_all_of_the_protocol() {
    takes(&[Service::Protocol(6)], &[ip(6, 0), ip(6, 65535)], &[ip(17, 0), ip(47, 0)]);
    takes(&[Service::Protocol(58)], &[ip(58, 0x8000)], &[ip(1, 0x8000)]);
    takes(&[Service::Protocol(47)], &[ip(47, 0)], &[ip(46, 0), ip(48, 0), Wanted::Ethertype(47)]);
    takes(&[Service::Protocol(255)], &[ip(255, 0)], &[ip(254, 0), ip(0, 0)]);
}

#[test]
fn any_is_every_ip_packet_and_no_other_frame() {
    takes(
        &[Service::Any],
        &[ip(6, 1), ip(1, 0), ip(58, 7), ip(200, 0)],
        &[Wanted::Ethertype(0x88cc), Wanted::Ethertype(0)],
    );
}

#[test]
fn ethertypes_are_frames_without_ip() {
    takes(
        &[Service::Ethertype(0x88cc)],
        &[Wanted::Ethertype(0x88cc)],
        &[Wanted::Ethertype(0x88cb), ip(6, 0x88cc), ip(200, 0)],
    );
    takes(
        &[Service::Any, Service::Ethertype(0x88cc)],
        &[Wanted::Ethertype(0x88cc), ip(6, 1)],
        &[Wanted::Ethertype(0x88cd)],
    );
}

#[test]
fn an_earlier_rule_for_any_service_leaves_ethertypes_to_later_ones() {
    // The second rule takes TCP 80 and an ethertype: to the first rule they are not alike.
    let both = [tcp(80, 80), Service::Ethertype(0x88cc)];
    for (from, to) in [("any", "any"), ("any", "db1"), ("web1", "any"), ("web1", "db1")] {
        let config = lab(vec![rule(from, to, &[Service::Any]), rule(from, to, &both)]);
        check(
            &config,
            &[
                ("10.0.0.11", "10.0.0.21", ip(6, 80), Some(0)),
                ("10.0.0.11", "10.0.0.21", Wanted::Ethertype(0x88cc), Some(1)),
                ("10.0.0.11", "10.0.0.21", Wanted::Ethertype(0x88cd), None),
            ],
        );
    }
}

fn from_ports(source_ports: std::ops::RangeInclusive<u16>, services: &[Service]) -> Rule {
    Rule { source_ports: vec![source_ports], ..rule("any", "any", services) }
}

fn tcp_from(source_port: u16, number: u16) -> Wanted {
    Wanted::Ip { protocol: 6, number, source_port }
}

#[test]
fn source_ports_must_match_too() {
    let rules = vec![from_ports(1000..=2000, &[tcp(80, 90)]), rule("any", "any", &[tcp(85, 95)])];
    let case = |source, port, expected| ("10.0.0.11", "10.0.0.21", tcp_from(source, port), expected);
    check(
        &lab(rules),
        &[
            case(1000, 80, Some(0)),
            case(2000, 90, Some(0)),
            case(999, 80, None),
            case(2001, 84, None),
            case(999, 85, Some(1)),
            case(1000, 85, Some(0)),
            case(1500, 91, Some(1)),
        ],
    );
}

#[test]
fn source_ports_are_only_of_tcp_udp_and_sctp() {
    let services = [Service::Any, Service::Ethertype(0x88cc)];
    let other = |protocol| Wanted::Ip { protocol, number: 0, source_port: 0 };
    for ports in [0..=65535, 0..=0] {
        let config = lab(vec![from_ports(ports, &services)]);
        let cases = [(6, Some(0)), (17, Some(0)), (132, Some(0)), (1, None), (58, None), (47, None)];
        let cases: Vec<Case<'_>> = cases.map(|(p, e)| ("10.0.0.11", "8.8.8.8", other(p), e)).into();
        check(&config, &cases);
        check(&config, &[("port:web1", "world", Wanted::Ethertype(0x88cc), None)]);
    }
}

#[test]
fn source_port_rows_exist_only_where_a_rule_asks() {
    let without = compiled(&lab(vec![rule("any", "any", &[tcp(80, 80)])]));
    assert_eq!((without.services.len(), without.source_services, without.service_pairs.len()), (7, 1, 0));
    let with = compiled(&lab(vec![from_ports(1000..=2000, &[tcp(80, 80)])]));
    assert_eq!((with.services.len(), with.source_services), (10, 2));
    let classes = with.services[..7].iter().flatten().max().unwrap() + 1;
    assert_eq!(with.service_pairs.len(), usize::from(classes) * 2);
    assert!(with.services.iter().all(|row| row.len() == 65536));
    assert_eq!((with.services[7][999], with.services[7][1000]), (0, 1));
}

#[test]
fn services_that_no_rule_tells_apart_share_a_class() {
    let rules = vec![
        rule("any", "any", &[tcp(80, 80), udp(53, 53), tcp(443, 443)]),
        rule("any", "web", &[tcp(22, 22)]),
    ];
    let compiled = compiled(&lab(rules));
    let [tcp, udp] = [0, 1].map(|row| &compiled.services[row]);
    assert_eq!((tcp[80], tcp[443], udp[53]), (tcp[80], tcp[80], tcp[80]));
    assert_ne!(tcp[22], tcp[80]);
    assert_eq!(compiled.services.iter().flatten().max(), Some(&2));
}
