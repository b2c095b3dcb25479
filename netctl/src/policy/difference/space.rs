//! The prefixes of both policies as one tree, and what each policy takes the addresses in them for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use netctl_common::abi::Classes;

use super::{Both, Family};
use crate::compile::Compiled;

/// Where IPv4 lies (`::ffff:0:0/96`).
const MAPPED: (u128, u8) = (0xffff_0000_0000, 96);
const BROADCAST: u128 = 0xffff_ffff_ffff;
/// No frame has them ([`netctl_common::address::Address::is_reserved`]), or only who has no address yet.
const RESERVED: [(u128, u8); 4] =
    [(0, 96), (0xffff_0000_0000, 104), (0xffff_7f00_0000, 104), (0xffff_f000_0000, 100)];

/// What is in a prefix and in no narrower one of either policy.
pub(super) struct Region {
    pub(super) first: u128,
    pub(super) len: u8,
    /// The next wider one of the same family.
    pub(super) parent: Option<usize>,
    pub(super) classes: Both<Classes>,
    /// See [`netctl_common::abi::AddressEntry::region`].
    pub(super) learned: Both<u32>,
    pub(super) is_reserved: bool,
}

impl Region {
    pub(super) const fn family(&self) -> Family {
        if self.len >= MAPPED.1 && self.first >> 32 == 0xffff { Family::Ipv4 } else { Family::Ipv6 }
    }

    pub(super) const fn is_multicast(&self) -> bool {
        match self.family() {
            Family::Ipv4 => self.len >= 100 && (self.first as u32) >> 28 == 0xe,
            _ => self.len >= 8 && self.first >> 120 == 0xff,
        }
    }

    pub(super) const fn is_broadcast(&self) -> bool {
        self.first == BROADCAST && self.len == 128
    }

    pub(super) const fn is_group(&self) -> bool {
        self.is_multicast() || self.is_broadcast()
    }

    pub(super) fn net(&self) -> IpNet {
        let (ip, len) = match ip(self.first) {
            ip @ IpAddr::V4(_) if self.family() == Family::Ipv4 => (ip, self.len - 96),
            _ => (IpAddr::V6(Ipv6Addr::from_bits(self.first)), self.len),
        };
        // The length is that of a prefix of the family.
        IpNet::new(ip, len).unwrap_or(IpNet::V6(Ipv6Net::default()))
    }

    fn holds(&self, address: u128) -> bool {
        (self.first ^ address).checked_shr(128 - u32::from(self.len)).unwrap_or(0) == 0
    }
}

/// An address of a table; IPv4 where it stands for IPv4.
pub(super) fn ip(bits: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
}

/// What one policy's table has for a prefix: classes, and the region for ports that learn.
type Entry = (Classes, u32);

/// Sorted: whatever holds a region comes before it.
pub(super) struct Space {
    pub(super) regions: Vec<Region>,
    around: Vec<Option<usize>>,
}

impl Space {
    pub(super) fn new(policies: Both<&Compiled>) -> Self {
        let mut named: BTreeMap<(u128, u8), Both<Option<Entry>>> = BTreeMap::new();
        for (which, policy) in policies.into_iter().enumerate() {
            // Every zone has the same prefixes, and the zone 0 always is.
            let prefixes = policy.prefixes.iter().filter(|((_, key), _)| key.zone_be == [0; 4]);
            for ((len, key), entry) in prefixes {
                let at = (u128::from_be_bytes(key.address.bytes()), (len - 32) as u8);
                named.entry(at).or_default()[which] = Some((entry.classes, entry.region));
            }
        }
        RESERVED.into_iter().for_each(|prefix| {
            named.entry(prefix).or_default();
        });
        let mut this = Self { regions: Vec::with_capacity(named.len()), around: Vec::new() };
        let mut path: Vec<usize> = Vec::new();
        for ((first, len), own) in named {
            while path.last().is_some_and(|top| !this.regions[*top].holds(first)) {
                path.pop();
            }
            let around = path.last().copied();
            path.push(this.regions.len());
            this.add((first, len), own, around);
        }
        this
    }

    fn add(&mut self, (first, len): (u128, u8), own: Both<Option<Entry>>, around: Option<usize>) {
        let outer = around.map(|around| &self.regions[around]);
        let parent = if (first, len) == MAPPED { None } else { around };
        let entry = |which: usize| {
            let of_outer = outer.map(|outer| (outer.classes[which], outer.learned[which]));
            own[which].or(of_outer).unwrap_or_default()
        };
        let entries = [entry(0), entry(1)];
        let is_reserved = RESERVED.contains(&(first, len))
            || (outer.is_some_and(|outer| outer.is_reserved) && (first, len) != (BROADCAST, 128));
        let (classes, learned) = (entries.map(|(classes, _)| classes), entries.map(|(_, region)| region));
        self.regions.push(Region { first, len, parent, classes, learned, is_reserved });
        self.around.push(around);
    }

    /// The narrowest that holds an address.
    pub(super) fn of(&self, address: u128) -> usize {
        let mut at = self.regions.partition_point(|region| region.first <= address).saturating_sub(1);
        while !self.regions[at].holds(address) {
            // The first region holds everything.
            at = self.around[at].unwrap_or_default();
        }
        at
    }

    /// Whether each region has an address besides those of narrower ones and besides `owned`, which are each once.
    pub(super) fn has_room(&self, owned: impl Iterator<Item = u128>) -> Vec<bool> {
        // Modulo 2^128, which only all addresses are; IPv4 is never missing among what they hold.
        let size = |region: &Region| 1u128.checked_shl(128 - u32::from(region.len)).unwrap_or(0);
        let mut left: Vec<u128> = self.regions.iter().map(size).collect();
        for (region, around) in self.regions.iter().zip(&self.around) {
            if let Some(around) = around {
                left[*around] = left[*around].wrapping_sub(size(region));
            }
        }
        for address in owned {
            let at = self.of(address);
            left[at] = left[at].wrapping_sub(1);
        }
        left.into_iter().map(|left| left != 0).collect()
    }
}
