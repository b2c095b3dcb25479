//! A real libvirtd in a sandbox: its own /etc/libvirt, /var and /dev, in the foreground, on its unix socket only. Guests
//! are emulated (`type='qemu'`) and boot from the network: the firmware's DHCP frames are traffic enough.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netctl_tests::process::{Finished, Running};
use netctl_tests::sandbox::Sandbox;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// For a daemon that asks QEMU what it can do, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(120);

const QEMU_CONF: &str = "security_driver = \"none\"\ncgroup_controllers = []\nnamespaces = []\nuser = \"root\"\n\
                         group = \"root\"\nstdio_handler = \"file\"\n";
const LIBVIRTD_CONF: &str =
    "listen_tls = 0\nlisten_tcp = 0\nauth_unix_rw = \"none\"\nlog_outputs = \"3:stderr\"\n";

/// Dropping it ends the daemon; guests end with the sandbox.
pub(crate) struct Daemon<'a> {
    sandbox: &'a Sandbox,
    running: Running,
    user: Option<u32>,
    ended: Arc<AtomicBool>,
}

impl<'a> Daemon<'a> {
    /// Root's daemon.
    #[track_caller]
    pub(crate) fn system(sandbox: &'a Sandbox) -> Self {
        Self::start(sandbox, None)
    }

    /// The daemon of a user's session, without any privileges.
    #[track_caller]
    pub(crate) fn session(sandbox: &'a Sandbox, user: u32) -> Self {
        Self::start(sandbox, Some(user))
    }

    #[track_caller]
    fn start(sandbox: &'a Sandbox, user: Option<u32>) -> Self {
        sandbox.assert_inside();
        own_world(user);
        let ended = Arc::new(AtomicBool::new(false));
        make_nodes(&ended);
        let running = serve(sandbox, user);
        let daemon = Self { sandbox, running, user, ended };
        daemon.wait_ready();
        daemon
    }

    /// Ends it as a service manager does and starts it again; guests go on.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.running.signal(Signal::SIGTERM);
        let ended = self.running.wait(PATIENCE);
        assert!(ended.is_some(), "libvirtd does not end: {:?}", self.running.said());
        self.running = serve(self.sandbox, self.user);
        self.wait_ready();
    }

    #[track_caller]
    pub(crate) fn virsh(&self, line: &str) -> Finished {
        self.sh(&format!("virsh -q {line}"))
    }

    /// A line of a shell whose `virsh` speaks to this daemon. It may take longer than others.
    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> Finished {
        let uri = if self.user.is_some() { "qemu:///session" } else { "qemu:///system" };
        let mut command = command(self.user, "sh");
        command.args(["-c", line]).env("LIBVIRT_DEFAULT_URI", uri);
        let mut script = Command::new("sh");
        script.args(["-c", "\"$@\" > /run/sh.out 2> /run/sh.err; echo $? > /run/sh.code", "sh"]);
        script.arg(command.get_program()).args(command.get_args());
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut running = self.sandbox.start(script).unwrap();
        assert!(running.wait(PATIENCE).is_some(), "`{line}` hangs");
        let read = |what: &str| fs::read_to_string(format!("/run/sh.{what}")).unwrap();
        Finished {
            command: line.to_owned(),
            code: read("code").trim().parse().ok(),
            stdout: read("out"),
            stderr: read("err"),
            elapsed: Duration::ZERO,
        }
    }

    /// Starts a transient domain.
    #[track_caller]
    pub(crate) fn create(&self, xml: &str) -> Finished {
        fs::write("/run/domain.xml", xml).unwrap();
        self.virsh("create /run/domain.xml")
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> String {
        self.running.said().join("\n")
    }

    #[track_caller]
    fn wait_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let done = self.virsh("list");
            if done.code == Some(0) {
                return;
            }
            assert!(Instant::now() < deadline, "no libvirtd: {done}\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// A domain whose firmware asks for an address on `interface`.
pub(crate) fn machine(name: &str, metadata: &str, interface: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>{metadata}\
         <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/></os>\
         <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{interface}</devices></domain>"
    )
}

/// Waits until `is_so`.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The command line of the guest's QEMU.
pub(crate) fn monitor_arguments(name: &str) -> String {
    let pid = fs::read_to_string(format!("/run/libvirt/qemu/{name}.pid")).unwrap();
    let bytes = fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[track_caller]
fn serve(sandbox: &Sandbox, user: Option<u32>) -> Running {
    assert!(
        Path::new("/usr/sbin/libvirtd").exists(),
        "there is no libvirtd: `cargo xtask setup` installs it"
    );
    let mut command = command(user, "libvirtd");
    if user.is_none() {
        command.args(["-f", "/etc/libvirt/libvirtd.conf"]);
    }
    sandbox.start(command).unwrap()
}

/// As a user: no privileges, and a home in the sandbox.
fn command(user: Option<u32>, program: &str) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
            command.args(["--no-new-privs", program]);
            let home = home(user);
            command.env("HOME", &home).env("XDG_RUNTIME_DIR", &home);
            for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
                command.env(name, &home);
            }
            command
        }
    };
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("/usr/sbin:/sbin:{path}"));
    command
}

