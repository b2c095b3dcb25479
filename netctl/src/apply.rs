//! Makes the host as a document says, in an order in which no port is ever up without its policy.
//!
//! Check and plan, changing nothing; make new interfaces, down; put programs on them, which deny; switch to the new
//! generation; set the interfaces up; remove what is no longer wanted. Until the switch, an error takes back what
//! was made and leaves the running generation; after it, what is left to do is found by the next `apply`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use netctl_common::abi::{Counter, Root, RuleEntry};

use crate::compile::{self, Budget, CompileError, Compiled, PortIds};
use crate::config::Config;
use crate::document::Document;
use crate::kernel::attach::AttachPort;
use crate::kernel::pins::Pins;
use crate::kernel::publish::Publication;
use crate::kernel::{Kernel, KernelError};
use crate::network::{self, Conflict, Consent, Netlink, NetworkError, Plan};

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
    #[error("cannot lock {path}", path = path.display())]
    Lock { path: PathBuf, source: io::Error },
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

/// Held while the host is changed; another `apply` waits.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock goes with the file")] File);

impl Lock {
    /// Waits for other changes to end. The BPF file system itself is locked: it is what all of them share.
    pub fn take(bpffs: &Path) -> Result<Self, ApplyError> {
        let fail = |source| ApplyError::Lock { path: bpffs.to_owned(), source };
        let file = File::open(bpffs).map_err(fail)?;
        file.lock().map_err(fail)?;
        Ok(Self(file))
    }
}

/// What `apply` would change on the host's interfaces.
pub async fn plan(config: &Config, consent: Consent) -> Result<Plan, ApplyError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    network::plan(config, &observed, consent).map_err(ApplyError::Conflicts)
}

pub async fn apply(bpffs: &Path, document: &Document, consent: Consent) -> Result<Applied, ApplyError> {
    let config = &document.config;
    // Before anything else: a missing BPF file system is no place for a lock.
    let pins = Pins::at(bpffs)?;
    let _lock = Lock::take(bpffs)?;
    let netlink = Netlink::connect()?;
    let observed = network::observe(&netlink).await?;
    let plan = network::plan(config, &observed, consent).map_err(ApplyError::Conflicts)?;
    let first = !pins.exist();
    let Switched { kernel, before, compiled, generation } =
        match switch(bpffs, document, (&netlink, &plan)).await {
            Ok(switched) => switched,
            Err(cause) => {
                if first {
                    // The cause is what has to be told; `netctl down` finds what this leaves.
                    let _ = pins.remove();
                }
                return Err(cause);
            }
        };
    network::apply::start(&netlink, &plan).await?;
    network::apply::remove(&netlink, &plan).await?;
    kernel.forget_ports(&compiled.ports.iter().map(|port| (port.name.as_str(), port.id)).collect())?;
    // Last: counts are no reason to leave a port down.
    before.carry_counters(&kernel, &compiled)?;
    Ok(Applied { generation, plan })
}

/// What [`switch`] leaves to the rest of [`apply`].
struct Switched {
    kernel: Kernel,
    before: Before,
    compiled: Compiled,
    generation: u32,
}

/// Up to the switch of the generation. On an error the interfaces are as they were.
async fn switch(
    bpffs: &Path,
    document: &Document,
    (netlink, plan): (&Netlink, &Plan),
) -> Result<Switched, ApplyError> {
    let kernel = Kernel::open_or_load(bpffs)?;
    let before = Before::read(&kernel)?;
    let ids = PortIds::assign(&before.ports, &document.config)?;
    let compiled = compile::compile(&document.config, &ids, &Budget::default())?;

    let made = network::apply::make(netlink, plan).await?;
    match enforce(&kernel, netlink, document, &compiled).await {
        Ok(generation) => Ok(Switched { kernel, before, compiled, generation }),
        Err(cause) => Err(take_back(netlink, made, cause).await),
    }
}

/// Programs on every port, then the generation.
async fn enforce(
    kernel: &Kernel,
    netlink: &Netlink,
    document: &Document,
    compiled: &Compiled,
) -> Result<u32, ApplyError> {
    let observed = network::observe(netlink).await?;
    let index = |interface: &str| observed.named(interface).map(|found| found.index);
    // A port that is not filtered has no interface, whoever may have one of that name.
    let filtered = compiled.ports.iter().filter(|port| port.is_filtered);
    let interfaces: BTreeMap<String, u32> =
        filtered.filter_map(|p| Some((p.name.clone(), index(&p.interface)?))).collect();
    let ports: Vec<AttachPort<'_>> = compiled
        .ports
        .iter()
        .filter(|port| port.is_filtered)
        .filter_map(|port| {
            let ifindex = *interfaces.get(&port.name)?;
            Some(AttachPort {
                name: &port.name,
                id: port.id,
                interface: &port.interface,
                ifindex,
                kind: port.kind,
            })
        })
        .collect();
    let publication =
        Publication { compiled, interfaces: &interfaces, document: &document.text, namespace: namespace()? };
    // Both wait for the kernel's readers, and neither is seen by a frame before the switch.
    let filled = std::thread::scope(|scope| {
        let filled = scope.spawn(|| kernel.fill(&publication));
        kernel.attach(&ports)?;
        filled.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(kernel.switch(filled)?)
}

async fn take_back(netlink: &Netlink, made: network::apply::Made, cause: ApplyError) -> ApplyError {
    match network::apply::undo(netlink, made).await {
        Ok(()) => cause,
        Err(undo) => ApplyError::Undo { cause: Box::new(cause), undo },
    }
}

/// Inode of the network namespace of this thread.
fn namespace() -> Result<u32, ApplyError> {
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
}

impl Before {
    fn read(kernel: &Kernel) -> Result<Self, ApplyError> {
        let root = kernel.root()?;
        if root.is_some_and(|root| Ok(root.namespace) != namespace().map_err(drop)) {
            return Err(KernelError::OtherNamespace(kernel.pins().version()).into());
        }
        Ok(Self { root, ports: kernel.port_ids()? })
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
pub async fn down(bpffs: &Path) -> Result<Plan, ApplyError> {
    let netlink = Netlink::connect()?;
    let pins = Pins::at(bpffs);
    let _lock = pins.is_ok().then(|| Lock::take(bpffs)).transpose()?;
    let plan = network::plan_down(&network::observe(&netlink).await?);
    network::apply::remove(&netlink, &plan).await?;
    if let Ok(pins) = pins {
        pins.remove()?;
    }
    Ok(plan)
}

/// What [`down`] would remove.
pub async fn plan_down() -> Result<Plan, ApplyError> {
    Ok(network::plan_down(&network::observe(&Netlink::connect()?).await?))
}
