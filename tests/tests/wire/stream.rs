//! Frames of several kinds, sent from port to port without a pause while something else happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use netctl_tests::frame::{Build, Carrier, eth};
use netctl_tests::lab::Lab;
use netctl_tests::tap::Tap;

use super::mac_of;

/// Between rounds: a receiver's queue never fills, and a change of policy always falls among frames.
const PACE: Duration = Duration::from_micros(500);
/// For frames that are still on their way at the end.
const GRACE: Duration = Duration::from_millis(300);

/// Datagrams of one destination port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) sent: u64,
    pub(super) arrived: u64,
}

/// Sends UDP from `web1` to `db1` while `work` runs, over flows that exist already and over new ones, to each of the
/// destination ports in turn; counts what arrives.
pub(super) fn while_streaming<T>(
    lab: &Lab<'_>,
    ports: &[u16],
    work: impl FnOnce() -> T,
) -> (T, BTreeMap<u16, Count>) {
    let [web1, db1] = ["web1", "db1"].map(|name| lab.tap(name).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let streaming = scope.spawn(|| stream(&web1, &db1, ports, &done));
        // Also if `work` panics, or the scope would wait for ever.
        let end = End(&done);
        let result = work();
        drop(end);
        (result, streaming.join().unwrap())
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stream(web1: &Tap, db1: &Tap, ports: &[u16], done: &AtomicBool) -> BTreeMap<u16, Count> {
    let mut counts: BTreeMap<u16, Count> = ports.iter().map(|port| (*port, Count::default())).collect();
    let frame = |source, port| {
        eth(mac_of("web1"), mac_of("db1"))
            .ipv4("10.0.0.11", "10.0.0.21")
            .udp(source, port)
            .payload(b"stream")
            .frame()
    };
    let established: Vec<_> = ports.iter().map(|port| (*port, frame(5000, *port))).collect();
    let mut fresh = 10_000..;
    while !done.load(Ordering::Relaxed) {
        let source = 10_000 + (fresh.next().unwrap_or_default() % 50_000) as u16;
        let new = ports.iter().map(|port| (*port, frame(source, *port)));
        for (port, frame) in established.iter().cloned().chain(new) {
            web1.send(&frame).unwrap();
            counts.entry(port).or_default().sent += 1;
        }
        receive(db1, Duration::ZERO, &mut counts);
        thread::sleep(PACE);
    }
    receive(db1, GRACE, &mut counts);
    counts
}

fn receive(db1: &Tap, limit: Duration, counts: &mut BTreeMap<u16, Count>) {
    while let Some(frame) = db1.recv(limit).unwrap() {
        if let Some(port) = frame.get(36..38).filter(|_| frame.get(23) == Some(&17)) {
            counts.entry(u16::from_be_bytes([port[0], port[1]])).or_default().arrived += 1;
        }
    }
}
