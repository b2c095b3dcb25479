//! Whether one rule takes all that another asks for, or some of it.

use crate::compile::address::Side;
use crate::compile::grouped::Grouped;
use crate::compile::resolved::Resolved;
use crate::compile::service::Taken;
use crate::compile::signature::Signature;

/// Whether `wide` matches everything that `narrow` does. `None` if `steps` do not suffice to tell.
pub(super) fn covers(resolved: &Resolved<'_>, wide: u32, narrow: u32, steps: &mut u64) -> Option<bool> {
    let services = &resolved.services.lists;
    let taken = |rule: u32| &services[resolved.service_lists.list_of[rule as usize] as usize];
    if !takes_all_of(taken(wide), taken(narrow), steps)? {
        return Some(false);
    }
    let (sides, members, classes) = (&resolved.sides, &resolved.members, &resolved.addresses.signatures);
    let source = SideOf { resolved, side: &sides.source, members: &members.source, classes: &classes.source };
    let destination = SideOf {
        resolved,
        side: &sides.destination,
        members: &members.destination,
        classes: &classes.destination,
    };
    Some(source.covers(wide, narrow, steps)? && destination.covers(wide, narrow, steps)?)
}

/// Whether there may be something that both match: source ports are not looked at. `None` as for [`covers`].
pub(super) fn meet(resolved: &Resolved<'_>, one: u32, other: u32, steps: &mut u64) -> Option<bool> {
    let services = &resolved.services.lists;
    let taken = |rule: u32| &services[resolved.service_lists.list_of[rule as usize] as usize];
    if !share_some(taken(one), taken(other), steps)? {
        return Some(false);
    }
    let (sides, members, classes) = (&resolved.sides, &resolved.members, &resolved.addresses.signatures);
    let source = SideOf { resolved, side: &sides.source, members: &members.source, classes: &classes.source };
    let destination = SideOf {
        resolved,
        side: &sides.destination,
        members: &members.destination,
        classes: &classes.destination,
    };
    Some(source.meet(one, other, steps)? && destination.meet(one, other, steps)?)
}

/// One side of the rules.
struct SideOf<'r> {
    resolved: &'r Resolved<'r>,
    side: &'r Side<'r>,
    members: &'r Grouped,
    classes: &'r [Signature],
}

impl SideOf<'_> {
    fn covers(&self, wide: u32, narrow: u32, steps: &mut u64) -> Option<bool> {
        let Some(wide) = self.side.list_of[wide as usize] else { return Some(true) };
        let holds = |class: &u32| self.resolved.signatures.contains(self.classes[*class as usize], wide);
        let Some(narrow) = self.side.list_of[narrow as usize] else {
            return all(0..self.classes.len() as u32, |class| holds(&class), steps);
        };
        if narrow == wide { Some(true) } else { all(self.members.of(narrow).iter(), holds, steps) }
    }

    fn meet(&self, one: u32, other: u32, steps: &mut u64) -> Option<bool> {
        let of = |rule: u32| self.side.list_of[rule as usize];
        let (Some(one), Some(other)) = (of(one), of(other)) else { return Some(true) };
        let (few, many) = if self.members.of(one).len() <= self.members.of(other).len() {
            (one, other)
        } else {
            (other, one)
        };
        let is_outside =
            |class: &u32| !self.resolved.signatures.contains(self.classes[*class as usize], many);
        Some(!all(self.members.of(few).iter(), is_outside, steps)?)
    }
}

fn share_some(one: &Taken, other: &Taken, steps: &mut u64) -> Option<bool> {
    let has_ip = |taken: &Taken| taken.any || !taken.ip.is_empty();
    if (one.any && has_ip(other)) || (other.any && has_ip(one)) {
        return Some(true);
    }
    let meets = |spans: &[(u32, u32)], (first, last): (u32, u32)| {
        let after = spans.partition_point(|(_, end)| *end < first);
        spans.get(after).is_some_and(|(begin, _)| *begin <= last)
    };
    let do_share = !all(one.ip.iter(), |span| !meets(&other.ip, *span), steps)?
        || !all(one.frames.iter(), |span| !meets(&other.frames, *span), steps)?;
    Some(do_share)
}

fn takes_all_of(wide: &Taken, narrow: &Taken, steps: &mut u64) -> Option<bool> {
    let inside = |spans: &[(u32, u32)], (first, last): (u32, u32)| {
        let after = spans.partition_point(|(begin, _)| *begin <= first);
        after.checked_sub(1).is_some_and(|at| spans[at].1 >= last)
    };
    if !all(narrow.frames.iter(), |span| inside(&wide.frames, *span), steps)? {
        return Some(false);
    }
    if wide.any {
        return Some(true);
    }
    if narrow.any || !all(narrow.ip.iter(), |span| inside(&wide.ip, *span), steps)? {
        return Some(false);
    }
    match (&wide.sources, &narrow.sources) {
        (None, _) => Some(true),
        (Some(_), None) => Some(narrow.ip.is_empty()),
        (Some(wide), Some(narrow)) => all(narrow.iter(), |class| wide.binary_search(class).is_ok(), steps),
    }
}

fn all<T>(items: impl Iterator<Item = T>, holds: impl Fn(T) -> bool, steps: &mut u64) -> Option<bool> {
    for item in items {
        *steps = steps.checked_sub(1)?;
        if !holds(item) {
            return Some(false);
        }
    }
    Some(true)
}
