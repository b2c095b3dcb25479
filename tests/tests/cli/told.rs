//! What rules with `log` tell of: the connections that they decide, more frames of them, their ends, and not too much.

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::frame::{ACK, Build, Carrier, FIN, SYN, Tcp, eth, mac};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;
use std::time::Duration;

use crate::lab::{DOCUMENT, Lab};

const SOON: Duration = Duration::from_secs(20);

fn segment([from, to]: [u8; 2], [source, destination]: [u16; 2]) -> Tcp {
    // The last byte of a MAC address has the digits of the last part of the address.
    let address = |number: u8| format!("10.0.0.{number:x}");
    eth(mac(from), mac(to)).ipv4(&*address(from), &*address(to)).tcp(source, destination)
}

/// web1 and db1 on the host, where the rule for the database has this `log`.
fn with_log(sandbox: &Sandbox, log: &str) -> (Tap, Tap) {
    let lab = Lab::new(sandbox);
    let rule = format!("name = \"app to database\", log = {log} }},");
    lab.write("host.toml", DOCUMENT.replacen("name = \"app to database\" },", &rule, 1));
    lab.apply();
    let shown = lab.sh("netctl show > shown.toml; netctl diff shown.toml").expect_code(0);
    assert_eq!(shown.stdout, "", "what is shown is what runs");
    let open = |name| {
        let tap = Tap::open(name).unwrap();
        wait_forwarding(name).unwrap();
        tap
    };
    (open("web1"), open("db1"))
}

fn pass(from: &Tap, to: &Tap, frame: &[u8]) {
    from.send(frame).unwrap();
    assert!(to.recv_matching(SOON, |got| got == frame).unwrap().is_some());
}

fn told(sandbox: &Sandbox, options: &[&str]) -> Vec<Value> {
    let arguments = [&["events", "--json", "--rule", "app to database"], options].concat();
    let said = sandbox.netctl(arguments).expect_code(0).stdout;
    let events = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["kind"] != "change").collect()
}

#[test]
fn more_frames_of_a_connection_are_told_and_its_end() {
    Sandbox::run(|sandbox| {
        let (web1, db1) = with_log(sandbox, "{ packets = 3 }");
        let there = || segment([0x11, 0x21], [5000, 5432]);
        let back = || segment([0x21, 0x11], [5432, 5000]);
        pass(&web1, &db1, &there().sequence(100).flags(SYN).frame());
        pass(&db1, &web1, &back().sequence(900).acknowledged(101).flags(SYN | ACK).frame());
        for acknowledged in [901, 901, 901] {
            pass(&web1, &db1, &there().sequence(101).acknowledged(acknowledged).flags(ACK).frame());
        }
        let events = told(sandbox, &["--port", "db1"]);
        let kinds: Vec<_> =
            events.iter().map(|event| (event["kind"].as_str(), event["continues"].as_bool())).collect();
        assert_eq!(kinds, [(Some("frame"), None), (Some("frame"), Some(true)), (Some("frame"), Some(true))]);
        assert_eq!(told(sandbox, &["--port", "web1"]).len(), 3, "each port tells of what it judged");
        let counted = sandbox.netctl(["stats", "--json"]).expect_code(0).json();
        let packets = counted["rules"][0]["packets"].as_u64();
        assert_eq!(packets, Some(2), "a rule counts what it decided itself: {counted:#}");

        pass(&web1, &db1, &there().sequence(101).acknowledged(901).flags(FIN | ACK).frame());
        pass(&db1, &web1, &back().sequence(901).acknowledged(102).flags(FIN | ACK).frame());
        pass(&web1, &db1, &there().sequence(102).acknowledged(902).flags(ACK).frame());
        for port in ["web1", "db1"] {
            let events = told(sandbox, &["--port", port]);
            let ends: Vec<_> = events.iter().filter(|event| event["kind"] == "end").collect();
            assert_eq!(ends.len(), 1, "{port}: {events:#?}");
            assert_eq!(events.len(), 4, "{port}: {events:#?}");
        }
    });
}

/// By what `events` says at its end.
fn untold(sandbox: &Sandbox, port: &str) -> u64 {
    let said = sandbox.netctl(["events", "--port", port]).expect_code(0).stderr;
    let line = said.lines().find(|line| line.contains(&format!("port `{port}`"))).unwrap();
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

#[test]
fn a_rule_tells_no_more_than_its_rate_and_says_what_it_left_out() {
    Sandbox::run(|sandbox| {
        // Rates, and what is left out, are each CPU's.
        let mut cpus = CpuSet::new();
        cpus.set(0).unwrap();
        sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
        let (web1, db1) = with_log(sandbox, "{ rate = 1 }");
        for source in 6000..6050 {
            pass(&web1, &db1, &segment([0x11, 0x21], [source, 5432]).sequence(7).flags(SYN).frame());
        }
        let events = told(sandbox, &[]);
        // One at once and one each second; the two ports share it.
        assert!((1..=10).contains(&events.len()), "{events:#?}");
        let left_out: u64 = ["web1", "db1"].into_iter().map(|port| untold(sandbox, port)).sum();
        assert_eq!(left_out, 100 - events.len() as u64);
        // A denial of no rule is not held back by it.
        let denied = segment([0x11, 0x21], [6000, 22]).flags(SYN).frame();
        web1.send(&denied).unwrap();
        let denials = sandbox.netctl(["events", "--json", "--reason", "default", "--last", "1"]).json();
        assert!(denials["untold"].as_u64().unwrap_or(0) > 0, "the next event has the count: {denials:#}");
    });
}
