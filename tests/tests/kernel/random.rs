//! Random frames under random policies: asked and live, both hosts say the same, with the flows of all frames
//! before, through changes of the policy.

use std::collections::BTreeMap;

use netctl::compile::{Budget, Compiled, PortIds, compile};
use netctl::config::PortKind;
use netctl::explain::HostTables;
use netctl::kernel::Kernel;
use netctl::kernel::ask::{Live, Twin};
use netctl::kernel::attach::AttachPort;
use netctl::kernel::publish::Publication;
use netctl::kernel::running::Rejects;
use netctl_common::abi::Counter;
use netctl_common::decide::{Facts, decide};
use netctl_common::verdict::{Direction, REASONS, Reason, Verdict};
use netctl_tests::cases::answers::answer;
use netctl_tests::cases::random::{RandomFrame, frame};
use netctl_tests::policies::{self, Random};
use netctl_tests::sandbox::Sandbox;

use crate::lab::{bpffs, can_run, set_clock};
use crate::live::{code, rose, told};

const POLICIES: u64 = 60;
const FRAMES: usize = 500;
/// As many as [`policies::config`] gives at most.
const PORTS: u32 = 7;

static NO_BRIDGES: BTreeMap<u16, u32> = BTreeMap::new();

/// Taps with the programs on them, and the policy that runs last.
struct Host {
    kernel: Kernel,
    twin: Twin,
    live: Live,
    interfaces: &'static BTreeMap<String, u32>,
    ids: BTreeMap<String, u32>,
    /// By port id; those of no port last.
    counters: Vec<Vec<Counter>>,
}

impl Host {
    fn new(sandbox: &Sandbox) -> Self {
        let kernel = Kernel::open_or_load(bpffs()).unwrap();
        let (mut interfaces, mut ids) = (BTreeMap::new(), BTreeMap::new());
        for id in 0..PORTS {
            let (port, tap) = (format!("vm{id}"), format!("tap{id}"));
            sandbox.ip(&format!("tuntap add dev {tap} mode tap"));
            let ifindex = std::fs::read_to_string(format!("/sys/class/net/{tap}/ifindex")).unwrap();
            let ifindex = ifindex.trim().parse().unwrap();
            let attached = AttachPort { name: &port, id, interface: &tap, ifindex, kind: PortKind::Tap };
            kernel.attach(&[attached]).unwrap();
            interfaces.insert(port.clone(), ifindex);
            ids.insert(port, id);
        }
        let (twin, live) = (kernel.twin().unwrap(), kernel.live().unwrap());
        let counters = vec![vec![Counter::default(); 2 * REASONS]; PORTS as usize + 1];
        let interfaces = Box::leak(Box::new(interfaces));
        Self { kernel, twin, live, interfaces, ids, counters }
    }

    /// What rose since the last call, at a port or at none.
    fn rose(&mut self, port: Option<&str>) -> Vec<(Direction, Reason)> {
        let (index, now) = match port.and_then(|port| self.ids.get(port)) {
            Some(&id) => (id as usize, self.kernel.port_counters(id).unwrap()),
            None => (PORTS as usize, self.kernel.stray_counters().unwrap()),
        };
        let before = std::mem::replace(&mut self.counters[index], now);
        rose(&before, &self.counters[index])
    }

