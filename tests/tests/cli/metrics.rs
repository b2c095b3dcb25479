//! `netctl metrics` on standard output: the forms say the same, and promtool has nothing against them.

use std::collections::BTreeMap;

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};

/// Samples of a text by name and labels.
fn samples(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"))).collect()
}

/// Lines that say what a family is.
fn heads(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("# TYPE ") || line.starts_with("# UNIT ")).collect()
}

/// With `web1` open for a guest, three datagrams of the host's to it that rule 3 allows, and two that rule 4 denies.
pub(crate) fn with_traffic(lab: &Lab<'_>) -> Tap {
    let tap = Tap::open("web1").unwrap();
    wait_forwarding("web1").unwrap();
    // Otherwise the host asks who has the address, and nobody answers.
    lab.sandbox.ip("neighbor replace 10.0.0.11 lladdr 52:54:00:00:00:11 dev lab nud permanent");
    for (port, times) in [(5353, 3), (99, 2)] {
        for _ in 0..times {
            // Another flow each time: bash takes another source port.
            lab.sh(&format!("echo hello > /dev/udp/10.0.0.11/{port}")).expect_code(0);
        }
    }
    tap
}

#[test]
fn the_metrics_are_these() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let limits = "limits = { to-guest = { packets = 999 } }\naddresses = \"learn\"";
        lab.write("host.toml", DOCUMENT.replacen("addresses = [\"10.0.0.21\", \"fd00::21\"]", limits, 1));
        lab.apply();
        let _guest = with_traffic(&lab);
        let text = lab.sh("netctl metrics").expect_code(0).stdout;
        assert_eq!(heads(&text), EXPECTED.lines().collect::<Vec<_>>(), "{text}");
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let samples = samples(&text);
        for (name, value) in [
            ("netctl_policy_rules", "4"),
            ("netctl_policy_generation", "1"),
            ("netctl_port_enforced{port=\"web1\"}", "1"),
            (
                "netctl_port_info{port=\"web1\",network=\"lab\",kind=\"tap\",interface=\"web1\",\
                 mac=\"52:54:00:00:00:11\"}",
                "1",
            ),
            (
                "netctl_rule_packets_total{rule=\"1\",name=\"app to database\",action=\"allow\",audit=\"false\"}",
                "0",
            ),
            ("netctl_rule_packets_total{rule=\"3\",name=\"\",action=\"allow\",audit=\"false\"}", "3"),
            // Ethernet, IPv4, UDP and "hello\n", three times.
            ("netctl_rule_bytes_total{rule=\"3\",name=\"\",action=\"allow\",audit=\"false\"}", "144"),
            ("netctl_rule_packets_total{rule=\"4\",name=\"never 99\",action=\"deny\",audit=\"false\"}", "2"),
            (
                "netctl_port_packets_total{port=\"web1\",direction=\"to-guest\",verdict=\"policy\",reason=\"rule\"}",
                "5",
            ),
            ("netctl_port_flows{port=\"web1\"}", "3"),
            ("netctl_port_flows_opened_total{port=\"web1\"}", "3"),
            (
                "netctl_limit_dropped_packets_total{port=\"db1\",direction=\"to-guest\",limit=\"packets\"}",
                "0",
            ),
            ("netctl_port_learned_addresses{port=\"db1\"}", "0"),
            ("netctl_port_learned_addresses_max{port=\"db1\"}", "16"),
        ] {
            assert_eq!(samples.get(name), Some(&value), "{name} in\n{text}");
        }
        let document = lab.sh("netctl show | sha256sum").stdout;
        let document = document.split_whitespace().next().unwrap();
        assert!(text.contains(&format!("document_sha256=\"{document}\"")), "{document}\n{text}");
        let changed: f64 = samples["netctl_policy_last_change_timestamp_seconds"].parse().unwrap();
        let now: f64 = lab.sh("date +%s").stdout.trim().parse().unwrap();
        assert!((0.0..60.0).contains(&(now + 1.0 - changed)), "{changed} {now}");
    });
}

