//! Two ports of a network, real queues on them, and senders that offer more than any limit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netctl::kernel::Kernel;
use netctl_common::abi::Counter;
use netctl_common::verdict::{Direction, REASONS, Reason};
use netctl_tests::frame::{ACK, Build, Carrier, Mac, SYN, eth, mac, mac_text};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use netctl_tests::tap::{GSO_TCPV4, Options, Tap, VnetHeader};

pub(crate) const A: Mac = mac(1);
pub(crate) const B: Mac = mac(2);
const ADDRESSES: [&str; 2] = ["10.0.0.11", "10.0.0.12"];

/// Payload bytes of a segment, and segments of a frame that is cut later. Small ones, so that their headers are a tenth of
/// the wire: a limit that forgot them would be seen.
const SEGMENT: u16 = 500;
const SEGMENTS: usize = 118;

/// How guests are plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tap,
    Macvtap,
}

impl Kind {
    pub(crate) fn lay(self, sandbox: &Sandbox) {
        if self == Self::Macvtap {
            Switch::new(sandbox, "switch").unwrap().nic("nic0").unwrap();
        }
    }

    /// A network and its two ports, open to each other, each with keys of its own.
    pub(crate) fn document(self, ports: [&str; 2]) -> String {
        let network = match self {
            Self::Tap => "kind = \"bridge\"\n",
            Self::Macvtap => "kind = \"macvlan\"\nuplinks = [\"nic0\"]\n",
        };
        let mut text = format!("[networks.lab]\n{network}");
        for (((name, mac), address), keys) in ["a", "b"].into_iter().zip([A, B]).zip(ADDRESSES).zip(ports) {
            let mac = mac_text(mac);
            text += &format!(
                "\n[ports.{name}]\nnetwork = \"lab\"\nmac = \"{mac}\"\naddresses = [\"{address}\"]\n{keys}\n"
            );
        }
        text + "\n[policy]\ndefault = \"allow\"\n"
    }
}

/// What a sender sends again and again.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// With its virtio header.
    pub(crate) bytes: Vec<u8>,
    /// On a wire.
    pub(crate) packets: u64,
    pub(crate) wire_bytes: u64,
}

impl Load {
    /// A datagram of 1500 bytes with its Ethernet header.
    pub(crate) fn datagram() -> Self {
        let frame = eth(A, B).ipv4(ADDRESSES[0], ADDRESSES[1]).udp(5000, 5000).payload(&[0; 1458]).frame();
        let bytes = [&VnetHeader::default().to_bytes()[..], &frame].concat();
        Self { bytes, packets: 1, wire_bytes: frame.len() as u64 }
    }

    /// A frame of one connection that is to be cut into 118 segments (TSO).
    pub(crate) fn segments() -> Self {
        let payload = vec![0; SEGMENTS * usize::from(SEGMENT)];
        let tcp =
            eth(A, B).ipv4(ADDRESSES[0], ADDRESSES[1]).tcp(5000, 80).flags(ACK).sequence(1).acknowledged(1);
        let frame = tcp.payload(&payload).partial_checksum().frame();
        let headers = frame.len() - payload.len();
        let checksum = VnetHeader::partial_checksum(34, 16);
        let header =
            VnetHeader { gso_type: GSO_TCPV4, gso_size: SEGMENT, hdr_len: headers as u16, ..checksum };
        Self {
            bytes: [&header.to_bytes()[..], &frame].concat(),
            packets: SEGMENTS as u64,
            wire_bytes: (payload.len() + SEGMENTS * headers) as u64,
        }
    }
}

/// A running document with both queues open.
pub(crate) struct World {
    pub(crate) kernel: Kernel,
    pub(crate) taps: [Tap; 2],
}

impl World {
    pub(crate) fn new(sandbox: &Sandbox, document: &str) -> Self {
        let lab = Lab::bare(sandbox, document).unwrap();
        let options = Options { offloads: true, ..Options::default() };
        let taps = ["a", "b"].map(|port| lab.tap_with(port, options).unwrap());
        Self { kernel: Kernel::open(Path::new("/sys/fs/bpf")).unwrap(), taps }
    }

    /// Opens the connection that [`Load::segments`] belongs to.
    pub(crate) fn connect(&self) {
        let there = || eth(A, B).ipv4(ADDRESSES[0], ADDRESSES[1]).tcp(5000, 80).sequence(0);
        let back = eth(B, A).ipv4(ADDRESSES[1], ADDRESSES[0]).tcp(80, 5000).sequence(0);
        let pause = || thread::sleep(Duration::from_millis(20));
        self.taps[0].send(&there().frame()).unwrap();
        pause();
        self.taps[1].send(&back.flags(SYN | ACK).acknowledged(1).frame()).unwrap();
        pause();
        self.taps[0].send(&there().sequence(1).flags(ACK).acknowledged(1).frame()).unwrap();
        pause();
    }

    /// A port's counters of one direction, by reason.
    pub(crate) fn counters(&self, port: &str, direction: Direction) -> Vec<Counter> {
        let id = self.kernel.port_ids().unwrap()[port];
        let all = self.kernel.port_counters(id).unwrap();
        all[direction as usize * REASONS..][..REASONS].to_vec()
    }
}

/// Frames that passed and frames that a limit dropped.
pub(crate) fn passed_and_limited(counters: &[Counter], limit: Reason) -> (u64, u64) {
    let of = |reason: Reason| counters[reason as usize].packets;
    (of(Reason::Flow) + of(Reason::Default), of(limit))
}

/// Two threads that each send bursts of a load with pauses in between, as long as `work` runs; one CPU each, where the machine
/// has two. `pause` zero: without a pause.
pub(crate) fn while_sending<T>(
    tap: &Tap,
    load: &Load,
    burst: usize,
    pause: Duration,
    work: impl FnOnce() -> T,
) -> T {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..burst {
                        // A full send buffer is more load than the port takes.
                        let _ = tap.send_raw(&load.bytes);
                    }
                    sent.fetch_add(burst as u64, Ordering::Relaxed);
                    if !pause.is_zero() {
                        thread::sleep(pause);
                    }
                }
            });
        }
        let end = End(&stop);
        let result = work();
        drop(end);
        result
    })
}

/// Also if `work` panics, or the senders would go on for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until `done` says so.
pub(crate) fn wait(limit: Duration, what: &str, mut done: impl FnMut() -> bool) -> Instant {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_micros(200));
    }
    Instant::now()
}
