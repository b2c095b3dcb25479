//! Host against kernel on mutations of the corpus: the same verdict, rule, redirect and return code for each frame,
//! and in the end the same flows.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use netctl::compile::{Budget, Compiled, PortIds, compile};
use netctl::config::{Config, PortKind};
use netctl::explain::HostTables;
use netctl::kernel::Kernel;
use netctl::kernel::ask::{Live, Twin};
use netctl::kernel::attach::AttachPort;
use netctl::kernel::publish::Publication;
use netctl::kernel::running::Rejects;
use netctl_common::abi::{FlowEntry, FlowKey};
use netctl_common::decide::{Facts, decide};
use netctl_common::verdict::{Action, Verdict};
use netctl_tests::cases::answers::answer;
use netctl_tests::cases::random::{self, RandomFrame};
use netctl_tests::evasion::OPEN;
use netctl_tests::fuzz::{Mutator, PORTS, Reference};
use netctl_tests::policies::{self, Random};
use netctl_tests::sandbox::Sandbox;

use super::lab::{bpffs, can_run, set_clock};
use super::live::{code, told};
use super::progress::{Progress, Reasons};
use super::{seed, setting};

const IN_CI: u64 = 200_000;
/// Frames under one policy, which is followed by another one with the flows of this.
const UNDER_A_POLICY: u64 = 5_000;
/// Policies of one kernel state: flows are never so many that one is evicted.
const POLICIES: u64 = 8;
/// Bytes: what fits a page, with room before and behind it (net/bpf/test_run.c).
const MOST: usize = 2000;

static NO_BRIDGES: BTreeMap<u16, u32> = BTreeMap::new();

const WORLD: &str = r#"
[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]
[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]
[ports.router1]
network = "lab"
mac = "52:54:00:00:00:fe"
addresses = "any"
"#;
const RULES: [&str; 4] = [
    r#"{ allow = "any", from = "web", to = ["db", "world"] }, { reject = "udp", from = "any", to = "any" }"#,
    r#"{ allow = ["tcp/80", "udp/53", "icmp", "icmp6"], from = "any", to = "any" }"#,
    r#"{ deny = "tcp", from = "world", to = "web" }, { allow = "any", from = "any", to = "any", log = true }"#,
    "",
];

#[test]
fn host_and_kernel_have_one_verdict_about_mutated_attacks() {
    let mutator = Mutator::new(&PORTS, MOST);
    let (first, start) = (seed(), Instant::now());
    let progress =
        Mutex::new(Progress::new(first, setting("NETCTL_FRAMES", IN_CI), POLICIES * UNDER_A_POLICY));
    // A good part of a round is waiting for the kernel: verifier, attachments, RCU after each switch.
    let workers = 2 * thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&progress, &mutator));
        }
    });
    let progress = progress.into_inner().unwrap();
    if let Some(wrong) = progress.wrong {
        panic!("{wrong}");
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} frames from seeds {first} to {} in {seconds:.0} s, {:.0}/s: {:?}",
        progress.compared,
        progress.next - 1,
        progress.compared as f64 / seconds,
        progress.reasons
    );
    let often = progress.reasons.values().filter(|count| **count > 20).count();
    assert!(often >= 25, "frames that all end the same way would prove little: {:?}", progress.reasons);
}

/// Rounds until one is wrong, or enough is compared.
fn work(progress: &Mutex<Progress>, mutator: &Mutator) {
    loop {
        let Some(seed) = progress.lock().unwrap().take() else { return };
        let found = Sandbox::run(|sandbox| round(sandbox, seed, mutator));
        progress.lock().unwrap().add(found);
    }
}

