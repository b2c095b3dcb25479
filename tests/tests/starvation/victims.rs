//! The others: a client and a server beside the flooding guest, on the same network, with connections between them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use netctl::kernel::Kernel;
use netctl_common::verdict::{Direction, REASONS, Reason};
use netctl_tests::frame::{ACK, Build, Carrier, Mac, SYN, Tcp, eth, mac, mac_text};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use netctl_tests::tap::Tap;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Station {
    pub(crate) mac: Mac,
    pub(crate) address: &'static str,
}

pub(crate) const FLOODER: Station = Station { mac: mac(1), address: "10.0.0.1" };
pub(crate) const VICTIM: Station = Station { mac: mac(2), address: "10.0.0.2" };
pub(crate) const PEER: Station = Station { mac: mac(3), address: "10.0.0.3" };
/// Nobody's here.
pub(crate) const ROUTER: Mac = mac(9);

/// What docs/security.md recommends for guests that are not trusted.
pub(crate) const LIMITS: &str =
    "from-guest = { broadcast = 50, multicast = 100, unknown-unicast = 5000, new-flows = 1000 }";

/// Connections that are there before the flood; the last ones are silent in it.
const CONNECTIONS: u16 = 400;
const BUSY: u16 = 16;
const SERVICE: u16 = 80;
/// Source ports of connections that are opened in the flood.
const LATER: u16 = 30_000;
/// Frames that the guests send at once; less than a queue holds.
const BATCH: usize = 32;
const ARRIVAL: Duration = Duration::from_secs(5);

/// How guests are plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tap,
    Macvtap,
}

/// What becomes of a connection that the flooding guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Never,
    /// Not acknowledged.
    Once,
    Open,
}

#[derive(Debug)]
pub(crate) struct World {
    kernel: Kernel,
    pub(crate) flooder: Tap,
    victim: Tap,
    peer: Tap,
}

impl World {
    /// The victim may open connections to the server, and everyone to the world.
    pub(crate) fn new(sandbox: &Sandbox, kind: Kind, limits: &str) -> Self {
        Self::with_rules(sandbox, kind, limits, "")
    }

    /// The flooding guest may open connections to the server as well.
    pub(crate) fn with_shared_server(sandbox: &Sandbox, kind: Kind) -> Self {
        Self::with_rules(sandbox, kind, "", "  { allow = \"tcp\", from = \"flooder\", to = \"peer\" },\n")
    }

    fn with_rules(sandbox: &Sandbox, kind: Kind, limits: &str, rules: &str) -> Self {
        let network = match kind {
            Kind::Tap => "kind = \"bridge\"",
            Kind::Macvtap => "kind = \"macvlan\"\nuplinks = [\"nic0\"]",
        };
        if kind == Kind::Macvtap && !Path::new("/sys/class/net/nic0").exists() {
            Switch::new(sandbox, "switch").unwrap().nic("nic0").unwrap();
        }
        let mut text = format!("[networks.lab]\n{network}\n");
        for (name, Station { mac, address }) in [("flooder", FLOODER), ("victim", VICTIM), ("peer", PEER)] {
            let mac = mac_text(mac);
            text +=
                &format!("[ports.{name}]\nnetwork = \"lab\"\nmac = \"{mac}\"\naddresses = [\"{address}\"]\n");
        }
        text += &format!("[ports.flooder.limits]\n{limits}\n");
        text += "[policy]\nrules = [\n  { allow = \"tcp/80\", from = \"victim\", to = \"peer\" },\n";
        text += rules;
        text += "  { allow = \"any\", from = \"any\", to = [\"world\", \"broadcast\"] },\n]\n";
        let lab = Lab::bare(sandbox, &text).unwrap();
        let [flooder, victim, peer] = ["flooder", "victim", "peer"].map(|port| lab.tap(port).unwrap());
        Self { kernel: Kernel::open(Path::new("/sys/fs/bpf")).unwrap(), flooder, victim, peer }
    }

    pub(crate) fn open_connections(&self) {
        (0..CONNECTIONS).for_each(|number| self.open(1000 + number));
    }

    fn open(&self, port: u16) {
        deliver(&self.victim, &self.peer, &there(port).sequence(0).frame());
        deliver(&self.peer, &self.victim, &back(port).flags(SYN | ACK).sequence(0).acknowledged(1).frame());
        deliver(&self.victim, &self.peer, &there(port).flags(ACK).sequence(1).acknowledged(1).frame());
    }

    /// Opens one more, while the flood runs.
    pub(crate) fn open_another(&self, number: u16) {
        self.open(LATER + number);
    }

