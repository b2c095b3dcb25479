//! Host against kernel on mutations of the corpus: the same verdict, rule, redirect and return code for each frame,
//! and in the end the same flows.

use std::collections::BTreeMap;
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
use netctl_tests::fuzz::{Mutator, Reference};
use netctl_tests::policies::{self, Random};
use netctl_tests::sandbox::Sandbox;

use super::lab::{bpffs, can_run, set_clock};
use super::live::{code, told};
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
    let wanted = setting("NETCTL_FRAMES", IN_CI);
    let (mut done, mut round, start) = (0, seed(), Instant::now());
    let mut reasons = BTreeMap::new();
    while done < wanted {
        done += Sandbox::run(|sandbox| rounds(sandbox, round, &mut reasons));
        round += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{done} frames from seed {} in {seconds:.0} s, {:.0}/s: {reasons:?}",
        seed(),
        done as f64 / seconds
    );
    let often = reasons.values().filter(|count| **count > 20).count();
    assert!(often >= 25, "frames that all end the same way would prove little: {reasons:?}");
}

/// One kernel's state, through some policies; how many frames were compared.
fn rounds(sandbox: &Sandbox, seed: u64, reasons: &mut BTreeMap<&'static str, u64>) -> u64 {
    let mut random = Random::new(seed);
    let mut both = Both::new(sandbox);
    let mutator = Mutator::new(&["web1", "db1", "router1"], MOST);
    let (mut recent, mut compared) = (Vec::<RandomFrame>::new(), 0);
    let mut tables: Option<HostTables<'static>> = None;
    for policy in 0..POLICIES {
        let attacked = policy % 4 != 3;
        let config: &'static Config =
            Box::leak(Box::new(if attacked { world(&mut random) } else { policies::config(&mut random) }));
        let next = both.publish(config);
        if let Some(before) = &tables {
            next.take_flows(before);
        }
        let reference = Reference::new(config);
        for number in 0..UNDER_A_POLICY {
            let earlier =
                (random.chance(30) && !recent.is_empty()).then(|| recent[random.below(recent.len())].clone());
            let follows = earlier.and_then(|earlier| answer(&mut random, &earlier));
            let frame = follows.unwrap_or_else(|| match attacked {
                true => mutator.frame(&mut random),
                false => random::frame(&mut random, config),
            });
            if !can_run(&frame.bytes) {
                continue;
            }
            let judged = both.compare(&next, &reference, &frame);
            let verdict = judged.unwrap_or_else(|found| {
                panic!(
                    "NETCTL_SEED={seed}, policy {policy}, frame {number}: {found}\n{frame:02x?}\n{config:#?}"
                )
            });
            *reasons.entry(verdict.reason.name()).or_default() += 1;
            compared += 1;
            if verdict.allows() {
                // The last two hundred.
                let at = compared as usize % 200;
                if recent.len() < 200 { recent.push(frame) } else { recent[at] = frame }
            }
        }
        both.same_flows(&next).unwrap_or_else(|found| panic!("NETCTL_SEED={seed}, policy {policy}: {found}"));
        tables = Some(next);
    }
    compared
}

/// Of the corpus: its ports, and rules that change.
fn world(random: &mut Random) -> Config {
    let rules = if random.chance(50) { OPEN.join(", ") } else { random.pick(&RULES).to_owned() };
    let text = format!("{WORLD}[policy]\nrules = [{rules}]\n");
    netctl::document::check("world.toml", text.into_bytes()).unwrap().config
}

/// Taps with the programs on them; ports of the corpus and of random policies.
struct Both {
    kernel: Kernel,
    twin: Twin,
    live: Live,
    interfaces: &'static BTreeMap<String, u32>,
    ids: BTreeMap<String, u32>,
}

impl Both {
    fn new(sandbox: &Sandbox) -> Self {
        let kernel = Kernel::open_or_load(bpffs()).unwrap();
        let (mut interfaces, mut ids) = (BTreeMap::new(), BTreeMap::new());
        let named = ["web1", "db1", "router1"].map(str::to_owned);
        for (id, port) in (0..).zip(named.into_iter().chain((0..7).map(|id| format!("vm{id}")))) {
            let tap = format!("tap{id}");
            sandbox.ip(&format!("tuntap add dev {tap} mode tap"));
            let ifindex = std::fs::read_to_string(format!("/sys/class/net/{tap}/ifindex")).unwrap();
            let ifindex = ifindex.trim().parse().unwrap();
            let attached = AttachPort { name: &port, id, interface: &tap, ifindex, kind: PortKind::Tap };
            kernel.attach(&[attached]).unwrap();
            interfaces.insert(port.clone(), ifindex);
            ids.insert(port, id);
        }
        let (twin, live) = (kernel.twin().unwrap(), kernel.live().unwrap());
        Self { kernel, twin, live, interfaces: Box::leak(Box::new(interfaces)), ids }
    }

    fn publish(&mut self, config: &'static Config) -> HostTables<'static> {
        let ids = PortIds::assign(&self.ids, config).unwrap();
        let compiled: &'static Compiled =
            Box::leak(Box::new(compile(config, &ids, &Budget::default()).unwrap()));
        let publication = Publication {
            compiled,
            interfaces: self.interfaces,
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
    ) -> Result<netctl_common::verdict::Verdict, String> {
        let ifindex = self.interfaces.get(&frame.port).copied().unwrap_or(1);
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
        let id = self.ids.get(&frame.port).filter(|_| verdict.action == Action::Reject);
        id.map_or_else(Rejects::default, |id| self.kernel.rejects(*id).unwrap())
    }

    fn same_flows(&self, tables: &HostTables<'_>) -> Result<(), String> {
        let in_kernel = self.ids.values().flat_map(|id| {
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
