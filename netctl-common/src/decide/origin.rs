//! A local port's address comes from that port, and the host's from the host: where the host can know.

use super::judge::Judge;
use super::{Decided, Tables};
use crate::abi::{NO_PORT, StationKey, port_flags};
use crate::address::Address;
use crate::frame::{Frame, Packet};
use crate::guard;
use crate::mark::{self, Origin};
use crate::verdict::{Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// See [`mark::trace`].
    #[inline(always)]
    pub(super) fn origin(&self, packet: &Packet) -> u32 {
        mark::trace(packet, self.port, self.direction)
    }

    /// MAC address and IP address of the sender. Only for a frame whose origin is asked for ([`Self::origin`] is not 0).
    #[inline(always)]
    pub(super) fn sender(&self, packet: &Packet) -> Decided<Verdict> {
        let Some(from) = self.sending_port(packet) else { return Ok(Verdict::allow(Reason::Flow)) };
        let key = StationKey { network: self.port.network, mac: packet.link.source };
        let stolen = match self.tables.station(self.root.slot, &key) {
            // A guest that has no interface here drives its device itself, and comes from outside.
            Some(station) if station.is_guest() => station.ifindex != 0 && station.port != from,
            Some(_) => self.sees_the_host(),
            None => false,
        };
        if stolen || self.is_anothers(&packet.tuple.source, from)? {
            Err(Reason::SpoofedOrigin.into())
        } else {
            Ok(Verdict::allow(Reason::Flow))
        }
    }

    /// An address that a message in the frame claims for its sender.
    #[inline(always)]
    pub(super) fn claims(&self, packet: &Packet, address: &Address) -> Decided<()> {
        match self.sending_port(packet) {
            Some(from) if self.origin(packet) != 0 && self.is_anothers(address, from)? => {
                Err(Reason::SpoofedOrigin.into())
            }
            _ => Ok(()),
        }
    }

    /// The port that the frame comes from, or [`NO_PORT`]; `None` = it comes from the host, which may send what it likes.
    #[inline(always)]
    fn sending_port(&self, packet: &Packet) -> Option<u32> {
        match mark::origin(self.origin(packet), self.port) {
            Origin::Host => None,
            Origin::Port(id) => Some(id),
            Origin::Interface(ifindex) => Some(self.tables.port(ifindex).map_or(NO_PORT, |port| port.id)),
            Origin::Outside => Some(NO_PORT),
        }
    }

    /// Addresses of other networks may come by a router.
    #[inline(always)]
    fn is_anothers(&self, address: &Address, from: u32) -> Decided<bool> {
        let Some(entry) = guard::owner(self.tables, self.root, self.port, address)? else { return Ok(false) };
        if entry.network != u32::from(self.port.network) {
            return Ok(false);
        }
        Ok(if entry.port == NO_PORT { self.sees_the_host() } else { entry.port != from })
    }

    /// On a macvlan without `host-access`, the host's frames come from outside, if a switch sends them back.
    #[inline(always)]
    const fn sees_the_host(&self) -> bool {
        self.port.flags & port_flags::INGRESS == 0 || self.port.uplink != 0
    }
}
