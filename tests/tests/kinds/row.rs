//! One row of the table: a frame, what each port counts for it, and who sees it. Kinds are not known here.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::{Direction, Reason};

use super::kind::{DB1, Station, WEB1, WORLD};

/// One counter that goes up by one.
pub(crate) type Count = (&'static str, Direction, Reason);

pub(crate) struct Row {
    /// What the frame is, as the rest of a sentence.
    pub(crate) name: String,
    pub(crate) from: &'static str,
    pub(crate) frame: Vec<u8>,
    pub(crate) counts: Vec<Count>,
    /// Stations that get the frame as it was sent. Another guest does not get it; whether the world sees what is not
    /// for it is the switch's affair.
    pub(crate) seen_by: Vec<&'static str>,
}

/// What happens, in order: flows and what the switch has learned stay.
pub(crate) enum Step {
    Frame(Row),
    /// A policy of other rules.
    Apply(&'static [&'static str]),
}

#[derive(Default)]
pub(crate) struct Steps(pub(crate) Vec<Step>);

impl Steps {
    pub(crate) fn apply(&mut self, rules: &'static [&'static str]) {
        self.0.push(Step::Apply(rules));
    }

    /// From guest to guest, with the reason of both ports.
    pub(crate) fn passes(&mut self, name: &str, [from, to]: [Station; 2], frame: Vec<u8>, reason: Reason) {
        let counts = vec![(from.name, FromGuest, reason), (to.name, ToGuest, reason)];
        self.row(name, from, frame, counts, vec![to.name]);
    }

    /// From a guest to the other guest and to the world.
    pub(crate) fn spreads(&mut self, name: &str, from: Station, frame: Vec<u8>, reason: Reason) {
        let other = if from.name == WEB1.name { DB1 } else { WEB1 };
        let counts = vec![(from.name, FromGuest, reason), (other.name, ToGuest, reason)];
        self.row(name, from, frame, counts, vec![other.name, WORLD.name]);
    }

    /// From a guest to the world.
    pub(crate) fn leaves(&mut self, name: &str, from: Station, frame: Vec<u8>, reason: Reason) {
        self.row(name, from, frame, vec![(from.name, FromGuest, reason)], vec![WORLD.name]);
    }

    /// Denied where it is sent, so that nobody else counts it.
    pub(crate) fn denied(&mut self, name: &str, from: Station, frame: Vec<u8>, reason: Reason) {
        self.row(name, from, frame, vec![(from.name, FromGuest, reason)], Vec::new());
    }

    /// From the world to one guest.
    pub(crate) fn arrives(&mut self, name: &str, to: Station, frame: Vec<u8>, reason: Reason) {
        self.row(name, WORLD, frame, vec![(to.name, ToGuest, reason)], vec![to.name]);
    }

    /// From the world, denied where one guest would get it.
    pub(crate) fn refused(&mut self, name: &str, to: Station, frame: Vec<u8>, reason: Reason) {
        self.row(name, WORLD, frame, vec![(to.name, ToGuest, reason)], Vec::new());
    }

    /// From the world to all guests.
    pub(crate) fn reaches_all(&mut self, name: &str, frame: Vec<u8>, reason: Reason) {
        let all = [WEB1, DB1];
        let counts = all.map(|guest| (guest.name, ToGuest, reason)).to_vec();
        self.row(name, WORLD, frame, counts, all.map(|guest| guest.name).to_vec());
    }

    /// From the world to all guests, denied at each.
    pub(crate) fn refused_by_all(&mut self, name: &str, frame: Vec<u8>, reason: Reason) {
        let counts = [WEB1, DB1].map(|guest| (guest.name, ToGuest, reason)).to_vec();
        self.row(name, WORLD, frame, counts, Vec::new());
    }

    fn row(
        &mut self,
        name: &str,
        from: Station,
        frame: Vec<u8>,
        counts: Vec<Count>,
        seen_by: Vec<&'static str>,
    ) {
        let name = format!("{name}, from {}", from.name);
        self.0.push(Step::Frame(Row { name, from: from.name, frame, counts, seen_by }));
    }
}
