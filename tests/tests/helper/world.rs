//! A host with its own /etc, /dev and log, where the helper is installed as on a real one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use netctl_tests::sandbox::Sandbox;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::client::{Answer, ask};

pub(crate) const STOCK: &str = "/usr/lib/qemu/qemu-bridge-helper";
/// A copy with file capabilities.
pub(crate) const OURS: &str = "/run/helper/netctl-bridge-helper";
pub(crate) const BRIDGE_CONF: &str = "/etc/qemu/bridge.conf";
pub(crate) const GRANTS: &str = "/etc/netctl/grants.toml";

/// Users of these hosts: uid and gid, supplementary groups.
pub(crate) const ALICE: User = User { id: "1001", groups: "1001" };
pub(crate) const BOB: User = User { id: "1002", groups: "1002,2000" };

#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) id: &'static str,
    pub(crate) groups: &'static str,
}

pub(crate) struct World<'a> {
    pub(crate) sandbox: &'a Sandbox,
    log: UnixDatagram,
}

impl<'a> World<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        own_dev();
        let log = UnixDatagram::bind("/dev/log").unwrap();
        log.set_nonblocking(true).unwrap();
        fs::set_permissions("/dev/log", Permissions::from_mode(0o666)).unwrap();
        own_etc();
        Self { sandbox, log }
    }

    /// With a network `lab` of ports `a1` to `a3`.
    pub(crate) fn with_lab(sandbox: &'a Sandbox) -> Self {
        let world = Self::new(sandbox);
        world.apply("[networks.lab]\nkind = \"bridge\"\n", &["a1", "a2", "a3"]);
        world
    }

    /// Applies a document of these networks, with ports of the first.
    pub(crate) fn apply(&self, networks: &str, ports: &[&str]) {
        let network = networks.split(['.', ']']).nth(1).unwrap();
        let mut text = networks.to_owned();
        for port in ports {
            text += &format!("[ports.{port}]\nnetwork = \"{network}\"\naddresses = \"any\"\n");
        }
        text += "[policy]\ndefault = \"allow\"\nrules = []\n";
        self.document(&text);
    }

    pub(crate) fn document(&self, text: &str) {
        fs::write("/run/host.toml", text).unwrap();
        self.sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
    }

    /// Installs the helper with these file capabilities.
    pub(crate) fn install(&self, capabilities: &str) -> &Self {
        let built = netctl_tests::cli::binary().unwrap().with_file_name("netctl-bridge-helper");
        assert!(built.is_file(), "{} is not there: `cargo build -p netctl` first", built.display());
        fs::create_dir_all("/run/helper").unwrap();
        // A process of its own writes it: a child that another test forks meanwhile would keep it "busy".
        let mut copy = Command::new("cp");
        copy.arg(&built).arg(OURS);
        self.sandbox.finish(copy).unwrap().expect_code(0);
        let mut setcap = Command::new("setcap");
        setcap.args([capabilities, OURS]);
        self.sandbox.finish(setcap).unwrap().expect_code(0);
        self
    }

    /// Asks the installed helper as a user.
    #[track_caller]
    pub(crate) fn ask(&self, user: User, arguments: &[&str]) -> Answer {
        ask_as(self.sandbox, user, arguments)
    }

    /// As QEMU asks.
    #[track_caller]
    pub(crate) fn bridge(&self, user: User, name: &str) -> Answer {
        self.ask(user, &["--use-vnet", "--fd=0", &format!("--br={name}")])
    }

    /// The lines in the log since the last look.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(length) = self.log.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        lines
    }

    /// The one line in the log since the last look.
    #[track_caller]
    pub(crate) fn logged(&self) -> String {
        let lines = self.log();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("<86>netctl-bridge-helper["), "{lines:?}");
        lines[0].clone()
    }

    /// Names of all interfaces.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        let links = self.sandbox.ip("-oneline link show");
        links.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
    }

    /// The node of a macvtap, as devtmpfs makes it in the host's /dev.
    pub(crate) fn make_node(&self, interface: &str) {
        let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).unwrap();
        let name = format!("tap{}", index.trim());
        let number = fs::read_to_string(format!("/sys/class/net/{interface}/{name}/dev")).unwrap();
        let (major, minor) = number.trim().split_once(':').unwrap();
        node(&name, (major.parse().unwrap(), minor.parse().unwrap()), 0o600);
    }
}

/// Asks the installed helper as a user.
#[track_caller]
pub(crate) fn ask_as(sandbox: &Sandbox, user: User, arguments: &[&str]) -> Answer {
    let uid = format!("--reuid={}", user.id);
    let gid = format!("--regid={}", user.id);
    let groups = format!("--groups={}", user.groups);
    ask(sandbox, &["/usr/bin/setpriv", &uid, &gid, &groups, OURS], arguments)
}

/// A file with its folder; a text of `None` removes it.
pub(crate) fn put(path: &str, text: Option<&str>) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    match text {
        Some(text) => fs::write(path, text).unwrap(),
        None => drop(fs::remove_file(path)),
    }
}

pub(crate) fn tmpfs(place: &str) {
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
}

fn own_dev() {
    tmpfs("/dev");
    fs::create_dir("/dev/net").unwrap();
    for (name, number) in
        [("null", (1, 3)), ("zero", (1, 5)), ("random", (1, 8)), ("urandom", (1, 9)), ("net/tun", (10, 200))]
    {
        // As udev makes them.
        node(name, number, 0o666);
    }
}

fn node(name: &str, (major, minor): (u64, u64), mode: u32) {
    let path = format!("/dev/{name}");
    mknod(path.as_str(), SFlag::S_IFCHR, Mode::empty(), makedev(major, minor)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn own_etc() {
    let linker = fs::read("/etc/ld.so.cache").unwrap();
    tmpfs("/etc");
    fs::write("/etc/ld.so.cache", linker).unwrap();
    fs::write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n").unwrap();
    let users = "root:x:0:0::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n";
    fs::write("/etc/passwd", users).unwrap();
    fs::write("/etc/group", "root:x:0:\nalice:x:1001:\nbob:x:1002:\nguests:x:2000:\n").unwrap();
}
