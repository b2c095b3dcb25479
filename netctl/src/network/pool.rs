//! Pools: how many virtual functions a NIC has, and which of them each port gets. What is done to a leased function is in
//! `seat`.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Action, Change, Object, Plan};
use super::error::Problem;
use super::lease::{Lease, PoolTag};
use super::link::{Interface, Observed};
use super::lower::{self, Place};
use super::plan::{Draft, Wanted};
use super::seat::{self, Seat};
use super::step::Step;
use super::vf::{Sriov, Vf, VfState};
use crate::config::{Config, Device, Network, Pool, Port};

/// What pools have decided about what is there, for the rest of the planner.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Marks of leases that stay, and of those that a port took over.
    pub leases: BTreeSet<String>,
    /// Indexes of macvtaps that are deleted to make room.
    pub deleted: BTreeSet<u32>,
    /// Functions that are free only after something was deleted.
    pub late: BTreeSet<(String, u16)>,
}

/// A port that leases a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub name: &'a str,
    pub port: &'a Port,
    pub network: &'a str,
    pub wanted: VfState,
}

/// The pools of a document on one NIC. They agree on the number of functions (`check_pools`).
struct OnePf<'a> {
    name: &'a str,
    networks: Vec<(&'a str, &'a Network, &'a Pool)>,
    vfs: u16,
}

/// The function of each port of a pool. What is wrong is a conflict, and its ports are left out.
pub(super) fn assign<'a>(draft: &mut Draft<'a>, lowers: &mut BTreeMap<&'a str, Place<'a>>) {
    for pool in pools(draft.config) {
        let Some((pf, sriov)) = physical_function(draft, &pool) else { continue };
        let members = members(draft.config, &pool);
        if members.len() > usize::from(pool.vfs) {
            let problem =
                Problem::TooManyGuests { pf: pf.name.clone(), guests: members.len(), vfs: pool.vfs };
            draft.conflict(pool.networks[0].1.line, problem);
            continue;
        }
        let set_up = lower::set_up(pf);
        if let Some(mut change) = set_up {
            // Functions learn their NIC's state when they start (igbvf_probe()).
            change.detail = "up, for its functions".to_owned();
            draft.plan.make.push(change);
        }
        let Some(count) = count(draft, pf, sriov, &pool) else { continue };
        draft.plan.make.extend(count);
        seat::plan(draft, pf, &seats(sriov, pf, pool.vfs), (&members, lowers));
    }
}

fn pools(config: &Config) -> Vec<OnePf<'_>> {
    let mut by_name: BTreeMap<&str, OnePf<'_>> = BTreeMap::new();
    for (name, network) in &config.networks {
        let Some(pool) = &network.pool else { continue };
        let new = || OnePf { name: &pool.pf, networks: Vec::new(), vfs: pool.vfs };
        by_name.entry(&pool.pf).or_insert_with(new).networks.push((name, network, pool));
    }
    by_name.into_values().collect()
}

fn members<'a>(config: &'a Config, pool: &OnePf<'a>) -> Vec<Member<'a>> {
    let of_pool = |(name, port): (&'a String, &'a Port)| {
        let &(network, _, pool) = pool.networks.iter().find(|(network, ..)| *network == port.network)?;
        let wanted = VfState::wanted(port, &pool.settings);
        (port.device != Device::Adopted).then_some(Member { name, port, network, wanted })
    };
    config.ports.iter().filter_map(of_pool).collect()
}

fn physical_function<'a>(draft: &mut Draft<'a>, pool: &OnePf<'a>) -> Option<(&'a Interface, &'a Sriov)> {
    let &(network, facts, _) = pool.networks.first()?;
    let (network, pf) = (network.to_owned(), pool.name.to_owned());
    let problem = match draft.observed.named(pool.name) {
        None => Problem::PfMissing { network, pf },
        Some(found) if found.is_vf => Problem::PfIsVf { network, pf },
        Some(found) => match &found.sriov {
            None => Problem::NoSriov { network, pf, what: found.to_string() },
            Some(sriov) if sriov.total < pool.vfs => {
                Problem::TooFewVfs { network, pf, wanted: pool.vfs, total: sriov.total }
            }
            Some(sriov) => return Some((found, sriov)),
        },
    };
    draft.conflict(facts.line, problem);
    None
}

