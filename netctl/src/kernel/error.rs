//! What can go wrong between netctl and the kernel's BPF side.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("no permission for bpf(2); run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN")]
    Permission,
    #[error("{path} is no BPF file system; mount one with `mount -t bpf bpf {path}`", path = .0.display())]
    NoBpffs(PathBuf),
    #[error(
        "{path} holds the programs of another network namespace; each namespace needs a BPF file system of its own",
        path = .0.display()
    )]
    OtherNamespace(PathBuf),
    #[error(
        "{path} was made by another user (uid {uid}), who could take the enforcement away; remove it",
        path = path.display()
    )]
    ForeignDirectory { path: PathBuf, uid: u32 },
    #[error("cannot create {path} on the BPF file system", path = path.display())]
    PinDirectory { path: PathBuf, source: io::Error },
    #[error(
        "the kernel refused the BPF object; netctl needs Linux 6.1 or newer with CONFIG_BPF_SYSCALL and BTF"
    )]
    Load(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the kernel's verifier refused the program `{program}`; please report it with the text below")]
    Verifier { program: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot attach netctl's programs to interface {interface}")]
    Attach { interface: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot pin the link of interface {interface} at {path}", path = path.display())]
    PinLink { interface: String, path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "cannot take netctl's programs off the interface with index {ifindex}; `tc filter show` lists them"
    )]
    Detach { ifindex: u32, source: io::Error },
    #[error("cannot read {path}", path = path.display())]
    Links { path: PathBuf, source: io::Error },
    #[error("cannot write down at {path} what is on the interface", path = path.display())]
    Mark { path: PathBuf, source: io::Error },
    #[error("map `{map}`: {operation} failed")]
    Map { map: String, operation: &'static str, source: io::Error },
    #[error("map `{map}` on the BPF file system has another layout; remove {path} with `netctl down`", path = path.display())]
    Layout { map: String, path: PathBuf },
    #[error("netctl is not running here: nothing is pinned under {path}; `netctl apply FILE` starts it", path = .0.display())]
    NotRunning(PathBuf),
    #[error(
        "the programs that run are an older build's, which keeps no `{map}`; `netctl upgrade` puts this build's in their place"
    )]
    OlderBuild { map: &'static str },
    #[error("{slots} captures go on already, which is all that can; end one of them")]
    NoCaptureSlot { slots: u32 },
    #[error(
        "another capture took this one's place, which had stood still for more than {seconds} s; begin it again"
    )]
    CaptureTaken { seconds: u64 },
    #[error("cannot lock {path}", path = path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("another netctl is changing this host ({holder} holds the lock of {path}); without `--no-wait` this one waits", path = path.display())]
    Locked { path: PathBuf, holder: String },
    #[error(
        "netctl of another version runs here: it pinned its state under {path}, which this one (version {ours}) does not \
         read; `netctl upgrade` moves to this one without a moment without policy",
        path = path.display()
    )]
    OtherVersion { path: PathBuf, ours: u32 },
    #[error(
        "netctl of a newer version runs here: it pinned its state under {path}, and this one (version {ours}) does not \
         know its layouts; use that netctl, or take everything away with `netctl down` and apply the document again",
        path = path.display()
    )]
    NewerVersion { path: PathBuf, ours: u32 },
    #[error(
        "this netctl knows no layouts of version {version}, which runs here (pinned under {path}); upgrade by way of a \
         netctl between the two, or take everything away with `netctl down` and apply the document again",
        path = path.display()
    )]
    UnknownVersion { version: u32, path: PathBuf },
    #[error("cannot move {path} to this version", path = path.display())]
    Move { path: PathBuf, source: io::Error },
    #[error("cannot put this version's program in the place of the one at {path}", path = path.display())]
    Replace { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("port `{port}` has no interface now to put its programs on; run `netctl apply` again")]
    NoInterface { port: String },
    #[error("the kernel would not run the program on this packet")]
    TestRun(#[source] io::Error),
    #[error("cannot remove {path}", path = path.display())]
    Remove { path: PathBuf, source: io::Error },
}

impl KernelError {
    pub(super) fn map(map: &str, operation: &'static str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::Permission;
        }
        match source.raw_os_error() {
            // A kernel without bpf(2).
            Some(libc::ENOSYS) => Self::Load(Box::new(source)),
            _ => Self::Map { map: map.to_owned(), operation, source },
        }
    }
}