/// One kernel's state, through some policies: how often each reason decided.
///
/// # Errors
/// The first frame on which the two differ, and how to see it again.
fn round(sandbox: &Sandbox, seed: u64, mutator: &Mutator) -> Result<Reasons, String> {
    let mut random = Random::new(seed);
    let host = Host::new(sandbox);
    let policies: Vec<Policy> = (0..POLICIES).map(|number| host.policy(number, &mut random)).collect();
    let mut both = Both::new(&host);
    let (mut recent, mut reasons, mut compared) = (Vec::<RandomFrame>::new(), Reasons::new(), 0);
    let mut tables: Option<HostTables<'_>> = None;
    for (number, policy) in policies.iter().enumerate() {
        let again = format!("NETCTL_SEED={seed} NETCTL_FRAMES=1, policy {number}");
        let next = both.publish(policy);
        if let Some(before) = &tables {
            next.take_flows(before);
        }
        let reference = Reference::new(&policy.config);
        for count in 0..UNDER_A_POLICY {
            let earlier =
                (random.chance(30) && !recent.is_empty()).then(|| recent[random.below(recent.len())].clone());
            let follows = earlier.and_then(|earlier| answer(&mut random, &earlier));
            let frame = follows.unwrap_or_else(|| match policy.attacked {
                true => mutator.frame(&mut random),
                false => random::frame(&mut random, &policy.config),
            });
            if !can_run(&frame.bytes) {
                continue;
            }
            let verdict = both.compare(&next, &reference, &frame).map_err(|found| {
                format!("{again}, frame {count}: {found}\n{frame:02x?}\n{:#?}", policy.config)
            })?;
            *reasons.entry(verdict.reason.name()).or_default() += 1;
            compared += 1;
            if verdict.allows() {
                // The last two hundred.
                let at = compared % 200;
                if recent.len() < 200 { recent.push(frame) } else { recent[at] = frame }
            }
        }
        both.same_flows(&next).map_err(|found| format!("{again}: {found}"))?;
        tables = Some(next);
    }
    Ok(reasons)
}

/// Of the corpus: its ports, and rules that change.
fn world(random: &mut Random) -> Config {
    let rules = if random.chance(50) { OPEN.join(", ") } else { random.pick(&RULES).to_owned() };
    let text = format!("{WORLD}[policy]\nrules = [{rules}]\n");
    netctl::document::check("world.toml", text.into_bytes()).unwrap().config
}

/// A document, and what it is compiled to.
struct Policy {
    config: Config,
    compiled: Compiled,
    /// By mutations of the corpus, at its ports; else by frames made for it.
    attacked: bool,
}

/// Taps for the ports of the corpus and of random policies.
struct Host {
    interfaces: BTreeMap<String, u32>,
    ids: BTreeMap<String, u32>,
}

impl Host {
    fn new(sandbox: &Sandbox) -> Self {
        let mut host = Self { interfaces: BTreeMap::new(), ids: BTreeMap::new() };
        let named = PORTS.map(str::to_owned).into_iter();
        for (id, port) in (0..).zip(named.chain((0..7).map(|id| format!("vm{id}")))) {
            sandbox.ip(&format!("tuntap add dev {} mode tap", tap(id)));
            let ifindex = std::fs::read_to_string(format!("/sys/class/net/{}/ifindex", tap(id))).unwrap();
            host.interfaces.insert(port.clone(), ifindex.trim().parse().unwrap());
            host.ids.insert(port, id);
        }
        host
    }

    fn policy(&self, number: u64, random: &mut Random) -> Policy {
        let attacked = number % 4 != 3;
        let config = if attacked { world(random) } else { policies::config(random) };
        let ids = PortIds::assign(&self.ids, &config).unwrap();
        let compiled = compile(&config, &ids, &Budget::default()).unwrap();
        Policy { config, compiled, attacked }
    }
}

fn tap(id: u32) -> String {
    format!("tap{id}")
}

/// The programs on the taps, and their twins.
struct Both<'h> {
    host: &'h Host,
    kernel: Kernel,
    twin: Twin,
    live: Live,
}

