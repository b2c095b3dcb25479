//! The ports that run, as netlink shows them to everyone: their interfaces carry netctl's mark, which only CAP_NET_ADMIN
//! can write.

use crate::config::PortKind;
use crate::fd::node::Identity;
use crate::network::{Interface, Kind, Observed, Tag, TapFacts};

/// A port that could be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    pub name: &'a str,
    /// `None` for what an older netctl made.
    pub network: Option<&'a str>,
    pub kind: PortKind,
    pub interface: &'a Interface,
}

impl<'a> Offer<'a> {
    /// `None` for any other interface; what netctl only adopted carries no mark, and its maker opens it.
    pub(super) fn of(interface: &'a Interface) -> Option<Self> {
        let Some(Tag::Port(name)) = interface.tag() else { return None };
        let kind = match interface.kind {
            Kind::Tap(_) => PortKind::Tap,
            Kind::Macvtap(_) => PortKind::Macvtap,
            _ => return None,
        };
        Some(Self { name, network: interface.port_network(), kind, interface })
    }

    /// The user whom the document gives the tap to; root is nobody.
    pub(super) const fn owner(&self) -> Option<u32> {
        match self.interface.kind {
            Kind::Tap(TapFacts { owner: Some(uid @ 1..), .. }) => Some(uid),
            _ => None,
        }
    }

    pub(super) const fn is_multi_queue(&self) -> bool {
        matches!(self.interface.kind, Kind::Tap(TapFacts { multi_queue: true, .. }))
    }

    /// As /sys is to show it.
    pub(super) fn identity(&self) -> Identity {
        let interface = self.interface;
        Identity {
            interface: interface.name.clone(),
            index: interface.index,
            lower: interface.lower.unwrap_or(0),
            mac: interface.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            alias: interface.alias.clone().unwrap_or_default(),
        }
    }
}

/// All ports, by name.
pub(super) fn all(observed: &Observed) -> Vec<Offer<'_>> {
    let mut offers: Vec<_> = observed.interfaces().filter_map(Offer::of).collect();
    offers.sort_by_key(|offer| offer.name);
    offers
}

/// The ports of the network with this name, or the port; none if there is neither.
pub(super) fn asked<'a>(observed: &'a Observed, name: &[u8]) -> Vec<Offer<'a>> {
    let is = |text: &str| text.as_bytes() == name;
    let (of_network, others): (Vec<_>, Vec<_>) =
        all(observed).into_iter().partition(|offer| offer.network.is_some_and(is));
    if of_network.is_empty() {
        others.into_iter().filter(|offer| is(offer.name)).collect()
    } else {
        of_network
    }
}
