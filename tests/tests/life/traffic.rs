//! Datagrams between `web1` (10.0.0.17) and `db1` (10.0.0.33), while something else happens to the host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use netctl_tests::frame::{Build, Carrier, eth, mac};
use netctl_tests::tap::Tap;

/// Allowed by every document here, and by none.
pub(crate) const ALLOWED: u16 = 1000;
pub(crate) const DENIED: u16 = 1003;

pub(crate) const RULE: &str = r#"{ allow = "udp/1000", from = "web", to = "db" }"#;

/// Between rounds: no queue overflows.
const PACE: Duration = Duration::from_micros(700);
/// For frames that are still on their way.
const GRACE: Duration = Duration::from_millis(300);
/// An established flow's.
const SOURCE: u16 = 5000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
}

/// What was sent, and what arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// By a rule, over a flow that is there and over new ones.
    pub(crate) allowed: Count,
    pub(crate) denied: Count,
    /// Only because there is a flow.
    pub(crate) answers: Count,
}

impl Counts {
    #[track_caller]
    pub(crate) fn assert_whole(&self, least: u64) {
        assert!(self.allowed.sent >= least, "hardly any traffic: {self:?}");
        assert_eq!(self.allowed.arrived, self.allowed.sent, "what both allow: {self:?}");
        assert_eq!(self.answers.arrived, self.answers.sent, "what belongs to a flow: {self:?}");
        assert_eq!(self.denied.arrived, 0, "what none allows: {self:?}");
    }
}

pub(crate) fn datagram(to_db: bool, [source, destination]: [u16; 2]) -> Vec<u8> {
    let (from, to) = ((0x11, "10.0.0.17"), (0x21, "10.0.0.33"));
    let (from, to) = if to_db { (from, to) } else { (to, from) };
    eth(mac(from.0), mac(to.0)).ipv4(from.1, to.1).udp(source, destination).payload(b"life").frame()
}

/// Ports of a datagram.
pub(crate) fn ports(frame: &[u8]) -> Option<[u16; 2]> {
    let ports =
        frame.get(34..38).filter(|_| frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&17))?;
    Some([u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]])])
}

/// Whether a datagram that both policies deny is denied, and one that both allow arrives. No waiting: the order is kept.
pub(crate) fn is_whole(web1: &Tap, db1: &Tap, limit: Duration) -> Result<(), String> {
    drain(db1);
    for port in [DENIED, ALLOWED] {
        web1.send(&datagram(true, [SOURCE, port])).unwrap();
    }
    loop {
        match db1.recv(limit).unwrap().as_deref().map(ports) {
            None => return Err("what both allow is denied".to_owned()),
            Some(Some([_, DENIED])) => return Err("what both deny is allowed".to_owned()),
            Some(Some([_, ALLOWED])) => return Ok(()),
            Some(_) => {}
        }
    }
}

pub(crate) fn drain(tap: &Tap) {
    while tap.recv(Duration::ZERO).unwrap().is_some() {}
}

/// Opens the flow whose answers are sent later.
pub(crate) fn open_flow(web1: &Tap, db1: &Tap, limit: Duration) {
    web1.send(&datagram(true, [SOURCE, ALLOWED])).unwrap();
    let wanted = |frame: &[u8]| ports(frame) == Some([SOURCE, ALLOWED]);
    assert!(db1.recv_matching(limit, wanted).unwrap().is_some(), "the flow does not open");
}

/// Whether an answer of the flow arrives, which no rule allows.
pub(crate) fn answer(web1: &Tap, db1: &Tap, limit: Duration) -> Result<(), String> {
    drain(web1);
    db1.send(&datagram(false, [ALLOWED, SOURCE])).unwrap();
    let wanted = |frame: &[u8]| ports(frame) == Some([ALLOWED, SOURCE]);
    let arrived = web1.recv_matching(limit, wanted).unwrap();
    arrived.map(drop).ok_or_else(|| "what belongs to a flow is denied".to_owned())
}

/// Sends while `work` runs.
pub(crate) fn during<T>(web1: &Tap, db1: &Tap, work: impl FnOnce() -> T) -> (T, Counts) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let streaming = scope.spawn(|| stream(web1, db1, &done));
        let end = End(&done);
        // Some of it before.
        thread::sleep(Duration::from_millis(50));
        let result = work();
        thread::sleep(Duration::from_millis(50));
        drop(end);
        (result, streaming.join().unwrap())
    })
}

/// Also if `work` panics, or the scope would wait for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stream(web1: &Tap, db1: &Tap, done: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    // Fewer than a port may have flows.
    let mut fresh = (10_000..12_000u16).cycle();
    while !done.load(Ordering::Relaxed) {
        let new = fresh.next().unwrap_or(SOURCE);
        for source in [SOURCE, new] {
            web1.send(&datagram(true, [source, ALLOWED])).unwrap();
            web1.send(&datagram(true, [source, DENIED])).unwrap();
        }
        db1.send(&datagram(false, [ALLOWED, SOURCE])).unwrap();
        counts.allowed.sent += 2;
        counts.denied.sent += 2;
        counts.answers.sent += 1;
        receive(web1, db1, Duration::ZERO, &mut counts);
        thread::sleep(PACE);
    }
    receive(web1, db1, GRACE, &mut counts);
    counts
}

fn receive(web1: &Tap, db1: &Tap, limit: Duration, counts: &mut Counts) {
    while let Some(frame) = db1.recv(limit).unwrap() {
        match ports(&frame) {
            Some([_, ALLOWED]) => counts.allowed.arrived += 1,
            Some([_, DENIED]) => counts.denied.arrived += 1,
            _ => {}
        }
    }
    while let Some(frame) = web1.recv(limit).unwrap() {
        counts.answers.arrived += u64::from(ports(&frame) == Some([ALLOWED, SOURCE]));
    }
}
