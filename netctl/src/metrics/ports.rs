//! What ports are, and what was decided at them.

use netctl_common::abi::Counter;
use netctl_common::lease::MAX_ADDRESSES;
use netctl_common::verdict::{Direction, REASONS, Reason};

use super::family::{Family, Kind, Labels};
use crate::config::{Addresses, Device, Port};
use crate::error::Error;
use crate::kernel::running::{Rejects, RunningPort, now};
use crate::state::State;

pub(super) fn families(state: &State) -> Result<Vec<Family>, Error> {
    let mut all = Families::new();
    for (name, port) in &state.config.ports {
        all.describe(state, name, port);
    }
    for port in &state.ports {
        all.count(state, port)?;
    }
    let (mut packets, mut bytes) = all.stray;
    frames(&[], &state.kernel.stray_counters()?, (&mut packets, &mut bytes));
    all.stray = (packets, bytes);
    Ok(all.into_list())
}

/// In the order in which they are written.
struct Families {
    info: Family,
    enforced: Family,
    frames: (Family, Family),
    stray: (Family, Family),
    limited: (Family, Family),
    untold: Family,
    rejected: Family,
    learned: Family,
    learned_room: Family,
}

impl Families {
    fn new() -> Self {
        use Kind::{Counter, Gauge, Info};
        let bytes = |name, help| Family::new(Counter, name, help).with_unit("bytes");
        Self {
            info: Family::new(Info, "netctl_port", "A port of the running document."),
            enforced: Family::new(
                Gauge,
                "netctl_port_enforced",
                "1 where every frame of the port crosses the policy's programs, 0 where that is not so.",
            ),
            frames: (
                Family::new(
                    Counter,
                    "netctl_port_packets",
                    "Frames by what was decided and why; verdict=policy: as the rule, or the default, says.",
                ),
                bytes("netctl_port_bytes", "Bytes of those frames, without FCS."),
            ),
            stray: (
                Family::new(
                    Counter,
                    "netctl_stray_packets",
                    "Frames at interfaces that are no ports of the running policy.",
                ),
                bytes("netctl_stray_bytes", "Bytes of those frames, without FCS."),
            ),
            limited: (
                Family::new(Counter, "netctl_limit_dropped_packets", "Frames over a limit of the port."),
                bytes("netctl_limit_dropped_bytes", "Bytes of those frames, without FCS."),
            ),
            untold: Family::new(
                Counter,
                "netctl_port_untold_events",
                "Events over the port's rate, which are not in the journal.",
            ),
            rejected: Family::new(
                Counter,
                "netctl_port_rejected_packets",
                "Rejected frames whose sender was told, and those over the port's rate of answers.",
            ),
            learned: Family::new(
                Gauge,
                "netctl_port_learned_addresses",
                "Addresses that a port with addresses = \"learn\" has now.",
            ),
            learned_room: Family::new(
                Gauge,
                "netctl_port_learned_addresses_max",
                "Addresses that such a port can have at most.",
            ),
        }
    }

    fn describe(&mut self, state: &State, name: &str, port: &Port) {
        let network = state.config.networks.get(&port.network);
        let kind = match port.device {
            Device::Vfio => "vfio",
            Device::Vdpa(_) => "vdpa",
            Device::Made | Device::Adopted => network.map_or("", |network| network.kind.port_kind().name()),
        };
        self.info.add(
            vec![
                ("port", name.to_owned()),
                ("network", port.network.clone()),
                ("kind", kind.to_owned()),
                ("interface", port.interface.clone()),
                ("mac", port.mac.to_string()),
            ],
            1,
        );
        // Guests that drive their device themselves are past the host: the document says so, and that is no fault.
        if port.device.is_filtered() {
            let enforced = state.ensure_enforced(&[name.to_owned()]).is_ok();
            self.enforced.add(of(name), u64::from(enforced));
        }
        if port.addresses == Addresses::Learned {
            let now = now();
            let learned = state.leases_of(name).filter(|(_, lease)| !lease.is_tentative(now));
            self.learned.add(of(name), learned.count() as u64);
            self.learned_room.add(of(name), MAX_ADDRESSES as u64);
        }
    }

    fn count(&mut self, state: &State, port: &RunningPort) -> Result<(), Error> {
        let (name, id) = (port.name(), port.entry.id);
        let counters = state.kernel.port_counters(id)?;
        frames(&of(&name), &counters, (&mut self.frames.0, &mut self.frames.1));
        if let Some(limits) = state.config.ports.get(&name).map(|port| &port.limits) {
            for (direction, limit, _) in limits.each() {
                let dropped = counter(&counters, direction, limit.reason());
                let mut labels = of(&name);
                labels.push(("direction", direction.name().to_owned()));
                labels.push(("limit", limit.name().to_owned()));
                self.limited.0.add(labels.clone(), dropped.packets);
                self.limited.1.add(labels, dropped.bytes);
            }
        }
        self.untold.add(of(&name), state.kernel.untold_events(id)?);
        let Rejects { answered, unanswered } = state.kernel.rejects(id)?;
        for (is_answered, count) in [(true, answered), (false, unanswered)] {
            let mut labels = of(&name);
            labels.push(("answered", is_answered.to_string()));
            self.rejected.add(labels, count);
        }
        Ok(())
    }

    fn into_list(self) -> Vec<Family> {
        let Self { info, enforced, frames, stray, limited, untold, rejected, learned, learned_room } = self;
        let (packets, bytes) = frames;
        let (stray_packets, stray_bytes) = stray;
        let (dropped_packets, dropped_bytes) = limited;
        vec![
            info,
            enforced,
            packets,
            bytes,
            stray_packets,
            stray_bytes,
            dropped_packets,
            dropped_bytes,
            untold,
            rejected,
            learned,
            learned_room,
        ]
    }
}

fn of(port: &str) -> Labels {
    vec![("port", port.to_owned())]
}

fn counter(counters: &[Counter], direction: Direction, reason: Reason) -> Counter {
    counters.get(direction as usize * REASONS + reason as usize).copied().unwrap_or_default()
}

/// Only what was counted at all: most reasons never are.
fn frames(labels: &[(&'static str, String)], counters: &[Counter], to: (&mut Family, &mut Family)) {
    for direction in Direction::ALL {
        for reason in Reason::ALL {
            let counted = counter(counters, direction, *reason);
            if counted.packets == 0 {
                continue;
            }
            let mut labels = labels.to_vec();
            labels.push(("direction", direction.name().to_owned()));
            labels.push(("verdict", verdict(*reason).to_owned()));
            labels.push(("reason", reason.name().to_owned()));
            to.0.add(labels.clone(), counted.packets);
            to.1.add(labels, counted.bytes);
        }
    }
}

/// What a reason means for the frame. Frames are counted by reason: what a rule or the default did with them is the policy's,
/// which may have been another one when they were counted.
const fn verdict(reason: Reason) -> &'static str {
    use Reason::{Answer, Arp, Audit, Default, Flow, NeighborDiscovery, Related, Rule};
    match reason {
        Rule | Default => "policy",
        Flow | Related | Arp | NeighborDiscovery | Audit | Answer => "allow",
        _ => "deny",
    }
}