    /// A segment each way on the busy connections.
    pub(crate) fn use_connections(&self) {
        (0..BUSY).for_each(|number| self.exchange_on(1000 + number));
    }

    /// The server speaks first.
    pub(crate) fn use_idle_connections(&self) {
        for port in 1000 + BUSY..1000 + CONNECTIONS {
            deliver(&self.peer, &self.victim, &data(back(port)));
            deliver(&self.victim, &self.peer, &data(there(port)));
        }
    }

    fn exchange_on(&self, port: u16) {
        deliver(&self.victim, &self.peer, &data(there(port)));
        deliver(&self.peer, &self.victim, &data(back(port)));
    }

    /// Some frames from the client to the server, all of which arrive: how many.
    pub(crate) fn exchange(&self) -> u32 {
        let frame = data(there(1000));
        for _ in 0..BATCH {
            self.victim.send(&frame).unwrap();
        }
        let mut arrived = 0;
        while let Some((_, received)) = self.peer.try_recv().unwrap() {
            arrived += u32::from(received == frame);
        }
        arrived
    }

    pub(crate) fn drain(&self) {
        for tap in [&self.victim, &self.peer] {
            tap.drain().unwrap();
        }
    }

    pub(crate) fn count(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.kernel.port_counters(self.id(port)).unwrap()[direction as usize * REASONS + reason as usize]
            .packets
    }

    fn id(&self, port: &str) -> u32 {
        self.kernel.port_ids().unwrap()[port]
    }

    /// Frames of the two that were denied: all that they sent, and all that they got but for what the flooding guest may
    /// not send to them.
    pub(crate) fn denied_to_victims(&self) -> Vec<(&'static str, Reason, u64)> {
        let fine = [Reason::Rule, Reason::Flow, Reason::Related, Reason::Arp, Reason::NeighborDiscovery];
        let rows = ["victim", "peer"].into_iter().flat_map(|port| {
            let of = move |reason: &Reason| (port, *reason, self.count(port, Direction::FromGuest, *reason));
            Reason::ALL.iter().filter(move |reason| !fine.contains(reason)).map(of)
        });
        rows.filter(|(_, _, count)| *count > 0).collect()
    }

    /// In the tables of both.
    pub(crate) fn assert_connections_are_there(&self) {
        for port in ["victim", "peer"] {
            let flows = self.kernel.flows(self.id(port)).unwrap();
            let victims = flows.iter().filter(|(key, _)| key.local_port.min(key.remote_port) == SERVICE);
            let ports: BTreeSet<u16> = victims.map(|(key, _)| key.local_port.max(key.remote_port)).collect();
            let gone = (1000..1000 + CONNECTIONS).filter(|number| !ports.contains(number)).count();
            assert_eq!(gone, 0, "{port}: {gone} of {CONNECTIONS} connections have no flow any more");
        }
    }

    /// The flooding guest asks the server for one more connection, which goes as far as `until`.
    pub(crate) fn ask_the_server(&self, number: u16, until: Answered) {
        let (source, service) = (1024 + number % 60_000, 8000 + number / 60_000);
        let asks = || eth(FLOODER.mac, PEER.mac).ipv4(FLOODER.address, PEER.address).tcp(source, service);
        let answers = || eth(PEER.mac, FLOODER.mac).ipv4(PEER.address, FLOODER.address).tcp(service, source);
        self.flooder.send(&asks().flags(SYN).sequence(0).frame()).unwrap();
        if until != Answered::Never {
            self.peer.send(&answers().flags(SYN | ACK).sequence(0).acknowledged(1).frame()).unwrap();
        }
        if until == Answered::Open {
            self.flooder.send(&asks().flags(ACK).sequence(1).acknowledged(1).frame()).unwrap();
        }
        for tap in [&self.peer, &self.flooder] {
            tap.drain().unwrap();
        }
    }
}

fn there(port: u16) -> Tcp {
    eth(VICTIM.mac, PEER.mac).ipv4(VICTIM.address, PEER.address).tcp(port, SERVICE)
}

fn back(port: u16) -> Tcp {
    eth(PEER.mac, VICTIM.mac).ipv4(PEER.address, VICTIM.address).tcp(SERVICE, port)
}

fn data(tcp: Tcp) -> Vec<u8> {
    tcp.flags(ACK).sequence(1).acknowledged(1).payload(b"0123456789").frame()
}

/// Sends one frame, which arrives.
#[track_caller]
fn deliver(from: &Tap, to: &Tap, frame: &[u8]) {
    from.send(frame).unwrap();
    let arrived = to.recv_matching(ARRIVAL, |other| other == frame).unwrap();
    assert!(arrived.is_some(), "a frame of the others' connections did not arrive");
}
