//! The step behind an allowed frame by which a port learns addresses: what DHCP gives its guest, and what the guest
//! forms and claims itself. What the guest may not have ends the decision.

use super::apart::Step;
use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::abi::{AddressKey, LeaseBook, LeaseEntry, LeaseSlot, guards, port_flags};
use crate::address::Address;
use crate::flow::ticks;
use crate::frame::{Frame, number};
use crate::guard;
use crate::lease::{self, Lesson, QUIET, Source, TENTATIVE, TOLD};
use crate::verdict::{Reason, Verdict};

/// How old what is known has to be before it is written again, in ticks.
const FRESH: u32 = ticks(60);

/// An address that the port is to have, or to lose.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub address: Address,
    /// As in [`LeaseEntry`]; lifetime 0 = the port has it no longer.
    pub since: u32,
    pub lifetime: u32,
    pub source: u8,
    pub prefix: u8,
    /// Nobody else has it.
    pub is_free: bool,
    /// The port's book has a place for it, which was that of `former` if `has_former`.
    pub has_place: bool,
    pub has_former: bool,
    pub former: Address,
}

impl Wanted {
    pub const NONE: Self = Self {
        address: Address::UNSPECIFIED,
        since: 0,
        lifetime: 0,
        source: 0,
        prefix: 0,
        is_free: false,
        has_place: false,
        has_former: false,
        former: Address::UNSPECIFIED,
    };
}

