//! Puts a question to every port that judges the flow.

use std::collections::BTreeMap;

use netctl_common::abi::NO_RULE;
use netctl_common::decide::{Facts, decide};
use netctl_common::frame::Arrived;
use netctl_common::mark;
use netctl_common::verdict::{Direction, Verdict};
use serde::Serialize;

use super::question::Question;
use super::tables::HostTables;
use crate::compile::{self, Budget, PortIds};
use crate::config::{Config, Hairpin, NetworkKind};
use crate::document::Document;
use crate::error::Error;
use crate::kernel::publish::Publication;
use crate::names::{Names, RuleName};
use crate::state::State;
use crate::would::Would;

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub allowed: bool,
    /// `kernel`: the running programs; `user space`: the same code, over a document.
    pub answered_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    pub source: String,
    pub destination: String,
    /// The VLAN on the network, if the frame is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Ports on the way that enforce nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_filtered: Vec<String>,
    /// In the order in which the frame passes; it ends where it is denied.
    pub steps: Vec<Step>,
    /// Why no frame would get there, whatever the policy says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What one port says.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub port: String,
    pub direction: &'static str,
    pub action: &'static str,
    pub reason: &'static str,
    /// One sentence about the reason.
    pub because: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// What this port would say but for audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Would>,
}

/// The ports that judge, each in its direction, in the order of the frame's path.
fn judges(question: &Question) -> impl Iterator<Item = (&str, Direction)> {
    let from = question.from.port.as_deref().map(|port| (port, Direction::FromGuest));
    let to = question.to.port.as_deref().map(|port| (port, Direction::ToGuest));
    let judges = |(port, _): &(&str, Direction)| !question.not_filtered.iter().any(|other| other == port);
    from.into_iter().chain(to).filter(judges)
}

/// By the running programs.
pub fn by_kernel(state: &State, question: &Question) -> Result<Answer, Error> {
    let mut twin = state.kernel.twin()?;
    let mut steps = Vec::new();
    for (name, direction) in judges(question) {
        let port = state.ports_named(Some(name))?[0];
        let frame = question.frame(&state.config, (name, direction));
        let from = question.from.port.as_deref().map(|from| state.ports_named(Some(from))).transpose();
        // A guest that is not filtered has no interface here; its frames come from outside.
        let from =
            from.ok().flatten().and_then(|ports| ports.first().map(|port| (port.ifindex, port.entry.id)));
        let frame = arrived(&frame, question, from);
        let answered = twin.ask_arrived(direction, port.ifindex, &frame)?;
        let would = Would::of(answered.audited, &state.config, &state.names);
        steps.push(Step { audit: would, ..step(name, direction, answered.verdict, &state.names) });
        if !answered.verdict.allows() {
            break;
        }
    }
    Ok(Answer {
        note: note(&state.config, question),
        vlan: question.vlan(&state.config),
        ..answer("kernel", Some(state.root.generation), question, steps)
    })
}

/// By the same code in user space, for a document that does not run. Interfaces get made-up indexes.
pub fn by_document(document: &Document, question: &Question) -> Result<Answer, Error> {
    let config = &document.config;
    let interfaces: BTreeMap<String, u32> = config.ports.keys().cloned().zip(1..).collect();
    let ids = PortIds::assign(&BTreeMap::new(), config).map_err(crate::apply::ApplyError::from)?;
    let compiled =
        compile::compile(config, &ids, &Budget::default()).map_err(crate::apply::ApplyError::from)?;
    let publication = Publication {
        compiled: &compiled,
        interfaces: &interfaces,
        uplinks: &[],
        bridges: &BTreeMap::new(),
        document: &document.text,
        namespace: 0,
    };
    let mut tables = HostTables::new(&publication, 1);
    tables.writes = false;
    // A question about a port that learns is about the time when it has.
    for end in [&question.from, &question.to] {
        end.port.iter().for_each(|port| tables.assume_learned(port, end.address));
    }
    let names = Names::new(&[], config, &document.text);
    let mut steps = Vec::new();
    for (name, direction) in judges(question) {
        let frame = question.frame(config, (name, direction));
        let id = |port: &String| Some((*interfaces.get(port)?, ids.get(port)?));
        let frame = arrived(&frame, question, question.from.port.as_ref().and_then(id));
        let (verdict, audited) = ask(&tables, interfaces[name], direction, &frame);
        let would = Would::of(audited, config, &names);
        steps.push(Step { audit: would, ..step(name, direction, verdict, &names) });
        if !verdict.allows() {
            break;
        }
    }
    Ok(Answer {
        note: note(config, question),
        vlan: question.vlan(config),
        ..answer("user space", None, question, steps)
    })
}

/// The macvlan driver keeps an uplink's own host and its guests apart. A switch that reflects does not.
fn note(config: &Config, question: &Question) -> Option<String> {
    let (guest, host) = match (&question.from.port, &question.to.port) {
        (Some(guest), None) => (guest, question.to.address),
        (None, Some(guest)) => (guest, question.from.address),
        _ => return None,
    };
    let name = &config.ports.get(guest)?.network;
    let network = config.networks.get(name)?;
    let apart = matches!(network.kind, NetworkKind::Macvlan(_) | NetworkKind::Vepa(Hairpin::Local));
    let is_there = network.addresses.iter().any(|net| net.addr() == host);
    (apart && is_there && !network.host_access).then(|| {
        format!("network `{name}` has no `host-access`: no frame passes between its guests and the host")
    })
}

/// The frame as it comes from a port with this interface and id, or from whoever has no port.
fn arrived<'a>(frame: &'a [u8], question: &Question, from: Option<(u32, u32)>) -> Arrived<'a> {
    let (ingress_ifindex, mark) = match (from, &question.from.port) {
        (Some((ifindex, id)), _) => (ifindex, mark::from_port(id)),
        (None, Some(_)) => (0, 0),
        (None, None) => (0, mark::FROM_HOST),
    };
    Arrived { bytes: frame, mark, ingress_ifindex }
}

/// The verdict, and what would have decided otherwise.
fn ask(tables: &HostTables<'_>, ifindex: u32, direction: Direction, frame: &Arrived<'_>) -> (Verdict, u32) {
    let mut facts = Facts::default();
    (decide(direction, ifindex, frame, tables, &mut facts), facts.audited)
}

fn step(port: &str, direction: Direction, verdict: Verdict, names: &Names) -> Step {
    debug_assert!(verdict.rule == NO_RULE || names.rule(verdict.rule).is_some());
    Step {
        port: port.to_owned(),
        direction: direction.name(),
        action: verdict.action.name(),
        reason: verdict.reason.name(),
        because: verdict.reason.describe().trim(),
        rule: names.rule(verdict.rule).cloned(),
        audit: None,
    }
}

fn answer(
    answered_by: &'static str,
    generation: Option<u32>,
    question: &Question,
    steps: Vec<Step>,
) -> Answer {
    Answer {
        allowed: steps.iter().all(|step| step.action == "allow"),
        answered_by,
        generation,
        source: question.from.address.to_string(),
        destination: question.to.address.to_string(),
        vlan: None,
        not_filtered: question.not_filtered.clone(),
        steps,
        note: None,
    }
}
