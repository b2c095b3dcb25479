//! `audit` in its three places.

use super::read;
use crate::config::print::print;

const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
addresses = ["10.0.0.11"]
audit = true
[ports.db1]
network = "lab"
addresses = ["10.0.0.21"]
[policy]
audit = true
rules = [
  { deny = "tcp/22", from = "any", to = "db1", audit = true },
  { allow = "tcp", from = "any", to = "db1", audit = false },
]
"#;

#[test]
fn audit_mode_is_read_printed_and_said_loudly() {
    let parsed = read(DOCUMENT).unwrap();
    let config = &parsed.config;
    let rules: Vec<bool> = config.policy.rules.iter().map(|rule| rule.audit).collect();
    assert_eq!((config.policy.audit, &rules[..]), (true, &[true, false][..]));
    assert_eq!((config.ports["web1"].audit, config.ports["db1"].audit), (true, false));
    let warnings: Vec<(u32, bool)> = parsed
        .warnings
        .iter()
        .map(|finding| (finding.line, finding.message.contains("NOT enforced")))
        .collect();
    assert_eq!(warnings, [(7, true), (12, true)]);

    let printed = print(config);
    assert_eq!(printed.matches("audit = true").count(), 3, "{printed}");
    let again = read(&printed).unwrap().config;
    assert_eq!(print(&again), printed);
    assert!(again.policy.audit && again.ports["web1"].audit && again.policy.rules[0].audit);
}
