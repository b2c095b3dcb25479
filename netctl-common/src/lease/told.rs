//! Which messages tell of addresses, and what they say.

use bytemuck::{Pod, Zeroable};

use crate::address::Address;
use crate::frame::{Layer, Packet, Part, number};
use crate::verdict::Direction;

/// Addresses of one message that are looked at; the others are not learned.
pub const TOLD: usize = 4;

/// A message that says something about addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// DHCP, by direction: the server's answer, or what the guest gives back.
    Dhcp4,
    Dhcp6,
    /// Prefixes, to the guest.
    Router,
    /// Neighbor discovery from the guest, by which it claims an address or shows that it has it; to the guest, what claims
    /// one (RFC 4862, 5.4).
    Claim,
}

/// What a packet may teach. A fragment teaches nothing: what its ports are is not what it carries.
#[inline(always)]
pub fn lesson(packet: &Packet, direction: Direction) -> Option<Lesson> {
    if !matches!(packet.fragment.part, Part::Whole) {
        return None;
    }
    let (tuple, to_guest) = (&packet.tuple, matches!(direction, Direction::ToGuest));
    let is_to = |client, server| tuple.destination_port == if to_guest { client } else { server };
    match (packet.layer, tuple.protocol) {
        (Layer::Ipv4, number::UDP) if is_to(number::DHCP_CLIENT, number::DHCP_SERVER) => Some(Lesson::Dhcp4),
        (Layer::Ipv6, number::UDP) if is_to(number::DHCP6_CLIENT, number::DHCP6_SERVER) => {
            Some(Lesson::Dhcp6)
        }
        (Layer::Ipv6, number::ICMP6) => match packet.icmp_type() {
            number::ROUTER_ADVERTISEMENT if to_guest => Some(Lesson::Router),
            number::NEIGHBOR_ADVERTISEMENT => Some(Lesson::Claim),
            number::NEIGHBOR_SOLICITATION if !to_guest || tuple.source.is_unspecified() => {
                Some(Lesson::Claim)
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a message says, and how far it was read.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Told {
    /// Offset in the frame.
    pub(super) at: u32,
    /// Of what is being read, in the frame: of the message, or of the options in an option (0 = not in one).
    pub(super) end: u32,
    pub(super) inner_end: u32,
    /// Of the message; 0 = not known.
    pub(super) kind: u32,
    /// DHCPv4: the lease time, in seconds; 0 = not told.
    pub(super) seconds: u32,
    /// How many of the following are told.
    pub count: u32,
    progress: u32,
    pub addresses: [Address; TOLD],
    /// Of each, in seconds; 0 = the address is given back.
    pub lifetimes: [u32; TOLD],
}

impl Told {
    pub const NONE: Self = Self {
        at: 0,
        end: 0,
        inner_end: 0,
        kind: 0,
        seconds: 0,
        count: 0,
        progress: Self::NOTHING,
        addresses: [Address::UNSPECIFIED; TOLD],
        lifetimes: [0; TOLD],
    };

    const READING: u32 = 0;
    const WHOLE: u32 = 1;
    const NOTHING: u32 = 2;

    /// Whether there is more to read.
    #[inline(always)]
    pub const fn goes_on(&self) -> bool {
        self.progress == Self::READING
    }

    #[inline(always)]
    pub(super) const fn is_whole(&self) -> bool {
        self.progress == Self::WHOLE
    }

    #[inline(always)]
    pub(super) const fn finish(&mut self) {
        self.progress = Self::WHOLE;
    }

    #[inline(always)]
    pub(super) const fn give_up(&mut self) {
        self.progress = Self::NOTHING;
    }

    #[inline(always)]
    pub(super) fn begin(&mut self, at: u32, end: u32) {
        (self.at, self.end, self.inner_end) = (at, end, 0);
        (self.kind, self.seconds, self.count) = (0, 0, 0);
        self.progress = Self::READING;
    }

    #[inline(always)]
    pub(super) fn tell(&mut self, address: Address, seconds: u32) {
        let place = self.count as usize;
        if place < TOLD {
            // The bound again, where the verifier sees it.
            let place = core::hint::black_box(place) % TOLD;
            self.addresses[place] = address;
            self.lifetimes[place] = seconds;
            self.count += 1;
        }
    }
}
