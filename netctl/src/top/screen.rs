//! What keys change, and what is remembered between samples.

use std::collections::VecDeque;

use super::rates::{PortRates, Rates, Talker};
use super::sample::Sample;
use crate::told::{FrameRow, Told};

/// Denials that are remembered.
const REMEMBERED: usize = 500;

#[derive(Debug, Default)]
pub struct Screen {
    pub rates: Rates,
    last: Option<Sample>,
    denials: VecDeque<Told>,
    /// Those that came while it was paused.
    unseen: VecDeque<Told>,
    pub sort: Sort,
    pub selected: usize,
    /// Only what concerns this port.
    pub focus: Option<String>,
    pub is_paused: bool,
    pub shows_help: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Bits,
    Packets,
    Denied,
    Name,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Quit,
    Sort,
    Pause,
    Help,
    Up,
    Down,
    /// Only the selected port, or all again.
    Focus,
    /// All ports again, or no help.
    Back,
}

impl Sort {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bits => "bits",
            Self::Packets => "packets",
            Self::Denied => "denied",
            Self::Name => "name",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Bits => Self::Packets,
            Self::Packets => Self::Denied,
            Self::Denied => Self::Name,
            Self::Name => Self::Bits,
        }
    }
}

impl Screen {
    /// Takes another look. The first one has no rates; while paused, what is shown stays.
    pub fn take(&mut self, sample: Sample) {
        self.unseen.extend(sample.denials.iter().cloned());
        self.unseen.drain(..self.unseen.len().saturating_sub(REMEMBERED));
        let last = self.last.replace(sample);
        if self.is_paused {
            return;
        }
        if let (Some(last), Some(now)) = (&last, &self.last) {
            self.rates = Rates::between(last, now);
        }
        self.denials.append(&mut self.unseen);
        self.denials.drain(..self.denials.len().saturating_sub(REMEMBERED));
        let ports: Vec<_> = self.rates.ports.iter().map(|port| port.port.clone()).collect();
        self.focus = self.focus.take().filter(|focus| ports.contains(focus));
        self.selected = self.selected.min(ports.len().saturating_sub(1));
    }

    /// Whether there are rates to show.
    pub fn has_rates(&self) -> bool {
        self.rates.seconds > 0.0
    }

    /// `false`: it is over.
    pub fn step(&mut self, step: Step) -> bool {
        let last = self.rates.ports.len().saturating_sub(1);
        match step {
            Step::Quit => return false,
            Step::Sort => self.sort = self.sort.next(),
            Step::Pause => self.is_paused = !self.is_paused,
            Step::Help => self.shows_help = !self.shows_help,
            Step::Up => self.selected = self.selected.saturating_sub(1),
            Step::Down => self.selected = (self.selected + 1).min(last),
            Step::Focus if self.focus.is_some() => self.focus = None,
            Step::Focus => self.focus = self.ports().get(self.selected).map(|port| port.port.clone()),
            Step::Back if self.shows_help => self.shows_help = false,
            Step::Back => self.focus = None,
        }
        true
    }

    /// In the order that was asked for.
    pub fn ports(&self) -> Vec<&PortRates> {
        let mut ports: Vec<_> = self.rates.ports.iter().collect();
        let most = |of: fn(&PortRates) -> f64| move |a: &&PortRates, b: &&PortRates| of(b).total_cmp(&of(a));
        match self.sort {
            Sort::Bits => ports.sort_by(most(PortRates::bits)),
            Sort::Packets => ports.sort_by(most(PortRates::packets)),
            Sort::Denied => ports.sort_by(most(|port| port.denied)),
            Sort::Name => ports.sort_by(|a, b| a.port.cmp(&b.port)),
        }
        ports
    }

    pub fn talkers(&self) -> impl Iterator<Item = &Talker> {
        self.rates.talkers.iter().filter(|talker| talker.ports.iter().any(|port| self.concerns(port)))
    }

    /// Latest first.
    pub fn denials(&self) -> impl Iterator<Item = &FrameRow> {
        let rows = self.denials.iter().rev().filter_map(Told::frame);
        rows.filter(|row| self.concerns(&row.port))
    }

    fn concerns(&self, port: &str) -> bool {
        self.focus.as_ref().is_none_or(|focus| focus == port)
    }
}
