//! Where things are pinned: `BPFFS/netctl/v<ABI_VERSION>/{maps,programs,links}`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use netctl_common::abi::ABI_VERSION;

use super::{KernelError, sys};
use crate::fault::point;

/// The usual mount point.
pub const BPFFS: &str = "/sys/fs/bpf";

/// A version's directory while it is taken away is named so, with the number behind it.
const RETIRED: &str = "gone+";

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
    version: u32,
}

impl Pins {
    /// `bpffs` must be a mounted BPF file system.
    pub fn at(bpffs: &Path) -> Result<Self, KernelError> {
        match sys::file_system_type(bpffs) {
            Ok(BPF_FS_MAGIC) => Self { bpffs: bpffs.to_owned(), version: ABI_VERSION }.trusted(),
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

    /// The directories of all versions that are there, the oldest first.
    pub fn versions(&self) -> Result<Vec<Self>, KernelError> {
        let path = self.root();
        let mut numbers = Vec::new();
        for name in names(&path)? {
            numbers.extend(name.strip_prefix('v').and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|version| Self { bpffs: self.bpffs.clone(), version }).collect())
    }

    /// What a netctl with other layouts left here, which this one must not take for its own.
    pub fn of_other_versions(&self) -> Result<Vec<Self>, KernelError> {
        Ok(self.versions()?.into_iter().filter(|pins| pins.version != self.version).collect())
    }

    /// The ABI version that these pins are of.
    pub fn number(&self) -> u32 {
        self.version
    }

    /// Takes this version's directory out of sight in one step, and then away. Nothing in it may be attached any more.
    pub(super) fn retire(&self) -> Result<(), KernelError> {
        let path = self.version();
        point("retire old version");
        let gone = self.root().join(format!("{RETIRED}{}", self.version));
        fs::rename(&path, gone).map_err(|source| KernelError::Move { path, source })?;
        self.sweep()
    }

    /// Takes away what an interrupted [`Self::retire`] left.
    pub(super) fn sweep(&self) -> Result<(), KernelError> {
        for name in names(&self.root())?.into_iter().filter(|name| name.starts_with(RETIRED)) {
            point("remove old pins");
            let path = self.root().join(name);
            fs::remove_dir_all(&path).map_err(|source| KernelError::Remove { path, source })?;
        }
        Ok(())
    }

    /// The BPF file system.
    pub fn file_system(&self) -> &Path {
        &self.bpffs
    }

    pub fn root(&self) -> PathBuf {
        self.bpffs.join("netctl")
    }

    pub fn version(&self) -> PathBuf {
        self.root().join(format!("v{}", self.version))
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

    /// Where the program that is to take a program's place is pinned meanwhile.
    pub(super) fn next_program(&self, name: &str) -> PathBuf {
        self.programs().join(format!("{name}+next"))
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
            point("make pin folder");
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| KernelError::PinDirectory { path, source })?;
        }
        Ok(())
    }

    /// Takes away what is pinned of this version, which nothing uses.
    pub(super) fn remove_version(&self) -> Result<(), KernelError> {
        let path = self.version();
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(KernelError::Remove { path, source })
            }
            _ => Ok(()),
        }
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
        self.sweep()?;
        point("remove pins");
        removed(self.version(), fs::remove_dir_all(self.version()))?;
        match fs::remove_dir(self.root()) {
            // Another version's pins are not ours to remove.
            Err(error) if error.raw_os_error() == Some(libc::ENOTEMPTY) => Ok(()),
            result => removed(self.root(), result),
        }
    }
}

/// Names in a directory; none if it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>, KernelError> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => KernelError::Permission,
        _ => KernelError::Links { path: path.to_owned(), source },
    };
    let found = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(fail)?,
    };
    let named: io::Result<Vec<_>> = found.map(|entry| Ok(entry?.file_name())).collect();
    Ok(named.map_err(fail)?.into_iter().filter_map(|name| name.into_string().ok()).collect())
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
