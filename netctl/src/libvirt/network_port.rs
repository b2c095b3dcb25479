//! A port of a libvirt network, as libvirt describes it to the hook `network`: on which bridge or NIC, and whose.

use super::domain::mac;
use super::error::HookError;
use super::xml;
use crate::config::escape::quoted;
use crate::config::{Config, Mac, Network, Port};
use crate::network::Observed;

/// A `<networkport>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPort {
    /// UUID of the domain.
    pub domain: Option<String>,
    pub mac: Option<Mac>,
    /// The bridge, or the NIC below a macvtap, that the interface will be plugged into.
    pub place: Option<String>,
}

impl NetworkPort {
    /// Reads `<hookData>`; `None` if it is about a whole network.
    ///
    /// # Errors
    /// [`HookError::Xml`], [`HookError::NotLibvirt`].
    pub fn parse(text: &str) -> Result<Option<Self>, HookError> {
        let document = xml::parse(text)?;
        let root = document.root_element();
        if !root.has_tag_name("hookData") {
            let found = quoted(root.tag_name().name());
            return Err(HookError::NotLibvirt(format!("this is no hook data of a network but {found}")));
        }
        Ok(xml::child(root, "networkport").map(|port| {
            let plug = xml::child(port, "plug");
            let place = plug.and_then(|plug| plug.attribute("bridge").or_else(|| plug.attribute("dev")));
            Self {
                domain: xml::child(port, "owner")
                    .and_then(|owner| xml::text(owner, "uuid"))
                    .map(str::to_owned),
                mac: xml::attribute(port, "mac", "address").and_then(mac),
                place: place.map(str::to_owned),
            }
        }))
    }

    /// libvirt tells the hook `qemu` of no NIC that a running domain gets, so that its interface would be on a network of
    /// netctl's without the policy. A starting domain has no adopted interfaces yet.
    ///
    /// # Errors
    /// [`HookError::Refused`].
    pub fn check(&self, config: &Config, observed: &Observed) -> Result<(), HookError> {
        let (Some(domain), Some(place)) = (&self.domain, &self.place) else { return Ok(()) };
        let is_there = |network: &Network| network.interface == *place || network.uplinks.contains(place);
        let Some((network, _)) = config.networks.iter().find(|(_, network)| is_there(network)) else {
            return Ok(());
        };
        let adopted =
            |port: &&Port| port.domain.as_ref() == Some(domain) && observed.named(&port.interface).is_some();
        let mut ports = config.ports.values().filter(adopted).peekable();
        if ports.peek().is_none() || ports.any(|port| Some(port.mac) == self.mac) {
            return Ok(());
        }
        let why = format!(
            "it runs already, and libvirt tells no hook of a NIC that is added then: on network `{network}` it would              be without the policy; add a port with `netctl port add`, and the NIC as `<interface              type='ethernet'>` with `managed='no'` on it"
        );
        Err(HookError::Refused { domain: quoted(domain), why })
    }
}
