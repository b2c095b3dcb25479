//! Attacks: frames that scapy made (tests/evasion), through the decision on the host, through the programs in the
//! kernel, and sent on real ports of every kind. Needs root, and fails without.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "evasion/files.rs"]
mod files;
#[path = "evasion/host.rs"]
mod host;
#[path = "evasion/kernel.rs"]
mod kernel;
#[path = "kinds/kind.rs"]
#[allow(dead_code, reason = "of the tests of kinds, which need all of it")]
mod kind;
#[path = "kernel/lab.rs"]
#[allow(dead_code, reason = "of the kernel's tests, which need all of it")]
mod lab;
#[path = "kernel/live.rs"]
#[allow(dead_code, reason = "of the kernel's tests, which need all of it")]
mod live;
#[path = "evasion/ports.rs"]
mod ports;
#[path = "evasion/table.rs"]
mod table;

use kind::Kind;
use netctl_tests::evasion::{CLOSED, Case, OPEN, PENDING, cases};

/// The rules that a step of the corpus applies.
fn rules(policy: &str) -> &'static [&'static str] {
    match policy {
        "open" => OPEN,
        "closed" => CLOSED,
        other => panic!("the corpus has no policy {other:?}"),
    }
}

/// The cases for a kind of network; `NETCTL_ATTACK` leaves one row of the table in docs/security.md.
fn cases_for(kind: &Kind) -> Vec<Case> {
    let mut cases = cases().unwrap();
    if let Ok(attack) = std::env::var("NETCTL_ATTACK") {
        cases.retain(|case| case.attack == attack);
        assert!(!cases.is_empty(), "docs/security.md has no attack {attack:?}");
    }
    cases.retain(|case| case.is_for(kind.name));
    cases
}

/// Nothing of what is left after the pending cases are taken out.
#[track_caller]
fn none_but_pending(wrong: Vec<(String, String)>) {
    let (pending, wrong): (Vec<_>, Vec<_>) =
        wrong.into_iter().partition(|(case, _)| PENDING.contains(&case.as_str()));
    if std::env::var_os("NETCTL_PENDING").is_some() {
        wrong.iter().for_each(|(case, _)| println!("    {case:?},"));
    }
    println!("{} of {} pending cases come out otherwise", pending.len(), PENDING.len());
    let wrong: Vec<_> = wrong.into_iter().map(|(case, found)| format!("{case}: {found}")).collect();
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}
