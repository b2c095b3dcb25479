//! The corpus on real ports: what a guest sends is written to the queue of its tap or macvtap, what comes from
//! outside is sent by a station on the switch. What is denied comes out nowhere, and is counted under its reason.

use std::path::Path;
use std::time::{Duration, Instant};

use netctl::kernel::Kernel;
use netctl_common::abi::Counter;
use netctl_common::verdict::{Action, Direction, Reason};
use netctl_tests::evasion::{OPEN, PORT, Step, Verdict};
use netctl_tests::frame::{Build, eth};
use netctl_tests::tap::Tap;

use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1, WORLD};
use super::live::rose;
use super::{cases_for, none_but_pending, rules};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn no_attack_passes_a_tap_on_a_bridge() {
    holds(&BRIDGE);
}

#[test]
fn no_attack_passes_a_macvtap() {
    holds(&MACVLAN);
}

#[test]
fn no_attack_passes_a_macvtap_in_passthrough() {
    holds(&PASSTHROUGH);
}

#[test]
fn no_attack_passes_a_macvtap_on_a_vepa_whose_switch_reflects() {
    holds(&VEPA);
}

fn holds(kind: &Kind) {
    let mut wrong = Vec::new();
    let result = &mut wrong;
    kind::without_guests(kind, OPEN, move |host| {
        let mut ports = Ports::new(host);
        ports.acquaint();
        for case in cases_for(kind) {
            for step in &case.steps {
                match step {
                    Step::Apply(policy) => {
                        host.lab.apply(&kind.document(rules(policy))).unwrap();
                    }
                    Step::Frame { number, direction, bytes, expected } => {
                        let found = ports.judge(*direction, bytes, *expected);
                        let told =
                            |found| (case.name.clone(), format!("{}: frame {number}: {found}", kind.name));
                        result.extend(found.err().map(told));
                    }
                }
            }
        }
    });
    none_but_pending(wrong);
}

struct Ports<'h> {
    kernel: Kernel,
    id: u32,
    web1: Tap,
    db1: Tap,
    world: &'h Tap,
}

impl<'h> Ports<'h> {
    fn new(host: &'h Host<'_>) -> Self {
        let kernel = Kernel::open(Path::new("/sys/fs/bpf")).unwrap();
        let id = kernel.port_ids().unwrap()[PORT];
        let [web1, db1] = [WEB1, DB1].map(|guest| host.lab.tap(guest.name).unwrap());
        Self { kernel, id, web1, db1, world: &host.world }
    }

    /// The switch learns who is where.
    fn acquaint(&self) {
        for (tap, station) in [(&self.web1, WEB1), (&self.db1, DB1)] {
            let asks = eth(station.mac, [0xff; 6]).arp_request(station.v4, "10.0.0.200").frame();
            tap.send(&asks).unwrap();
            let heard = self.world.recv_matching(SOON, |frame| frame == asks).unwrap();
            assert!(heard.is_some(), "{} is not heard on the switch", station.name);
        }
    }

    fn counters(&self) -> Vec<Counter> {
        self.kernel.port_counters(self.id).unwrap()
    }

    fn judge(&mut self, direction: Direction, frame: &[u8], expected: Verdict) -> Result<(), String> {
        self.drain();
        let before = self.counters();
        let sender = if direction == Direction::FromGuest { &self.web1 } else { self.world };
        sender.send(frame).map_err(|error| format!("not sent: {error}"))?;
        let (action, reason) = expected;
        let astray = is_astray(direction, frame);
        let counted = self.counted(direction, &before, !astray);
        if counted != [reason] && !(astray && counted.is_empty()) {
            let names: Vec<_> = counted.iter().map(|reason| reason.name()).collect();
            return Err(format!("counted {names:?}, not {}", reason.name()));
        }
        self.arrived(direction, frame, action == Action::Allow)
    }

    /// What the port counted in this direction, as soon as it did.
    fn counted(&self, direction: Direction, before: &[Counter], wait: bool) -> Vec<Reason> {
        let deadline = Instant::now() + if wait { Duration::from_secs(2) } else { Duration::from_millis(20) };
        loop {
            let rose = rose(before, &self.counters());
            let mine: Vec<_> =
                rose.iter().filter(|(of, _)| *of == direction).map(|(_, reason)| *reason).collect();
            if !mine.is_empty() || Instant::now() >= deadline {
                return mine;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the frame comes out where it is for, or nowhere.
    fn arrived(&mut self, direction: Direction, frame: &[u8], allowed: bool) -> Result<(), String> {
        let receivers: Vec<(&str, &Tap)> = match direction {
            Direction::ToGuest => vec![(PORT, &self.web1)],
            Direction::FromGuest => vec![(DB1.name, &self.db1), (WORLD.name, self.world)],
        };
        let meant = |name: &str| match &frame[..6] {
            _ if direction == Direction::ToGuest => true,
            mac if mac == DB1.mac => name == DB1.name,
            mac if mac == WORLD.mac => name == WORLD.name,
            _ => true,
        };
        for (name, tap) in receivers {
            if allowed && meant(name) {
                let got = tap.recv_matching(SOON, |got| got == frame).unwrap();
                if got.is_none() {
                    return Err(format!("{name} does not get it"));
                }
            } else {
                // What is counted as denied is not on its way any more.
                while let Some((_, got)) = tap.try_recv().unwrap() {
                    if got == frame && !allowed {
                        return Err(format!("it comes out at {name}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn drain(&mut self) {
        for tap in [&self.web1, &self.db1, self.world] {
            while tap.try_recv().unwrap().is_some() {}
        }
    }
}

/// Unicast for someone else, which a switch or driver may not bring to the port at all.
fn is_astray(direction: Direction, frame: &[u8]) -> bool {
    direction == Direction::ToGuest && frame[0] & 1 == 0 && frame[..6] != WEB1.mac
}
