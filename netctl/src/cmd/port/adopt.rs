//! `netctl port adopt` and `netctl port release`: the policy on interfaces that something else made.

use std::io::Write;
use std::path::Path;

use super::edit::{Edit, addresses_and_groups};
use crate::cli::{PortAdoptArgs, PortNameArgs};
use crate::cmd::block_on;
use crate::config::edit::{self, NewSection};
use crate::config::{Config, Device, PortKind};
use crate::error::{Error, Outcome};
use crate::network::{self, Adoptable, Misfit, Netlink, Place};

pub(super) fn adopt(
    bpffs: &Path,
    args: &PortAdoptArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let edit = Edit::begin(bpffs, &args.edit, color)?;
    let name = args.name.as_ref().unwrap_or(&args.interface);
    edit.must_be_new(name)?;
    let found = block_on(look(&edit.state.config, &args.interface))??;
    let network = match &args.network {
        Some(network) => network.clone(),
        None => only_network(&args.interface, &found)?,
    };
    let mac = match (&args.mac, found.mac) {
        (Some(mac), _) => mac.clone(),
        (None, Some(mac)) => mac.to_string(),
        (None, None) => return Err(Error::Edit(unknown_mac(&args.interface))),
    };
    let mut port = NewSection::default();
    port.text("network", &network);
    port.text("mac", &mac);
    addresses_and_groups(&mut port, &args.new);
    port.text("ifname", &args.interface);
    port.yes("adopt");
    if !args.edit.json {
        let (kind, place) = (found.kind.name(), &found.place);
        eprintln!("netctl: `{}` is a {kind}, {place}: a port of network `{network}`", args.interface);
    }
    let text = edit::add_port(&edit.state.document, name, &port)?;
    edit.apply(text, out)
}

pub(super) fn release(
    bpffs: &Path,
    args: &PortNameArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let edit = Edit::begin(bpffs, &args.edit, color)?;
    let port = edit.port(&args.name)?;
    if port.device != Device::Adopted {
        return Err(Error::Edit(format!(
            "port `{0}` is netctl's own, and without its programs it would be open; `netctl port remove {0}` \
             removes it with its interface",
            args.name
        )));
    }
    edit.take_out(&args.name, out)
}

async fn look(config: &Config, interface: &str) -> Result<Adoptable, Error> {
    let observed = network::observe(&Netlink::connect()?).await?;
    let Some(found) = observed.named(interface) else {
        return Err(Error::Edit(format!("there is no interface `{interface}`; `ip link` lists them")));
    };
    let adopted = |(_, port): &(&String, &crate::config::Port)| port.interface == interface;
    if let Some((port, _)) = config.ports.iter().find(adopted) {
        return Err(Error::Edit(format!("`{interface}` is the interface of port `{port}` already")));
    }
    let cannot = |why: Misfit| Error::Edit(format!("cannot adopt `{interface}`: {why}"));
    network::adoptable(config, &observed, found).map_err(cannot)
}

fn only_network(interface: &str, found: &Adoptable) -> Result<String, Error> {
    match found.networks.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let (kind, place) = (found.kind.name(), &found.place);
            let next = match (&found.place, found.kind) {
                (Place::PortOf(bridge), PortKind::Tap) => {
                    format!("add one of kind \"bridge\" with `interface = \"{bridge}\"` to the document")
                }
                (Place::On(lower), PortKind::Macvtap) => {
                    format!(
                        "add one with `uplinks = [\"{lower}\"]` and of the macvtap's mode to the document"
                    )
                }
                _ => "plug it into one first".to_owned(),
            };
            Err(Error::Edit(format!(
                "no network of the running document fits `{interface}`, a {kind}, {place}; {next}"
            )))
        }
        several => Err(Error::Edit(format!(
            "`{interface}` can be a port of {}; choose with `--network`",
            several.join(" or ")
        ))),
    }
}

/// What libvirt gives a tap differs from the guest's in the first octet, what others give in all: no guess is right.
fn unknown_mac(interface: &str) -> String {
    format!(
        "the tap `{interface}` does not say which MAC address its guest has; say it with `--mac` \
         (`virsh domiflist` shows it for libvirt; the tap's own address is another)"
    )
}