/// The step has nothing against the frame.
const FINE: Decided<Verdict> = Ok(Verdict::allow(Reason::Flow));

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// Whether the frame may tell of addresses, and the port learns.
    #[inline(always)]
    pub(super) fn is_lesson(&self, facts: &Facts) -> bool {
        self.port.flags & port_flags::LEARN != 0 && lease::lesson(&facts.packet, self.direction).is_some()
    }

    #[inline(always)]
    pub(super) fn learn(&self, facts: &mut Facts) -> Decided<Verdict> {
        let (frame, about) = (self.frame, (&self.port.mac, self.direction));
        let source = match lease::lesson(&facts.packet, self.direction) {
            None => return FINE,
            Some(Lesson::Claim) => return self.claim(facts),
            Some(lesson) => {
                lease::begin(lesson, frame, &facts.packet, about, &mut facts.told);
                for _ in 0..lease::MAX_OPTIONS {
                    if !facts.told.goes_on() {
                        break;
                    }
                    self.require(Step::LearnOption, facts)?;
                }
                lease::conclude(lesson, frame, &facts.packet, self.direction, &mut facts.told);
                match lesson {
                    Lesson::Dhcp4 => Source::Dhcp4,
                    Lesson::Dhcp6 => Source::Dhcp6,
                    Lesson::Router | Lesson::Claim => return self.advertised(facts),
                }
            }
        };
        let now = self.tables.now();
        for place in 0..TOLD {
            if place as u32 >= facts.told.count {
                break;
            }
            facts.wanted = Wanted {
                address: facts.told.addresses[place],
                since: now,
                lifetime: lease::lifetime(facts.told.lifetimes[place]),
                source: source as u8,
                ..Wanted::NONE
            };
            let verdict = self.give(facts);
            if !verdict.allows() {
                return Err(verdict);
            }
        }
        FINE
    }

    #[inline(always)]
    pub(super) fn learn_option(&self, facts: &mut Facts) -> Decided<Verdict> {
        if let Some(lesson) = lease::lesson(&facts.packet, self.direction) {
            lease::option(lesson, self.frame, self.direction, &mut facts.told);
        }
        FINE
    }

    /// Prefixes from which the guest may form addresses.
    #[inline(always)]
    fn advertised(&self, facts: &mut Facts) -> Decided<Verdict> {
        if !self.tables.writes() {
            return FINE;
        }
        for place in 0..TOLD {
            if place as u32 >= facts.told.count {
                break;
            }
            facts.wanted.address = facts.told.addresses[place];
            facts.wanted.lifetime = lease::lifetime(facts.told.lifetimes[place]);
            self.require(Step::Advertise, facts)?;
        }
        FINE
    }

    /// The prefix of [`Facts::wanted`].
    #[inline(always)]
    pub(super) fn advertise(&self, facts: &Facts) -> Decided<Verdict> {
        let now = self.tables.now();
        let (Address([high, low, ..]), lifetime) = (facts.wanted.address, facts.wanted.lifetime);
        let step = |book: &mut LeaseBook| book.advertise([high, low], lifetime, now);
        self.tables.with_book(self.port.id, step).ok_or(Reason::Internal)?;
        FINE
    }

    /// Neighbor discovery: the guest's own claims, and those of others, who may object to what the guest has only claimed.
    #[inline(always)]
    fn claim(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        let is_question = packet.icmp_type() == number::NEIGHBOR_SOLICITATION;
        let detects = is_question && packet.tuple.source.is_unspecified();
        let address = if is_question && !detects {
            packet.tuple.source
        } else {
            self.frame.read(packet.transport + 8).ok_or(Reason::Truncated)?
        };
        let key = AddressKey { zone: self.port.zone, address };
        let (now, lease) = (self.tables.now(), self.tables.lease(&key));
        let is_own = lease.port == self.port.id && lease.mac == self.port.mac;
        let is_tentative = is_own && lease.is_tentative(now);
        let source = Source::Formed as u8;
        facts.wanted = Wanted { address, since: now, lifetime: QUIET, source, ..Wanted::NONE };
        if !self.is_from_guest() {
            // A switch may send the guest's own question back to it (RFC 7527).
            if !is_tentative || packet.link.source == self.port.mac {
                return FINE;
            }
            facts.wanted.lifetime = 0;
            return Ok(self.give(facts));
        }
        if guard::is_own(self.tables, self.root, self.port, &address)? {
            let is_formed = is_own && lease.source == Source::Formed as u8;
            if !is_formed || now.wrapping_sub(lease.since) <= FRESH {
                return FINE;
            }
            facts.wanted.prefix = lease.prefix;
            return Ok(self.give(facts));
        }
        if detects && is_tentative {
            return FINE;
        }
        let verdict = if detects { self.form(facts)? } else { Reason::SpoofedNeighbor.into() };
        // What the guard would let pass is not denied for what it fails to claim.
        if verdict.allows() || !self.port.has_guard(guards::NEIGHBOR) { FINE } else { Err(verdict) }
    }

    /// An address that the guest has formed itself (RFC 4862, 5.3 and 5.5.3).
    #[inline(always)]
    fn form(&self, facts: &mut Facts) -> Decided<Verdict> {
        let (address, now) = (facts.wanted.address, self.tables.now());
        if !lease::is_link_local(&address) {
            let step = |book: &mut LeaseBook| book.prefix_of(&address, now);
            facts.wanted.prefix = self.tables.with_book(self.port.id, step).ok_or(Reason::Internal)?;
            if facts.wanted.prefix == 0 {
                return Ok(self.not_given(&address)?);
            }
        }
        facts.wanted.since = now.wrapping_add(TENTATIVE);
        Ok(self.give(facts))
    }

    /// Why an address cannot be formed that no router has told the guest about.
    #[inline(always)]
    fn not_given(&self, address: &Address) -> Result<Verdict, Reason> {
        let owner = guard::owner(self.tables, self.root, self.port, address)?;
        let reason = if owner.is_some() { Reason::AddressTaken } else { Reason::SpoofedNeighbor };
        Ok(reason.into())
    }

    /// Gives the port [`Facts::wanted`], unless another has it or the port has too many; or takes it away.
    #[inline(always)]
    fn give(&self, facts: &mut Facts) -> Verdict {
        // One after the other, for the stack.
        (facts.wanted.is_free, facts.wanted.has_place) = (false, false);
        let mut verdict = self.ask(Step::Acquire, facts);
        if facts.wanted.is_free {
            verdict = self.ask(Step::TakePlace, facts);
        }
        if facts.wanted.has_place {
            verdict = self.ask(Step::PutLease, facts);
        }
        verdict
    }

    /// Whether the port can have [`Facts::wanted`]; or takes it away.
    #[inline(always)]
    pub(super) fn acquire(&self, facts: &mut Facts) -> Decided<Verdict> {
        let wanted = &facts.wanted;
        let (tables, address) = (self.tables, wanted.address);
        let key = AddressKey { zone: self.port.zone, address };
        if wanted.lifetime == 0 {
            self.forget(&key)?;
            return FINE;
        }
        if address.is_group() || address.is_unspecified() || address.is_reserved() {
            return FINE;
        }
        if let Some(entry) = tables.address(self.root.slot, &key)? {
            return if entry.port == self.port.id { FINE } else { Err(Reason::AddressTaken.into()) };
        }
        if self.is_anothers_claim(&key)? {
            return Err(Reason::AddressTaken.into());
        }
        facts.wanted.is_free = true;
        FINE
    }

    /// A place in the port's book.
    #[inline(always)]
    pub(super) fn take_place(&self, facts: &mut Facts) -> Decided<Verdict> {
        let (tables, wanted) = (self.tables, &facts.wanted);
        let (address, now, writes) = (wanted.address, tables.now(), tables.writes());
        let slot = LeaseSlot { address, since: wanted.since, lifetime: wanted.lifetime };
        let step = |book: &mut LeaseBook| book.take(slot, now, writes);
        let place = tables.with_book(self.port.id, step).ok_or(Reason::Internal)?;
        if !place.is_there {
            return Err(Reason::AddressLimit.into());
        }
        facts.wanted.has_place = writes;
        (facts.wanted.has_former, facts.wanted.former) = (place.has_former, place.former);
        FINE
    }

    /// The lease for that place, instead of the one whose place it was.
    #[inline(always)]
    pub(super) fn put_lease(&self, facts: &Facts) -> Decided<Verdict> {
        let (wanted, zone) = (&facts.wanted, self.port.zone);
        if wanted.has_former {
            self.forget_lease(&AddressKey { zone, address: wanted.former });
        }
        let lease = LeaseEntry {
            port: self.port.id,
            since: wanted.since,
            lifetime: wanted.lifetime,
            mac: self.port.mac,
            source: wanted.source,
            prefix: wanted.prefix,
        };
        if self.tables.put_lease(&AddressKey { zone, address: wanted.address }, &lease) {
            FINE
        } else {
            Err(Reason::AddressLimit.into())
        }
    }

    /// Whether another port has the address or has claimed it, and is still there.
    #[inline(always)]
    fn is_anothers_claim(&self, key: &AddressKey) -> Decided<bool> {
        let lease = self.tables.lease(key);
        if lease.port == self.port.id || !lease.is_claimed(self.tables.now()) {
            return Ok(false);
        }
        let learner = self.tables.learner(self.root.slot, lease.port)?;
        Ok(learner.is_some_and(|learner| lease.is_of(learner, key)))
    }

    #[inline(always)]
    fn forget(&self, key: &AddressKey) -> Decided<()> {
        if self.tables.writes() {
            let address = key.address;
            let step = |book: &mut LeaseBook| book.drop(&address);
            self.tables.with_book(self.port.id, step).ok_or(Reason::Internal)?;
            self.forget_lease(key);
        }
        Ok(())
    }

    #[inline(always)]
    fn forget_lease(&self, key: &AddressKey) {
        if self.tables.lease(key).port == self.port.id {
            self.tables.forget_lease(key);
        }
    }
}
