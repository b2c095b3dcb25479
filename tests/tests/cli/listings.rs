//! Every listing says the same as a table and as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::{Value, json};

use crate::lab::{DOCUMENT, Lab};

/// Head of a column, and its cell in terms of a row's JSON: `{key}`, `{key.key}`.
type Columns = &'static [(&'static str, &'static str)];

/// Cells of a table by head; a column begins where its head does.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines();
    let heads: Vec<char> = lines.next().unwrap_or_default().chars().collect();
    let begins = |at: usize| heads[at] != ' ' && (at == 0 || at > 1 && heads[at - 2..at] == [' ', ' ']);
    let starts: Vec<usize> = (0..heads.len()).filter(|at| begins(*at)).collect();
    let cell = |line: &[char], column: usize| {
        let end = starts.get(column + 1).copied().unwrap_or(usize::MAX).min(line.len());
        let cell: String = line.get(starts[column]..end).unwrap_or_default().iter().collect();
        cell.trim_end().to_owned()
    };
    lines
        .map(|line| line.chars().collect::<Vec<_>>())
        .map(|line| (0..starts.len()).map(|c| (cell(&heads, c), cell(&line, c))).collect())
        .collect()
}

fn filled(template: &str, row: &Value) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (key, rest) = piece.split_once('}').unwrap();
        text += &words(&row[&*key.replace('.', "/")], row, key);
        text += rest;
    }
    text
}

fn words(value: &Value, row: &Value, key: &str) -> String {
    let value = row.pointer(&format!("/{}", key.replace('.', "/"))).unwrap_or(value);
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// `text` and `rows` say the same in all of `columns`, and `text` has no other column but those of `changing`.
#[track_caller]
fn same(text: &str, rows: &Value, columns: Columns, changing: &[&str]) {
    let table = table(text);
    let rows = rows.as_array().unwrap_or_else(|| panic!("no list: {rows}"));
    assert!(!rows.is_empty(), "nothing to compare:\n{text}");
    assert_eq!(table.len(), rows.len(), "{text}\n{rows:#?}");
    for (line, row) in table.iter().zip(rows) {
        for (head, cell) in line {
            if changing.contains(&head.as_str()) {
                continue;
            }
            let column = columns.iter().find(|(known, _)| known == head);
            let (_, template) = column.unwrap_or_else(|| panic!("column {head} is in no JSON:\n{text}"));
            // A table shows no control characters.
            let expected = filled(template, row).replace(char::is_control, "\u{fffd}");
            assert_eq!(*cell, expected.trim_end(), "{head} of {row}");
        }
    }
}

#[track_caller]
fn listing(lab: &Lab<'_>, command: &str, columns: Columns) {
    let text = lab.sh(command).expect_code(0).stdout;
    same(&text, &lab.sh(&format!("{command} --json")).expect_code(0).json(), columns, &[]);
}

#[test]
fn networks_ports_and_maps_are_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let networks: Columns = &[
            ("NETWORK", "{name}"),
            ("KIND", "{kind}"),
            ("ZONE", "{zone}"),
            ("INTERFACE", "{interface}"),
            ("STATE", "{state}"),
            ("PORTS", "{ports}"),
            ("UPLINKS", "{uplinks}"),
            ("ADDRESSES", "{addresses}"),
        ];
        listing(&lab, "netctl network list", networks);
        let ports: Columns = &[
            ("PORT", "{name}"),
            ("NETWORK", "{network}"),
            ("KIND", "{kind}"),
            ("INTERFACE", "{interface}"),
            ("STATE", "{state}"),
            ("MAC", "{mac}"),
            ("QUEUES", "{queues}"),
            ("GROUPS", "{groups}"),
            ("ADDRESSES", "{addresses}"),
            ("VLANS, GUARDS, LIMITS", ""),
        ];
        listing(&lab, "netctl port list", ports);
        let maps: Columns = &[
            ("MAP", "{name}"),
            ("PER", "{scope}"),
            ("TYPE", "{kind}"),
            ("KEY", "{key_size}"),
            ("VALUE", "{value_size}"),
            ("ENTRIES", "{entries}"),
            ("MAX", "{max_entries}"),
            ("MEMORY", "{memory}"),
            ("WHAT IT HOLDS", "{what}"),
        ];
        listing(&lab, "netctl map list", maps);
    });
}

