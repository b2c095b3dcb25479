//! Documents that are wrong, contradict themselves or are too large: each is refused with the thing and its line, exit
//! code 1, and what runs is as it was.

use std::time::Duration;

use netctl_tests::sandbox::Sandbox;

use crate::lab::{DOCUMENT, Lab};

/// Long enough for a slow machine, short enough to tell that the work is bounded.
const BOUND: Duration = Duration::from_secs(20);

struct Case {
    what: &'static str,
    document: Vec<u8>,
    /// In what is printed: the thing, the line, the next step.
    said: &'static [&'static str],
}

fn case(what: &'static str, document: impl Into<Vec<u8>>, said: &'static [&'static str]) -> Case {
    Case { what, document: document.into(), said }
}

/// [`DOCUMENT`] with one piece exchanged.
fn with(piece: &str, by: &str) -> String {
    assert!(DOCUMENT.contains(piece), "{piece}");
    DOCUMENT.replacen(piece, by, 1)
}

fn rules(count: usize) -> String {
    let head = DOCUMENT.split("rules = [").next().unwrap_or_default();
    let rule = "  { allow = \"tcp/80\", from = \"world\", to = \"web\" },\n";
    format!("{head}rules = [\n{}]\n", rule.repeat(count))
}

#[track_caller]
fn refused(cases: &[Case]) {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let before = lab.state();
        for Case { what, document, said } in cases {
            lab.write("bad.toml", document);
            for verb in ["check", "diff", "apply --dry-run", "apply"] {
                let done = lab.sh(&format!("netctl {verb} bad.toml")).expect_code(1);
                for wanted in *said {
                    assert!(done.stderr.contains(wanted), "{what}: no `{wanted}`\n{done}");
                }
                assert!(done.elapsed < BOUND, "{what}: `netctl {verb}` took {:?}", done.elapsed);
                assert!(done.stdout.is_empty(), "{what}: {done}");
            }
            assert_eq!(lab.state(), before, "{what} has changed something");
        }
    });
}

#[test]
fn a_malformed_document_changes_nothing() {
    refused(&[
        case("no TOML", with("[ports.web1]", "[ports.web1"), &["bad.toml:5:12", "unclosed table"]),
        case("no UTF-8", b"a = \"\xff\"\n", &["bad.toml:1:6", "not UTF-8"]),
        case(
            "an unknown key",
            with("groups = [\"web\"]", "group = [\"web\"]"),
            &["bad.toml:9:1", "`group`", "`groups`"],
        ),
        case("a wrong type", with("\"10.0.0.11\"", "11"), &["bad.toml:8:14"]),
        case("no address", with("10.0.0.11", "10.0.0.311"), &["bad.toml:8:14", "10.0.0.311"]),
        case("a service that is none", with("tcp/5432", "tcp/66000"), &["bad.toml:20:13", "66000"]),
        case("deep brackets", format!("a = {}", "[".repeat(100_000)), &["bad.toml:1:", "nested"]),
    ]);
}

#[test]
fn a_document_that_contradicts_itself_changes_nothing() {
    refused(&[
        case(
            "one MAC address for two ports",
            with("00:00:21", "00:00:11"),
            &["bad.toml:13:7", "52:54:00:00:00:11 of port `db1` is taken by port `web1`"],
        ),
        case(
            "one address for two ports",
            with("10.0.0.21", "10.0.0.11"),
            &["bad.toml:14:14", "10.0.0.11 of port `db1` is taken by port `web1`"],
        ),
        case(
            "the host's address for a port",
            with("fd00::21", "fd00::1"),
            &["bad.toml:14:", "fd00::1", "`db1`"],
        ),
        case(
            "two verdicts",
            with("{ allow = \"udp", "{ deny = \"any\", allow = \"udp"),
            &["bad.toml:22:", "both"],
        ),
        case(
            "an unknown network",
            with("network = \"lab\"", "network = \"lob\""),
            &["bad.toml:6:11", "there is no network `lob`", "did you mean `lab`?"],
        ),
        case(
            "an unknown peer",
            with("from = \"web\"", "from = \"wib\""),
            &["bad.toml:20:", "`wib`", "`web`"],
        ),
        case(
            "groups in a circle",
            format!("{DOCUMENT}[groups]\na = [\"b\"]\nb = [\"a\"]\n"),
            &["bad.toml:26:6", "`b` is a group, and a group has ports"],
        ),
        case(
            "sets in a circle",
            format!("{DOCUMENT}[sets]\na = [\"b\"]\nb = [\"a\"]\n"),
            &["bad.toml:26:6", "`b` is no IP address"],
        ),
    ]);
}

#[test]
fn a_document_that_is_too_large_changes_nothing() {
    let padding = "# padding\n".repeat(1_800_000);
    refused(&[
        case(
            "10 MB with an error at the end",
            "# padding\n".repeat(1_000_000) + "[ports.x\n",
            &["bad.toml:1000001:"],
        ),
        case("10 MB in one line", format!("a = \"{}", "x".repeat(10_000_000)), &["bad.toml:1:"]),
        case("18 MB", padding, &["bad.toml has 18000000 bytes, and a document at most 16777216"]),
        case("140,000 rules", rules(140_000), &["bad.toml:131092:", "140000 rules, more than 131072"]),
    ]);
}

#[test]
fn a_million_rules_are_refused_in_bounded_time_and_memory() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let before = lab.state();
        let rule = "{allow=\"any\"},";
        let document = format!("[policy]\nrules=[\n{}]\n", format!("{rule}\n").repeat(1_000_000));
        lab.write("bad.toml", document);
        // 1 GiB of address space: what is refused must not be read into memory first.
        let done = lab.sh("ulimit -v 1048576; netctl apply bad.toml").expect_code(1);
        assert!(done.stderr.contains("bad.toml:163"), "{done}");
        assert!(done.elapsed < BOUND, "{:?}", done.elapsed);
        assert_eq!(lab.state(), before);
    });
}
