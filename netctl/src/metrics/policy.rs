//! What runs at all: the build, the document, the generation.

use jiff::Timestamp;
use netctl_common::abi::{ABI_VERSION, event_kind};
use netctl_common::verdict::Action;
use sha2::{Digest, Sha256};

use super::family::{Family, Kind, Value};
use crate::error::Error;
use crate::state::State;
use crate::told::Told;

/// When the policy changed for the last time: kept, because the journal forgets it behind enough denials.
#[derive(Debug, Default)]
pub(super) struct LastChange(Option<(u32, Timestamp)>);

impl LastChange {
    /// Of the generation that runs; `None` where nobody knows any more.
    fn of(&mut self, state: &State) -> Result<Option<Timestamp>, Error> {
        let mut journal = match state.kernel.journal() {
            Ok(journal) => journal,
            // What is attached is of a build without one.
            Err(_) => return Ok(None),
        };
        while let Some(event) = journal.ready() {
            if event.kind == event_kind::CHANGE
                && let Told::Change(change) = Told::of(&event, state)
            {
                self.0 = Some((change.generation, change.when.at));
            }
        }
        Ok(self.0.filter(|(generation, _)| *generation == state.root.generation).map(|(_, at)| at))
    }
}

pub(super) fn families(state: &State, last_change: &mut LastChange) -> Result<Vec<Family>, Error> {
    let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("abi", ABI_VERSION.to_string())];
    let policy = vec![
        ("document_sha256", format!("{:x}", Sha256::digest(&state.document))),
        ("default", Action::decode(state.root.default_action).name().to_owned()),
        ("audit", state.config.policy.audit.to_string()),
    ];
    let mut changed = Family::new(
        Kind::Gauge,
        "netctl_policy_last_change_timestamp_seconds",
        "When the running policy was published or moved to other programs, since 1970-01-01; absent if the journal has \
         forgotten it.",
    )
    .with_unit("seconds");
    if let Some(at) = last_change.of(state)? {
        changed.add(vec![], Value::Real(at.as_millisecond() as f64 / 1e3));
    }
    let gauge = |name, help, value: u64| Family::new(Kind::Gauge, name, help).with(vec![], value);
    Ok(vec![
        Family::new(Kind::Info, "netctl_build", "The netctl that tells this.").with(build, 1),
        Family::new(Kind::Info, "netctl_policy", "The document that runs, as `netctl show` prints it.")
            .with(policy, 1),
        gauge(
            "netctl_policy_generation",
            "Number of the generation that decides; every change of the document makes another one.",
            u64::from(state.root.generation),
        ),
        gauge("netctl_policy_rules", "Rules of the running policy.", u64::from(state.root.rules)),
        changed,
    ])
}