impl<'h> Both<'h> {
    fn new(host: &'h Host) -> Self {
        let kernel = Kernel::open_or_load(bpffs()).unwrap();
        for (port, id) in &host.ids {
            let (interface, ifindex) = (&tap(*id), host.interfaces[port]);
            let port = AttachPort { name: port, id: *id, interface, ifindex, kind: PortKind::Tap };
            kernel.attach(&[port]).unwrap();
        }
        let (twin, live) = (kernel.twin().unwrap(), kernel.live().unwrap());
        Self { host, kernel, twin, live }
    }

    fn publish(&mut self, policy: &'h Policy) -> HostTables<'h> {
        let publication = Publication {
            compiled: &policy.compiled,
            interfaces: &self.host.interfaces,
            uplinks: &[],
            bridges: &NO_BRIDGES,
            document: "",
            namespace: 0,
        };
        let generation = self.kernel.switch(self.kernel.fill(&publication).unwrap()).unwrap();
        HostTables::new(&publication, generation)
    }

    fn compare(
        &mut self,
        tables: &HostTables<'_>,
        reference: &Reference<'_>,
        frame: &RandomFrame,
    ) -> Result<Verdict, String> {
        let ifindex = self.host.interfaces.get(&frame.port).copied().unwrap_or(1);
        let kernel = self.twin.ask(frame.direction, ifindex, &frame.bytes).map_err(|e| format!("{e:?}"))?;
        set_clock(tables);
        let mut facts = Facts::default();
        let host = decide(frame.direction, ifindex, &frame.bytes[..], tables, &mut facts);
        let before = self.rejects(frame, &host);
        let returned = self.live.run(frame.direction, ifindex, &frame.bytes).map_err(|e| format!("{e:?}"))?;
        let told = told(&host, &facts, &frame.bytes, [before, self.rejects(frame, &host)])?;
        let redirected = kernel.redirect == facts.redirect || !host.allows();
        if kernel.verdict != host || kernel.generation != facts.generation || !redirected {
            return Err(format!("host {host:?} to {}, kernel {kernel:?}", facts.redirect));
        }
        if returned != code(&host, facts.redirect, told) {
            return Err(format!("host {host:?} to {}, the live program returned {returned}", facts.redirect));
        }
        reference.agrees(&frame.port, frame.direction, &frame.bytes, &host).map(|()| host)
    }

    /// Of the port that rejected a frame.
    fn rejects(&self, frame: &RandomFrame, verdict: &Verdict) -> Rejects {
        let id = self.host.ids.get(&frame.port).filter(|_| verdict.action == Action::Reject);
        id.map_or_else(Rejects::default, |id| self.kernel.rejects(*id).unwrap())
    }

    fn same_flows(&self, tables: &HostTables<'_>) -> Result<(), String> {
        let in_kernel = self.host.ids.values().flat_map(|id| {
            self.kernel.flows(*id).unwrap().into_iter().map(|(key, entry)| ((*id, key), timeless(entry)))
        });
        let in_kernel: BTreeMap<(u32, FlowKey), FlowEntry> = in_kernel.collect();
        let on_host: BTreeMap<_, _> =
            tables.flows().into_iter().map(|(key, entry)| (key, timeless(entry))).collect();
        let only = |one: &BTreeMap<(u32, FlowKey), FlowEntry>,
                    other: &BTreeMap<(u32, FlowKey), FlowEntry>| {
            one.iter()
                .find(|(key, entry)| other.get(*key) != Some(*entry))
                .map(|(key, entry)| format!("{key:?} {entry:?}"))
        };
        if in_kernel == on_host {
            return Ok(());
        }
        let differ = (only(&in_kernel, &on_host), only(&on_host, &in_kernel));
        Err(format!("{} flows in the kernel, {} on the host; {differ:#?}", in_kernel.len(), on_host.len()))
    }
}

/// Without what two clocks tell.
fn timeless(entry: FlowEntry) -> FlowEntry {
    FlowEntry { last_seen: 0, created: 0, ..entry }
}
