//! `netctl flows`: every flow of every port, chosen, sorted, and followed.

use std::path::Path;
use std::time::{Duration, Instant};

use netctl::kernel::Kernel;
use netctl::kernel::running::now;
use netctl_common::abi::{FlowEntry, FlowKey};
use netctl_common::address::Address;
use netctl_common::flow::seen;
use netctl_common::frame::{Tuple, number};
use netctl_common::verdict::{Action, Direction};
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};

const SOON: Duration = Duration::from_secs(20);

/// Of IPv4, as the maps have it.
fn address(octets: [u8; 4]) -> Address {
    let mut bytes = [0; 16];
    bytes[10..12].fill(0xff);
    bytes[12..].copy_from_slice(&octets);
    bytes.into()
}

/// A TCP connection as its packets have it at one port.
fn connection(
    (from, to): ([u8; 4], [u8; 4]),
    ports: (u16, u16),
    direction: Direction,
    generation: u32,
) -> (FlowKey, FlowEntry) {
    let (source, destination) = (address(from), address(to));
    let (source_port, destination_port) = ports;
    let tuple = Tuple { source, destination, protocol: number::TCP, source_port, destination_port };
    let mut key = FlowKey::NONE;
    key.set(&tuple, direction);
    let mut entry = FlowEntry::open(direction, generation, 0, now());
    (entry.seen, entry.settled) = (seen::REPLY, 1);
    (key, entry)
}

/// The kernel's side of a lab, whose ports get flows without frames.
struct Filled {
    kernel: Kernel,
    generation: u32,
}

impl Filled {
    fn new(lab: &Lab<'_>) -> Self {
        lab.apply();
        let kernel = Kernel::open(Path::new("/sys/fs/bpf")).unwrap();
        let generation = kernel.running().unwrap().generation;
        Self { kernel, generation }
    }

    fn id(&self, port: &str) -> u32 {
        self.kernel.port_ids().unwrap()[port]
    }

    fn put(&self, port: &str, flow: (FlowKey, FlowEntry)) {
        self.kernel.put_flows(self.id(port), &[flow]).unwrap();
    }
}

const WEB1: [u8; 4] = [10, 0, 0, 11];
const DB1: [u8; 4] = [10, 0, 0, 21];
const WORLD: [u8; 4] = [192, 0, 2, 7];

/// Four connections, seen at five tables: one between the ports, at both; two of the world's with `web1`, one of them denied, and
/// one of `web1` that is not answered.
fn four(filled: &Filled) {
    let generation = filled.generation;
    let (from, to) = (Direction::FromGuest, Direction::ToGuest);
    let between = |direction| connection((WEB1, DB1), (40_001, 5432), direction, generation);
    filled.put("web1", between(from));
    filled.put("db1", between(to));
    let (key, mut entry) = connection((WORLD, WEB1), (50_000, 80), to, generation);
    (entry.rule, entry.counters[0].bytes, entry.counters[1].packets) = (1, 9000, 3);
    entry.created = entry.created.wrapping_sub(600);
    filled.put("web1", (key, entry));
    let (key, mut entry) = connection((WORLD, WEB1), (50_001, 81), to, generation);
    (entry.rule, entry.action, entry.counters[1].packets) = (u32::MAX, Action::Deny as u8, 7);
    filled.put("web1", (key, entry));
    let (key, mut entry) = connection((WEB1, WORLD), (40_002, 443), from, generation.wrapping_sub(1));
    (entry.seen, entry.settled, entry.last_seen) = (0, 0, entry.last_seen.wrapping_sub(600));
    filled.put("web1", (key, entry));
}

