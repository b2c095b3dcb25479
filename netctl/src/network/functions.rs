//! Reading what is there of SR-IOV: numbers, PCI addresses, drivers and interfaces from sysfs
//! (Documentation/PCI/pci-iov-howto.rst), settings from rtnetlink.

use std::collections::BTreeMap;
use std::io;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkVfInfo, VfInfo, VfVlan, VlanProtocol,
};

use super::error::NetworkError;
use super::link::{Interface, Kind};
use super::netlink::{Netlink, refused};
use super::vf::{Sriov, Vf, VfState};
use crate::config::Mac;
use crate::fd::sysfs::Sysfs;

/// Fills in what the interfaces have of SR-IOV.
///
/// # Errors
/// [`NetworkError::Functions`], and what netlink says; reading needs no privilege.
pub(super) async fn read(
    netlink: &Netlink,
    interfaces: &mut BTreeMap<u32, Interface>,
) -> Result<(), NetworkError> {
    // Only hardware has functions, and its drivers name no kind.
    let mut devices = interfaces.values_mut().filter(|i| i.kind == Kind::Device).peekable();
    if devices.peek().is_none() {
        return Ok(());
    }
    let sysfs = open()?;
    for interface in devices {
        let physical = sysfs.link(&format!("class/net/{}/device/physfn", interface.name));
        interface.is_vf = physical.map_err(|e| failed(&interface.name, e))?.is_some();
        interface.sriov = sriov(netlink, &sysfs, (&interface.name, interface.index)).await?;
    }
    Ok(())
}

/// # Errors
/// [`NetworkError::Functions`].
pub(super) fn open() -> Result<Sysfs, NetworkError> {
    Sysfs::open()
        .map_err(|source| NetworkError::Functions { what: "read the NICs' functions".to_owned(), source })
}

/// Of one interface; `None` if it is no physical function.
///
/// # Errors
/// [`NetworkError::Functions`], and what netlink says.
pub(super) async fn sriov(
    netlink: &Netlink,
    sysfs: &Sysfs,
    (name, index): (&str, u32),
) -> Result<Option<Sriov>, NetworkError> {
    let number = |file: &str| {
        let text = sysfs.read(&format!("class/net/{name}/device/{file}")).map_err(|e| failed(name, e))?;
        Ok(text.and_then(|text| text.parse::<u16>().ok()))
    };
    let Some(total) = number("sriov_totalvfs")? else { return Ok(None) };
    let count = number("sriov_numvfs")?.unwrap_or(0);
    let mut vfs = (0..count)
        .map(|number| vf(sysfs, name, number))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|e| failed(name, e))?;
    if !vfs.is_empty() {
        let states = states(netlink, (name, index)).await?;
        for vf in &mut vfs {
            vf.state = states.get(&vf.number).copied().unwrap_or_default();
        }
    }
    Ok(Some(Sriov { total, vfs }))
}

/// One virtual function, without its settings.
///
/// # Errors
/// What reading sysfs says.
pub(super) fn vf(sysfs: &Sysfs, pf: &str, number: u16) -> io::Result<Vf> {
    let device = format!("class/net/{pf}/device/virtfn{number}");
    let mut interface = None;
    for name in sysfs.names(&format!("{device}/net"))? {
        let index = sysfs.read(&format!("{device}/net/{name}/ifindex"))?;
        interface = interface.or(index.and_then(|index| index.parse().ok()));
    }
    Ok(Vf {
        number,
        pci: sysfs.link(&device)?.unwrap_or_default(),
        driver: sysfs.link(&format!("{device}/driver"))?,
        interface,
        state: VfState::default(),
    })
}

/// Settings of the virtual functions, by number.
///
/// # Errors
/// What netlink says.
pub(super) async fn states(
    netlink: &Netlink,
    (name, index): (&str, u32),
) -> Result<BTreeMap<u16, VfState>, NetworkError> {
    let what = format!("read the functions of `{name}`");
    let request = netlink.handle.link().get().match_index(index);
    let answer = request.set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::Vf]).execute();
    let message = std::pin::pin!(answer).try_next().await.map_err(|e| refused(&what, name, e))?;
    let attributes = message.map(|message| message.attributes).unwrap_or_default();
    let lists = attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::VfInfoList(list) => Some(list),
        _ => None,
    });
    Ok(lists.flatten().filter_map(state).collect())
}

fn state(info: &LinkVfInfo) -> Option<(u16, VfState)> {
    let mut number = None;
    let mut state = VfState::default();
    for fact in &info.0 {
        match fact {
            VfInfo::Mac(fact) => {
                number = u16::try_from(fact.vf_id).ok();
                state.mac = fact.mac.first_chunk().copied().map(Mac).unwrap_or_default();
            }
            VfInfo::Vlan(fact) => {
                state.vlan = u16::try_from(fact.vlan_id).unwrap_or_default();
                state.qos = u8::try_from(fact.qos).unwrap_or_default();
            }
            VfInfo::VlanList(tags) => {
                let service = |tag: &VfVlan| matches!(tag, VfVlan::Info(tag) if tag.vlan_id != 0 && tag.protocol == VlanProtocol::Ieee8021Ad);
                state.service_tag = tags.iter().any(service);
            }
            VfInfo::SpoofCheck(fact) => state.spoof_check = fact.enabled,
            VfInfo::Trust(fact) => state.trust = fact.enabled,
            VfInfo::Rate(fact) => (state.min_rate, state.max_rate) = (fact.min_tx_rate, fact.max_tx_rate),
            _ => {}
        }
    }
    Some((number?, state))
}

fn failed(name: &str, source: io::Error) -> NetworkError {
    NetworkError::Functions { what: format!("read the functions of `{name}`"), source }
}
