//! `netctl map`: every map that is pinned has words for its elements, and they are those of the document.

use std::collections::BTreeMap;
use std::fs;

use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};
use crate::listings::guest;

const MAPS: &str = "/sys/fs/bpf/netctl/v3/maps";

/// With something in nearly every map: ports that learn, have limits and are trunks, and a rule about source ports.
fn rich_document() -> String {
    let web =
        "groups = [\"web\", \"lab\"]\nvlan = 10\nvlans = [20]\nlimits = { to-guest = { new-flows = 9 } }";
    let db = "groups = [\"db\"]\n\n[ports.new]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:31\"\naddresses = \"learn\"";
    let rules = "rules = [\n  { deny = \"udp\", from = \"web\", to = \"10.9.0.0/16\", source-ports = \"1-99\", audit = true },";
    DOCUMENT.replacen("groups = [\"web\"]", web, 1).replacen("groups = [\"db\"]", db, 1).replacen(
        "rules = [",
        rules,
        1,
    )
}

/// Elements by key.
#[track_caller]
fn dumped(lab: &Lab<'_>, command: &str) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = lab.sh(&format!("netctl map {command} --json")).expect_code(0).json();
    let rows = rows.as_array().unwrap();
    let elements: BTreeMap<_, _> = rows.iter().map(|row| (text(&row["key"]), text(&row["value"]))).collect();
    assert_eq!(elements.len(), rows.len(), "{command}: a key stands there twice: {rows:#?}");
    elements
}

#[test]
fn every_map_that_is_pinned_is_listed_dumped_and_has_bytes() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", rich_document());
        lab.apply();
        let listed = lab.sh("netctl map list --json").expect_code(0).json();
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().map(|map| map["name"].as_str().unwrap()).collect();
        let mut empty = Vec::new();
        for pin in fs::read_dir(MAPS).unwrap() {
            let name = pin.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(&&*name), "{name} is pinned, and not in `map list`");
            if dumped(&lab, &format!("dump {name}")).is_empty() {
                empty.push(name.clone());
            }
            lab.sh(&format!("netctl map dump {name} --raw")).expect_code(0);
        }
        empty.sort_unstable();
        // What frames leave, of which there were none but the kernel's own.
        let traffic = ["buckets", "flows", "leases", "openings", "quotas", "stray_counters"];
        let on_demand = ["captures", "capture_states", "capture_rings", "log_budgets"];
        empty.retain(|name| !on_demand.contains(&&**name));
        assert!(empty.iter().all(|name| traffic.contains(&&**name)), "without elements: {empty:?}");
    });
}

#[test]
fn elements_are_told_in_the_words_of_the_document() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", rich_document());
        lab.apply();
        let value = |command: &str| {
            let found = dumped(&lab, command);
            assert_eq!(found.len(), 1, "{command}: {found:#?}");
            found.into_values().next().unwrap()
        };
        let own = value("get addresses 10.0.0.11");
        assert!(own.starts_with("web1; source class ") && own.contains("(port web1)"), "{own}");
        let net = value("get prefixes 10.9.1.1");
        assert!(net.ends_with("(port new, 10.9.0.0/16)"), "{net}");
        assert!(value("get prefixes 192.0.2.1").contains("world"));
        assert!(value("get rules 'rule 1'").starts_with("deny, audit: { deny = \"udp\""));
        assert!(value("get rules 'app to database'").starts_with("allow: { allow = \"tcp/5432\""));
        assert!(value("get root web1").contains("MAC 52:54:00:00:00:11, network 0, zone 0"));
        assert!(value("get trunks web1").contains("VLANs 20"));
        assert!(value("get journal 'event 1'").contains("published generation 1 by process"));
        assert!(value("get captures_until until").contains("nobody captures"));
        assert!(value("get limits web1").contains("to-guest new-flows 9/s"));
        let class = value("get services tcp/5432");
        assert_ne!(class, value("get services tcp/5433"));
        let verdicts = dumped(&lab, "dump verdicts");
        let app = verdicts.iter().find(|(_, rule)| rule.contains("app to database"));
        let (key, _) = app.unwrap_or_else(|| panic!("{verdicts:#?}"));
        assert!(key.contains("(port web1) > class") && key.contains("(port db1)"), "{key}");
        assert!(key.contains("(tcp/5432)"), "{key}");
    });
}

#[test]
fn what_rules_may_still_tell_is_told_by_rule() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write(
            "host.toml",
            DOCUMENT.replace("name = \"never 99\"", "name = \"never 99\", log = { rate = 5 }"),
        );
        lab.apply();
        let _guest = guest(sandbox);
        lab.sh("for i in 1 2 3; do echo no > /dev/udp/10.0.0.11/99; done").expect_code(0);
        let budgets = dumped(&lab, "dump log_budgets");
        let of_rule = budgets.iter().find(|(rule, _)| rule.contains("never 99"));
        assert!(of_rule.is_some_and(|(_, left)| left.ends_with(" left, by CPU")), "{budgets:?}");
        let raw = dumped(&lab, "dump log_budgets --raw");
        assert!(
            raw.len() == budgets.len()
                && raw.values().all(|bytes| bytes.split(' ').count().is_multiple_of(16)),
            "{raw:?}"
        );
    });
}

