//! The prefixes that a policy knows addresses by, and whether somebody without a port can have an address there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netctl_common::abi::{AddressEntry, AddressKey, Classes, PrefixKey};
use netctl_common::address::Address;

use crate::compile::Compiled;

/// Where IPv4 lies in the space of all addresses (RFC 4291, 2.5.5.2).
const MAPPED: u128 = 0xffff_0000_0000;
const MAPPED_LEN: u8 = 96;

/// A prefix without the longer ones inside it.
#[derive(Clone, Debug)]
pub(super) struct Region {
    first: u128,
    /// 0 to 128; of IPv4 prefixes 96 to 128.
    len: u8,
    pub(super) entry: AddressEntry,
    /// Whether an address is left that is in no longer prefix, and nobody's.
    pub(super) is_inhabited: bool,
}

impl Region {
    pub(super) fn is_v4(&self) -> bool {
        self.len >= MAPPED_LEN && self.first >> 32 == MAPPED >> 32
    }

    /// 0.0.0.0/0 or ::/0.
    pub(super) fn is_default(&self) -> bool {
        self.len == 0 || (self.len == MAPPED_LEN && self.first == MAPPED)
    }

    pub(super) fn net(&self) -> IpNet {
        let (address, len) = if self.is_v4() {
            (IpAddr::V4(Ipv4Addr::from_bits(self.first as u32)), self.len - MAPPED_LEN)
        } else {
            (IpAddr::V6(Ipv6Addr::from_bits(self.first)), self.len)
        };
        IpNet::new_assert(address, len)
    }

    fn is_unicast(&self) -> bool {
        let net = self.net();
        let shortest = if self.is_v4() { 4 } else { 8 };
        let is_multicast = net.addr().is_multicast() && net.prefix_len() >= shortest;
        !is_multicast && net.addr() != IpAddr::V4(Ipv4Addr::BROADCAST)
    }

    fn holds(&self, address: u128) -> bool {
        (self.first ^ address).checked_shr(128 - u32::from(self.len)).unwrap_or(0) == 0
    }

    /// Modulo 2^128, so that ::/0 has 0.
    fn size(&self) -> u128 {
        1u128.checked_shl(128 - u32::from(self.len)).unwrap_or(0)
    }
}

/// The unicast prefixes of a zone, sorted; what is behind them is in [`Zone::seen`].
pub(super) struct Zone<'c> {
    number: u32,
    compiled: &'c Compiled,
    all: Vec<Region>,
    /// Index: place in `all`. The next wider one.
    parents: Vec<Option<usize>>,
}

impl<'c> Zone<'c> {
    pub(super) fn new(number: u32, compiled: &'c Compiled) -> Self {
        let in_zone =
            |(len, key): &(u32, PrefixKey)| u32::from_be_bytes(key.zone_be) == number && *len >= u32::BITS;
        let region = |(&(len, key), entry): (&(u32, PrefixKey), &AddressEntry)| Region {
            first: u128::from_be_bytes(key.address.bytes()),
            len: (len - u32::BITS) as u8,
            entry: *entry,
            is_inhabited: false,
        };
        let prefixes = compiled.prefixes.iter().filter(|(key, _)| in_zone(key));
        let mut all: Vec<Region> = prefixes.map(region).collect();
        all.sort_unstable_by_key(|region| (region.first, region.len));
        let mut zone = Self { number, compiled, parents: parents(&all), all };
        zone.find_inhabited();
        zone
    }

    /// Of addresses that may be a guest's or somebody's outside.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.all.iter().filter(|region| region.is_inhabited && region.is_unicast())
    }

    /// What the rules of the zone take the address for.
    pub(super) fn seen(&self, address: IpAddr) -> Classes {
        let bits = bits(address);
        let key = AddressKey { zone: self.number, address: Address::from(bits.to_be_bytes()) };
        match self.compiled.addresses.get(&key) {
            Some(entry) => entry.classes,
            None => self.longest(bits).map_or(self.compiled.world, |place| self.all[place].entry.classes),
        }
    }

    /// What they take the nobody's addresses of another zone's region for: prefixes are the same in all.
    pub(super) fn seen_region(&self, region: &Region) -> Classes {
        let same =
            self.all.binary_search_by_key(&(region.first, region.len), |other| (other.first, other.len));
        same.map_or(self.compiled.world, |place| self.all[place].entry.classes)
    }

    fn longest(&self, address: u128) -> Option<usize> {
        let behind = self.all.partition_point(|region| region.first <= address);
        let mut place = behind.checked_sub(1);
        while let Some(at) = place.filter(|at| !self.all[*at].holds(address)) {
            place = self.parents[at];
        }
        place
    }

    /// A region is full when its longer prefixes and owned addresses, which do not overlap, have as many addresses as itself.
    fn find_inhabited(&mut self) {
        let mut covered = vec![(0u128, false); self.all.len()];
        let mut cover = |place: Option<usize>, size: u128| {
            if let Some((sum, any)) = place.and_then(|place| covered.get_mut(place)) {
                (*sum, *any) = (sum.wrapping_add(size), true);
            }
        };
        for (region, parent) in self.all.iter().zip(&self.parents) {
            cover(*parent, region.size());
        }
        for key in self.compiled.addresses.keys().filter(|key| key.zone == self.number) {
            cover(self.longest(u128::from_be_bytes(key.address.bytes())), 1);
        }
        for (region, (sum, any)) in self.all.iter_mut().zip(covered) {
            region.is_inhabited = !any || sum != region.size();
        }
    }
}

/// Of sorted prefixes.
fn parents(all: &[Region]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::with_capacity(all.len());
    for (place, region) in all.iter().enumerate() {
        while open.pop_if(|outer| !all[*outer].holds(region.first)).is_some() {}
        parents.push(open.last().copied());
        open.push(place);
    }
    parents
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