#[test]
fn ports_show_their_vlans_the_guards_that_are_off_and_their_limits() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let held = "vlan = 10\nvlans = [20, \"30-31\", 32]\nguards = { llc = false, router = false }\n\
                    limits = { from-guest = { bits = \"100M\", broadcast = { rate = 50, burst = 5 } } }";
        let trunk = "vlan = 0\nvlans = [7]\nlimits = { to-guest = { new-flows = 9 } }";
        let text = DOCUMENT.replacen("groups = [\"web\"]", held, 1).replacen("groups = [\"db\"]", trunk, 1);
        let rules = text.find("rules").unwrap();
        lab.write("host.toml", &text[..rules]);
        lab.apply();
        let text = lab.sh("netctl port list").expect_code(0).stdout;
        let cells: Vec<String> =
            table(&text).into_iter().map(|mut row| row.remove("VLANS, GUARDS, LIMITS").unwrap()).collect();
        let limits = "{ from-guest = { bits = \"100M\", broadcast = { rate = 50, burst = 5 } } }";
        assert_eq!(
            cells,
            [
                "vlan 0, vlans 7, limits { to-guest = { new-flows = 9 } }".to_owned(),
                format!("vlan 10, vlans 20 30-32, without guard router, without guard llc, limits {limits}"),
            ]
        );
        let rows = lab.sh("netctl port list --json").expect_code(0).json();
        let of = |key: &str| [rows[0][key].clone(), rows[1][key].clone()];
        assert_eq!(of("vlan"), [json!(0), json!(10)]);
        assert_eq!(of("vlans"), [json!(["7"]), json!(["20", "30-32"])]);
        assert_eq!(of("guards_off"), [json!([]), json!(["router", "llc"])]);
        let limit = |direction: &str, limit: &str, rate: u64, burst: u64| json!({ "direction": direction, "limit": limit, "rate": rate, "burst": burst });
        let from_guest =
            [limit("from-guest", "bits", 100_000_000, 250_000), limit("from-guest", "broadcast", 50, 5)];
        assert_eq!(of("limits"), [json!([limit("to-guest", "new-flows", 9, 64)]), json!(from_guest)]);
    });
}

#[test]
fn every_map_that_is_listed_is_dumped_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let maps = lab.sh("netctl map list --json").expect_code(0).json();
        let mut dumped = 0;
        for map in maps.as_array().unwrap() {
            let command = format!("netctl map dump {}", map["name"].as_str().unwrap());
            let text = lab.sh(&command).expect_code(0).stdout;
            let rows = lab.sh(&format!("{command} --json")).expect_code(0).json();
            if rows.as_array().is_some_and(Vec::is_empty) {
                assert_eq!(text, "KEY  VALUE\n", "{command}");
                continue;
            }
            same(&text, &rows, &[("KEY", "{key}"), ("VALUE", "{value}")], &[]);
            dumped += 1;
        }
        assert!(dumped >= 8, "only {dumped} maps have elements: {maps:#}");
    });
}

/// The tap of `web1`, open, so that frames to it go through its programs.
pub(crate) fn guest(sandbox: &Sandbox) -> Tap {
    let tap = Tap::open("web1").unwrap();
    wait_forwarding("web1").unwrap();
    sandbox.ip("neighbor replace 10.0.0.11 lladdr 52:54:00:00:00:11 dev lab nud permanent");
    tap
}

const FLOWS: Columns = &[
    ("PORT", "{port}"),
    ("FROM", "{source}:{source_port}"),
    ("TO", "{destination}"),
    ("SERVICE", "{service}"),
    ("STATE", "{state}"),
    ("VERDICT", "{action}"),
    ("RULE", "{rule.number}"),
    ("FROM-GUEST", "{from_guest_packets}/{from_guest_bytes}"),
    ("TO-GUEST", "{to_guest_packets}/{to_guest_bytes}"),
];

