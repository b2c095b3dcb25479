//! Rules that allow more than is usually meant.

use ipnet::IpNet;
use netctl_common::verdict::Action;

use crate::config::{Config, PortRange, Rule, Selector, Service, print_service};

/// What the rule opens, if that is more than is usually meant.
pub(super) fn cause(config: &Config, rule: &Rule) -> Option<String> {
    if rule.action != Action::Allow || rule.audit || !rule.source_ports.is_empty() {
        return None;
    }
    if rule.services.contains(&Service::Any) {
        let side = |word: &str, selectors: &[Selector]| {
            let wide = selectors.iter().find_map(|selector| everyone(config, selector))?;
            Some(format!("{word} {wide}"))
        };
        let sides = [side("from", &rule.from), side("to", &rule.to)];
        let wide: Vec<String> = sides.into_iter().flatten().collect();
        return (!wide.is_empty()).then(|| format!("every service {}", wide.join(" ")));
    }
    let all_ports = rule.services.iter().find(|service| match service {
        Service::Tcp(range) | Service::Udp(range) | Service::Sctp(range) => is_all(range),
        _ => false,
    })?;
    Some(format!("every port of `{}`", print_service(all_ports)))
}

/// How the selector is called, if it holds everyone or the whole world.
fn everyone(config: &Config, selector: &Selector) -> Option<String> {
    let is_whole = |net: &IpNet| net.prefix_len() == 0;
    match selector {
        Selector::Any => Some("`any`".into()),
        Selector::World => Some("`world`".into()),
        Selector::Prefix(net) if is_whole(net) => Some(format!("`{net}`")),
        Selector::Set(set) => {
            let net = config.sets.get(set)?.iter().find(|net| is_whole(net))?;
            Some(format!("`{set}`, which holds {net}"))
        }
        _ => None,
    }
}

/// Port 0 is no port that anyone waits at.
fn is_all(range: &PortRange) -> bool {
    range.first <= 1 && range.last == u16::MAX
}