/// `port source_port` of each row.
fn rows(json: &Value) -> Vec<String> {
    let row = |row: &Value| format!("{} {}", row["port"].as_str().unwrap(), row["source_port"]);
    json.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn flows_are_chosen_by_all_that_a_row_shows() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let filled = Filled::new(&lab);
        four(&filled);
        // The kernel's own packets are not TCP.
        let chosen = |options: &str| {
            let rows_of = rows(&lab.sh(&format!("netctl flows --json {options}")).expect_code(0).json());
            let table = lab.sh(&format!("netctl flows {options}")).expect_code(0).stdout;
            assert_eq!(table.lines().count(), rows_of.len() + 1, "{options}: {table}");
            rows_of
        };
        let all = ["db1 40001", "web1 40001", "web1 40002", "web1 50000", "web1 50001"];
        let sorted = |options: &str| {
            let mut chosen = chosen(options);
            chosen.sort();
            chosen
        };
        assert_eq!(sorted("--service tcp"), all);
        assert_eq!(sorted("--service tcp --port db1"), all[..1]);
        assert_eq!(sorted("--service tcp/80-81"), all[3..]);
        assert_eq!(sorted("--service tcp/5432 --peer web1"), all[..1]);
        assert_eq!(sorted("--service any --peer db1"), [all[1]]);
        assert_eq!(sorted("--peer 192.0.2.7"), all[2..]);
        assert_eq!(sorted("--peer 192.0.2.0/24 --state established"), all[3..]);
        assert_eq!(sorted("--service tcp --peer host"), [""; 0]);
        assert_eq!(sorted("--service tcp --state new"), [all[2]]);
        assert_eq!(sorted("--service tcp --state opening"), [all[2]]);
        assert_eq!(sorted("--service tcp --state denied"), [all[4]]);
        assert_eq!(sorted("--service tcp --verdict deny"), [all[4]]);
        assert_eq!(sorted("--service tcp --verdict allow").len(), 4);
        assert_eq!(sorted("--rule 1"), all[..2], "not the one that an older generation's rule 1 decided");
        assert_eq!(sorted("--rule 'app to database'"), all[..2]);
        assert_eq!(sorted("--rule 2"), [all[3]]);
        assert_eq!(chosen("--service tcp --sort bytes --limit 1"), [all[3]]);
        assert_eq!(chosen("--service tcp --sort packets --limit 2"), [all[4], all[3]]);
        assert_eq!(chosen("--service tcp --sort idle --limit 1"), [all[2]]);
        assert_eq!(chosen("--service tcp --sort age --limit 1"), [all[3]]);
        assert_eq!(chosen("--service tcp --limit 2").len(), 2);
        assert_eq!(chosen("--service tcp --sort bytes --limit 0"), [""; 0]);
        assert_eq!(chosen("--service tcp --sort idle").len(), 5);
    });
}

#[test]
fn a_filter_that_names_nothing_is_told_with_what_is_near() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", DOCUMENT.replace("[\"10.0.0.21\", \"fd00::21\"]", "\"any\""));
        lab.apply();
        for (options, wanted) in [
            ("--peer wib1", "no port `wib1` in the running document; did you mean `web1`?"),
            ("--peer db1", "port `db1` may use any address; name the one that is meant"),
            ("--rule 9", "no rule 9 in the running document, which has 4; `netctl stats` shows them"),
            (
                "--rule 'app to databse'",
                "no rule `app to databse` in the running document; did you mean `app to database`?",
            ),
            ("--rule 0", "no rule 0 in the running document, which has 4; `netctl stats` shows them"),
            ("--service tpc/1", "`tpc/1` is no service; did you mean \"tcp/1\"?"),
            ("--service ether/0x88cc", "`ether/0x88cc` is no service of flows: frames without IP have none"),
        ] {
            let done = lab.sh(&format!("netctl flows {options}")).expect_code(2);
            assert_eq!((&*done.stdout, done.stderr), ("", format!("netctl: {wanted}\n")), "{options}");
        }
    });
}

#[test]
fn rates_are_what_passed_between_two_looks() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let filled = Filled::new(&lab);
        let (key, entry) = connection((WEB1, DB1), (40_001, 5432), Direction::FromGuest, filled.generation);
        filled.put("web1", (key, entry));
        let command = "netctl flows --service tcp --rates --interval 2s --json";
        let (rates, _) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| lab.sandbox.enter(|| lab.sh(command).expect_code(0).json()));
            std::thread::sleep(Duration::from_secs(1));
            let mut more = entry;
            (more.counters[0].packets, more.counters[0].bytes) = (200, 20_000);
            filled.put("web1", (key, more));
            (looking.join().unwrap(), ())
        });
        let rate = |key: &str| rates[0][key].as_f64().unwrap();
        let (packets, bytes) = (rate("from_guest_packets_per_second"), rate("from_guest_bytes_per_second"));
        assert!((50.0..=100.0).contains(&packets) && (5_000.0..=10_000.0).contains(&bytes), "{rates}");
        assert_eq!(rate("to_guest_bytes_per_second"), 0.0);
    });
}