#[test]
fn the_bytes_of_an_element_are_those_in_the_kernel() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let raw = dumped(&lab, "dump addresses --raw");
        let wanted = "00 00 00 00 00 00 00 00 00 00 00 00 00 00 ff ff 0a 00 00 0b";
        let value = raw.get(wanted).unwrap_or_else(|| panic!("no {wanted} in {raw:#?}"));
        assert_eq!(value.split(' ').count(), 28, "{value}");
        let rules = dumped(&lab, "dump rules --raw");
        assert!(rules["00 00 00 00"].starts_with("01 00 00 00 00 00 00 00 14 00 00 00"), "{rules:#?}");
        let per_cpu = dumped(&lab, "dump stray_counters --raw");
        let cpus = per_cpu["00 00 00 00"].split(' ').count() / 16;
        assert!(cpus >= 1, "{per_cpu:#?}");
        assert!(dumped(&lab, "dump capture_rings --raw").is_empty());
    });
}

#[test]
fn what_is_not_there_is_told_with_what_is_near() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        for (line, wanted) in [
            ("get adresses 10.0.0.11", "no map `adresses`; did you mean `addresses`?"),
            (
                "get addresses 10.0.0.12",
                "no element `10.0.0.12` in map `addresses`; `netctl map dump addresses` shows them",
            ),
            ("get event_budget wib1", "no element `wib1` in map `event_budget`; did you mean `web1`?"),
            ("dump flows --port wib1", "no port `wib1` in the running document; did you mean `web1`?"),
            ("dump rulez --raw", "no map `rulez`; did you mean `rules`?"),
        ] {
            let done = lab.sh(&format!("netctl map {line}")).expect_code(2);
            assert_eq!((&*done.stdout, done.stderr), ("", format!("netctl: {wanted}\n")), "{line}");
        }
    });
}

#[test]
fn memory_adds_up() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let json = lab.sh("netctl map memory --json").expect_code(0).json();
        let number = |value: &Value| value.as_u64().unwrap();
        let maps = json["maps"].as_array().unwrap();
        let all: u64 = maps
            .iter()
            .map(|map| number(&map["memory"]) + number(&map["idle"]) + number(&map["outer"]))
            .sum();
        let sums = &json["sums"];
        assert_eq!(number(&sums["total"]), all);
        assert_eq!((&json["ports"], &json["rules"]), (&2.into(), &4.into()));
        assert_eq!(number(&sums["one_port"]), number(&sums["ports"]) / 2);
        // 12,288 entries of 40 and 96 bytes, at least.
        assert!(number(&sums["one_port"]) > 12_288 * (40 + 96), "{sums}");
        assert!(number(&sums["one_rule"]) > 40, "{sums}");
        assert_eq!(number(&sums["idle_generation"]), 0, "there was no generation before");
        let text = lab.sh("netctl map memory").expect_code(0).stdout;
        for line in [format!("all  {all}"), format!("one port  {}", sums["one_port"])] {
            let [what, bytes] = line.split("  ").collect::<Vec<_>>()[..] else { panic!("{line}") };
            let told =
                text.lines().any(|l| l.starts_with(what) && l.split_whitespace().last() == Some(bytes));
            assert!(told, "no {line} in\n{text}");
        }
        lab.write("host.toml", DOCUMENT.replace("tcp/5432", "tcp/5433"));
        lab.apply();
        let json = lab.sh("netctl map memory --json").expect_code(0).json();
        assert!(number(&json["sums"]["idle_generation"]) > 0, "{}", json["sums"]);
    });
}

#[test]
fn pins_of_another_version_are_told_and_not_read() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let commands =
            ["map list", "map dump rules", "map dump rules --raw", "map get rules 1", "map memory"];
        for (version, wanted) in [
            (2, "netctl of another version runs here: it pinned its state under /sys/fs/bpf/netctl/v2"),
            (9, "netctl of a newer version runs here: it pinned its state under /sys/fs/bpf/netctl/v9"),
        ] {
            lab.sh(&format!("mv /sys/fs/bpf/netctl/v* /sys/fs/bpf/netctl/v{version}")).expect_code(0);
            for command in commands {
                let done = lab.sh(&format!("netctl {command}")).expect_code(2);
                assert!(done.stdout.is_empty() && done.stderr.contains(wanted), "{command}: {done}");
            }
        }
        lab.sh("mv /sys/fs/bpf/netctl/v9 /sys/fs/bpf/netctl/v3 && netctl map list").expect_code(0);
    });
}
