use bytemuck::Zeroable;
use netctl_common::address::Address;

use super::*;
use crate::top::sample::RuleSample;

fn counter(packets: u64, bytes: u64) -> Counter {
    Counter { packets, bytes }
}

fn rule(number: u32, text: &str, counter: Counter) -> RuleSample {
    let rule = RuleName { number, line: number + 10, name: None, text: text.to_owned() };
    RuleSample { rule, action: "allow", counter }
}

fn flow(opener: Direction, port: u16, counter: Counter) -> (FlowKey, FlowSample) {
    let [local, remote] = [[10u8, 0, 0, 1], [10, 0, 0, 2]].map(|bytes| Address::v4(bytemuck::cast(bytes)));
    let (local, remote, local_port, remote_port) = match opener {
        Direction::FromGuest => (local, remote, 4000, port),
        Direction::ToGuest => (remote, local, port, 4000),
    };
    let key = FlowKey { local, remote, local_port, remote_port, protocol: 6, ..FlowKey::zeroed() };
    (key, FlowSample { opener, counter })
}

fn sample(seconds: u64) -> Sample {
    Sample { time: seconds * 1_000_000_000, generation: 3, ..Sample::default() }
}

#[test]
fn rates_are_what_came_in_between_by_its_time() {
    let (mut before, mut after) = (sample(10), sample(12));
    let port = |n: u64| PortSample {
        came: [counter(100 * n, 1000 * n), counter(10 * n, 100 * n)],
        denied: 6 * n,
        evicted: 2 * n,
        ..PortSample::default()
    };
    before.ports.insert("web1".to_owned(), port(1));
    after.ports.insert("web1".to_owned(), port(3));
    after.ports.insert("new".to_owned(), port(3));
    let rates = Rates::between(&before, &after);
    let [new, web1] = &rates.ports[..] else { panic!("{rates:?}") };
    assert_eq!(web1.from_guest, Rate { packets: 100.0, bits: 8000.0 });
    assert_eq!(web1.to_guest, Rate { packets: 10.0, bits: 800.0 });
    assert_eq!((web1.denied, web1.evicted, web1.is_pressed()), (6.0, 2.0, true));
    assert_eq!((new.packets(), new.denied), (0.0, 0.0), "all of its past is not of this time");
}

#[test]
fn what_rules_denied_is_bounded_by_what_was_told_and_what_was_not() {
    let port = |ruled, untold| PortSample { ruled, untold, ..PortSample::default() };
    let denied = |ruled: u64, untold: u64| {
        let (mut before, mut after) = (sample(0), sample(1));
        before.ports.insert("a".to_owned(), port(50, 5));
        after.ports.insert("a".to_owned(), port(50 + ruled, 5 + untold));
        Rates::between(&before, &after).ports[0].denied
    };
    assert_eq!([denied(100, 0), denied(100, 30), denied(10, 30)], [0.0, 30.0, 10.0]);
}

#[test]
fn rules_are_compared_with_themselves_and_sorted() {
    let (mut before, mut after) = (sample(0), sample(1));
    before.rules = vec![rule(1, "a", counter(5, 50)), rule(2, "b", counter(5, 50))];
    after.rules =
        vec![rule(1, "a", counter(6, 60)), rule(2, "other", counter(500, 1)), rule(3, "c", counter(9, 9))];
    after.rules.push(rule(4, "d", counter(1, 1)));
    before.rules.push(rule(4, "d", counter(1, 1)));
    let rates = Rates::between(&before, &after);
    assert_eq!(rates.rules.len(), 1, "one rule decided, others are new or rested: {rates:?}");
    assert_eq!((rates.rules[0].rule.number, rates.rules[0].rate.packets), (1, 1.0));
}

#[test]
fn a_connection_between_two_ports_talks_once() {
    let (mut before, mut after) = (sample(0), sample(1));
    let put = |to: &mut Sample, port: &str, (key, flow): (FlowKey, FlowSample)| {
        to.flows.insert((port.to_owned(), key), flow);
    };
    put(&mut before, "web1", flow(Direction::FromGuest, 80, counter(1, 100)));
    put(&mut after, "web1", flow(Direction::FromGuest, 80, counter(3, 300)));
    put(&mut after, "db1", flow(Direction::ToGuest, 80, counter(2, 190)));
    put(&mut after, "web1", flow(Direction::FromGuest, 81, counter(1, 1000)));
    // Taken over by another connection.
    put(&mut before, "web1", flow(Direction::FromGuest, 82, counter(9, 9000)));
    put(&mut after, "web1", flow(Direction::FromGuest, 82, counter(1, 10)));
    // At rest.
    put(&mut before, "web1", flow(Direction::FromGuest, 83, counter(9, 9)));
    put(&mut after, "web1", flow(Direction::FromGuest, 83, counter(9, 9)));
    let rates = Rates::between(&before, &after);
    let seen: Vec<_> =
        rates.talkers.iter().map(|t| (t.ports.join("+"), t.service.as_str(), t.rate.bits)).collect();
    assert_eq!(
        seen,
        [
            ("web1".to_owned(), "tcp/81", 8000.0),
            ("db1+web1".to_owned(), "tcp/80", 1600.0),
            ("web1".to_owned(), "tcp/82", 80.0)
        ]
    );
    assert_eq!(
        (rates.talkers[0].source.as_str(), rates.talkers[0].destination.as_str()),
        ("10.0.0.1:4000", "10.0.0.2")
    );
}