fn home(user: u32) -> String {
    format!("/run/home-{user}")
}

/// Nothing of the machine's libvirt is seen or touched. Debian's libvirtd wants its users to be there, also when others
/// are configured; `libvirt-daemon-system`, which makes them, would start a daemon.
fn own_world(user: Option<u32>) {
    for place in ["/var/lib", "/var/cache", "/var/log", "/etc/libvirt"] {
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    }
    for (file, line) in [
        (
            "passwd",
            "libvirt-qemu:x:64055:64055::/:/bin/false\ntester:x:64100:64100::/run/home-64100:/bin/sh\n",
        ),
        ("group", "libvirt-qemu:x:64055:\ntester:x:64100:\n"),
    ] {
        let (place, own) = (format!("/etc/{file}"), format!("/run/{file}"));
        fs::write(&own, fs::read_to_string(&place).unwrap() + line).unwrap();
        bind(&own, &place);
    }
    fs::write("/etc/libvirt/qemu.conf", QEMU_CONF).unwrap();
    fs::write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF).unwrap();
    if let Some(user) = user {
        fs::create_dir(home(user)).unwrap();
        std::os::unix::fs::chown(home(user), Some(user), Some(user)).unwrap();
    }
    own_devices();
}

fn bind(from: &str, to: &str) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).unwrap();
}

/// The machine's /dev has one `tapN` of a number, which may be a guest's of another network namespace.
fn own_devices() {
    let own = Path::new("/run/dev");
    fs::create_dir(own).unwrap();
    for node in ["null", "zero", "full", "random", "urandom", "tty", "ptmx"] {
        let facts = fs::metadata(format!("/dev/{node}")).unwrap();
        node_at(&own.join(node), facts.st_rdev());
    }
    // Everybody may open it (udev's rules); what one may open with it is the kernel's to say.
    fs::create_dir(own.join("net")).unwrap();
    node_at(&own.join("net/tun"), fs::metadata("/dev/net/tun").unwrap().st_rdev());
    for folder in ["pts", "shm"] {
        fs::create_dir(own.join(folder)).unwrap();
        bind(&format!("/dev/{folder}"), &format!("/run/dev/{folder}"));
    }
    bind("/run/dev", "/dev");
}

fn node_at(path: &Path, device: u64) {
    mknod(path, SFlag::S_IFCHR, Mode::empty(), device).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
}

/// What udev does on a host: a node for each macvtap.
fn make_nodes(ended: &Arc<AtomicBool>) {
    let ended = Arc::clone(ended);
    thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
                let Ok(index) = fs::read_to_string(entry.path().join("ifindex")) else { continue };
                let tap = format!("tap{}", index.trim());
                let Ok(text) = fs::read_to_string(entry.path().join(&tap).join("dev")) else { continue };
                let Some((major, minor)) = text.trim().split_once(':') else { continue };
                let device = makedev(major.parse().unwrap(), minor.parse().unwrap());
                let node = Path::new("/dev").join(tap);
                let is_other = fs::metadata(&node).is_ok_and(|facts| facts.st_rdev() != device);
                if is_other {
                    let _ = fs::remove_file(&node);
                }
                if !node.exists() {
                    node_at(&node, device);
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
    });
}
