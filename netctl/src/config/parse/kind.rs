//! What the kinds of networks differ in: which keys each may have, how many uplinks, the pool of VFs.

use super::claims::{Claims, Owner};
use super::name::check_interface;
use super::section::{Field, Section, Text};
use crate::config::escape::quoted;
use crate::config::model::{Hairpin, Network, NetworkKind, Pool, Siblings, VfSettings};
use crate::config::report::Report;

pub(in crate::config) const POOL_FIELDS: &[Field] = &[
    Field { name: "pf", example: "pf = \"eth3\"" },
    Field { name: "vfs", example: "vfs = 8" },
    Field { name: "vlan", example: "vlan = 100" },
    Field { name: "spoof-check", example: "spoof-check = true" },
    Field { name: "trust", example: "trust = false" },
    Field { name: "rate", example: "rate = 1000" },
];

/// Virtual functions of one NIC (PCI-SIG SR-IOV; the routing IDs behind one function).
pub(in crate::config) const MAX_VFS: u16 = 256;
/// IEEE 802.1Q, 9.6: 0 and 4095 are no VLANs.
pub(in crate::config) const MAX_VLAN: u16 = 4094;

pub(in crate::config) const KIND_WORDS: [(&str, NetworkKind); 4] = [
    ("bridge", NetworkKind::Bridge),
    ("macvlan", NetworkKind::Macvlan(Siblings::Bridge)),
    ("passthrough", NetworkKind::Passthrough),
    ("vepa", NetworkKind::Vepa(Hairpin::Switch)),
];

pub(in crate::config) const HAIRPIN_WORDS: [(&str, Hairpin); 2] =
    [("switch", Hairpin::Switch), ("local", Hairpin::Local)];

/// A key, the kinds that have it, and why the others do not.
const KEYS_OF_KINDS: [(&str, &[&str], &str); 6] = [
    ("interface", &["bridge"], "its guests are on the uplink itself"),
    ("private", &["macvlan"], "only macvlan networks choose whether their guests reach each other"),
    ("hairpin", &["vepa"], "only vepa sends guests' frames through the switch"),
    ("pool", &["passthrough"], "only passthrough gives each guest a function of its own"),
    (
        "host-access",
        &["macvlan", "vepa"],
        "the host is on a bridge anyway, and cannot be on a guest's own NIC",
    ),
    ("addresses", &["bridge", "macvlan", "vepa"], "the host is not on a guest's own NIC"),
];

/// `kind`, and the keys that only some kinds have.
pub(super) fn kind(section: &Section<'_, '_>, network: &mut Network, report: &mut Report) {
    if section.entry("kind").is_none() {
        return section.missing("kind", "a network", report);
    }
    let Some(kind) = section.word("kind", &KIND_WORDS, report) else { return };
    network.kind = kind;
    for (key, kinds, why) in KEYS_OF_KINDS {
        if let Some(entry) = section.entry(key)
            && !kinds.contains(&kind.name())
        {
            let message = format!("a network of kind {} has no `{key}`: {why}", kind.name());
            report.error(entry.key, message, "remove it");
        }
    }
    match &mut network.kind {
        NetworkKind::Macvlan(siblings) => {
            if section.boolean("private", report) == Some(true) {
                *siblings = Siblings::Private;
            }
        }
        NetworkKind::Vepa(hairpin) => {
            *hairpin = section.word("hairpin", &HAIRPIN_WORDS, report).unwrap_or_default();
        }
        NetworkKind::Bridge | NetworkKind::Passthrough => {}
    }
    network.host_access = section.boolean("host-access", report).unwrap_or_default();
}

/// `uplinks` and `pool`: names, and how many there have to be.
pub(super) fn uplinks<'d>(
    section: &Section<'d, '_>,
    name: Text<'d>,
    network: &mut Network,
    claims: &mut Claims<'d>,
    report: &mut Report,
) {
    for uplink in section.texts("uplinks", report) {
        report.take(uplink.span, check_interface(uplink.text));
        claims.interface(uplink.text, Owner::uplink(name, uplink.span), report);
        network.uplinks.push(uplink.text.to_owned());
    }
    network.pool = pool(section, report);
    let (kind, uplinks) = (network.kind.name(), network.uplinks.len());
    match network.kind {
        NetworkKind::Bridge => {}
        NetworkKind::Macvlan(_) | NetworkKind::Vepa(_) => {
            network.interface = network.uplinks.first().cloned().unwrap_or_default();
            if uplinks != 1 && !section.is_misspelt("uplinks") {
                let message = format!("a network of kind {kind} has one uplink, not {uplinks}");
                let place = section.node("uplinks").map_or(section.span, |node| node.span);
                report.error(
                    place,
                    message,
                    "name the NIC that its guests share, like `uplinks = [\"eth1\"]`",
                );
            }
        }
        NetworkKind::Passthrough => {
            network.interface = String::new();
            let has_pool = section.entry("pool").is_some();
            if has_pool == (uplinks > 0) && !section.is_misspelt("uplinks") && !section.is_misspelt("pool") {
                let message = format!("a network of kind {kind} has either uplinks or a pool");
                let help = "write `uplinks = [\"eth1\", \"eth2\"]`, one for each guest, or `pool = { pf = \"eth3\", vfs = 8 }`";
                report.error(section.span, message, help);
            }
        }
    }
}

fn pool(section: &Section<'_, '_>, report: &mut Report) -> Option<Pool> {
    let pool = Section::of(section.entry("pool")?, POOL_FIELDS, "a pool", report)?;
    for key in ["pf", "vfs"] {
        if pool.entry(key).is_none() {
            pool.missing(key, "a pool", report);
        }
    }
    let pf = pool.text("pf", report)?;
    report.take(pf.span, check_interface(pf.text));
    let defaults = VfSettings::default();
    Some(Pool {
        pf: pf.text.to_owned(),
        vfs: pool.integer("vfs", 1..=MAX_VFS, report)?,
        settings: VfSettings {
            vlan: pool.integer("vlan", 1..=MAX_VLAN, report),
            spoof_check: pool.boolean("spoof-check", report).unwrap_or(defaults.spoof_check),
            trust: pool.boolean("trust", report).unwrap_or(defaults.trust),
            rate: rate(&pool, report),
        },
    })
}

/// Mbit/s.
fn rate(pool: &Section<'_, '_>, report: &mut Report) -> Option<u32> {
    pool.integer("rate", 1..=u16::MAX, report).map(u32::from)
}

/// Two pools on one NIC share its functions, so they have to agree on their number.
pub(super) fn check_pools<'a>(networks: impl Iterator<Item = (Text<'a>, &'a Network)>, report: &mut Report) {
    let mut numbers = std::collections::HashMap::new();
    for (name, network) in networks {
        let Some(pool) = &network.pool else { continue };
        let first = *numbers.entry(pool.pf.clone()).or_insert((pool.vfs, name));
        if first.0 != pool.vfs {
            let message = format!(
                "network {} wants {} functions of `{}`, but network {} wants {}",
                quoted(name.text),
                pool.vfs,
                pool.pf,
                quoted(first.1.text),
                first.0
            );
            report.error(name.span, message, "write the same number in both: they share the functions");
        }
    }
}
