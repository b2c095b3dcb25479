//! The rules as a ruleset of nftables' bridge family, in the three forms that people write.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::rules::{FROM_LEN, Rule, TO_LEN, measured, rules};

/// How nftables is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One rule after the other.
    Linear,
    /// One look-up in a verdict map of exact (source, destination, port). It has no prefixes or ranges, so each rule
    /// but the last stands for one address and port of its own, and the last for all measured ones.
    Vmap,
    /// One look-up in a set of concatenated prefixes and ranges.
    Interval,
}

const TYPES: &str = "type ipv4_addr . ipv4_addr . inet_service";

/// A file for `nft -f` that puts the rules in place of what table `bench` had, in one transaction.
pub fn ruleset(form: Form, count: u32) -> String {
    let (objects, statements) = match form {
        Form::Linear => (String::new(), linear(count)),
        Form::Vmap => {
            let elements = vmap_elements(count);
            let map =
                format!("  map verdicts {{\n    {TYPES} : verdict\n    elements = {{ {elements} }}\n  }}\n");
            (map, "    ip saddr . ip daddr . tcp dport vmap @verdicts\n".to_owned())
        }
        Form::Interval => {
            let elements = rules(count).iter().map(interval).collect::<Vec<_>>().join(",\n");
            let set = format!(
                "  set allowed {{\n    {TYPES}\n    flags interval\n    elements = {{ {elements} }}\n  }}\n"
            );
            (set, "    ip saddr . ip daddr . tcp dport @allowed accept\n".to_owned())
        }
    };
    // Adding the table first lets the deletion succeed where there is none.
    format!(
        "table bridge bench\ndelete table bridge bench\ntable bridge bench {{\n{objects}  chain forward {{\n    \
         type filter hook forward priority 0; policy drop;\n{statements}  }}\n}}\n"
    )
}

/// A file for `nft -f` that puts another rule in place of the first in the set of [`Form::Interval`].
pub fn one_changed() -> String {
    let first = Rule::new(0);
    let (gone, new) = (interval(&first), interval(&changed(first)));
    format!(
        "delete element bridge bench allowed {{ {gone} }}\nadd element bridge bench allowed {{ {new} }}\n"
    )
}

/// The rule that takes the first one's place where one changed rule is timed.
pub fn changed(rule: Rule) -> Rule {
    Rule { ports: (rule.ports.0, rule.ports.1 + 1), ..rule }
}

fn linear(count: u32) -> String {
    rules(count).iter().fold(String::new(), |mut text, Rule { from, to, ports: (first, last) }| {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "    ip saddr {from}/{FROM_LEN} ip daddr {to}/{TO_LEN} tcp dport {first}-{last} accept"
        );
        text
    })
}

fn vmap_elements(count: u32) -> String {
    let one = |rule: &Rule, source: Ipv4Addr| {
        format!("{source} . {} . {} : accept", rule.destination(), rule.ports.0)
    };
    let last = measured(count);
    let others = rules(count - 1).into_iter().filter_map(|rule| Some(one(&rule, rule.sources().next()?)));
    others.chain(last.sources().map(|source| one(&last, source))).collect::<Vec<_>>().join(",\n")
}

fn interval(Rule { from, to, ports: (first, last) }: &Rule) -> String {
    // nft does not take a range of one.
    let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
    format!("{from}/{FROM_LEN} . {to}/{TO_LEN} . {ports}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_say_the_same_of_the_last_rule() {
        assert!(
            ruleset(Form::Linear, 2)
                .contains("ip saddr 10.0.0.64/26 ip daddr 172.16.1.0/24 tcp dport 1061-1062 accept")
        );
        assert!(ruleset(Form::Vmap, 2).contains("10.0.0.65 . 172.16.1.2 . 1061 : accept"));
        assert!(ruleset(Form::Vmap, 2).contains("10.0.0.126 . 172.16.1.2 . 1061 : accept"));
        assert!(ruleset(Form::Interval, 2).contains("10.0.0.64/26 . 172.16.1.0/24 . 1061-1062"));
    }
}
