//! Queues of macvtaps, found by the number of their character device in the sandbox's own sysfs. Never by
//! `/dev/tapN`: interface indexes repeat between network namespaces, and that node may be another guest's NIC.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// `/run` is the sandbox's own.
const FOLDER: &str = "/run/macvtaps";

/// So that tests of one binary do not take each other's node.
static NODES: AtomicU32 = AtomicU32::new(0);

/// Whether the interface is a macvtap of this network namespace.
pub(crate) fn is_macvtap(name: &str) -> bool {
    number_file(name).is_some_and(|path| path.exists())
}

/// Opens one more queue, non-blocking.
///
/// # Errors
/// If it is no macvtap, or its device cannot be opened: ENODEV while the interface goes.
pub(crate) fn open(name: &str) -> Result<File> {
    let path = number_file(name).with_context(|| format!("there is no macvtap {name} here"))?;
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (major, minor) = text.trim().split_once(':').with_context(|| format!("{text:?} is no device"))?;
    let device = makedev(major.parse()?, minor.parse()?);
    fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}"))?;
    let node = format!("{FOLDER}/{name}-{}", NODES.fetch_add(1, Ordering::Relaxed));
    mknod(Path::new(&node), SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, device)
        .with_context(|| format!("cannot make the node {node}"))?;
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&node);
    let removed = fs::remove_file(&node);
    let file = opened.with_context(|| format!("cannot open the device of {name}"))?;
    removed.with_context(|| format!("cannot remove {node}"))?;
    Ok(file)
}

/// Waits until the interface `name` is up and has a carrier, which a macvtap takes from its uplink.
///
/// # Errors
/// If it does not within 3 s.
pub fn wait_carrier(name: &str) -> Result<()> {
    let path = format!("/sys/class/net/{name}/carrier");
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let carrier = fs::read_to_string(&path).unwrap_or_default();
        if carrier.trim() == "1" {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{name} has no carrier: {path} holds {carrier:?}, not 1");
        thread::sleep(Duration::from_millis(1));
    }
}

/// `/sys/class/net/IF/tapINDEX/dev`.
fn number_file(name: &str) -> Option<PathBuf> {
    let folder = Path::new("/sys/class/net").join(name);
    let index = fs::read_to_string(folder.join("ifindex")).ok()?;
    Some(folder.join(format!("tap{}", index.trim())).join("dev"))
}
