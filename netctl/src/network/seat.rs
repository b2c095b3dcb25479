//! One virtual function of a pool: who gets it, what is set, and what is restored.

use std::collections::BTreeMap;

use super::bridge::delete;
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::lease::{Lease, OwnState};
use super::link::{Interface, Kind, Observed};
use super::lower::Place;
use super::plan::Draft;
use super::pool::Member;
use super::step::Step;
use super::vf::Vf;
use super::vf_step::{Lower, VfAction};
use crate::config::{Device, Mac};

/// A place for one port.
#[derive(Clone, Debug)]
pub(super) struct Seat<'a> {
    pub number: u16,
    /// `None` where the function is still to be made.
    pub vf: Option<&'a Vf>,
    /// More than one only after a crash while it changed hands.
    pub leases: Vec<Lease>,
}

/// Seats each port, and plans what its function needs.
pub(super) fn plan<'a>(
    draft: &mut Draft<'a>,
    pf: &'a Interface,
    seats: &[Seat<'a>],
    (members, lowers): (&[Member<'a>], &mut BTreeMap<&'a str, Place<'a>>),
) {
    let taken = assign(draft, seats, members);
    for member in members {
        let Some(seat) = taken.get(member.name).map(|place| &seats[*place]) else {
            let reasons: Vec<_> = seats.iter().filter_map(|seat| unusable(draft, member, seat)).collect();
            let problem = Problem::NoVfLeft {
                port: member.name.to_owned(),
                network: member.network.to_owned(),
                pf: pf.name.clone(),
                vfs: seats.len(),
                reasons,
            };
            draft.conflict(member.port.line, problem);
            continue;
        };
        if let Some(reason) = unusable(draft, member, seat) {
            let port = member.name.to_owned();
            let problem = if seat.vf.is_some_and(is_vfio) {
                Problem::VfWithGuest { port, pf: pf.name.clone(), number: seat.number, pci: pci(seat) }
            } else {
                Problem::VfUnusable { port, pf: pf.name.clone(), reason }
            };
            draft.conflict(member.port.line, problem);
            continue;
        }
        lease(draft, pf, member, seat);
        if member.port.device == Device::Made {
            let lower = Lower::Vf { pf: pf.name.clone(), number: seat.number };
            let found = own(draft.observed, seat.vf);
            lowers.insert(member.name, Place { lower, found });
        }
    }
}

/// Places in `seats` by port: ports keep theirs, the others get free ones, then those of ports that go.
fn assign<'a>(draft: &Draft<'_>, seats: &[Seat<'_>], members: &[Member<'a>]) -> BTreeMap<&'a str, usize> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut take = |wanted: &dyn Fn(&Member<'_>, &Seat<'_>) -> bool| {
        for member in members {
            if taken.contains_key(member.name) {
                continue;
            }
            let free = |place: &usize| !taken.values().any(|other| other == place);
            let place = (0..seats.len()).filter(free).find(|place| wanted(member, &seats[*place]));
            taken.extend(place.map(|place| (member.name, place)));
        }
    };
    let usable = |member: &Member<'_>, seat: &Seat<'_>| unusable(draft, member, seat).is_none();
    let wants_vfio = |member: &Member<'_>| member.port.device == Device::Vfio;
    take(&|member, seat| seat.leases.iter().any(|lease| lease.port == member.port.interface));
    take(&|member, seat| wants_vfio(member) && seat.leases.is_empty() && seat.vf.is_some_and(is_vfio));
    take(&|member, seat| seat.leases.is_empty() && usable(member, seat));
    take(&usable);
    taken
}

/// Why a port cannot have a function, as a whole sentence.
fn unusable(draft: &Draft<'_>, member: &Member<'_>, seat: &Seat<'_>) -> Option<String> {
    let vf = seat.vf?;
    if member.port.device == Device::Vfio && is_vfio(vf) {
        return None;
    }
    let uplink = own(draft.observed, seat.vf).and_then(|own| {
        let network =
            draft.config.networks.iter().find(|(_, network)| network.uplinks.contains(&own.name))?;
        Some(format!("VF {} (`{}`) is an uplink of network `{}`", vf.number, own.name, network.0))
    });
    let driver = || {
        (vf.driver.is_none() && member.port.device != Device::Vfio)
            .then(|| format!("VF {} ({}) has no driver", vf.number, vf.pci))
    };
    let is_leased = !seat.leases.is_empty();
    foreign_use(draft.observed, vf, is_leased).or(uplink).or_else(driver)
}

