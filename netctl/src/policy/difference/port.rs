//! What changes about ports themselves: all that verdicts follow from besides the rules.

use super::Side;
use crate::config::{Config, Port};
use crate::diff::{self, RuleChange, Sign};

/// A port that only one document has, or that is another one in the other. The line is that of the document after; of
/// what goes, that of the one before.
pub type PortChange = RuleChange;

pub(super) fn changes(before: &Side, after: &Side) -> Vec<PortChange> {
    let changes = diff::policies(Some(&before.config), &after.config);
    let of_ports = changes.into_iter().filter(|change| matches!(change.what, "port" | "audit"));
    let mut all: Vec<PortChange> = of_ports.collect();
    all.extend(places(&before.config, &after.config));
    all
}

/// Where ports are and whether they are filtered, which a port's own line does not say.
fn places(before: &Config, after: &Config) -> Vec<PortChange> {
    let mut all = Vec::new();
    let mut change = |what, line, text| all.push(PortChange { sign: Sign::Change, what, line, text });
    for (name, new) in &after.networks {
        let Some(old) = before.networks.get(name) else { continue };
        if old.zone != new.zone {
            change("network", new.line, format!("{name}: zone {} becomes {}", old.zone, new.zone));
        }
        if old.kind != new.kind {
            let (was, is) = (old.kind.name(), new.kind.name());
            let text = if was == is {
                format!("{name}: who forwards between its guests changes")
            } else {
                format!("{name}: {was} becomes {is}")
            };
            change("network", new.line, text);
        }
        if old.host_access != new.host_access {
            let word = if new.host_access { "reach" } else { "no longer reach" };
            change("network", new.line, format!("{name}: guests {word} the host by `host-access`"));
        }
    }
    let filtered = |port: &Port| port.device.is_filtered();
    for (name, new) in &after.ports {
        match before.ports.get(name).map(filtered) {
            Some(was) if was != filtered(new) => {
                let word = if was { "is no longer filtered" } else { "is filtered" };
                change("port", new.line, format!("{name}: {word}"));
            }
            _ => {}
        }
    }
    all
}
