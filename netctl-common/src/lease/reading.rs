//! A message that tells of addresses, read option by option, so that a host can have each as a step of its own.

use super::{Lesson, Told, dhcp4, dhcp6, router};
use crate::address::LinkAddress;
use crate::frame::{Frame, Packet};
use crate::verdict::Direction;

/// Options of one message that are read, of DHCP the end too. Routers and servers send 5 to 20; of a message with more, nothing
/// is learned.
pub const MAX_OPTIONS: u32 = 32;

/// What comes in front of the options. `about` is the guest's MAC address and the message's direction.
#[inline(always)]
pub fn begin<F: Frame + ?Sized>(
    lesson: Lesson,
    frame: &F,
    packet: &Packet,
    about: (&LinkAddress, Direction),
    told: &mut Told,
) {
    let tells = match lesson {
        Lesson::Dhcp4 => dhcp4::begin(frame, packet, about, told),
        Lesson::Dhcp6 => dhcp6::begin(frame, packet, about, told),
        Lesson::Router => router::begin(packet, told),
        Lesson::Claim => false,
    };
    if !tells {
        told.give_up();
    }
}

/// One option.
#[inline(always)]
pub fn option<F: Frame + ?Sized>(lesson: Lesson, frame: &F, direction: Direction, told: &mut Told) {
    let read = match lesson {
        Lesson::Dhcp4 => dhcp4::option(frame, told),
        Lesson::Dhcp6 => dhcp6::option(frame, direction, told),
        Lesson::Router => router::option(frame, told),
        Lesson::Claim => None,
    };
    if read.is_none() {
        told.give_up();
    }
}

/// What the whole message tells: nothing if it could not be read.
#[inline(always)]
pub fn conclude<F: Frame + ?Sized>(
    lesson: Lesson,
    frame: &F,
    packet: &Packet,
    direction: Direction,
    told: &mut Told,
) {
    if !told.is_whole() {
        told.count = 0;
    } else if matches!(lesson, Lesson::Dhcp4) {
        dhcp4::conclude(frame, packet, direction, told);
    }
}
