//! The table of docs/vmms.md: each command of it that `netctl run` or `netctl open` can take here says what the table says.

use std::fs;
use std::path::Path;

use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use crate::lab::Lab;

/// A row: the command, and what the monitor is given, both without their backquotes.
#[derive(Debug)]
struct Row {
    line: usize,
    command: String,
    given: String,
}

fn text() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("vmms.md");
    fs::read_to_string(file).unwrap()
}

/// The document of the file, and its rows with a command of netctl's, but for those that say where else they are tested.
fn parse(text: &str) -> (String, Vec<Row>) {
    let document = text.split_once("```toml host.toml\n").and_then(|(_, rest)| rest.split_once("```"));
    let rows = text.lines().zip(1..).filter_map(|(text, line)| {
        let cells: Vec<&str> = text.strip_prefix('|')?.split('|').map(str::trim).collect();
        let (command, given) = (unquoted(cells.get(2)?), unquoted(cells.get(3)?));
        let elsewhere = ["lab:", "service:", "no device:"]
            .iter()
            .any(|word| cells.get(4).is_some_and(|cell| cell.starts_with(word)));
        let is_ours =
            ["netctl run ", "netctl open "].iter().any(|start| command.starts_with(start)) && !elsewhere;
        is_ours.then(|| Row { line, command: command.to_owned(), given: given.to_owned() })
    });
    (document.unwrap().0.to_owned(), rows.collect())
}

/// What is between backquotes, one or two at each side.
fn unquoted(cell: &str) -> &str {
    cell.trim_matches('`').trim()
}

/// Descriptors have numbers as they come: each is `N`.
fn numberless(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) =
        ["fds=", "fd=", "str="].iter().filter_map(|key| Some(rest.find(key)? + key.len())).min()
    {
        let at = at + usize::from(rest[at..].starts_with('['));
        let isnt = |c: char| !c.is_ascii_digit() && c != ':' && c != ',';
        let end = rest[at..].find(isnt).map_or(rest.len(), |length| at + length);
        // A comma that no number follows ends them.
        let numbers = rest[at..end].trim_end_matches(',');
        text += &rest[..at];
        text.extend(
            numbers
                .split_inclusive([':', ','])
                .map(|n| format!("N{}", n.trim_start_matches(|c: char| c.is_ascii_digit()))),
        );
        rest = &rest[at + numbers.len()..];
    }
    text + rest
}

#[test]
fn every_row_of_the_table_of_monitors_is_what_netctl_does() {
    let (document, rows) = parse(&text());
    assert!(rows.len() >= 8, "{rows:?}");
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("eth1").unwrap();
        let lab = Lab::new(sandbox);
        lab.write("host.toml", &document);
        lab.apply();
        let mut wrong = Vec::new();
        for row in &rows {
            let dry = row.command.replacen("netctl run ", "netctl run --dry-run ", 1);
            let done = lab.sh(&dry);
            let said = if done.code == Some(0) { &done.stdout } else { &done.stderr };
            let said = numberless(said.trim_end());
            if said != row.given {
                wrong.push(format!("docs/vmms.md:{}: it is `{said}`", row.line));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn numbers_of_descriptors_are_left_open_and_nothing_else() {
    for (line, wanted) in [
        ("tap,id=web1,fds=3:4,vhost=on,vhostfds=5:6", "tap,id=web1,fds=N:N,vhost=on,vhostfds=N:N"),
        ("fd=[11,12],mac=52:54,num_queues=4", "fd=[N,N],mac=52:54,num_queues=4"),
        ("tap-fd=7,mac=\"52:54\"", "tap-fd=N,mac=\"52:54\""),
        ("vmm --fds=3 -x", "vmm --fds=N -x"),
        ("addr.type=fd,addr.str=7", "addr.type=fd,addr.str=N"),
    ] {
        assert_eq!(numberless(line), wanted);
    }
}