const EXPECTED: &str = "\
# TYPE netctl_build info
# TYPE netctl_policy info
# TYPE netctl_policy_generation gauge
# TYPE netctl_policy_rules gauge
# TYPE netctl_policy_last_change_timestamp_seconds gauge
# UNIT netctl_policy_last_change_timestamp_seconds seconds
# TYPE netctl_port info
# TYPE netctl_port_enforced gauge
# TYPE netctl_port_packets counter
# TYPE netctl_port_bytes counter
# UNIT netctl_port_bytes bytes
# TYPE netctl_stray_packets counter
# TYPE netctl_stray_bytes counter
# UNIT netctl_stray_bytes bytes
# TYPE netctl_limit_dropped_packets counter
# TYPE netctl_limit_dropped_bytes counter
# UNIT netctl_limit_dropped_bytes bytes
# TYPE netctl_port_untold_events counter
# TYPE netctl_port_rejected_packets counter
# TYPE netctl_port_learned_addresses gauge
# TYPE netctl_port_learned_addresses_max gauge
# TYPE netctl_rule_packets counter
# TYPE netctl_rule_bytes counter
# UNIT netctl_rule_bytes bytes
# TYPE netctl_port_flows gauge
# TYPE netctl_port_flow_table_entries gauge
# TYPE netctl_port_flow_table_capacity gauge
# TYPE netctl_port_flows_opened counter
# TYPE netctl_port_flows_reopened counter
# TYPE netctl_map_entries gauge
# TYPE netctl_map_capacity_entries gauge
# TYPE netctl_map_memory_bytes gauge
# UNIT netctl_map_memory_bytes bytes
# TYPE netctl_journal_events counter
# TYPE netctl_journal_capacity_events gauge
# TYPE netctl_gather_duration_seconds gauge
# UNIT netctl_gather_duration_seconds seconds
";

#[test]
fn all_forms_say_the_same_and_promtool_has_nothing_against_them() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", DOCUMENT.replace("name = \"never 99\"", r#"name = "a\"b\\c <x>""#));
        lab.apply();
        let guest = with_traffic(&lab);
        drop(guest);
        let text = lab.sh("netctl metrics").expect_code(0).stdout;
        let older = lab.sh("netctl metrics --format prometheus").expect_code(0).stdout;
        let changing = ["netctl_gather_duration_seconds", "netctl_port_flows", "netctl_map_entries"];
        let rests = |name: &str| !changing.iter().any(|it| name.starts_with(it));
        let names = |text| samples(text).into_keys().filter(|name| rests(name)).collect::<Vec<_>>();
        assert_eq!(names(&text), names(&older));
        assert!(text.contains(r#"name="a\"b\\c <x>""#), "{text}");

        let json = lab.sh("netctl metrics --json").expect_code(0).json();
        let from_json: Vec<String> = json.as_array().unwrap().iter().flat_map(lines_of).collect();
        let mut from_json: Vec<&str> = from_json.iter().map(String::as_str).filter(|it| rests(it)).collect();
        from_json.sort_unstable();
        assert_eq!(from_json, names(&text));

        let checked = lab.sh("netctl metrics --format prometheus | promtool check metrics");
        assert!(checked.code != Some(127), "there is no promtool: `cargo xtask setup` installs it");
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked}");
    });
}

/// Names and labels of a family's samples, with the labels in the order in which the text has them.
fn lines_of(family: &Value) -> Vec<String> {
    let suffix = match family["kind"].as_str().unwrap() {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    let order =
        ["version", "abi", "document_sha256", "default", "rule", "map", "port", "network", "direction"];
    let place = |label: &str| order.iter().position(|it| *it == label).unwrap_or(order.len());
    let line = |sample: &Value| {
        let mut labels: Vec<(&String, &Value)> = sample["labels"].as_object().unwrap().iter().collect();
        labels.sort_by_key(|(name, _)| (place(name), later(name)));
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        format!("{}{suffix}{labels}", family["name"].as_str().unwrap())
    };
    family["samples"].as_array().unwrap().iter().map(line).collect()
}

fn later(label: &str) -> usize {
    let order =
        ["name", "action", "audit", "kind", "interface", "mac", "verdict", "reason", "limit", "table"];
    order.iter().position(|it| *it == label).unwrap_or(order.len())
}

#[test]
fn rules_behind_the_first_ones_are_summed_up() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _guest = with_traffic(&lab);
        let text = lab.sh("netctl metrics --rules 1").expect_code(0).stdout;
        let rules: Vec<&str> =
            text.lines().filter(|line| line.starts_with("netctl_rule_packets_total")).collect();
        let expected = [
            r#"netctl_rule_packets_total{rule="1",name="app to database",action="allow",audit="false"} 0"#,
            r#"netctl_rule_packets_total{rule="rest",name="",action="allow",audit="false"} 3"#,
            r#"netctl_rule_packets_total{rule="rest",name="",action="deny",audit="false"} 2"#,
        ];
        assert_eq!(rules, expected);
    });
}

#[test]
fn a_port_without_its_programs_is_not_enforced() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        lab.sh("ip link delete web1").expect_code(0);
        let text = lab.sh("netctl metrics").expect_code(0).stdout;
        let samples = samples(&text);
        assert_eq!(samples["netctl_port_enforced{port=\"web1\"}"], "0", "{text}");
        assert_eq!(samples["netctl_port_enforced{port=\"db1\"}"], "1", "{text}");
    });
}
