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
    pub fn link(&self, port: &str, program: &str) -> PathBuf {
        self.links().join(format!("{}+{program}", port.replace('.', "+_")))
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
