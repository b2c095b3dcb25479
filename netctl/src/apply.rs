//! Makes the host as a document says, in an order in which no port is ever up without its policy.
//!
//! Check and plan, changing nothing; make new interfaces, down; put programs on them, which deny; switch to the new
//! generation; set the interfaces up; remove what is no longer wanted. Until the switch, an error takes back what
//! was made and leaves the running generation; after it, what is left to do is found by the next `apply`.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use netctl_common::abi::{Counter, Root, RuleEntry};

use crate::compile::{self, Budget, CompileError, Compiled, CompiledPort, CompiledUplink, PortIds};
use crate::config::{Config, Hairpin, Network, NetworkKind};
use crate::document::Document;
use crate::kernel::attach::{AttachPort, AttachUplink, uplink_owner};
use crate::kernel::detach::{Kept, detach_all};
use crate::kernel::leases::Learners;
use crate::kernel::lock::{Lock, Wait};
use crate::kernel::pins::Pins;
use crate::kernel::publish::{Publication, Uplink};
use crate::kernel::{Kernel, KernelError};
use crate::network::{self, Conflict, Consent, Netlink, NetworkError, Observed, Plan};

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("the document does not fit this host:\n{}", list(.0))]
    Conflicts(Vec<Conflict>),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("cannot tell this network namespace by {path}", path = path.display())]
    Namespace { path: PathBuf, source: io::Error },
    #[error("{cause}; taking back what was made failed too: {undo}")]
    Undo { cause: Box<ApplyError>, undo: NetworkError },
}

fn list(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(|conflict| format!("  {conflict}")).collect::<Vec<_>>().join("\n")
}

/// What an [`apply`] did.
#[derive(Debug)]
pub struct Applied {
    pub generation: u32,
    pub plan: Plan,
}

/// What `apply` would change on the host's interfaces.
pub async fn plan(bpffs: &Path, config: &Config, consent: Consent) -> Result<Plan, ApplyError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    plan_for(bpffs, config, &observed, consent)
}

fn plan_for(
    bpffs: &Path,
    config: &Config,
    observed: &Observed,
    consent: Consent,
) -> Result<Plan, ApplyError> {
    let mut plan = network::plan(config, observed, consent).map_err(ApplyError::Conflicts)?;
    network::adoptions(&mut plan, &running_ports(bpffs)?, config, observed);
    Ok(plan)
}

pub async fn apply(bpffs: &Path, document: &Document, consent: Consent) -> Result<Applied, ApplyError> {
    // Before anything else: a missing BPF file system is no place for a lock.
    Pins::at(bpffs)?;
    apply_locked(bpffs, document, consent, &Lock::take(bpffs)?).await
}

/// [`apply`], for who has read what runs under the same lock.
pub async fn apply_locked(
    bpffs: &Path,
    document: &Document,
    consent: Consent,
    _lock: &Lock,
) -> Result<Applied, ApplyError> {
    let pins = Pins::at(bpffs)?;
    let netlink = Netlink::connect()?;
    let observed = network::observe(&netlink).await?;
    let mut plan = plan_for(bpffs, &document.config, &observed, consent)?;
    let first = !pins.exist();
    let Switched { kernel, before, compiled, running } =
        match switch(bpffs, document, (&netlink, &observed, &plan)).await {
            Ok(switched) => switched,
            Err(cause) => {
                if first {
                    // The cause is what has to be told; `netctl down` finds what this leaves.
                    let _ = detach_all(&pins).and_then(|()| pins.remove());
                }
                return Err(cause);
            }
        };
    network::apply::start(&netlink, &plan).await?;
    network::apply::remove(&netlink, &plan).await?;
    kernel.detach_others(&running.attached)?;
    kernel.free_tables_of_others(&compiled.ports.iter().map(|port| port.id).collect())?;
    kernel.keep_leases(&before.learners, &compiled.learners)?;
    // Last: counts are no reason to leave a port down.
    before.carry_counters(&kernel, &compiled)?;
    plan.warnings.extend(silent_switches(&document.config, &netlink).await?);
    Ok(Applied { generation: running.generation, plan })
}

/// Vepa networks whose guests cannot reach each other, as far as can be told now.
async fn silent_switches(config: &Config, netlink: &Netlink) -> Result<Vec<String>, NetworkError> {
    let needs_it = |name: &str, network: &Network| {
        network.kind == NetworkKind::Vepa(Hairpin::Switch)
            && config.ports.values().filter(|port| port.network == name).count() > 1
    };
    let asked: Vec<_> = config.networks.iter().filter(|(name, network)| needs_it(name, network)).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let observed = network::observe(netlink).await?;
    let warnings = asked.into_iter().filter_map(|(name, network)| {
        let uplink = &network.interface;
        match network::reflects(observed.named(uplink)?) {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "guests of `{name}` cannot reach each other: the switch behind `{uplink}` does not send frames back; \
                 turn on reflective relay / hairpin there, or set hairpin = \"local\""
            )),
            Err(error) => Some(format!(
                "whether guests of `{name}` reach each other is not known: {error}; \
                 `netctl network probe {name}` asks again"
            )),
        }
    });
    Ok(warnings.collect())
}

