//! Exit codes: 0 done or yes, 1 the answer is no, 2 could not run. Data on standard output, words on standard error.

use netctl_tests::sandbox::Sandbox;

use crate::lab::{DOCUMENT, Lab};

#[test]
fn yes_is_0_no_is_1_and_what_cannot_run_is_2() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("other.toml", DOCUMENT.replace("tcp/5432", "tcp/5433"));
        lab.write("bad.toml", "[ports");
        let codes = [
            ("netctl check host.toml", 0),
            ("netctl check bad.toml", 1),
            ("netctl check missing.toml", 2),
            ("netctl check - < host.toml", 0),
            ("netctl explain web1 db1 tcp/5432 --document host.toml", 0),
            ("netctl explain web1 db1 tcp/22 --document host.toml", 1),
            ("netctl explain web1 db1 tcp/22 --document bad.toml", 1),
            ("netctl diff host.toml", 1),
            ("netctl apply host.toml --dry-run", 0),
            ("netctl show", 2),
            ("netctl apply host.toml", 0),
            ("netctl diff host.toml", 0),
            ("netctl diff other.toml", 1),
            ("netctl explain web1 db1 tcp/5432", 0),
            ("netctl explain web1 db1 tcp/22", 1),
            ("netctl explain web1 nobody tcp/22", 2),
            ("netctl explain web1 db1 tcp", 2),
            ("netctl flows --port web7", 2),
            ("netctl map dump rulez", 2),
            ("netctl events --reason defalt", 2),
            ("netctl run web1 -- true", 2),
            ("netctl run web1 -- ./missing '{web1.fds}'", 2),
            ("netctl run web1 -- sh -c 'exit 7' '{web1.fds}'", 7),
            ("netctl frobnicate", 2),
            ("netctl", 2),
            ("netctl --version", 0),
            ("netctl down", 0),
            ("netctl down", 0),
        ];
        for (line, code) in codes {
            let done = lab.sh(line).expect_code(code);
            let silent = if code == 2 { &done.stdout } else { &String::new() };
            assert!(silent.is_empty(), "words on standard output\n{done}");
        }
    });
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        for command in [
            "show",
            "stats",
            "stats --json",
            "port list",
            "map list --json",
            "map dump services",
            "schema",
            "completions bash",
            "diff host.toml",
            "check host.toml --json",
            "--help",
        ] {
            // The reader is gone before the writer begins.
            let line =
                format!("{{ sleep 0.1; netctl {command}; echo $? > code; }} | true; sleep 0.3; cat code");
            let done = lab.sh(&line);
            assert_eq!((done.stdout.trim(), done.stderr.as_str()), ("0", ""), "netctl {command}");
        }
    });
}

#[test]
fn names_are_suggested_for_what_is_nearly_one() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        for (line, wanted) in [
            ("netctl flows --port wib1", "no port `wib1` in the running document; did you mean `web1`?"),
            ("netctl map dump rulez", "no map `rulez`; did you mean `rules`?"),
            ("netctl map dump x", "no map `x`; `netctl map list` shows them"),
            ("netctl events --reason defalt", "no reason `defalt`; did you mean `default`?"),
        ] {
            assert_eq!(lab.sh(line).stderr, format!("netctl: {wanted}\n"), "{line}");
        }
    });
}
