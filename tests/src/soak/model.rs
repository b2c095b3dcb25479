//! What the host should be like, and the next thing that happens to it.

use std::collections::BTreeMap;

use crate::policies::Random;

/// Ports 0 to 3 are taps on a bridge, 4 to 7 macvtaps on an uplink, and 8 to 10 taps of someone else's, which are adopted.
pub(super) const PORTS: u8 = 11;
pub(super) const ADOPTED: u8 = 8;

/// Destination ports that the rules speak of.
pub(super) const SERVICES: std::ops::Range<u16> = 1000..1006;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Apply,
    /// The port comes or goes.
    Edit(u8),
    /// SIGKILL in the middle of an apply, and the same apply again.
    Killed,
    Confirmed,
    /// Nobody confirms.
    Reverted,
    Upgrade,
    Down,
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Edit(ADOPTED..) => "adopt or release",
            Self::Edit(_) => "add or remove",
            Self::Killed => "killed apply",
            Self::Confirmed => "confirmed",
            Self::Reverted => "reverted",
            Self::Upgrade => "upgrade",
            Self::Down => "down and apply",
        }
    }
}

/// A document, as the parts that change.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Numbers of ports that are there, with whether they are in group `a` or `b`.
    pub(super) ports: BTreeMap<u8, bool>,
    rules: Vec<String>,
    default: &'static str,
}

pub(super) fn name(port: u8) -> String {
    if port < ADOPTED { format!("p{port}") } else { format!("vnet{port}") }
}

pub(super) fn number(port: u8) -> u8 {
    10 + port
}

pub(super) fn group(is_a: bool) -> &'static str {
    if is_a { "a" } else { "b" }
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            ports: [(0, true), (1, false), (4, true), (5, false)].into(),
            rules: Vec::new(),
            default: "deny",
        }
    }

    pub(super) fn random_change(&self, random: &mut Random) -> Change {
        match random.below(20) {
            0..7 => Change::Apply,
            7..14 => Change::Edit(random.below(PORTS.into()) as u8),
            14..17 => Change::Killed,
            17 => Change::Confirmed,
            18 if random.below(3) == 0 => Change::Reverted,
            18 => Change::Upgrade,
            _ if random.below(3) == 0 => Change::Down,
            _ => Change::Apply,
        }
    }

    /// Another policy, and some ports more or less.
    pub(super) fn mutate(&mut self, random: &mut Random) {
        for _ in 0..random.below(4) {
            self.toggle(random.below(PORTS.into()) as u8, random);
        }
        self.default = if random.below(4) == 0 { "allow" } else { "deny" };
        self.rules = (0..1 + random.below(6)).map(|_| rule(random)).collect();
    }

    pub(super) fn toggle(&mut self, port: u8, random: &mut Random) {
        if self.ports.remove(&port).is_none() {
            self.ports.insert(port, random.below(2) == 0);
        }
    }

    /// After an edit: the port is there exactly if it was not, with the group that it was given.
    pub(super) fn toggle_to_match(
        &mut self,
        port: u8,
        running: Option<&netctl::config::Port>,
    ) -> anyhow::Result<()> {
        let was_there = self.ports.remove(&port).is_some();
        anyhow::ensure!(was_there != running.is_some(), "port {} was edited in vain", name(port));
        if let Some(running) = running {
            self.ports.insert(port, running.groups.iter().any(|group| group == "a"));
        }
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "[networks.lab]\nkind = \"bridge\"\n[networks.mac]\nkind = \"macvlan\"\nuplinks = [\"up0\"]\n\
             [networks.own]\nkind = \"bridge\"\ninterface = \"br0\"\n[groups]\na = []\nb = []\n",
        );
        for (port, is_a) in &self.ports {
            let network = match port {
                0..4 => "lab",
                4..ADOPTED => "mac",
                _ => "own",
            };
            let adopt = if *port < ADOPTED {
                String::new()
            } else {
                format!("adopt = true\nifname = \"{}\"\n", name(*port))
            };
            text += &format!(
                "[ports.{}]\nnetwork = \"{network}\"\nmac = \"52:54:00:00:00:{:02x}\"\naddresses = [\"10.0.0.{}\"]\ngroups = [\"{}\"]\n{adopt}",
                name(*port),
                number(*port),
                number(*port),
                group(*is_a)
            );
        }
        text + &format!(
            "[policy]\ndefault = \"{}\"\nrules = [\n{}\n]\n",
            self.default,
            self.rules.join(",\n")
        )
    }

    /// Two ports of one network, the sender first.
    pub(super) fn pair(&self, random: &mut Random) -> Option<(u8, u8)> {
        let ports: Vec<u8> = self.ports.keys().copied().collect();
        if ports.is_empty() {
            return None;
        }
        let pick = |random: &mut Random| ports.get(random.below(ports.len())).copied();
        (0..20).find_map(|_| {
            let (from, to) = (pick(random)?, pick(random)?);
            (from != to && from / 4 == to / 4).then_some((from, to))
        })
    }
}

fn rule(random: &mut Random) -> String {
    let party = |random: &mut Random| ["a", "b", "any"][random.below(3)];
    let action = ["allow", "deny"][random.below(2)];
    let first = SERVICES.start + random.below(SERVICES.len()) as u16;
    let last = first + random.below(3) as u16;
    let (from, to) = (party(random), party(random));
    format!(r#"{{ {action} = "udp/{first}-{last}", from = "{from}", to = "{to}" }}"#)
}