#[test]
fn flows_are_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _guest = guest(sandbox);
        lab.sh("echo hello > /dev/udp/10.0.0.11/5353").expect_code(0);
        let text = lab.sh("netctl flows --port web1").expect_code(0).stdout;
        let rows = lab.sh("netctl flows --port web1 --json").expect_code(0).json();
        same(&text, &rows, FLOWS, &["AGE", "IDLE"]);
        assert_eq!(rows[0]["service"], "udp/5353", "{rows}");
        let summary = lab.sh("netctl flows --summary --port web1 --json").expect_code(0).json();
        let text = lab.sh("netctl flows --summary --port web1").expect_code(0).stdout;
        same(&text, &summary, SUMMARY, &[]);
        let count = rows.as_array().unwrap().len();
        assert_eq!(
            (&summary[0]["size"], &summary[0]["evicted"]),
            (&json!(8192 + 4096), &json!(0)),
            "{summary}"
        );
        assert!(summary[0]["live"].as_u64().unwrap() as usize >= count, "{summary}");
        assert_eq!(summary[0]["made"], summary[0]["entries"], "{summary}");
    });
}

const SUMMARY: Columns = &[
    ("PORT", "{port}"),
    ("SIZE", "{size}"),
    ("ENTRIES", "{entries}"),
    ("SETTLED", "{settled}"),
    ("LIVE", "{live}"),
    ("MADE", "{made}"),
    ("REUSED", "{reused}"),
    ("EVICTED", "{evicted}"),
];

/// The kernel sends listener reports by itself, so what was counted may change between two looks.
#[track_caller]
fn unchanging_stats(lab: &Lab<'_>) -> (String, Value) {
    let json = || lab.sh("netctl stats --json").expect_code(0).json();
    for _ in 0..50 {
        let before = json();
        let text = lab.sh("netctl stats").expect_code(0).stdout;
        if json() == before {
            return (text, before);
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the counters of a host without guests never rest: {:#}", json());
}

#[test]
fn stats_are_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let guest = guest(sandbox);
        lab.sh("echo hello > /dev/udp/10.0.0.11/5353; echo no > /dev/udp/10.0.0.11/99").expect_code(0);
        drop(guest);
        let (text, json) = unchanging_stats(&lab);
        let [ports, rules, tables] = text.split("\n\n").collect::<Vec<_>>()[..] else { panic!("{text}") };
        let counted: Columns = &[
            ("PORT", "{port}"),
            ("DIRECTION", "{direction}"),
            ("REASON", "{reason}"),
            ("PACKETS", "{packets}"),
            ("BYTES", "{bytes}"),
        ];
        same(ports, &json["ports"], counted, &[]);
        let by_rule: Columns = &[
            ("RULE", "{number}"),
            ("LINE", "{line}"),
            ("ACTION", "{action}"),
            ("PACKETS", "{packets}"),
            ("BYTES", "{bytes}"),
            ("TEXT", "{text}"),
        ];
        same(rules, &json["rules"], by_rule, &[]);
        assert_eq!((&json["rules"][2]["packets"], &json["rules"][3]["packets"]), (&1.into(), &1.into()));
        let filled: Columns = &[
            ("PORT", "{port}"),
            ("FLOWS", "{flows}/{flows_size}"),
            ("OPENINGS", "{openings}/{openings_size}"),
            // The second of the name.
            ("FILL", "{openings_percent}%"),
            ("EVICTED", "{evicted}"),
            ("LEARNED", "{learned}/{learned_size}"),
        ];
        same(tables, &json["tables"], filled, &["LEARNED"]);
        assert!(tables.lines().skip(1).all(|line| line.ends_with('-')), "nobody learns: {tables}");
        let unused = lab.sh("netctl stats --zero --json").expect_code(0).json();
        same(&lab.sh("netctl stats --zero").expect_code(0).stdout, &unused, by_rule, &[]);
        let numbers = |rows: &Value| {
            rows.as_array().unwrap().iter().map(|row| row["number"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&unused), [json!(1), json!(2)]);
    });
}

#[test]
fn rates_are_what_was_counted_between_two_looks() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let guest = guest(sandbox);
        let sending = "for i in {1..60}; do echo no > /dev/udp/10.0.0.11/99; sleep 0.1; done";
        let command = format!("{{ {sending}; }} & sleep 0.5; netctl stats --interval 2s --json; kill $!");
        let json = lab.sh(&command).expect_code(0).json();
        guest.drain().unwrap();
        let rule = &json["rules"][3];
        let (seconds, rate) =
            (json["seconds"].as_f64().unwrap(), rule["packets_per_second"].as_f64().unwrap());
        assert!(seconds >= 2.0 && (0.5..=10.0).contains(&rate), "{rule} in {seconds} s");
        let row = json["ports"].as_array().unwrap().iter().find(|row| row["reason"] == "rule").unwrap();
        assert!(row["bytes_per_second"].as_f64().unwrap() >= 20.0, "{row}");
        assert_eq!(json["rules"][0]["packets_per_second"], 0.0);
        let text = lab.sh("netctl stats --interval 1s").expect_code(0).stdout;
        for heads in ["PACKETS  BYTES  PACKETS/S  BYTES/S", "BYTES/S  TEXT"] {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|line| words(line).contains(&words(heads))), "no {heads} in\n{text}");
        }
        let mut watching = sandbox.start_netctl(["stats", "--watch", "--interval", "1s", "--json"]);
        for _ in 0..2 {
            let line = watching
                .wait_for_line(Duration::from_secs(20), |line| line.starts_with('{'))
                .expect("a look");
            let look: Value = serde_json::from_str(&line).unwrap();
            assert!(look["rules"][3]["packets_per_second"].is_f64(), "{look}");
        }
        watching.signal(nix::sys::signal::Signal::SIGINT);
        let ended = watching.wait(Duration::from_secs(20)).and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{:?}", watching.said());
    });
}

