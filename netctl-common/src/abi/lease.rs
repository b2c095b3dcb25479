//! Values of the maps by which ports learn addresses; what they mean is in [`crate::lease`].

use bytemuck::{Pod, Zeroable};

use super::{AddressEntry, MAX_PORTS};
use crate::address::{Address, LinkAddress};
use crate::lease::{MAX_ADDRESSES, MAX_PREFIXES};

/// A port that learns its addresses (`addresses = "learn"`). Map `learners`, per generation; key: port id.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct LearnerEntry {
    /// Of any address that it has learned; the classes are the port's own, those of the address are in
    /// `learned_classes`.
    pub owner: AddressEntry,
    pub zone: u32,
    /// See [`super::PortEntry::identity`].
    pub identity: u32,
}

/// Key of `learned_classes`, per generation; the value is what a learned address is to the rules ([`super::Classes`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct LearnedKey {
    /// See [`super::PortEntry::identity`].
    pub identity: u32,
    /// See [`AddressEntry::region`].
    pub region: u32,
}

/// An address that a port has learned. Map `leases`; key: [`super::AddressKey`]. Outlives generations: whether the port is still
/// the one that learned it is asked of `learners`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LeaseEntry {
    pub port: u32,
    /// From when on the address is the port's, in ticks (see [`crate::flow::tick`]); until then it is only claimed.
    pub since: u32,
    /// Ticks, at most [`crate::lease::LONGEST`].
    pub lifetime: u32,
    /// Of the port when it learned.
    pub mac: LinkAddress,
    /// [`crate::lease::Source`].
    pub source: u8,
    /// The prefix that it depends on: 1 + its place in [`LeaseBook::prefixes`]; 0 = none.
    pub prefix: u8,
}

/// What a port has learned, to bound it. Map `lease_books` (key: port id), whose values stand behind 8 bytes that the
/// kernel side locks them by; only ports that learn have one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LeaseBook {
    pub slots: [LeaseSlot; MAX_ADDRESSES],
    pub prefixes: [LeasePrefix; MAX_PREFIXES],
}

/// One of the port's addresses; all zero = free.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LeaseSlot {
    pub address: Address,
    /// As in [`LeaseEntry`].
    pub since: u32,
    pub lifetime: u32,
}

/// A prefix of 64 bits from which the guest may form addresses (RFC 4862); all zero = free.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LeasePrefix {
    /// The first half of an [`Address`].
    pub network: [u32; 2],
    /// When it was last advertised, in ticks.
    pub since: u32,
    /// Ticks.
    pub lifetime: u32,
}

/// Bytes of an element of `lease_books`.
pub const BOOK_SIZE: usize = 8 + size_of::<LeaseBook>();

/// Most addresses that all ports together can have learned.
pub const MAX_LEASES: u32 = MAX_PORTS * MAX_ADDRESSES as u32;

const _: () = {
    assert!(size_of::<LearnerEntry>() == 36);
    assert!(size_of::<LeaseEntry>() == 20);
    assert!(size_of::<LeaseBook>() == 24 * MAX_ADDRESSES + 16 * MAX_PREFIXES);
};
