//! A private world for one test: its own network and mount namespaces, with a fresh sysfs, its own bpffs
//! and an empty `/run`. Namespaces belong to threads, so the tests of one binary run side by side.
//! What runs inside is in [`crate::process`]; nothing here mounts anything in the host's mount namespace.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, geteuid};

/// Network and mount namespaces that live as long as the value. Dropping it kills every process that is
/// still inside; interfaces, mounts and pinned BPF objects go with the namespaces.
#[derive(Debug)]
pub struct Sandbox {
    network: File,
    mounts: File,
}

impl Sandbox {
    /// Makes the namespaces; `lo` is up.
    ///
    /// # Errors
    /// Says what the machine lacks: root, a namespace, a file system, the tun device.
    pub fn new() -> Result<Self> {
        ensure!(geteuid().is_root(), "these tests make network namespaces and taps: run them as root");
        ensure!(
            Path::new("/dev/net/tun").exists(),
            "/dev/net/tun is missing: load the tun module (`modprobe tun`)"
        );
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)
                .context("cannot make a network and a mount namespace: CAP_SYS_ADMIN is needed")?;
            mount_private_world()?;
            let sandbox = Self { network: own_namespace("net")?, mounts: own_namespace("mnt")? };
            sandbox.ip("link set lo up");
            Ok(sandbox)
        })
    }

    /// Makes a sandbox and runs `test` in it; a panic of the test is a panic of the caller.
    ///
    /// # Panics
    /// If the sandbox cannot be made.
    pub fn run<T: Send>(test: impl FnOnce(&Self) -> T + Send) -> T {
        let sandbox = Self::new().unwrap_or_else(|e| panic!("no sandbox: {e:#}"));
        sandbox.enter(|| test(&sandbox))
    }

    /// Runs `work` inside, on a thread of its own. Threads and processes that it starts are inside too.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_own_thread(|| {
            self.join_namespaces().unwrap_or_else(|e| panic!("cannot enter the sandbox: {e:#}"));
            work()
        })
    }

    /// # Panics
    /// If the calling thread is outside: what it starts would run in the host's namespaces.
    #[track_caller]
    pub fn assert_inside(&self) {
        let here = namespace_of("/proc/thread-self/ns/net");
        let ours = self.network.metadata().map(|m| m.ino()).ok();
        assert!(here.is_some() && here == ours, "this thread is outside the sandbox: use Sandbox::enter");
    }

    fn join_namespaces(&self) -> Result<()> {
        let directory = std::env::current_dir().context("no current directory")?;
        // A thread that shares its root and current directory with others may not change mount namespaces.
        unshare(CloneFlags::CLONE_FS)?;
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
        // setns moved the current directory to the root of the namespace.
        std::env::set_current_dir(directory).context("the current directory is not visible inside")
    }

    /// Processes inside, other than this one.
    fn inhabitants(&self) -> Vec<Pid> {
        let Ok(ours) = self.network.metadata().map(|m| m.ino()) else { return Vec::new() };
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| *pid != std::process::id() as i32)
            .filter(|pid| namespace_of(&format!("/proc/{pid}/ns/net")) == Some(ours))
            .map(Pid::from_raw)
            .collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for pid in self.inhabitants() {
            let _ = kill(pid, Signal::SIGKILL);
            // Only our own children can be waited for; others are reaped by their parent.
            let _ = waitpid(pid, None);
        }
    }
}

/// Runs `work` on a thread with the caller's name, and panics if it panics.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let name = thread::current().name().unwrap_or("sandbox").to_owned();
    thread::scope(|scope| {
        let worker = thread::Builder::new().name(name).spawn_scoped(scope, work);
        let worker = worker.unwrap_or_else(|e| panic!("cannot start a thread: {e}"));
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn mount_private_world() -> Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot make the mounts private")?;
    // A sysfs shows the network namespace of the thread that mounted it.
    for (kind, target) in [("sysfs", "/sys"), ("bpf", "/sys/fs/bpf"), ("tmpfs", "/run")] {
        mount(Some(kind), target, Some(kind), MsFlags::empty(), none)
            .with_context(|| format!("cannot mount {kind} on {target}: is it in the kernel?"))?;
    }
    Ok(())
}

fn own_namespace(kind: &str) -> Result<File> {
    let path = format!("/proc/thread-self/ns/{kind}");
    File::open(&path).with_context(|| format!("cannot open {path}"))
}

fn namespace_of(path: &str) -> Option<u64> {
    fs::metadata(path).ok().map(|m| m.ino())
}