#[test]
fn a_flow_table_that_is_too_small_is_told_of() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let guest = guest(sandbox);
        assert_eq!(lab.sh("netctl stats --json").expect_code(0).json()["full_tables"], json!([]));
        // More flows than a port remembers.
        for port in 20_000..29_000 {
            let socket = std::net::UdpSocket::bind(("10.0.0.1", port)).unwrap();
            socket.send_to(b"?", ("10.0.0.11", 5353)).unwrap();
            guest.drain().unwrap();
        }
        let (text, json) = unchanging_stats(&lab);
        let tables = json["full_tables"].as_array().unwrap();
        let [table] = &tables[..] else { panic!("{json:#}") };
        assert!(table["port"] == "web1" && table["evicted"].as_u64().unwrap() > 500, "{table}");
        let line =
            "{port}: {evicted} flows gave way to new ones in its tables of {size}, of which {live} are live";
        assert!(text.contains(&filled(line, table)), "{text}");
    });
}

#[test]
fn limits_and_what_they_dropped_are_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let limits = "limits = { to-guest = { packets = 999, new-flows = { rate = 1, burst = 1 } } }";
        let groups = "groups = [\"web\"]";
        lab.write("host.toml", DOCUMENT.replacen(groups, &format!("{groups}\n{limits}"), 1));
        lab.apply();
        let guest = guest(sandbox);
        // Two flows in one second.
        lab.sh("echo a > /dev/udp/10.0.0.11/5353; echo b > /dev/udp/10.0.0.11/5353").expect_code(0);
        drop(guest);
        let (text, json) = unchanging_stats(&lab);
        let [_, limits, _, _] = text.split("\n\n").collect::<Vec<_>>()[..] else { panic!("{text}") };
        let columns: Columns = &[
            ("PORT", "{port}"),
            ("DIRECTION", "{direction}"),
            ("LIMIT", "{limit}"),
            ("RATE", "{rate}"),
            ("BURST", "{burst}"),
            ("DROPPED", "{dropped_packets}"),
            ("BYTES", "{dropped_bytes}"),
        ];
        same(limits, &json["limits"], columns, &[]);
        let of = |row: usize, key: &str| json["limits"][row][key].as_u64().unwrap();
        assert_eq!((of(0, "burst"), of(1, "burst")), (99, 1), "{json:#}");
        assert_eq!((of(0, "dropped_packets"), of(1, "dropped_packets")), (0, 1), "{json:#}");
    });
}