    /// One frame, asked and then live.
    fn compare(&mut self, tables: &mut HostTables<'_>, frame: &RandomFrame) -> Result<Verdict, String> {
        let ifindex = self.interfaces.get(&frame.port).copied().unwrap_or(1);
        let answered = self.twin.ask(frame.direction, ifindex, &frame.bytes).map_err(|e| format!("{e:?}"))?;
        set_clock(tables);
        for writes in [false, true] {
            tables.writes = writes;
            let mut facts = Facts::default();
            let host = decide(frame.direction, ifindex, &frame.bytes[..], tables, &mut facts);
            let same = answered.verdict == host
                // Where the answer about a stale flow does not tell.
                && (answered.redirect == facts.redirect || !host.allows() || writes)
                && answered.generation == facts.generation;
            if !same {
                return Err(format!(
                    "host {host:?} to {} (writes: {writes}), kernel {answered:?}",
                    facts.redirect
                ));
            }
            if !writes {
                continue;
            }
            let rejects = || {
                self.ids
                    .get(&frame.port)
                    .map_or_else(Rejects::default, |id| self.kernel.rejects(*id).unwrap())
            };
            let before = rejects();
            let returned =
                self.live.run(frame.direction, ifindex, &frame.bytes).map_err(|e| format!("{e:?}"))?;
            let told = told(&host, &facts, &frame.bytes, [before, rejects()])?;
            let counted = self.rose((host.reason != Reason::UnknownPort).then_some(&frame.port));
            if returned != code(&host, facts.redirect, told) || counted != [(frame.direction, host.reason)] {
                return Err(format!(
                    "host {host:?}, live program returned {returned} and counted {counted:?}"
                ));
            }
        }
        Ok(answered.verdict)
    }

    fn flows(&self) -> usize {
        (0..PORTS).map(|id| self.kernel.flows(id).unwrap().len()).sum()
    }
}

/// One of those that were allowed last.
fn pick_recent<'r>(random: &mut Random, recent: &'r [RandomFrame]) -> Option<&'r RandomFrame> {
    let last = recent.len().min(200);
    (last > 0).then(|| &recent[recent.len() - 1 - random.below(last)])
}

#[test]
fn random_frames_under_random_policies_have_one_verdict() {
    let base: u64 = std::env::var("NETCTL_SEED").map_or(1, |seed| seed.parse().unwrap());
    Sandbox::run(|sandbox| {
        let mut host = Host::new(sandbox);
        let mut before: Option<HostTables<'static>> = None;
        let mut recent: Vec<RandomFrame> = Vec::new();
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for seed in base..base + POLICIES {
            let mut random = Random::new(seed);
            let config = policies::config(&mut random);
            let ids = PortIds::assign(&host.ids, &config).unwrap();
            let compiled = compile(&config, &ids, &Budget::default()).unwrap();
            // The next tables take the flows of these.
            let compiled: &'static Compiled = Box::leak(Box::new(compiled));
            let publication = Publication {
                compiled,
                interfaces: host.interfaces,
                uplinks: &[],
                bridges: &NO_BRIDGES,
                document: "",
                namespace: 0,
            };
            let generation = host.kernel.switch(host.kernel.fill(&publication).unwrap()).unwrap();
            let mut tables = HostTables::new(&publication, generation);
            if let Some(before) = &before {
                tables.take_flows(before);
            }
            // Across policies: flows go on, and may be revoked.
            for number in 0..FRAMES {
                let earlier = if random.chance(35) { pick_recent(&mut random, &recent) } else { None };
                let answer = earlier.and_then(|earlier| answer(&mut random, earlier));
                let frame = answer.unwrap_or_else(|| frame(&mut random, &config));
                if !can_run(&frame.bytes) {
                    continue;
                }
                match host.compare(&mut tables, &frame) {
                    Ok(verdict) => {
                        *reasons.entry(verdict.reason.name()).or_default() += 1;
                        if verdict.allows() {
                            recent.push(frame);
                        }
                    }
                    Err(found) => {
                        panic!("NETCTL_SEED={seed}, frame {number}: {found}\n{frame:02x?}\n{config:#?}")
                    }
                }
            }
            assert_eq!(host.flows(), tables.flow_count(), "NETCTL_SEED={seed}: flows");
            before = Some(tables);
        }
        let compared: usize = reasons.values().sum();
        println!("{compared} frames: {reasons:?}");
        assert!(compared >= 20_000);
        // Frames that all end the same way would prove little.
        let rare: Vec<_> = reasons.iter().filter(|(_, count)| **count < 5).collect();
        assert!(reasons.len() - rare.len() >= 18, "{reasons:?}");
        assert!(reasons["flow"] > 200 && reasons["rule"] > 500 && reasons["revoked"] > 20, "{reasons:?}");
    });
}
