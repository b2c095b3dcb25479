//! A host with two ports, and relays between them and sockets of every kind.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use netctl_tests::cli;
use netctl_tests::guest::Guest;
use netctl_tests::lab::Lab;
use netctl_tests::nic::{MessageNic, StreamNic};
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;

/// Enough for anything that happens at all.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Enough to call it silence: a guest asks again several times in it.
pub(crate) const A_WHILE: Duration = Duration::from_millis(400);

pub(crate) const BRIDGE: &str = "kind = \"bridge\"";
pub(crate) const MACVLAN: &str = "kind = \"macvlan\"\nuplinks = [\"up0\"]";

const PORTS: &str = r#"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]
OWNER

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]
queues = 2

[policy]
default = "deny"
"#;

pub(crate) const RULES: &str = r#"
rules = [{ allow = ["tcp/5432", "udp/53", "icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db" }]
"#;

/// A socket that a relay is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// At a path, at which the relay listens.
    UnixStream,
    /// At a path, to which the relay connects.
    UnixDatagram,
    /// Inherited.
    Messages,
    /// At which the relay listens.
    Tcp,
    /// To which the relay connects.
    TcpServer,
}

/// Runs a test on a network of the kind.
pub(crate) fn with(network: &str, test: impl FnOnce(&Sandbox, &Lab<'_>) + Send) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        test(sandbox, &Lab::bare(sandbox, &document(network, RULES)).unwrap());
    });
}

pub(crate) fn document(network: &str, rules: &str) -> String {
    // A macvtap has none.
    let owner = if network == BRIDGE { "owner = 12345" } else { "" };
    format!("[networks.lab]\n{network}\n{}{rules}", PORTS.replace("OWNER", owner))
}

/// `netctl relay`, which has dropped everything when this returns.
#[track_caller]
pub(crate) fn relay(sandbox: &Sandbox, words: &[&str]) -> Running {
    let mut relay = sandbox.start_netctl(["relay"].iter().chain(words));
    let begun = |line: &str| line.starts_with("netctl: relay of port");
    if relay.wait_for_line(SOON, begun).is_none() {
        let ended = relay.wait(Duration::ZERO);
        panic!("`netctl relay {words:?}` did not begin ({ended:?}): {:?}", relay.said());
    }
    relay
}

/// `netctl relay PORT --fd 0`.
pub(crate) struct Inherited(Child);

impl Inherited {
    pub(crate) fn start(port: &str, socket: OwnedFd) -> Self {
        let mut command = Command::new(cli::binary().unwrap());
        command.args(["relay", port, "--fd", "0"]).stdin(Stdio::from(socket)).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Its end, by itself.
    pub(crate) fn wait(mut self) -> Option<i32> {
        let deadline = Instant::now() + SOON;
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.code(),
                None => assert!(Instant::now() < deadline, "it goes on"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it says when it is told to end.
    pub(crate) fn last_words(mut self) -> String {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut said).unwrap();
        said
    }
}

impl Drop for Inherited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn pair(kind: SockType) -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap()
}

/// A guest whose NIC is a socket; drop the guest before the relay.
pub(crate) struct Plugged {
    pub(crate) guest: Guest,
    _relay: Box<dyn std::any::Any>,
}

pub(crate) fn plug(sandbox: &Sandbox, lab: &Lab<'_>, port: &str, socket: Socket) -> Plugged {
    let facts = lab.port(port);
    let own = format!("/run/{port}.relay");
    let vmm = format!("/run/{port}.vmm");
    let addresses: Vec<String> = facts
        .addresses
        .iter()
        .map(|address| format!("{address}/{}", if address.contains(':') { 64 } else { 24 }))
        .collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let number = if port == "web1" { 5001 } else { 5002 };
    let (guest, relay): (_, Box<dyn std::any::Any>) = match socket {
        Socket::UnixStream => {
            let relay = relay(sandbox, &[port, "--listen", &format!("unix:{own}")]);
            let nic = StreamNic::new(UnixStream::connect(own).unwrap()).unwrap();
            (Guest::start(nic, facts.mac, &addresses), Box::new(relay))
        }
        Socket::UnixDatagram => {
            let socket = UnixDatagram::bind(&vmm).unwrap();
            let relay = relay(sandbox, &[port, "--connect", &format!("unix-dgram:{vmm}"), "--bind", &own]);
            socket.connect(own).unwrap();
            (Guest::start(MessageNic::new(socket), facts.mac, &addresses), Box::new(relay))
        }
        Socket::Messages => {
            let (ours, theirs) = pair(SockType::SeqPacket);
            let relay = Inherited::start(port, theirs);
            wait_carrier(&facts.interface);
            (Guest::start(MessageNic::new(ours), facts.mac, &addresses), Box::new(relay))
        }
        Socket::Tcp => {
            let relay = relay(sandbox, &[port, "--listen", &format!("tcp:{number}")]);
            let stream = TcpStream::connect(("127.0.0.1", number)).unwrap();
            (Guest::start(StreamNic::new(stream).unwrap(), facts.mac, &addresses), Box::new(relay))
        }
        Socket::TcpServer => {
            let listener = TcpListener::bind(("::1", number)).unwrap();
            let relay = relay(sandbox, &[port, "--connect", &format!("tcp:[::1]:{number}")]);
            let (stream, _) = listener.accept().unwrap();
            (Guest::start(StreamNic::new(stream).unwrap(), facts.mac, &addresses), Box::new(relay))
        }
    };
    wait_carrier(&facts.interface);
    Plugged { guest: guest.unwrap(), _relay: relay }
}

/// A tap has a carrier while a process holds its queue, and a bridge port forwards only then.
#[track_caller]
pub(crate) fn wait_carrier(interface: &str) {
    let is_up = || {
        let read = |file: &str| fs::read_to_string(Path::new("/sys/class/net").join(interface).join(file));
        let forwards = read("brport/state").is_ok_and(|state| state.trim() == "3");
        let is_port = Path::new("/sys/class/net").join(interface).join("brport").exists();
        read("carrier").is_ok_and(|carrier| carrier.trim() == "1") && (forwards || !is_port)
    };
    wait_until(&format!("{interface} has a carrier"), is_up);
}

#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Processes of the sandbox's relays: (process id, parent).
pub(crate) fn relays_of(pid: Option<u32>) -> Vec<u32> {
    let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_relay = |other: &u32| {
        let folder = Path::new("/proc").join(other.to_string());
        let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        name.trim() == "netctl-relay"
            && fs::read_link(folder.join("ns/net")).is_ok_and(|ns| ns == ours)
            && pid.is_none_or(|pid| status(*other, "PPid") == pid.to_string())
    };
    pids.filter(is_relay).collect()
}

/// A line of `/proc/PID/status`.
pub(crate) fn status(pid: u32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
