//! Who answers: the running programs, or ([`super::rehearsal`]) the same code in user space over a document that does not run.

use netctl_common::flow::TIMEOUTS;
use netctl_common::frame::Arrived;
use netctl_common::verdict::Direction;

use crate::config::Config;
use crate::error::Error;
use crate::fd::interface;
use crate::kernel::ask::{Answered, Flows, Twin};
use crate::names::Names;
use crate::state::State;

/// A host of the decision that can be asked without a trace.
pub(super) trait Host {
    /// Where learned addresses stand as listed ones.
    fn config(&self) -> &Config;
    fn names(&self) -> &Names;
    /// The port's interface and id; `None` = it has none here.
    fn interface(&self, port: &str) -> Option<(u32, u32)>;
    /// The port of an interface.
    fn port_at(&self, ifindex: u32) -> Option<String>;
    /// Ticks; index: [`netctl_common::flow::Timeout`].
    fn timeouts(&self) -> [u32; TIMEOUTS];
    /// Running generation, where one runs.
    fn generation(&self) -> Option<u32>;
    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error>;
}

/// The running programs, by their twins.
pub(super) struct Running<'a> {
    state: &'a State,
    config: Config,
    twin: Twin,
}

impl<'a> Running<'a> {
    /// For questions in these directions.
    pub(super) fn new(state: &'a State, directions: &[Direction], flows: Flows) -> Result<Self, Error> {
        let twin = state.kernel.twin_of(directions, flows)?;
        Ok(Self { state, config: state.config_as_learned(), twin })
    }
}

impl Host for Running<'_> {
    fn config(&self) -> &Config {
        &self.config
    }

    fn names(&self) -> &Names {
        &self.state.names
    }

    fn interface(&self, port: &str) -> Option<(u32, u32)> {
        let found = self.state.ports.iter().find(|running| running.name() == port)?;
        // One that is gone, or that someone made anew, has no programs to ask.
        let interface = &self.config.ports.get(port)?.interface;
        (interface::index(interface) == Some(found.ifindex)).then_some((found.ifindex, found.entry.id))
    }

    fn port_at(&self, ifindex: u32) -> Option<String> {
        self.state.ports.iter().find(|running| running.ifindex == ifindex).map(|running| running.name())
    }

    fn timeouts(&self) -> [u32; TIMEOUTS] {
        self.state.root.timeouts
    }

    fn generation(&self) -> Option<u32> {
        Some(self.state.root.generation)
    }

    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error> {
        Ok(self.twin.ask_arrived(direction, ifindex, frame)?)
    }
}