/// What someone else does with a function. An address on one that is leased is no reason: its frames are the guest's.
pub(super) fn foreign_use(observed: &Observed, vf: &Vf, is_leased: bool) -> Option<String> {
    let name = format!("VF {} ({})", vf.number, vf.pci);
    if is_vfio(vf) {
        return Some(format!("{name} is bound to vfio-pci"));
    }
    let Some(own) = own(observed, Some(vf)) else {
        return vf.driver.as_ref().map(|driver| {
            format!("{name} is driven by {driver}, but has no interface in this network namespace")
        });
    };
    if let Some(master) = observed.master_of(own) {
        return Some(format!("{name} is a port of `{}`", master.name));
    }
    let upper = |upper: &&Interface| upper.lower == Some(own.index) && upper.tag().is_none();
    if let Some(upper) = observed.interfaces().find(upper) {
        return Some(format!("{name} is below `{}`", upper.name));
    }
    let address = own.addresses.iter().find(|address| !is_leased && !address.is_link_local())?;
    Some(format!("{name} has the address {}", address.net))
}

/// Drivers that hand a function to a guest: vfio-pci and its variants.
fn is_vfio(vf: &Vf) -> bool {
    vf.driver.as_ref().is_some_and(|driver| driver.contains("vfio"))
}

fn pci(seat: &Seat<'_>) -> String {
    seat.vf.map(|vf| vf.pci.clone()).unwrap_or_default()
}

fn own<'a>(observed: &'a Observed, vf: Option<&Vf>) -> Option<&'a Interface> {
    observed.indexed(vf?.interface?)
}

fn lease<'a>(draft: &mut Draft<'a>, pf: &'a Interface, member: &Member<'a>, seat: &Seat<'a>) {
    let kept = seat.leases.iter().find(|lease| lease.port == member.port.interface);
    let mut steps = mark(draft, pf, member, seat);
    let is_new = kept.is_none();
    let found = seat.vf.map(|vf| &vf.state);
    let mut details = member.wanted.describe_change(found.filter(|_| !is_new));
    if found != Some(&member.wanted) {
        steps.push(step(pf, seat.number, VfAction::Set(member.wanted)));
    }
    if member.port.device == Device::Made {
        let own = own(draft.observed, seat.vf);
        steps.extend(prepare(own, member.wanted.mac).into_iter().map(|action| step(pf, seat.number, action)));
    }
    if steps.is_empty() {
        return;
    }
    if details.is_empty() {
        details.push("its interface".to_owned());
    }
    let place = if member.port.device == Device::Vfio { ", not filtered" } else { "" };
    let detail = format!("VF {} for port {}{place}, {}", seat.number, member.name, details.join(", "));
    let action = if is_new { Action::Add } else { Action::Modify };
    let change = Change { action, object: Object::Vf, interface: pf.name.clone(), detail, steps };
    if is_new || !has_macvtap(draft, member, seat) {
        draft.plan.make.push(change);
    } else {
        draft.plan.start.push(change);
    }
}

/// The lease is marked before anything is set. A function that changes hands keeps what is to be restored.
fn mark(draft: &mut Draft<'_>, pf: &Interface, member: &Member<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let mut steps = evict(draft, pf, member, seat);
    let port = member.port.interface.clone();
    let vfio = member.port.device == Device::Vfio;
    // After a crash there may be two: the one that knows more is the newer one.
    let known = |lease: &&Lease| (lease.port == port, lease.own.is_some());
    let Some(base) = seat.leases.iter().max_by_key(known) else {
        steps.push(step(pf, seat.number, VfAction::Lease { port, vfio }));
        return steps;
    };
    let now = own(draft.observed, seat.vf).filter(|_| !vfio).and_then(OwnState::of);
    let wanted = Lease { own: base.own.or(now), port, ..base.clone() };
    let (interface, name) = (pf.name.clone(), wanted.to_string());
    draft.settled.leases.extend(seat.leases.iter().map(ToString::to_string));
    draft.settled.leases.insert(name.clone());
    if !seat.leases.contains(&wanted) {
        steps.push(Step::AddName { interface: interface.clone(), name });
    }
    let stale = seat.leases.iter().filter(|lease| **lease != wanted).map(ToString::to_string);
    steps.extend(stale.map(|name| Step::DeleteName { interface: interface.clone(), name }));
    steps
}

