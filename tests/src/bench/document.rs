//! The rules as a document of netctl.

use std::fmt::Write;

use super::plug::Plug;
use super::rules::{FROM_LEN, Rule, TO_LEN, measured, rules};
use crate::frame::{Mac, mac, mac_text};

/// Interfaces of the two measured ports.
pub const INTERFACES: [&str; 2] = ["bencha", "benchb"];

/// MAC addresses of the two measured ports.
pub const MACS: [Mac; 2] = [mac(1), mac(2)];

/// What a document of the benchmark differs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    pub plug: Plug,
    pub rules: u32,
    /// Only the first rule is there; the ports are those of all rules.
    pub only_first: bool,
    /// The first rule is another one.
    pub changed: bool,
    /// There is a third port.
    pub third_port: bool,
}

impl Document {
    pub fn new(rules: u32) -> Self {
        Self { plug: Plug::Bridge, rules, only_first: false, changed: false, third_port: false }
    }

    /// Two ports on a network, the sources and the destination of the last rule, and all rules.
    pub fn text(self) -> String {
        let last = measured(self.rules);
        let sources = last.sources().map(|s| s.to_string()).collect::<Vec<_>>();
        let mut text = format!("[networks.bench]\n{}", self.plug.document());
        let [a, b] = INTERFACES;
        port(&mut text, "a", a, MACS[0], &sources);
        port(&mut text, "b", b, MACS[1], &[last.destination().to_string()]);
        if self.third_port {
            port(&mut text, "c", "benchc", mac(3), &["192.0.2.3".to_owned()]);
        }
        text.push_str("\n[policy]\ndefault = \"deny\"\nrules = [\n");
        let count = if self.only_first { 1 } else { self.rules };
        for (index, rule) in rules(count).into_iter().enumerate() {
            let rule = if self.changed && index == 0 { super::nft::changed(rule) } else { rule };
            let Rule { from, to, ports: (first, last) } = rule;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "  {{ allow = \"tcp/{first}-{last}\", from = \"{from}/{FROM_LEN}\", to = \"{to}/{TO_LEN}\" }},"
            );
        }
        text.push_str("]\n");
        text
    }
}

fn port(text: &mut String, name: &str, interface: &str, mac: Mac, addresses: &[String]) {
    let mac = mac_text(mac);
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\n[ports.{name}]\nnetwork = \"bench\"\nmac = \"{mac}\"\nifname = \"{interface}\"\naddresses = {addresses:?}\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_each_rule_and_only_what_is_asked_for() {
        let text = Document::new(2).text();
        assert!(text.contains("allow = \"tcp/1061-1062\", from = \"10.0.0.64/26\", to = \"172.16.1.0/24\""));
        assert!(
            text.contains("mac = \"52:54:00:00:00:01\"\nifname = \"bencha\"\naddresses = [\"10.0.0.65\",")
        );
        assert_eq!((text.matches("allow").count(), text.matches("[ports.").count()), (2, 2));
        let other = Document { changed: true, third_port: true, ..Document::new(2) }.text();
        assert!(other.contains("\"tcp/1024-1025\"") && other.contains("[ports.c]"));
    }
}