/// Ports of the running generation with the indexes of their interfaces; none if nothing runs in this namespace.
fn running_ports(bpffs: &Path) -> Result<Vec<(String, u32)>, ApplyError> {
    let kernel = match Kernel::open(bpffs) {
        Ok(kernel) => kernel,
        Err(KernelError::NotRunning(_) | KernelError::NoBpffs(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    match kernel.root()? {
        Some(root) if root.namespace == namespace()? => {
            Ok(kernel.ports()?.iter().map(|port| (port.name(), port.ifindex)).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// What [`switch`] leaves to the rest of [`apply`].
struct Switched {
    kernel: Kernel,
    before: Before,
    compiled: Compiled,
    running: Running,
}

/// What [`enforce`] did.
struct Running {
    generation: u32,
    attached: Kept,
}

/// Up to the switch of the generation. On an error the interfaces are as they were.
async fn switch(
    bpffs: &Path,
    document: &Document,
    (netlink, observed, plan): (&Netlink, &Observed, &Plan),
) -> Result<Switched, ApplyError> {
    let kernel = Kernel::open_or_load(bpffs)?;
    let before = Before::read(&kernel)?;
    let ids = PortIds::assign(&before.ports, &document.config)?;
    let config = with_link_local(&document.config, observed);
    let compiled = compile::compile(&config, &ids, &Budget::default())?;

    let made = network::apply::make(netlink, plan).await?;
    match enforce(&kernel, netlink, document, &compiled).await {
        Ok(running) => Ok(Switched { kernel, before, compiled, running }),
        Err(cause) => Err(take_back(netlink, made, cause).await),
    }
}

/// `host` also means the link-local addresses of the uplinks where guests reach the host. No document can list them:
/// the kernel makes them, from the MAC address where nobody said otherwise.
pub(crate) fn with_link_local(config: &Config, observed: &Observed) -> Config {
    let mut config = config.clone();
    for network in config.networks.values_mut().filter(|network| network.host_access) {
        let Some(found) = observed.named(&network.interface) else { continue };
        let made = found.mac.map(|mac| IpNet::from(IpAddr::from(mac.link_local())));
        let there =
            found.addresses.iter().filter(|address| address.is_link_local()).map(|address| address.net);
        network.addresses.extend(made.into_iter().chain(there));
    }
    config
}

/// Programs on every port, then the generation.
async fn enforce(
    kernel: &Kernel,
    netlink: &Netlink,
    document: &Document,
    compiled: &Compiled,
) -> Result<Running, ApplyError> {
    let observed = network::observe(netlink).await?;
    let index = |interface: &str| observed.named(interface).map(|found| found.index);
    // A port that is not filtered has no interface, whoever may have one of that name.
    let filtered = compiled.ports.iter().filter(|port| port.is_filtered);
    let interfaces: BTreeMap<String, u32> =
        filtered.filter_map(|p| Some((p.name.clone(), index(&p.interface)?))).collect();
    let Placement { ports, on_uplinks, uplinks, bridges } = placement(compiled, &interfaces, &observed);
    let publication = Publication {
        compiled,
        interfaces: &interfaces,
        uplinks: &uplinks,
        bridges: &bridges,
        document: &document.text,
        namespace: namespace()?,
    };
    // Both wait for the kernel's readers, and neither is seen by a frame before the switch.
    let filled = std::thread::scope(|scope| {
        let filled = scope.spawn(|| kernel.fill(&publication));
        kernel.attach(&ports)?;
        on_uplinks.iter().try_for_each(|uplink| kernel.attach_uplink(uplink))?;
        filled.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    mark_programs(kernel, netlink, (&ports, &observed)).await?;
    let attached = Kept {
        owners: (ports.iter().map(|port| port.name.to_owned()))
            .chain(on_uplinks.iter().map(|uplink| uplink_owner(uplink.network)))
            .collect(),
        interfaces: (ports.iter().map(|port| port.ifindex))
            .chain(on_uplinks.iter().map(|uplink| uplink.ifindex))
            .collect(),
    };
    Ok(Running { generation: kernel.switch(filled)?, attached })
}

/// Where the programs of a policy belong on this host.
pub(crate) struct Placement<'a> {
    pub(crate) ports: Vec<AttachPort<'a>>,
    pub(crate) on_uplinks: Vec<AttachUplink<'a>>,
    pub(crate) uplinks: Vec<Uplink>,
    /// Network number to the index of its bridge.
    pub(crate) bridges: BTreeMap<u16, u32>,
}

pub(crate) fn placement<'a>(
    compiled: &'a Compiled,
    interfaces: &BTreeMap<String, u32>,
    observed: &Observed,
) -> Placement<'a> {
    let ports = compiled.ports.iter().filter(|port| port.is_filtered).filter_map(|port| {
        let ifindex = *interfaces.get(&port.name)?;
        let CompiledPort { name, id, interface, kind, .. } = port;
        Some(AttachPort { name, id: *id, interface, ifindex, kind: *kind })
    });
    let (on_uplinks, uplinks) = uplinks(compiled, observed);
    let index = |interface: &str| observed.named(interface).map(|found| found.index);
    let bridges = compiled.host_stations.iter();
    let bridges = bridges.filter_map(|host| Some((host.network, index(&host.interface)?))).collect();
    Placement { ports: ports.collect(), on_uplinks, uplinks, bridges }
}

/// Tells who has CAP_NET_ADMIN only, as the bridge helper, which programs are on the ports. Adopted interfaces get no mark.
async fn mark_programs(
    kernel: &Kernel,
    netlink: &Netlink,
    (ports, observed): (&[AttachPort<'_>], &Observed),
) -> Result<(), ApplyError> {
    for port in ports {
        let ours = observed.indexed(port.ifindex).filter(|found| found.tag().is_some());
        if let (Some(interface), Some(programs)) = (ours, kernel.program_ids(port)?) {
            network::set_programs(netlink, interface, programs).await?;
        }
    }
    Ok(())
}

/// Uplinks with `host-access`; the planner has made sure that they are there.
fn uplinks<'a>(compiled: &'a Compiled, observed: &Observed) -> (Vec<AttachUplink<'a>>, Vec<Uplink>) {
    let found = compiled.uplinks.iter().filter_map(|uplink| {
        let CompiledUplink { network, number, interface, classes } = uplink;
        let found = observed.named(interface)?;
        let (ifindex, mac) = (found.index, found.mac?);
        let published = Uplink { network: *number, ifindex, mac, classes: *classes };
        Some((AttachUplink { network, interface, ifindex }, published))
    });
    found.unzip()
}

async fn take_back(netlink: &Netlink, made: network::apply::Made, cause: ApplyError) -> ApplyError {
    match network::apply::undo(netlink, made).await {
        Ok(()) => cause,
        Err(undo) => ApplyError::Undo { cause: Box::new(cause), undo },
    }
}

/// Inode of the network namespace of this thread.
pub(crate) fn namespace() -> Result<u32, ApplyError> {
    let path = PathBuf::from("/proc/thread-self/ns/net");
    match std::fs::metadata(&path) {
        // proc gives namespaces inode numbers of 32 bits (fs/proc/generic.c, proc_alloc_inum).
        Ok(facts) => Ok(facts.ino() as u32),
        Err(source) => Err(ApplyError::Namespace { path, source }),
    }
}

/// What ran before.
struct Before {
    root: Option<Root>,
    ports: BTreeMap<String, u32>,
    learners: Learners,
}

impl Before {
    fn read(kernel: &Kernel) -> Result<Self, ApplyError> {
        let root = kernel.root()?;
        if root.is_some_and(|root| Ok(root.namespace) != namespace().map_err(drop)) {
            return Err(KernelError::OtherNamespace(kernel.pins().version()).into());
        }
        let learners = root.map(|root| kernel.learners(&root)).transpose()?.unwrap_or_default();
        Ok(Self { root, ports: kernel.port_ids()?, learners })
    }

    /// Rules that are the same as before go on counting from where they were, wherever they stand now.
    fn carry_counters(&self, kernel: &Kernel, compiled: &Compiled) -> Result<(), ApplyError> {
        let Some(old_root) = self.root else { return Ok(()) };
        let old_rules = kernel.rules(&old_root)?;
        let mut counted: HashMap<u64, Counter> =
            old_rules.iter().map(|(rule, counted)| (rule.identity, *counted)).collect();
        let carry = |rule: &RuleEntry| RuleEntry {
            before: counted.remove(&rule.identity).unwrap_or_default(),
            ..*rule
        };
        let carried: Vec<RuleEntry> = compiled.rules.iter().map(carry).collect();
        let slot = kernel.running()?.slot;
        Ok(kernel.carry_counters(slot, &carried)?)
    }
}

/// Removes all that netctl made: interfaces first, so that none is left without its programs.
pub async fn down(bpffs: &Path, wait: Wait) -> Result<Plan, ApplyError> {
    let _lock = Pins::at(bpffs).is_ok().then(|| Lock::take_or(bpffs, wait)).transpose()?;
    take_down(bpffs).await
}

/// [`down`], for who has the lock.
pub async fn down_locked(bpffs: &Path, _lock: &Lock) -> Result<Plan, ApplyError> {
    take_down(bpffs).await
}

async fn take_down(bpffs: &Path) -> Result<Plan, ApplyError> {
    let netlink = Netlink::connect()?;
    let pins = Pins::at(bpffs);
    let plan = plan_down(bpffs).await?;
    network::apply::remove(&netlink, &plan).await?;
    if let Ok(pins) = pins {
        // Of every version: to take something away it need not be understood.
        for pins in pins.versions()? {
            detach_all(&pins)?;
            pins.remove()?;
        }
        pins.remove()?;
    }
    Ok(plan)
}

/// What [`down`] would remove.
pub async fn plan_down(bpffs: &Path) -> Result<Plan, ApplyError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    let mut plan = network::plan_down(&observed);
    // What cannot be read, such as a layout of another version, can still be taken away.
    let running = running_ports(bpffs).unwrap_or_default();
    network::adoptions(&mut plan, &running, &Config::empty(), &observed);
    Ok(plan)
}
