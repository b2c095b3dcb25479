//! `policy matrix`: table, JSON and picture, of a file and of what runs.

use netctl_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::lab::{DOCUMENT, Lab};

const TABLE: &str = "\
FROM \\ TO  db1       web1               host  world
db1                  -                  -     -
web1       tcp/5432                     -     -
host       -         udp/5353
world      -         icmp/echo-request

host: 10.0.0.1, fd00::1
world: ::/0, 0.0.0.0/0
";

#[test]
fn a_file_and_what_runs_have_the_same_matrix() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        assert_eq!(lab.sh("netctl policy matrix host.toml").expect_code(0).stdout, TABLE);
        lab.sh("netctl policy matrix").expect_code(2);
        lab.apply();
        assert_eq!(lab.sh("netctl policy matrix").expect_code(0).stdout, TABLE);

        let json =
            lab.sh("netctl policy matrix --from world --from web --to web1 --json").expect_code(0).stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        let expected = json!({
            "groups": [
                { "label": "web1", "kind": "ports", "members": [{ "port": "web1" }] },
                { "label": "world", "kind": "world", "members": [{ "addresses": ["::/0", "0.0.0.0/0"] }] },
            ],
            "cells": [{ "from": "world", "to": "web1", "services": [{ "service": "icmp/echo-request" }] }],
        });
        assert_eq!(json, expected);

        let said = lab.sh("netctl policy matrix --to wbe1").expect_code(2);
        assert!(said.stderr.contains("did you mean `web1`?"), "{said}");
        lab.write("bad.toml", "[[test]]");
        lab.sh("netctl policy matrix bad.toml").expect_code(1);
    });
}

#[test]
fn what_audit_mode_does_not_enforce_is_said() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("audit.toml", DOCUMENT.replace("[policy]\n", "[policy]\naudit = true\n"));
        let said = lab.sh("netctl policy matrix audit.toml").expect_code(0);
        assert_eq!(said.stdout, TABLE);
        assert!(said.stderr.contains("NOT enforced"), "{said}");
    });
}

#[test]
fn the_picture_is_whole_by_itself_and_well_formed() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let svg = lab.sh("netctl policy matrix host.toml --svg").expect_code(0).stdout;
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .map(|node| node.text().unwrap_or_default())
            .collect();
        assert_eq!(texts.len(), 25, "{texts:?}");
        assert_eq!(texts[..5], ["from \\ to", "db1", "web1", "host", "world"]);
        let titles: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("title"))
            .filter_map(|node| node.text())
            .collect();
        assert!(titles.contains(&"web1 > db1: tcp/5432"), "{titles:?}");
        assert!(svg.contains("prefers-color-scheme:dark"));
        // Nothing is fetched from anywhere.
        assert!(!svg.contains("href") && !svg.contains("url(") && !svg.contains("@import"), "{svg}");
    });
}
