//! The rules that every way enforces: `n` of them, none overlapping, and the measured flows match the last.
//!
//! Rule `i` allows TCP from the `i`-th /26 of 10.0.0.0/8 to the `i mod 16`-th /24 of 172.16.0.0/20, to 1 to 4 ports
//! from `1024 + (37 * i mod 60000)` on; the default is to deny.

use std::net::Ipv4Addr;

/// One rule: allow TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The /26 from which.
    pub from: Ipv4Addr,
    /// The /24 to which.
    pub to: Ipv4Addr,
    /// First and last destination port.
    pub ports: (u16, u16),
}

pub const FROM_LEN: u8 = 26;
pub const TO_LEN: u8 = 24;

/// No rule has it.
pub const DENIED_PORT: u16 = 9;

impl Rule {
    /// The `index`-th rule, below 2^18.
    pub fn new(index: u32) -> Self {
        let first = 1024 + (index * 37 % 60000) as u16;
        Self {
            from: Ipv4Addr::from(0x0a00_0000 + index * 64),
            to: Ipv4Addr::from(0xac10_0000 + index % 16 * 256),
            ports: (first, first + (index % 4) as u16),
        }
    }

    /// Addresses that it allows as sources: all of the /26 but its first and last.
    pub fn sources(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let base = u32::from(self.from);
        (1..63).map(move |host| Ipv4Addr::from(base + host))
    }

    /// An address that it allows as destination.
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.to) + 2)
    }
}

/// `count` rules in their order.
pub fn rules(count: u32) -> Vec<Rule> {
    (0..count).map(Rule::new).collect()
}

/// The rule that the measured flows match: the last one.
pub fn measured(count: u32) -> Rule {
    Rule::new(count.max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_ten_thousand_rules_is_this_one() {
        let last = measured(10_000);
        assert_eq!(rules(10_000).last(), Some(&last));
        let (from, to) = ("10.9.195.192".parse().unwrap(), "172.16.15.0".parse().unwrap());
        assert_eq!(last, Rule { from, to, ports: (10_987, 10_990) });
        assert_eq!(last.destination().to_string(), "172.16.15.2");
        assert_eq!(last.sources().count(), 62);
    }

    #[test]
    fn no_rule_takes_the_denied_port() {
        assert!(rules(100_000).iter().all(|rule| rule.ports.0 > DENIED_PORT && rule.ports.0 <= rule.ports.1));
    }
}
