//! The keys that only some kinds of networks and ports have.

use crate::config::parse::port::VDPA;
use std::fmt;

use super::quote;
use crate::config::model::{Device, Hairpin, Network, NetworkKind, Pool, Port, Siblings, VfSettings};

pub(super) fn print_network(f: &mut fmt::Formatter<'_>, network: &Network) -> fmt::Result {
    match network.kind {
        NetworkKind::Macvlan(Siblings::Private) => writeln!(f, "private = true")?,
        NetworkKind::Vepa(Hairpin::Local) => writeln!(f, "hairpin = \"local\"")?,
        _ => {}
    }
    if network.host_access {
        writeln!(f, "host-access = true")?;
    }
    network.pool.as_ref().map_or(Ok(()), |pool| writeln!(f, "pool = {{ {} }}", pool_text(pool)))
}

fn pool_text(pool: &Pool) -> String {
    let VfSettings { vlan, spoof_check, trust, rate } = pool.settings;
    let mut text = format!("pf = {}, vfs = {}", quote(&pool.pf), pool.vfs);
    let mut add = |part: String| text.push_str(&format!(", {part}"));
    if let Some(vlan) = vlan {
        add(format!("vlan = {vlan}"));
    }
    if !spoof_check {
        add("spoof-check = false".to_owned());
    }
    if trust {
        add("trust = true".to_owned());
    }
    if let Some(rate) = rate {
        add(format!("rate = {rate}"));
    }
    text
}

pub(super) fn print_port(f: &mut fmt::Formatter<'_>, port: &Port) -> fmt::Result {
    if let Some(uplink) = &port.uplink {
        writeln!(f, "uplink = {}", quote(uplink))?;
    }
    match port.device {
        Device::Made => Ok(()),
        Device::Adopted => {
            f.write_str("adopt = true\n")?;
            port.domain.iter().try_for_each(|domain| writeln!(f, "domain = \"{domain}\""))
        }
        Device::Vfio => f.write_str("vfio = true\nfilter = \"none\"\n"),
        Device::Vdpa(number) => writeln!(f, "vdpa = \"{VDPA}{number}\"\nfilter = \"none\""),
    }
}
