//! Captures that go on: what they want, what they have left out, and what waits for them.

use std::os::fd::AsFd;

use bytemuck::Zeroable;
use netctl_common::abi::{ANY_PORT, CAPTURE_SLOTS, CaptureEntry, CaptureState, maps};
use netctl_common::verdict::{Action, Direction};

use super::super::publish::possible_cpus;
use super::super::running::read_array;
use super::super::{Kernel, KernelError, sys};
use super::Element;
use super::shared::element;
use crate::names::Names;

impl Kernel {
    pub(super) fn dump_captures(&self, names: &Names) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::CAPTURES)?;
        let captures = read_array::<CaptureEntry>(&table, maps::CAPTURES, CAPTURE_SLOTS)?;
        let taken = (0..).zip(&captures).filter(|(_, capture)| capture.until != 0);
        Ok(taken.map(|(slot, capture): (u32, _)| element(name(slot), wanted(capture, names))).collect())
    }

    pub(super) fn dump_capture_states(&self) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::CAPTURE_STATES)?;
        let mut elements = Vec::new();
        for slot in 0..CAPTURE_SLOTS {
            let mut states = vec![CaptureState::zeroed(); possible_cpus()];
            sys::lookup(table.as_fd(), &slot.to_ne_bytes(), bytemuck::cast_slice_mut(&mut states))
                .map_err(|e| KernelError::map(maps::CAPTURE_STATES, "reading it", e))?;
            let sum = |of: fn(&CaptureState) -> u64| states.iter().map(of).sum::<u64>();
            let (over_rate, ring_full) = (sum(|state| state.over_rate), sum(|state| state.ring_full));
            if states.iter().any(|state| state.refilled != 0) || over_rate + ring_full > 0 {
                let value = format!("{over_rate} frames over its rate, {ring_full} with its ring full");
                elements.push(element(name(slot), value));
            }
        }
        Ok(elements)
    }

    /// Reading the frames would take them from their reader: only how many bytes of them there are.
    pub(super) fn dump_capture_rings(&self) -> Result<Vec<Element>, KernelError> {
        // Says so where an older build's programs have none.
        drop(self.map_of_this_build(maps::CAPTURE_RINGS)?);
        let fail = |e| KernelError::map(maps::CAPTURE_RINGS, "asking about it", e);
        let mut elements = Vec::new();
        for slot in 0..CAPTURE_SLOTS {
            let Some(ring) = self.inner_if_set(maps::CAPTURE_RINGS, slot)? else { continue };
            let size = sys::info(ring.as_fd()).map_err(fail)?.max_entries;
            let unread = sys::ring_fill(ring.as_fd()).map_err(fail)?;
            elements.push(element(name(slot), format!("{unread} of {size} bytes unread")));
        }
        Ok(elements)
    }

    pub(super) fn dump_captures_until(&self) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::CAPTURES_UNTIL)?;
        let until = read_array::<u64>(&table, maps::CAPTURES_UNTIL, 1)?;
        Ok(until.iter().map(|until| element("until", uptime(*until))).collect())
    }
}

fn name(slot: u32) -> String {
    format!("capture {slot}")
}

fn wanted(capture: &CaptureEntry, names: &Names) -> String {
    let port = if capture.port == ANY_PORT { "all ports".to_owned() } else { names.port(capture.port) };
    let actions = [Action::Deny, Action::Allow, Action::Reject].into_iter();
    let actions = actions.filter(|action| capture.actions & (1 << *action as u32) != 0).map(Action::name);
    let directions = Direction::ALL.into_iter();
    let directions = directions
        .filter(|direction| capture.directions & (1 << *direction as u32) != 0)
        .map(Direction::name);
    let rate = if capture.rate == 0 { String::new() } else { format!(", {} frames/s and CPU", capture.rate) };
    format!(
        "{port}, {}, {}, {} bytes of each frame{rate}, until {}",
        actions.collect::<Vec<_>>().join(" "),
        directions.collect::<Vec<_>>().join(" "),
        capture.snap,
        uptime(capture.until),
    )
}

fn uptime(nanoseconds: u64) -> String {
    if nanoseconds == 0 {
        "nobody captures".to_owned()
    } else {
        format!("{:.3} s of uptime", nanoseconds as f64 / 1e9)
    }
}
