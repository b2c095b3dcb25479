//! What the report tells, read in one go. The page and the JSON are made of the same rows.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use netctl_common::verdict::Action;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::reach::Reach;
use super::rows::{CountRow, DenyRow, FindingRow, FlowsRow, RuleRow};
use crate::cmd::block_on;
use crate::cmd::limits::{self, LimitRow};
use crate::cmd::network::{self as networks, NetworkRow};
use crate::cmd::port::{self as ports, PortRow};
use crate::document;
use crate::error::Error;
use crate::network::{self, Netlink};
use crate::state::State;
use crate::told::{FrameRow, Told};
use crate::would::not_enforced;

/// The state of a port that no guest uses.
pub(super) const IDLE: &str = "no carrier";

#[derive(Serialize)]
pub(super) struct Facts {
    /// The host's name.
    pub(super) host: String,
    /// When it was read.
    pub(super) at: Timestamp,
    pub(super) netctl: &'static str,
    pub(super) generation: u32,
    /// When the generation began; absent if the journal has forgotten it.
    pub(super) since: Option<Timestamp>,
    /// Of the document, as `netctl show | sha256sum` prints it.
    pub(super) document_sha256: String,
    /// What happens where no rule matches.
    pub(super) default: &'static str,
    /// What is not as it should be.
    pub(super) attention: Vec<String>,
    pub(super) networks: Vec<NetworkRow>,
    pub(super) ports: Vec<PortRow>,
    /// Who may open what towards whom.
    pub(super) reach: Reach,
    pub(super) rules: Vec<RuleRow>,
    pub(super) counters: Vec<CountRow>,
    pub(super) limits: Vec<LimitRow>,
    pub(super) flows: Vec<FlowsRow>,
    /// The last ones that the journal has, newest first.
    pub(super) denies: Vec<DenyRow>,
    /// Events that were over a port's rate.
    pub(super) untold_events: u64,
    pub(super) findings: Vec<FindingRow>,
}

impl Facts {
    /// With so many denied frames at most.
    pub(super) fn gather(bpffs: &Path, denies: usize) -> Result<Self, Error> {
        let state = State::read(bpffs)?;
        let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
        let Journal { since, denies } = Journal::read(&state, denies);
        let mut facts = Self {
            host: fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            at: Timestamp::now(),
            netctl: env!("CARGO_PKG_VERSION"),
            generation: state.root.generation,
            since,
            document_sha256: format!("{:x}", Sha256::digest(&state.document)),
            default: Action::decode(state.root.default_action).name(),
            attention: Vec::new(),
            networks: networks::rows(&state.config, &observed),
            ports: ports::rows(&state, &observed)?,
            reach: Reach::of(&state.config),
            rules: Vec::new(),
            counters: Vec::new(),
            limits: Vec::new(),
            flows: Vec::new(),
            denies,
            untold_events: 0,
            findings: findings(&state),
        };
        facts.count(&state)?;
        facts.attention = facts.attention(&state);
        Ok(facts)
    }

    fn count(&mut self, state: &State) -> Result<(), Error> {
        for port in &state.ports {
            let (name, counters) = (port.name(), state.kernel.port_counters(port.entry.id)?);
            self.counters.extend(CountRow::of(&name, &counters));
            if let Some(port) = state.config.ports.get(&name) {
                self.limits.extend(limits::rows(&name, &port.limits, &counters));
            }
            self.flows.push(FlowsRow::of(state, port)?);
            self.untold_events += state.kernel.untold_events(port.entry.id)?;
        }
        self.counters.extend(CountRow::of("-", &state.kernel.stray_counters()?));
        let rules = (0..).zip(state.kernel.rules(&state.root)?);
        self.rules = rules.filter_map(|(index, counted)| RuleRow::of(state, index, counted)).collect();
        Ok(())
    }

    fn attention(&self, state: &State) -> Vec<String> {
        let mut all: Vec<String> = not_enforced(&state.config).into_iter().collect();
        let networks = self.networks.iter().map(|row| ("network", &row.name, &row.state));
        let ports = self.ports.iter().map(|row| ("port", &row.name, &row.state));
        let wrong = networks.chain(ports).filter(|(_, _, state)| !["up", IDLE].contains(&state.as_str()));
        all.extend(wrong.map(|(what, name, state)| format!("{what} {name}: {state}")));
        if self.untold_events > 0 {
            all.push(format!("{} events were over a port's rate and are not shown", self.untold_events));
        }
        all
    }
}

/// What the journal says: denials, newest first, and since when the running generation decides.
struct Journal {
    since: Option<Timestamp>,
    denies: Vec<DenyRow>,
}

impl Journal {
    /// Nothing, where what is attached is of a build without a journal.
    fn read(state: &State, most: usize) -> Self {
        let (mut since, mut denies) = (None, VecDeque::new());
        if let Ok(mut journal) = state.kernel.journal() {
            while let Some(event) = journal.ready() {
                match Told::of(&event, state) {
                    Told::Change(row) if row.generation == state.root.generation => since = Some(row.when.at),
                    Told::Frame(row) if is_denied(&row) && most > 0 => {
                        denies.truncate(most - 1);
                        denies.push_front(DenyRow(row));
                    }
                    _ => {}
                }
            }
        }
        Self { since, denies: denies.into() }
    }
}

fn is_denied(row: &FrameRow) -> bool {
    row.action != Action::Allow.name()
}

fn findings(state: &State) -> Vec<FindingRow> {
    let checked = document::check("running document", state.document.clone().into_bytes());
    let findings = checked.map_or_else(|findings| findings, |document| document.findings);
    findings.iter().cloned().map(FindingRow).collect()
}
