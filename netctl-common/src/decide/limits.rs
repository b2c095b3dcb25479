//! The last step of an allowed frame at a port with limits: it takes tokens from the buckets that it is counted by, from
//! all of them or from none.

use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::abi::{LimitEntry, StationKey, port_flags};
use crate::flow::seen;
use crate::frame::{Frame, Wire};
use crate::limit::{Buckets, Limit, Want, refilled, taken, units};
use crate::verdict::{Direction, Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    #[inline(always)]
    pub(super) fn has_limits(&self) -> bool {
        self.port.flags & port_flags::LIMITED != 0
    }

    /// Whether one more flow may be opened.
    #[inline(always)]
    pub(super) fn take_flow(&self, facts: &mut Facts) -> Decided<Verdict> {
        if self.has_limits() {
            self.take(&[want(Limit::NewFlows, &self.limits()?[Limit::NewFlows as usize], 1)?])?;
        }
        Ok(facts.verdict)
    }

    #[inline(always)]
    fn limits(&self) -> Decided<&[LimitEntry; crate::limit::LIMITS]> {
        let entry = self.tables.limits(self.root.slot, self.port.id)?.ok_or(Reason::Internal)?;
        Ok(match self.direction {
            Direction::FromGuest => &entry.directions[0],
            Direction::ToGuest => &entry.directions[1],
        })
    }

    #[inline(always)]
    pub(super) fn take_frame(&self, facts: &mut Facts) -> Decided<Verdict> {
        let limits = self.limits()?;
        let wire = Wire::of(self.frame, &facts.packet);
        let storm = if facts.packet.is_broadcast_frame() {
            want(Limit::Broadcast, &limits[Limit::Broadcast as usize], wire.packets)?
        } else if facts.packet.is_group_frame() {
            want(Limit::Multicast, &limits[Limit::Multicast as usize], wire.packets)?
        } else if limits[Limit::UnknownUnicast as usize].is_set() && self.is_unknown_unicast(facts)? {
            want(Limit::UnknownUnicast, &limits[Limit::UnknownUnicast as usize], wire.packets)?
        } else {
            nothing(Limit::UnknownUnicast)
        };
        let packets = want(Limit::Packets, &limits[Limit::Packets as usize], wire.packets)?;
        let bits = want(Limit::Bits, &limits[Limit::Bits as usize], wire.bytes.saturating_mul(8))?;
        // In the order in which they refuse.
        self.take(&[storm, packets, bits])?;
        Ok(facts.verdict)
    }

    /// What a switch would flood: nobody here has the address, and nobody has answered from there.
    #[inline(always)]
    fn is_unknown_unicast(&self, facts: &Facts) -> Decided<bool> {
        let key = StationKey { network: self.port.network, mac: facts.packet.link.destination };
        if self.tables.station(self.root.slot, &key).is_some() {
            return Ok(false);
        }
        if !matches!(facts.verdict.reason, Reason::Flow | Reason::Related) {
            return Ok(true);
        }
        let flow = self.flow_apart(facts)?;
        // Not one that was taken up in the middle: whoever sends an ACK has one.
        Ok(flow.is_none_or(|entry| entry.seen & seen::REPLY == 0))
    }

    #[inline(always)]
    fn take<const N: usize>(&self, wants: &[Want; N]) -> Decided<()> {
        // Before the buckets are ours: with them, no helper can be called.
        let (now, writes) = (units(self.tables.nanoseconds()), self.tables.writes());
        let step = |buckets: &mut Buckets| take_all(wants, buckets, now, writes);
        match self.tables.with_buckets(self.port.id, self.direction, step).ok_or(Reason::Internal)? {
            Some(short) => Err(short.into()),
            None => Ok(()),
        }
    }
}

/// Takes all that is wanted, or nothing; the reason of the first bucket that has too little.
#[inline(always)]
fn take_all<const N: usize>(
    wants: &[Want; N],
    buckets: &mut Buckets,
    now: u64,
    writes: bool,
) -> Option<Reason> {
    let mut short = None;
    let mut after = [0; N];
    for place in (0..N).rev() {
        let want = wants[place];
        let bucket = buckets[want.limit.bucket()];
        after[place] = taken(bucket, want, now).unwrap_or_else(|| {
            short = Some(want.limit.reason());
            refilled(bucket, want.tolerance, now)
        });
    }
    if writes {
        for place in 0..N {
            let want = wants[place];
            let bucket = &mut buckets[want.limit.bucket()];
            *bucket = if short.is_none() { after[place] } else { refilled(*bucket, want.tolerance, now) };
        }
    }
    short
}

/// What a frame with so many tokens wants of a limit.
#[inline(always)]
fn want(limit: Limit, entry: &LimitEntry, tokens: u64) -> Decided<Want> {
    if !entry.is_set() {
        return Ok(nothing(limit));
    }
    let cost = entry.cost(tokens).ok_or(limit.reason())?;
    Ok(Want { limit, cost, tolerance: entry.tolerance })
}

const fn nothing(limit: Limit) -> Want {
    Want { limit, cost: 0, tolerance: 0 }
}
