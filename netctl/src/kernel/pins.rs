//! Where things are pinned: `BPFFS/netctl/v<ABI_VERSION>/{maps,programs,links}`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use netctl_common::abi::ABI_VERSION;

use super::{KernelError, sys};

/// The usual mount point.
pub const BPFFS: &str = "/sys/fs/bpf";

/// `f_type` of the BPF file system (include/uapi/linux/magic.h).
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// What netctl did to an interface that keeps it: clsact filters and their qdisc are no links, and cannot be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Filters of netctl's may be on its hooks.
    Filter,
    /// Its clsact qdisc is netctl's.
    Qdisc,
}

impl Mark {
    pub const ALL: [Self; 2] = [Self::Filter, Self::Qdisc];

    const fn name(self) -> &'static str {
        match self {
            Self::Filter => "clsact",
            Self::Qdisc => "qdisc",
        }
    }
}

/// What the folder of links holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Link { owner: String, path: PathBuf },
    Mark { mark: Mark, ifindex: u32 },
}

/// The directory of one host's state.
#[derive(Clone, Debug)]
pub struct Pins {
    bpffs: PathBuf,
}

impl Pins {
    /// `bpffs` must be a mounted BPF file system.
    pub fn at(bpffs: &Path) -> Result<Self, KernelError> {
        match sys::file_system_type(bpffs) {
            Ok(BPF_FS_MAGIC) => Self { bpffs: bpffs.to_owned() }.trusted(),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(KernelError::Permission),
            _ => Err(KernelError::NoBpffs(bpffs.to_owned())),
        }
    }

    /// The kernel mounts a BPF file system as open to everyone as /tmp (mode 1777); who owns the folder could
    /// take links away, and with them the enforcement.
    fn trusted(self) -> Result<Self, KernelError> {
        let path = self.root();
        let ours = |facts: &fs::Metadata| {
            facts.is_dir() && (facts.uid() == 0 || facts.uid() == nix::unistd::geteuid().as_raw())
        };
        match fs::symlink_metadata(&path) {
            Ok(facts) if !ours(&facts) => Err(KernelError::ForeignDirectory { path, uid: facts.uid() }),
            _ => Ok(self),
        }
    }

    /// Whether anything of this version is there, be it half-made.
    pub fn exist(&self) -> bool {
        self.version().exists()
    }

    /// Whether a netctl with other layouts left something here, which this one cannot read.
    pub fn of_other_version(&self) -> bool {
        let is_version = |name: &str| name.strip_prefix('v').is_some_and(|n| n.parse::<u32>().is_ok());
        let entries = fs::read_dir(self.root()).into_iter().flatten().flatten();
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.any(|name| is_version(&name) && self.root().join(name) != self.version())
    }

    pub fn root(&self) -> PathBuf {
        self.bpffs.join("netctl")
    }

    pub fn version(&self) -> PathBuf {
        self.root().join(format!("v{ABI_VERSION}"))
    }

    pub fn map(&self, name: &str) -> PathBuf {
        self.version().join("maps").join(name)
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    pub(super) fn programs(&self) -> PathBuf {
        self.version().join("programs")
    }

    /// The BPF file system takes no dots in names; a port's name may have some.
    pub fn link(&self, owner: &str, program: &str) -> PathBuf {
        self.links().join(format!("{}+{program}", owner.replace('.', "+_")))
    }

    /// A link of the owner to an interface that it is leaving: a link of nobody's, that goes with the next apply.
    pub fn former_link(&self, owner: &str, program: &str, ifindex: u32) -> PathBuf {
        self.link(&format!("{owner}+{program}"), &ifindex.to_string())
    }

    /// Begins like no port: names begin with a letter or a digit.
    pub fn mark(&self, mark: Mark, ifindex: u32) -> PathBuf {
        self.links().join(format!("+{}+{ifindex}", mark.name()))
    }

    /// All links and marks. None if nothing of this version is there.
    pub fn entries(&self) -> Result<Vec<Entry>, KernelError> {
        let links = self.links();
        let fail = |source| KernelError::Links { path: links.clone(), source };
        let found = match fs::read_dir(&links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found.map_err(fail)?,
        };
        let paths: Result<Vec<_>, _> = found.map(|entry| Ok(entry.map_err(fail)?.path())).collect();
        Ok(paths?.into_iter().filter_map(entry).collect())
    }

    pub fn links(&self) -> PathBuf {
        self.version().join("links")
    }

    /// Has a folder for each port id whose tables may be there, so that they are found without asking the kernel about
    /// every id: before Linux 6.8, each look-up in a map of maps waits for a grace period (kernel/bpf/syscall.c,
    /// `bpf_map_copy_value`).
    pub(super) fn tables(&self) -> PathBuf {
        self.version().join("tables")
    }

    pub(super) fn table(&self, id: u32) -> PathBuf {
        self.tables().join(id.to_string())
    }

    pub(super) fn create(&self) -> Result<(), KernelError> {
        for folder in ["maps", "programs", "links", "tables"] {
            let path = self.version().join(folder);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| KernelError::PinDirectory { path, source })?;
        }
        Ok(())
    }

    /// Unpins everything of this version: what is attached by a link is detached with it. Ports must be gone by then; one
    /// that is still there would be open.
    pub fn remove(&self) -> Result<(), KernelError> {
        let removed = |path: PathBuf, result: io::Result<()>| match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(KernelError::Permission),
            Err(error) => Err(KernelError::Remove { path, source: error }),
        };
        removed(self.version(), fs::remove_dir_all(self.version()))?;
        match fs::remove_dir(self.root()) {
            // Another version's pins are not ours to remove.
            Err(error) if error.raw_os_error() == Some(libc::ENOTEMPTY) => Ok(()),
            result => removed(self.root(), result),
        }
    }
}

fn entry(path: PathBuf) -> Option<Entry> {
    let name = path.file_name()?.to_str()?;
    if let Some(mark) = name.strip_prefix('+') {
        let (kind, ifindex) = mark.split_once('+')?;
        let mark = Mark::ALL.into_iter().find(|mark| mark.name() == kind)?;
        return Some(Entry::Mark { mark, ifindex: ifindex.parse().ok()? });
    }
    let (owner, _) = name.rsplit_once('+')?;
    Some(Entry::Link { owner: owner.replace("+_", "."), path })
}
