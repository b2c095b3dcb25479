//! What a process and the kernel hold: BPF programs, maps and links, pins, interfaces, descriptors and memory.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::raw_bpf::{self, Kind};

/// Others on this machine have programs and maps of their own, which come and go; what netctl leaked would stay.
const GONE: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
pub struct Leaks {
    objects: Vec<(Kind, BTreeSet<u32>)>,
    descriptors: usize,
    interfaces: BTreeSet<String>,
    pins: usize,
    /// Of this process, in KiB.
    resident: u64,
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, ids) in &self.objects {
            write!(f, "{} {kind:?}s, ", ids.len())?;
        }
        write!(
            f,
            "{} descriptors, {} interfaces, {} pins, {} KiB resident",
            self.descriptors,
            self.interfaces.len(),
            self.pins,
            self.resident
        )
    }
}

/// What processes have open, none of which is a netctl of ours by then.
fn held(kind: Kind) -> Result<BTreeSet<u32>> {
    let key = match kind {
        Kind::Program => "prog_id:",
        Kind::Map => "map_id:",
        Kind::Link => "link_id:",
    };
    let mut ids = BTreeSet::new();
    for process in fs::read_dir("/proc")?.flatten() {
        // A process may end meanwhile.
        let descriptors = fs::read_dir(process.path().join("fdinfo")).into_iter().flatten().flatten();
        for text in descriptors.filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok()) {
            let found = text.lines().filter_map(|line| line.strip_prefix(key)?.trim().parse::<u32>().ok());
            ids.extend(found);
        }
    }
    Ok(ids)
}

impl Leaks {
    pub(super) fn now() -> Result<Self> {
        let names = |folder: &str| -> Result<BTreeSet<String>> {
            let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))?;
            Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        };
        let objects = Kind::ALL.into_iter().map(|kind| Ok((kind, raw_bpf::ids(kind)?)));
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        Ok(Self {
            objects: objects.collect::<Result<_>>()?,
            descriptors: names("/proc/self/fd")?.len(),
            interfaces: names("/sys/class/net")?,
            pins: names("/sys/fs/bpf")?.len(),
            resident,
        })
    }

    /// What is there now and was not then, and stays.
    pub(super) fn left_behind(&self) -> Result<Self> {
        let mut left = Self::now()?;
        for ((_, ids), (_, before)) in left.objects.iter_mut().zip(&self.objects) {
            ids.retain(|id| !before.contains(id));
        }
        let deadline = Instant::now() + GONE;
        while left.objects.iter().any(|(_, ids)| !ids.is_empty()) && Instant::now() < deadline {
            sleep(Duration::from_millis(200));
            for (kind, ids) in &mut left.objects {
                let there = raw_bpf::ids(*kind)?;
                ids.retain(|id| there.contains(id));
                if !ids.is_empty() {
                    let others = held(*kind)?;
                    ids.retain(|id| !others.contains(id));
                }
            }
        }
        left.interfaces.retain(|name| !self.interfaces.contains(name));
        left.descriptors = left.descriptors.saturating_sub(self.descriptors);
        left.pins = left.pins.saturating_sub(self.pins);
        left.resident = left.resident.saturating_sub(self.resident);
        let nothing = left.objects.iter().all(|(_, ids)| ids.is_empty())
            && (left.descriptors, left.pins, left.interfaces.len()) == (0, 0, 0)
            // Allocators keep some.
            && left.resident < 8 << 10;
        ensure!(nothing, "something is left: {left}; {:?}", left.objects);
        Ok(left)
    }
}
