//! `audit = true` of the policy and of a port: said loudly, since it enforces less than the rules read like.

use super::section::{Section, Text};
use crate::config::escape::quoted;
use crate::config::report::{Finding, Report};

const HELP: &str = "take `audit` out when `netctl events --reason audit` shows nothing that should pass";

pub(super) fn policy(section: &Section<'_, '_>, report: &mut Report) -> bool {
    read(section, report, || {
        "the policy is in audit mode: its denials are reported and NOT enforced, only guards are".to_owned()
    })
}

pub(super) fn port(section: &Section<'_, '_>, name: Text<'_>, report: &mut Report) -> bool {
    read(section, report, || {
        let port = quoted(name.text);
        format!(
            "port {port} is in audit mode: the policy's denials are reported and NOT enforced there, only guards are"
        )
    })
}

fn read(section: &Section<'_, '_>, report: &mut Report, message: impl FnOnce() -> String) -> bool {
    let audit = section.boolean("audit", report).unwrap_or(false);
    if audit && let Some(entry) = section.entry("audit") {
        report.add(Finding::warning(entry.key, message(), HELP));
    }
    audit
}
