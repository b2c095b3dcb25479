//! What one group may open towards another.

use std::fmt;

use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::services::{Entry, Kind, Runs, range};
use super::sets::Bits;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

/// Services that are allowed, and where only one family has them, which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub entry: Entry,
    /// `None`: every family that both ends have.
    pub family: Option<Family>,
}

/// All services that are allowed. Displayed in one line: `tcp/80,443, udp/53 (IPv4)`; `-` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub offers: Vec<Offer>,
    /// Whether both ends have IPv4 addresses, and whether IPv6.
    pub families: [bool; 2],
}

impl Cell {
    /// Of the sets of the families that both ends have.
    pub(super) fn new(sets: [Option<&Bits>; 2], runs: &Runs<'_>) -> Self {
        let families = sets.map(|set| set.is_some());
        let entries =
            |family: usize| sets[family].map(|set| runs.entries(set, family == 0)).unwrap_or_default();
        let (v4, v6) = (entries(0), entries(1));
        let is_own = |entry: &Entry| matches!(entry.kind, Kind::Icmp | Kind::Icmp6);
        let both = families == [true, true];
        let family = |entry: &Entry, others: &[Entry], family| {
            (both && !is_own(entry) && !others.contains(entry)).then_some(family)
        };
        let first =
            v4.iter().map(|entry| Offer { entry: entry.clone(), family: family(entry, &v6, Family::Ipv4) });
        let rest = v6.iter().filter(|entry| !v4.contains(entry));
        let rest = rest.map(|entry| Offer { entry: entry.clone(), family: family(entry, &v4, Family::Ipv6) });
        let mut offers: Vec<Offer> = first.chain(rest).collect();
        offers.sort_by_key(|offer| offer.entry.kind);
        Self { offers, families }
    }

    /// Whether a connection may be opened; `number` as in [`crate::compile::reference::Wanted`].
    pub fn allows(&self, family: Family, protocol: u8, number: u16, source_port: u16) -> bool {
        self.families[family as usize]
            && self
                .offers
                .iter()
                .filter(|offer| offer.family.is_none_or(|only| only == family))
                .any(|offer| offer.entry.holds(protocol, number, source_port))
    }

    /// As displayed, in at most so many characters: what does not fit is counted.
    pub fn shortened(&self, most: usize) -> String {
        let all = self.to_string();
        if all.chars().count() <= most {
            return all;
        }
        // Of words and of the numbers in them, so that one long list is cut, too.
        let parts: Vec<&str> = all.split(',').collect();
        let mut kept = String::new();
        for (place, part) in parts.iter().enumerate() {
            let more = format!(" +{}", parts.len() - place);
            let separator = if place == 0 { "" } else { "," };
            if kept.chars().count() + separator.len() + part.chars().count() + more.len() > most {
                kept.push_str(if place == 0 { more.trim_start() } else { &more });
                break;
            }
            kept.push_str(separator);
            kept.push_str(part);
        }
        kept
    }

    /// One text for all numbers of one kind, source and family.
    pub fn words(&self) -> Vec<String> {
        let mut joined: Vec<(&Offer, Vec<String>)> = Vec::new();
        for offer in &self.offers {
            let (_, numbers) = offer.entry.words();
            let alike = |other: &Offer| {
                (other.entry.kind, &other.entry.source_ports, other.family)
                    == (offer.entry.kind, &offer.entry.source_ports, offer.family)
            };
            match joined.iter_mut().find(|(other, _)| alike(other)) {
                Some((_, all)) => all.extend(numbers),
                None => joined.push((offer, numbers)),
            }
        }
        joined.into_iter().map(|(offer, numbers)| text(offer, &numbers.join(","))).collect()
    }
}

fn text(offer: &Offer, numbers: &str) -> String {
    let (kind, _) = offer.entry.words();
    let service = if numbers.is_empty() { kind.to_owned() } else { format!("{kind}/{numbers}") };
    let sources: Vec<String> =
        offer.entry.source_ports.iter().map(|(first, last)| range(*first, *last)).collect();
    let sources = (!sources.is_empty()).then(|| format!("from {}", sources.join(",")));
    let only: Vec<String> =
        offer.family.map(|family| family.name().to_owned()).into_iter().chain(sources).collect();
    if only.is_empty() { service } else { format!("{service} ({})", only.join(", ")) }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.offers.is_empty() { f.write_str("-") } else { f.write_str(&self.words().join(", ")) }
    }
}

/// A list of objects with one `service` each, and what restricts it.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct One {
            service: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            family: Option<Family>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            source_ports: Vec<String>,
        }
        let mut list = serializer.serialize_seq(None)?;
        for offer in &self.offers {
            let (kind, numbers) = offer.entry.words();
            let source_ports: Vec<String> =
                offer.entry.source_ports.iter().map(|(first, last)| range(*first, *last)).collect();
            let services = match numbers.as_slice() {
                [] => vec![kind.to_owned()],
                all => all.iter().map(|number| format!("{kind}/{number}")).collect(),
            };
            for service in services {
                let source_ports = source_ports.clone();
                list.serialize_element(&One { service, family: offer.family, source_ports })?;
            }
        }
        list.end()
    }
}
