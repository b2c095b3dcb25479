//! Addresses as they stand in packets and maps: bytes in network order, stored as words that a compiler can copy and
//! compare whole. As plain bytes they would be moved one at a time, and a hash that then reads words would wait for
//! each of them (on x86, a store that is narrower than the load behind it is not forwarded).

use bytemuck::{Pod, Zeroable};

/// An IP address; IPv4 as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Address(pub [u32; 4]);

/// The third word of an IPv4 address in the 16-byte form.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

impl Address {
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// Of an IPv4 address as it stands in the packet.
    #[inline(always)]
    pub fn v4(halves: [u16; 2]) -> Self {
        Self([0, 0, MAPPED, bytemuck::cast(halves)])
    }

    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] | self.0[1] == 0 && self.0[2] == MAPPED
    }

    #[inline(always)]
    pub const fn is_unspecified(&self) -> bool {
        self.0[0] | self.0[1] | self.0[3] == 0 && (self.0[2] == 0 || self.0[2] == MAPPED)
    }

    /// 224.0.0.0/4, ff00::/8.
    #[inline(always)]
    pub const fn is_multicast(&self) -> bool {
        if self.is_v4() {
            self.0[3].to_ne_bytes()[0] & 0xf0 == 0xe0
        } else {
            self.0[0].to_ne_bytes()[0] == 0xff
        }
    }

    /// Multicast, or 255.255.255.255.
    #[inline(always)]
    pub const fn is_group(&self) -> bool {
        self.is_multicast() || (self.is_v4() && self.0[3] == u32::MAX)
    }

    /// What no packet on a wire has as source or destination (RFC 6890): 0.0.0.0/8 but for 0.0.0.0, 127.0.0.0/8,
    /// 240.0.0.0/4 but for 255.255.255.255, ::1, and the IPv4-compatible ::a.b.c.d (RFC 4291, 2.5.5.1).
    #[inline(always)]
    pub fn is_reserved(&self) -> bool {
        if self.is_v4() {
            let first = self.0[3].to_ne_bytes()[0];
            (first == 0 && self.0[3] != 0) || first == 127 || (first >= 0xf0 && self.0[3] != u32::MAX)
        } else {
            self.0[0] | self.0[1] | self.0[2] == 0 && self.0[3] != 0
        }
    }

    pub fn bytes(&self) -> [u8; 16] {
        bytemuck::cast(self.0)
    }
}

impl From<[u8; 16]> for Address {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytemuck::pod_read_unaligned(&bytes))
    }
}

/// An Ethernet address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct LinkAddress(pub [u16; 3]);

impl LinkAddress {
    pub const BROADCAST: Self = Self([u16::MAX; 3]);
    pub const NONE: Self = Self([0; 3]);

    /// Broadcast or multicast (IEEE 802.3, 3.2.3).
    #[inline(always)]
    pub const fn is_group(&self) -> bool {
        self.0[0].to_ne_bytes()[0] & 1 != 0
    }

    pub fn bytes(&self) -> [u8; 6] {
        bytemuck::cast(self.0)
    }
}

impl From<[u8; 6]> for LinkAddress {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytemuck::pod_read_unaligned(&bytes))
    }
}
