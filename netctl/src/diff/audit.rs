//! Where audit mode begins and ends. An audited rule is another rule.

use super::{RuleChange, Sign};
use crate::config::Config;

pub(super) fn changes(running: &Config, wanted: &Config) -> Vec<RuleChange> {
    let policy = change(running.policy.audit, wanted.policy.audit, 0, "the policy");
    let port = |(name, port): (&String, &crate::config::Port)| {
        let before = running.ports.get(name).is_some_and(|before| before.audit);
        change(before, port.audit, port.line, &format!("port {name}"))
    };
    policy.into_iter().chain(wanted.ports.iter().filter_map(port)).collect()
}

fn change(before: bool, after: bool, line: u32, whose: &str) -> Option<RuleChange> {
    let (sign, text) = match (before, after) {
        (false, true) => (Sign::Add, format!("{whose}: denials are reported and not enforced")),
        (true, false) => (Sign::Remove, format!("{whose}: denials are enforced again")),
        _ => return None,
    };
    Some(RuleChange { sign, what: "audit", line, text })
}
