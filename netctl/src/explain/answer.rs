//! Puts a question to every port that judges the flow.

use netctl_common::abi::NO_RULE;
use netctl_common::frame::Arrived;
use netctl_common::mark;
use netctl_common::verdict::{Direction, Verdict};
use serde::Serialize;

use super::held::{self, Held};
use super::host::{Host, Running};
use super::nearest::{self, Nearest, nearest};
use super::party::{self, End};
use super::question::Question;
use super::rehearsal::Rehearsal;
use super::seen::{Flow, Seen};
use super::stage::{self, Stage};
use crate::config::{Config, Hairpin, NetworkKind};
use crate::document::Document;
use crate::error::Error;
use crate::kernel::KernelError;
use crate::kernel::ask::{Answered, Flows};
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
    /// As in a rule.
    pub service: String,
    /// The VLAN on the network, if the frame is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Flows were not looked at.
    pub as_new: bool,
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
    /// Of the frame: IP addresses, or MAC addresses where it has none.
    #[serde(skip)]
    pub source: String,
    #[serde(skip)]
    pub destination: String,
    /// As in a rule.
    #[serde(skip)]
    pub service: String,
    /// One sentence about the reason.
    pub because: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// What this port would say but for audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Would>,
    /// The steps of the decision, up to the one that denied.
    pub stages: Vec<Stage>,
    /// Both ends as the rules see them; of a frame of a flow, those of the one that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// The flow that answered, or was found over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The guard, VLAN or limit that denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The rule that would have decided otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// The rule that would allow just this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_rule: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Ends {
    pub source: End,
    pub destination: End,
    /// The data path's number for all services that no rule tells apart from this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_class: Option<u32>,
}

/// The ports that judge, each in its direction, in the order of the frame's path.
pub(super) fn judges(question: &Question) -> impl Iterator<Item = (&str, Direction)> {
    let from = question.from.port.as_deref().map(|port| (port, Direction::FromGuest));
    let to = question.to.port.as_deref().map(|port| (port, Direction::ToGuest));
    let judges = |(port, _): &(&str, Direction)| !question.not_filtered.iter().any(|other| other == port);
    from.into_iter().chain(to).filter(judges)
}

/// By the running programs.
///
/// # Errors
/// If the kernel refuses the programs' twins or the frame, or a port has no interface.
pub fn by_kernel(state: &State, question: &Question) -> Result<Answer, Error> {
    let flows = if question.as_new { Flows::Ignored } else { Flows::Known };
    let directions: Vec<Direction> = judges(question).map(|(_, direction)| direction).collect();
    answer(&mut Running::new(state, &directions, flows)?, question, "kernel")
}

/// By the same code in user space, for a document that does not run.
///
/// # Errors
/// If the document does not compile.
pub fn by_document(document: &Document, question: &Question) -> Result<Answer, Error> {
    Rehearsal::new(&document.config, &document.text)?.asking().answer(question)
}

pub(super) fn answer(host: &mut impl Host, question: &Question, by: &'static str) -> Result<Answer, Error> {
    let mut steps = Vec::new();
    for at in judges(question) {
        let frame = question.frame(host.config(), at);
        // A guest that is not filtered has no interface here; its frames come from outside.
        let from = question.from.port.as_deref().and_then(|from| host.interface(from));
        let step = step(host, at, &arrived(&frame, question, from), question.as_new)?;
        let allowed = step.action == "allow";
        steps.push(step);
        if !allowed {
            break;
        }
    }
    Ok(Answer {
        allowed: steps.iter().all(|step| step.action == "allow"),
        answered_by: by,
        generation: host.generation(),
        source: question.from.address.to_string(),
        destination: question.to.address.to_string(),
        service: question.service_name(),
        vlan: question.vlan(host.config()),
        as_new: question.as_new,
        not_filtered: question.not_filtered.clone(),
        steps,
        note: note(host.config(), question),
    })
}

/// The macvlan driver keeps an uplink's own host and its guests apart. A switch that reflects does not.
pub(super) fn note(config: &Config, question: &Question) -> Option<String> {
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
pub(super) fn arrived<'a>(frame: &'a [u8], question: &Question, from: Option<(u32, u32)>) -> Arrived<'a> {
    let (ingress_ifindex, mark) = match (from, &question.from.port) {
        (Some((ifindex, id)), _) => (ifindex, mark::from_port(id)),
        (None, Some(_)) => (0, 0),
        (None, None) => (0, mark::FROM_HOST),
    };
    Arrived { bytes: frame, mark, ingress_ifindex }
}

/// What one port says about a frame.
pub(super) fn step(
    host: &mut impl Host,
    (port, direction): (&str, Direction),
    frame: &Arrived<'_>,
    as_new: bool,
) -> Result<Step, Error> {
    let missing = || Error::Kernel(KernelError::NoInterface { port: port.to_owned() });
    let (ifindex, _) = host.interface(port).ok_or_else(missing)?;
    let Answered { verdict, audited, seen, .. } = host.ask(direction, ifindex, frame)?;
    let seen = Seen::new(seen, &host.timeouts());
    let (config, names) = (host.config(), host.names());
    let query = party::query(config, (port, direction), &seen);
    let [source, destination] = party::ends(config, &query, &seen);
    let ends = [source, destination];
    let at = stage::At {
        config,
        names,
        port,
        direction,
        verdict,
        seen: &seen,
        ends: &ends,
        port_at: &|ifindex| host.port_at(ifindex),
        as_new,
    };
    let by_rules = seen.rules_asked() || seen.opener().is_some();
    let is_held = stage::is_held(verdict.reason, direction);
    let classes = {
        let [source, destination] = ends.clone();
        let service_class = seen.rules_asked().then_some(seen.answer.service_class);
        by_rules.then_some(Ends { source, destination, service_class })
    };
    let about_rules = by_rules && !is_held;
    let nearest =
        about_rules.then(|| nearest(config, names, &query, (verdict.action, verdict.rule))).flatten();
    let [source, destination] = seen.addresses();
    let is_denied = about_rules && !verdict.allows();
    Ok(Step {
        new_rule: is_denied.then(|| nearest::new_rule(config, &query)),
        nearest,
        audit: Would::of(audited, config, names),
        stages: at.stages(),
        ends: classes,
        source,
        destination,
        service: seen.service(),
        flow: seen.flow(names),
        held: held::held(config, (port, direction), verdict.reason, &seen.answer),
        ..told((port, direction), verdict, names)
    })
}

fn told((port, direction): (&str, Direction), verdict: Verdict, names: &Names) -> Step {
    debug_assert!(verdict.rule == NO_RULE || names.rule(verdict.rule).is_some());
    Step {
        port: port.to_owned(),
        direction: direction.name(),
        action: verdict.action.name(),
        reason: verdict.reason.name(),
        source: String::new(),
        destination: String::new(),
        service: String::new(),
        because: verdict.reason.describe().trim(),
        rule: names.rule(verdict.rule).cloned(),
        audit: None,
        stages: Vec::new(),
        ends: None,
        flow: None,
        held: None,
        nearest: None,
        new_rule: None,
    }
}