#[test]
fn flows_are_followed_as_they_begin_and_end() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let filled = Filled::new(&lab);
        four(&filled);
        let told = |of: &mut Running, wanted: &str| {
            let line = of.wait_for_line(SOON, |line| line.starts_with(wanted));
            assert!(line.is_some(), "no {wanted}: {:?}", of.said());
        };
        let mut following = sandbox.start_netctl(["flows", "--follow", "--service", "tcp", "--json"]);
        let mut text = sandbox.start_netctl(["flows", "--follow", "--service", "tcp/5432"]);
        for begun in [&mut following, &mut text] {
            begun.wait_for_line(SOON, |line| line.contains("there are")).expect("its first look");
        }
        let (key, mut entry) =
            connection((WEB1, DB1), (40_009, 5432), Direction::FromGuest, filled.generation);
        filled.put("web1", (key, entry));
        let new = following.wait_for_line(SOON, |line| line.starts_with('{')).expect("a flow that is new");
        let row: Value = serde_json::from_str(&new).unwrap();
        assert_eq!(
            (&row["event"], &row["source_port"], &row["port"]),
            (&"new".into(), &40_009.into(), &"web1".into())
        );
        assert_eq!(row["rule"]["name"], "app to database");
        told(&mut text, "new    web1         10.0.0.11:40009 > 10.0.0.21  tcp/5432  established  allow");
        // Reset long ago.
        (entry.seen, entry.last_seen) = (seen::REPLY | seen::RST, entry.last_seen.wrapping_sub(6000));
        filled.put("web1", (key, entry));
        let ended = following.wait_for_line(SOON, |line| line.contains("\"ended\"")).expect("its end");
        assert_eq!(serde_json::from_str::<Value>(&ended).unwrap()["source_port"], 40_009);
        told(&mut text, "ended  web1");
        for running in [&mut following, &mut text] {
            running.signal(Signal::SIGINT);
            assert_eq!(running.wait(SOON).and_then(|status| status.code()), Some(0), "{:?}", running.said());
        }
        let said = text.said().join("\n");
        assert!(!said.contains("40001"), "what was there before is not new: {said}");
    });
}

/// Ports, and flows of each: `NETCTL_FLOWS=128x8192` is a million, whose time is printed.
fn size() -> (u16, u16) {
    let text = std::env::var("NETCTL_FLOWS").unwrap_or_else(|_| "6x3000".to_owned());
    let (ports, flows) = text.split_once('x').unwrap();
    (ports.parse().unwrap(), flows.parse().unwrap())
}

#[test]
fn every_flow_of_every_port_is_listed_once() {
    Sandbox::run(|sandbox| {
        let (ports, flows) = size();
        let lab = Lab::new(sandbox);
        let mut document = "[networks.lab]\nkind = \"bridge\"\n".to_owned();
        for port in 0..ports {
            let address = format!("10.1.{}.{}", port / 200, port % 200 + 1);
            document += &format!("[ports.p{port}]\nnetwork = \"lab\"\naddresses = [\"{address}\"]\n");
        }
        document +=
            "[policy]\nrules = [{ allow = \"tcp\", from = \"any\", to = \"any\", name = \"all of it\" }]\n";
        lab.write("host.toml", document);
        let filled = Filled::new(&lab);
        let mut expected = 0;
        for port in 0..ports {
            let own = [10, 1, (port / 200) as u8, (port % 200 + 1) as u8];
            let flow = |number: u16| {
                let [high, low] = number.to_be_bytes();
                let mut flow = connection(
                    ([172, 16, high, low], own),
                    (number, 443),
                    Direction::ToGuest,
                    filled.generation,
                );
                // A third has not settled.
                flow.1.settled = u8::from(!number.is_multiple_of(3));
                flow
            };
            let id = filled.id(&format!("p{port}"));
            let all: Vec<_> = (1..=flows).map(flow).collect();
            filled.kernel.put_flows(id, &all).unwrap();
            // A table that is nearly full pushes some out before.
            expected += filled
                .kernel
                .flows(id)
                .unwrap()
                .iter()
                .filter(|(key, _)| key.protocol == number::TCP)
                .count();
        }
        assert!(expected >= usize::from(ports) * usize::from(flows) / 10 * 9, "only {expected}");
        for (options, head) in [("--json", 1), ("", 0), ("--sort bytes --limit 10", 0), ("--state denied", 0)]
        {
            let begun = Instant::now();
            lab.sh(&format!("netctl flows --service tcp {options} > /run/lab/flows{head}")).expect_code(0);
            println!("{expected} flows, `{options}`: {:?}", begun.elapsed());
            if options.is_empty() {
                let lines = std::fs::read_to_string("/run/lab/flows0").unwrap();
                assert_eq!(lines.lines().count(), expected + 1);
            }
        }
        let json: Vec<Value> = serde_json::from_slice(&std::fs::read("/run/lab/flows1").unwrap()).unwrap();
        let ends = |row: &Value| {
            (row["port"].to_string(), row["source"].to_string(), row["destination"].to_string())
        };
        let told: std::collections::HashSet<_> = json.iter().map(ends).collect();
        assert_eq!((json.len(), told.len()), (expected, expected), "each of them once");
    });
}