#[test]
fn events_are_the_same_as_a_line_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _guest = guest(sandbox);
        lab.sh("echo no > /dev/udp/10.0.0.11/99").expect_code(0);
        let event = lab.sh("netctl events --json --reason rule --last 1").expect_code(0).json();
        let line = lab.sh("netctl events --reason rule --last 1").expect_code(0).stdout;
        let template = "{action} {direction} {port} {source} > {destination} {service} {reason} rule {rule.number} \
                        (line {rule.line}) \"{rule.name}\": {rule.text}";
        // The first three words are the time.
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let frame = line.lines().last().unwrap();
        assert_eq!(words(frame)[3..], words(&filled(template, &event)), "{line}");
        assert_eq!(event["rule"]["name"], "never 99");
        assert_eq!(event["kind"], "frame");
    });
}

#[test]
fn events_are_there_for_every_reader_and_chosen_by_what_they_are_about() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _guest = guest(sandbox);
        lab.sh("echo no > /dev/udp/10.0.0.11/99; echo no > /dev/udp/10.0.0.11/99").expect_code(0);
        let read = |options: &str| -> Vec<Value> {
            let said = lab.sh(&format!("netctl events --json {options}")).expect_code(0).stdout;
            let event = |line| {
                let mut event: Value = serde_json::from_str(line).unwrap();
                // The clock is set anew all the time.
                assert!(event.as_object_mut().unwrap().remove("at").is_some());
                event
            };
            said.lines().map(event).collect()
        };
        let frames = |options: &str| {
            read(options).into_iter().filter(|event| event["kind"] == "frame").collect::<Vec<_>>()
        };
        let denied = frames("--reason rule");
        assert_eq!(denied.len(), 2, "{denied:#?}");
        assert_eq!(frames("--reason rule"), denied, "reading takes nothing away");
        for same in ["--verdict deny --peer 10.0.0.11", "--rule 'never 99'", "--peer 10.0.0.0/24 --rule 4"] {
            assert!(frames(same).len() >= 2, "{same}");
        }
        for none in ["--peer 10.9.0.0/16", "--verdict reject", "--port web1 --peer 10.0.0.77"] {
            assert_eq!(frames(none), [Value::Null; 0], "{none}");
        }
        let first = denied[0]["number"].as_u64().unwrap();
        assert_eq!(frames(&format!("--reason rule --after {first}")), denied[1..]);
        let changes = read("--peer 10.9.0.0/16");
        assert_eq!(changes[0]["change"], "published", "{changes:#?}");
        let line = lab.sh("netctl events --peer 10.9.0.0/16").expect_code(0).stdout;
        assert!(line.contains("policy generation 1 decides now"), "{line}");
    });
}

#[test]
fn explanations_are_the_same_as_text_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let question = "netctl explain web1 db1 tcp/5432";
        let text = lab.sh(question).expect_code(0).stdout;
        let json = lab.sh(&format!("{question} --json")).expect_code(0).json();
        assert_eq!(json["allowed"], true);
        let steps = json["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 2, "{json:#}");
        for step in steps {
            let line = filled("{port} {direction}: {action}, {reason}", step);
            assert!(text.contains(&line), "no `{line}` in\n{text}");
            let rule = filled("rule {rule.number} (line {rule.line}) \"{rule.name}\": {rule.text}", step);
            assert!(text.contains(&rule), "no `{rule}` in\n{text}");
        }
    });
}

#[test]
fn what_changes_is_the_same_as_lines_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let count = |value: &Value| {
            value.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum()
        };
        let lines = lab.sh("netctl diff host.toml").expect_code(1).stdout.lines().count();
        let json = lab.sh("netctl diff host.toml --json").expect_code(1).json();
        let policy = json["policy"].as_array().unwrap().len();
        let changes: usize = count(&json["interfaces"]);
        assert_eq!(changes + policy, lines, "{json:#}");
        lab.apply();
        let shown = lab.sh("netctl show").expect_code(0).stdout;
        assert_eq!(lab.sh("netctl show --json").expect_code(0).json()["document"], shown);
        assert_eq!(shown, fs::read_to_string("/run/lab/host.toml").unwrap());
    });
}
