//! Steps on virtual functions as requests: to sysfs for their number, to rtnetlink for everything else.

use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::LinkUnspec;
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkMessage, LinkVfInfo, VfInfo, VfInfoMac, VfInfoRate, VfInfoSpoofCheck,
    VfInfoTrust, VfInfoVlan, VfVlan, VfVlanInfo, VlanProtocol,
};

use super::error::NetworkError;
use super::functions;
use super::lease::{Lease, OwnState};
use super::link::Interface;
use super::netlink::{errno, refused};
use super::observe::interface;
use super::request::{Runner, set_ipv6};
use super::step::Step;
use super::vf::VfState;
use super::vf_step::VfAction;
use crate::config::Mac;

/// How long a driver may take to make the interface of a new function, and a NIC to get its link.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

impl Runner<'_> {
    /// The kernel takes a number only where there is none, and 0 always (drivers/pci/iov.c, sriov_numvfs_store).
    pub(super) fn set_vfs(step: &Step, pf: &str, count: u16) -> Result<(), NetworkError> {
        let sysfs = functions::open()?;
        let path = format!("class/net/{pf}/device/sriov_numvfs");
        sysfs
            .write(&path, &count.to_string())
            .map_err(|source| NetworkError::Functions { what: step.to_string(), source })
    }

    pub(super) async fn run_vf(
        &mut self,
        step: &Step,
        (pf, number): (&str, u16),
        action: &VfAction,
    ) -> Result<(), NetworkError> {
        let index = self.index(pf).await?;
        let vf = (pf, index, number);
        match action {
            VfAction::Lease { port, vfio } => return self.lease(step, vf, (port, *vfio)).await,
            VfAction::Set(wanted) => return self.set_vf(step, vf, wanted).await,
            VfAction::FreeMac => {
                let free = VfInfo::Mac(VfInfoMac::new(number.into(), &[0; 6]));
                // A driver that refuses leaves its administrative address to the next step.
                let _ = self.change(message(index, vec![free])).await;
                return Ok(());
            }
            VfAction::Mac(mac) => return self.set_own_mac(step, vf, *mac).await,
            VfAction::Ipv6(on) => {
                let own = self.vf_interface(step, pf, number).await?;
                return set_ipv6(&self.by_index(step, own).await?.name, *on);
            }
            VfAction::AllMulticast(_) | VfAction::Up | VfAction::Down => {}
        }
        let own = LinkUnspec::new_with_index(self.vf_interface(step, pf, number).await?);
        let change = match action {
            VfAction::AllMulticast(on) => own.allmulticast(*on),
            VfAction::Up => own.up(),
            _ => own.down(),
        };
        self.change(change.build()).await.map_err(|e| refused(step, pf, e))
    }

    /// Index of the interface of a virtual function, which its driver may still be making.
    pub(super) async fn vf_interface(&self, step: &Step, pf: &str, number: u16) -> Result<u32, NetworkError> {
        let sysfs = functions::open()?;
        let started = std::time::Instant::now();
        loop {
            let vf = functions::vf(&sysfs, pf, number)
                .map_err(|source| NetworkError::Functions { what: step.to_string(), source })?;
            if let Some(index) = vf.interface {
                return Ok(index);
            }
            if started.elapsed() > PATIENCE {
                return Err(NetworkError::NoVfInterface { what: step.to_string(), pci: vf.pci });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn lease(
        &mut self,
        step: &Step,
        (pf, index, number): (&str, u32, u16),
        (port, vfio): (&str, bool),
    ) -> Result<(), NetworkError> {
        let own = if vfio { None } else { Some(self.vf_interface(step, pf, number).await?) };
        let own = match own {
            Some(own) => Some(self.by_index(step, own).await?),
            None => None,
        };
        let own = own.as_ref().and_then(OwnState::of);
        let before = self.state(index, pf, number).await?;
        let name = Lease { index, number, before, own, port: port.to_owned() }.to_string();
        let request = self.netlink.handle.link().property_add(index).alt_ifname(&[&name]);
        request.execute().await.map_err(|e| refused(step, pf, e))
    }

    async fn state(&self, index: u32, pf: &str, number: u16) -> Result<VfState, NetworkError> {
        let states = functions::states(self.netlink, (pf, index)).await?;
        Ok(states.get(&number).copied().unwrap_or_default())
    }

    async fn by_index(&self, step: &Step, index: u32) -> Result<Interface, NetworkError> {
        let answer = self.netlink.handle.link().get().match_index(index).execute();
        let first = std::pin::pin!(answer).try_next().await.map_err(|e| refused(step, "", e))?;
        let gone = || NetworkError::Gone { what: step.to_string(), interface: format!("#{index}") };
        first.map(|message| interface(&message)).ok_or_else(gone)
    }

    /// Only what differs is asked for: many drivers lack a part of it.
    async fn set_vf(
        &mut self,
        step: &Step,
        (pf, index, number): (&str, u32, u16),
        wanted: &VfState,
    ) -> Result<(), NetworkError> {
        let found = self.state(index, pf, number).await?;
        let attributes = differences(number.into(), &found, wanted);
        if attributes.is_empty() {
            return Ok(());
        }
        if found.rates() != wanted.rates() {
            // Drivers compare a rate with the link's speed (igb_ndo_set_vf_bw, ixgbe_ndo_set_vf_bw).
            self.wait_for_link(step, index).await?;
        }
        self.change(message(index, attributes)).await.map_err(|e| refused(step, pf, e))?;
        let found = self.state(index, pf, number).await?;
        if found == *wanted {
            return Ok(());
        }
        let found = found.describe_change(Some(wanted)).join(", ");
        Err(NetworkError::VfUnlike { what: step.to_string(), found })
    }

    /// A NIC without a link may do as well.
    async fn wait_for_link(&self, step: &Step, index: u32) -> Result<(), NetworkError> {
        let started = std::time::Instant::now();
        while !self.by_index(step, index).await?.carrier && started.elapsed() < PATIENCE {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// A driver that was given an address by the administrator may take it only when it resets the function, which
    /// setting it down does (igbvf and ixgbevf, `*_set_mac` and `*_reset`; measured with igbvf).
    async fn set_own_mac(
        &mut self,
        step: &Step,
        (pf, _, number): (&str, u32, u16),
        mac: Mac,
    ) -> Result<(), NetworkError> {
        let own = self.vf_interface(step, pf, number).await?;
        let link = || LinkUnspec::new_with_index(own);
        let set = link().address(mac.0.to_vec()).build();
        match self.change(set).await {
            Err(e) if !matches!(errno(&e), Some(libc::EADDRNOTAVAIL | libc::EPERM | libc::EACCES)) => {
                return Err(refused(step, pf, e));
            }
            _ => {}
        }
        let found = self.by_index(step, own).await?;
        if found.mac == Some(mac) {
            return Ok(());
        }
        let bounce = if found.up { [link().down(), link().up()] } else { [link().up(), link().down()] };
        for change in bounce {
            self.change(change.build()).await.map_err(|e| refused(step, pf, e))?;
        }
        match self.by_index(step, own).await?.mac {
            Some(found) if found == mac => Ok(()),
            found => {
                let found = found.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
                Err(NetworkError::VfUnlike { what: step.to_string(), found: format!("MAC {found}") })
            }
        }
    }
}

fn message(index: u32, attributes: Vec<VfInfo>) -> LinkMessage {
    let list = LinkAttribute::VfInfoList(vec![LinkVfInfo(attributes)]);
    let mut message = LinkUnspec::new_with_index(index).append_extra_attribute(list).build();
    // Says that the flags are not to change.
    message.header.change_mask = LinkFlags::empty();
    message
}

fn differences(number: u32, found: &VfState, wanted: &VfState) -> Vec<VfInfo> {
    let mut attributes = Vec::new();
    if found.mac != wanted.mac {
        attributes.push(VfInfo::Mac(VfInfoMac::new(number, &wanted.mac.0)));
    }
    if found.tag() != wanted.tag() {
        let (vlan, qos) = (wanted.vlan.into(), wanted.qos.into());
        attributes.push(if wanted.service_tag {
            let tag = VfVlanInfo::new(number, vlan, qos, VlanProtocol::Ieee8021Ad);
            VfInfo::VlanList(vec![VfVlan::Info(tag)])
        } else {
            VfInfo::Vlan(VfInfoVlan::new(number, vlan, qos))
        });
    }
    if found.rates() != wanted.rates() {
        attributes.push(VfInfo::Rate(VfInfoRate::new(number, wanted.min_rate, wanted.max_rate)));
    }
    if found.spoof_check != wanted.spoof_check {
        attributes.push(VfInfo::SpoofCheck(VfInfoSpoofCheck::new(number, wanted.spoof_check)));
    }
    if found.trust != wanted.trust {
        attributes.push(VfInfo::Trust(VfInfoTrust::new(number, wanted.trust)));
    }
    attributes
}