/// Deletes the macvtap of a port that the function is taken from.
fn evict(draft: &mut Draft<'_>, pf: &Interface, member: &Member<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for other in seat.leases.iter().filter(|lease| lease.port != member.port.interface) {
        let old = draft.observed.named(&other.port).filter(|old| old.tag().is_some());
        let old = old.filter(|old| old.lower.is_some() && old.lower == seat.vf.and_then(|vf| vf.interface));
        if let Some(old) = old {
            steps.push(delete(old));
            draft.settled.deleted.insert(old.index);
            draft.settled.late.insert((pf.name.clone(), seat.number));
        }
    }
    steps
}

/// What the interface of the function still needs below a macvtap. Multicast: macvlan_open() leaves the lower device as
/// it is in passthru.
fn prepare(own: Option<&Interface>, mac: Mac) -> Vec<VfAction> {
    let all = [
        // Left alone, the host would speak from it in the guest's name, and listen to routers.
        (own.is_some_and(|own| own.ipv6 != Some(true)), VfAction::Ipv6(false)),
        (own.and_then(|own| own.mac) == Some(mac), VfAction::Mac(mac)),
        (own.is_some_and(|own| own.all_multicast), VfAction::AllMulticast(true)),
        (own.is_some_and(|own| own.up), VfAction::Up),
    ];
    all.into_iter().filter(|(done, _)| !done).map(|(_, action)| action).collect()
}

fn has_macvtap(draft: &Draft<'_>, member: &Member<'_>, seat: &Seat<'_>) -> bool {
    let found = draft.observed.named(&member.port.interface);
    let lower = found.filter(|found| matches!(found.kind, Kind::Macvtap(_))).and_then(|found| found.lower);
    lower.is_some() && lower == seat.vf.and_then(|vf| vf.interface)
}

/// Restores the settings from before the lease; the mark goes last. A function that another lease is for only loses the
/// mark.
pub(super) fn release(observed: &Observed, pf: &Interface, lease: &Lease, stay: &[Lease]) -> Change {
    let mut steps = Vec::new();
    let vf = pf.vf(lease.number).filter(|_| !stay.iter().any(|other| other.number == lease.number));
    if let Some(vf) = vf {
        let mut actions = restore_own(own(observed, Some(vf)), lease);
        if vf.state != lease.before || !actions.is_empty() {
            actions.push(VfAction::Set(lease.before));
        }
        steps.extend(actions.into_iter().map(|action| step(pf, lease.number, action)));
    }
    steps.push(Step::DeleteName { interface: pf.name.clone(), name: lease.to_string() });
    let detail = format!("VF {} of {}", lease.number, lease.port);
    Change { action: Action::Remove, object: Object::Vf, interface: pf.name.clone(), detail, steps }
}

/// The steps of [`release`] for the lease of one port; none if there is no such lease.
pub(super) fn release_of(observed: &Observed, pf: &str, (number, port): (u16, &str)) -> Vec<Step> {
    let Some(pf) = observed.named(pf) else { return Vec::new() };
    let leases = pf.leases();
    let lease = leases.iter().find(|lease| lease.number == number && lease.port == port);
    lease.map(|lease| release(observed, pf, lease, &[]).steps).unwrap_or_default()
}

/// An address of the administrator's keeps the driver from changing its own (igb_set_vf_mac_addr()), so that goes first.
fn restore_own(own: Option<&Interface>, lease: &Lease) -> Vec<VfAction> {
    let (Some(own), Some(before)) = (own, lease.own) else { return Vec::new() };
    let mut actions = Vec::new();
    if own.mac != Some(before.mac) {
        actions.extend([VfAction::FreeMac, VfAction::Mac(before.mac)]);
    }
    if own.all_multicast != before.all_multicast {
        actions.push(VfAction::AllMulticast(before.all_multicast));
    }
    if own.ipv6.is_some_and(|on| on != before.ipv6) {
        actions.push(VfAction::Ipv6(before.ipv6));
    }
    if own.up != before.up {
        actions.push(if before.up { VfAction::Up } else { VfAction::Down });
    }
    actions
}

fn step(pf: &Interface, number: u16, action: VfAction) -> Step {
    Step::Vf { pf: pf.name.clone(), number, action }
}