/// How to get to the wanted number; `None` after a conflict.
fn count(draft: &mut Draft<'_>, pf: &Interface, sriov: &Sriov, pool: &OnePf<'_>) -> Option<Option<Change>> {
    let there = u16::try_from(sriov.vfs.len()).unwrap_or(u16::MAX);
    if there == pool.vfs {
        return Some(None);
    }
    let set = |count| Step::SetVfs { pf: pf.name.clone(), count };
    let mut steps = Vec::new();
    match (there, pf.pool_tag()) {
        (0, Some(_)) => {}
        (0, None) => {
            let name = PoolTag { index: pf.index, before: 0 }.to_string();
            steps.push(Step::AddName { interface: pf.name.clone(), name });
        }
        // Only what netctl made, and nobody uses, may go.
        (_, Some(_)) if pf.leases().is_empty() && users(draft.observed, pf, sriov).is_empty() => {
            steps.push(set(0));
        }
        (_, tag) => {
            let (name, facts, _) = pool.networks[0];
            let mut users = users(draft.observed, pf, sriov);
            let (network, pf) = (name.to_owned(), pf.name.clone());
            if tag.is_some() && users.is_empty() {
                users.push("ports lease some of them".to_owned());
            }
            let problem = Problem::OtherNumberOfVfs { network, pf, wanted: pool.vfs, there, users };
            draft.conflict(facts.line, problem);
            return None;
        }
    }
    steps.push(set(pool.vfs));
    let detail = format!("{} virtual functions", pool.vfs);
    Some(Some(change(Action::Add, pf, detail, steps)))
}

/// What others do with the functions.
fn users(observed: &Observed, pf: &Interface, sriov: &Sriov) -> Vec<String> {
    let leases = pf.leases();
    let is_leased = |vf: &Vf| leases.iter().any(|lease| lease.number == vf.number);
    sriov.vfs.iter().filter_map(|vf| seat::foreign_use(observed, vf, is_leased(vf))).collect()
}

/// All that there will be; those that are made first have no facts yet.
fn seats<'a>(sriov: &'a Sriov, pf: &Interface, count: u16) -> Vec<Seat<'a>> {
    let same = sriov.vfs.len() == usize::from(count);
    let leases = pf.leases();
    let of = |number: u16| Seat {
        number,
        vf: sriov.vfs.iter().find(|vf| same && vf.number == number),
        leases: leases.iter().filter(|lease| lease.number == number).cloned().collect(),
    };
    (0..count).map(of).collect()
}

/// Gives back what no document wants: leases, then the number of functions.
pub(super) fn release(plan: &mut Plan, wanted: &Wanted<'_>, observed: &Observed) {
    for pf in observed.interfaces() {
        let Some(sriov) = &pf.sriov else { continue };
        let leases: Vec<Lease> = pf.leases();
        let (stay, go): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|lease| wanted.settled.leases.contains(&lease.to_string()));
        let tag = pf.pool_tag().filter(|_| !wanted.pfs.contains(pf.name.as_str()) && stay.is_empty());
        let users = users(observed, pf, sriov);
        match tag {
            Some(tag) if users.is_empty() => plan.remove.push(give_back(pf, sriov, &tag, &go)),
            tag => {
                plan.remove.extend(go.iter().map(|lease| seat::release(observed, pf, lease, &stay)));
                plan.warnings.extend(tag.map(|_| {
                    format!(
                        "the virtual functions of `{}` stay, because they are in use: {}; \
                         stop that, and run `netctl down` again",
                        pf.name,
                        users.join(", ")
                    )
                }));
            }
        }
    }
}

/// The functions go, and their settings with them.
fn give_back(pf: &Interface, sriov: &Sriov, tag: &PoolTag, leases: &[Lease]) -> Change {
    let mut steps = Vec::new();
    if sriov.vfs.len() != usize::from(tag.before) {
        steps.push(Step::SetVfs { pf: pf.name.clone(), count: tag.before });
    }
    let names = leases.iter().map(ToString::to_string).chain([tag.to_string()]);
    steps.extend(names.map(|name| Step::DeleteName { interface: pf.name.clone(), name }));
    change(Action::Remove, pf, format!("{} virtual functions", sriov.vfs.len()), steps)
}

fn change(action: Action, pf: &Interface, detail: String, steps: Vec<Step>) -> Change {
    Change { action, object: Object::Pool, interface: pf.name.clone(), detail, steps }
}
