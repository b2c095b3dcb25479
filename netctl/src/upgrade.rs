//! Moves a running host to this build's programs: from an older ABI version, or from another build of the same one.
//!
//! This version's maps are filled beside the old ones from the document that runs; the programs change hook by hook, so that
//! every frame is judged by one of the two, and no hook is ever without; then the old maps go. Whatever the moment at which
//! it is interrupted, the same command goes on from there.

use std::collections::BTreeMap;
use std::path::Path;

use netctl_common::abi::{RuleEntry, port_flags};

use crate::apply::{ApplyError, Placement, namespace, placement, with_link_local};
use crate::compile::{self, Budget, Compiled, PortIds};
use crate::document::Document;
use crate::kernel::former::{Former, FormerPort};
use crate::kernel::lock::Lock;
use crate::kernel::publish::Publication;
use crate::kernel::upgrade::{Stage, placed};
use crate::kernel::{Kernel, KernelError};
use crate::network::{self, Netlink, Observed};

/// Moves from the version of `former`, whose document is `document`.
pub async fn from_version(
    bpffs: &Path,
    former: &Former,
    document: &Document,
    _lock: &Lock,
) -> Result<(), ApplyError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    let stage = Kernel::beside(bpffs)?;
    if former.namespace() != namespace()? {
        return Err(KernelError::OtherNamespace(bpffs.to_owned()).into());
    }
    let (compiled, interfaces) = compiled(&former.ports, document, &observed)?;
    let Placement { ports, on_uplinks, uplinks, bridges } = placement(&compiled, &interfaces, &observed);
    let publication = Publication {
        compiled: &compiled,
        interfaces: &interfaces,
        uplinks: &uplinks,
        bridges: &bridges,
        document: &document.text,
        namespace: former.namespace(),
    };
    let kernel = match stage {
        Stage::Begun(kernel) => kernel,
        Stage::Fresh(kernel) => {
            let meanwhile = without_origins(&compiled);
            kernel.continue_from(former, &Publication { compiled: &meanwhile, ..publication })?;
            kernel
        }
    };
    kernel.take_over(former, &placed(&ports, &on_uplinks))?;
    kernel.switch(kernel.fill(&publication)?)?;
    carry_rule_counters(&kernel, former, &compiled)?;
    Ok(Kernel::retire(former)?)
}

/// Where a frame comes from is not asked while some ports still have programs that do not say it on.
fn without_origins(compiled: &Compiled) -> Compiled {
    let mut meanwhile = compiled.clone();
    for port in &mut meanwhile.ports {
        port.flags &= !(port_flags::KNOWS_ORIGIN | port_flags::KNOWS_GROUP_ORIGIN);
    }
    meanwhile
}

/// Replaces the programs of another build. `false` if they are this build's.
pub async fn programs(bpffs: &Path, document: &Document, _lock: &Lock) -> Result<bool, ApplyError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    let kernel = Kernel::open(bpffs)?;
    if kernel.running()?.namespace != namespace()? {
        return Err(KernelError::OtherNamespace(bpffs.to_owned()).into());
    }
    let running = kernel.ports()?.into_iter();
    let running =
        running.map(|port| (port.name(), FormerPort { id: port.entry.id, ifindex: port.ifindex })).collect();
    let (compiled, interfaces) = compiled(&running, document, &observed)?;
    let Placement { ports, on_uplinks, .. } = placement(&compiled, &interfaces, &observed);
    Ok(kernel.replace_programs(&placed(&ports, &on_uplinks))?)
}

/// The document with the port ids and interfaces that run.
fn compiled(
    running: &BTreeMap<String, FormerPort>,
    document: &Document,
    observed: &Observed,
) -> Result<(Compiled, BTreeMap<String, u32>), ApplyError> {
    let ids = running.iter().map(|(name, port)| (name.clone(), port.id)).collect();
    let ids = PortIds::assign(&ids, &document.config)?;
    let config = with_link_local(&document.config, observed);
    let compiled = compile::compile(&config, &ids, &Budget::default())?;
    let interfaces = running.iter().map(|(name, port)| (name.clone(), port.ifindex)).collect();
    Ok((compiled, interfaces))
}

/// After the change, when the old programs count no more; rules are those of the same document, in the same order.
fn carry_rule_counters(kernel: &Kernel, former: &Former, compiled: &Compiled) -> Result<(), ApplyError> {
    let counted = former.rule_counters()?;
    let carried = compiled
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| RuleEntry { before: counted.get(index).copied().unwrap_or_default(), ..*rule });
    let carried: Vec<RuleEntry> = carried.collect();
    Ok(kernel.carry_counters(kernel.running()?.slot, &carried)?)
}
