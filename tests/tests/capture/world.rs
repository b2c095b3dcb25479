//! Two guests without an operating system, a policy with every verdict, and captures in the background.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::{self, FromGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build, Carrier, Mac, eth, mac};
use netctl_tests::lab::Lab;
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::{Options, Tap};
use nix::sys::signal::Signal;

pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const WEB1: Mac = mac(11);
pub(crate) const DB1: Mac = mac(21);

/// Rule 1 is on line 13.
const DOCUMENT: &str = r#"[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:0b"
addresses = ["10.0.0.11"]
[ports.db1]
network = "lab"
mac = "52:54:00:00:00:15"
addresses = ["10.0.0.21"]
[policy]
rules = [
  { allow = ["tcp/80", "udp/53"], from = "web1", to = "db1", name = "all \"well\"" },
  { deny = "udp/99", from = "web1", to = "db1" },
  { reject = "udp/23", from = "web1", to = "db1", name = "no telnet" },
  { deny = "udp/7", from = "web1", to = "db1", audit = true },
  { allow = "udp/7", from = "web1", to = "db1" },
]
"#;

pub(crate) struct World<'s> {
    pub(crate) sandbox: &'s Sandbox,
    pub(crate) lab: Lab<'s>,
    pub(crate) web1: Tap,
    /// Open, so that frames to it are not dropped before its programs.
    _db1: Tap,
}

/// Runs a test with more keys at `web1`.
pub(crate) fn in_world_with(keys: &str, test: impl FnOnce(&World<'_>) + Send) {
    let document = DOCUMENT.replacen("[ports.db1]", &format!("{keys}[ports.db1]"), 1);
    Sandbox::run(|sandbox| {
        let lab = Lab::bare(sandbox, &document).unwrap();
        let options = Options { header_len: 12, offloads: true };
        let [web1, db1] = ["web1", "db1"].map(|name| lab.tap_with(name, options).unwrap());
        fs::create_dir("/run/capture").unwrap();
        test(&World { sandbox, lab, web1, _db1: db1 });
    });
}

pub(crate) fn in_world(test: impl FnOnce(&World<'_>) + Send) {
    in_world_with("", test);
}

/// A datagram from `web1` to `db1`.
pub(crate) fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    eth(WEB1, DB1).ipv4("10.0.0.11", "10.0.0.21").udp(5000, port).payload(payload).frame()
}

impl World<'_> {
    /// Sends from `web1`, and waits until that was counted there with this reason.
    #[track_caller]
    pub(crate) fn send(&self, frame: &[u8], reason: Reason) {
        let at = ("web1", FromGuest, reason);
        let before = self.count(at);
        self.web1.send(frame).unwrap();
        self.lab.wait_stats(at, before + 1).unwrap();
    }

    pub(crate) fn count(&self, (port, direction, reason): (&str, Direction, Reason)) -> u64 {
        self.lab.stats(port, direction, reason).unwrap()
    }

    /// `netctl capture WORDS -w FILE`, when it has begun.
    #[track_caller]
    pub(crate) fn capture(&self, words: &str, file: &str) -> Running {
        let path = path(file);
        let words = words.split_whitespace().chain(["-w", &path]);
        let running = self.sandbox.start_netctl(["capture"].into_iter().chain(words));
        let deadline = Instant::now() + SOON;
        // The head of the file comes when frames are already captured.
        while fs::metadata(&path).map_or(0, |facts| facts.len()) == 0 {
            assert!(Instant::now() < deadline, "no capture: {:?}", running.said());
            thread::sleep(Duration::from_millis(5));
        }
        running
    }

    /// tshark's fields of each packet in a file.
    #[track_caller]
    pub(crate) fn read(&self, file: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut tshark = Command::new("tshark");
        tshark.env("HOME", "/run").args(["-n", "-r", &path(file), "-T", "fields", "-E", "separator=\x1f"]);
        tshark.args(["-o", "ip.defragment:FALSE"]);
        for field in fields {
            tshark.args(["-e", field]);
        }
        let done = self.sandbox.finish(tshark).unwrap().expect_code(0);
        assert!(!done.stderr.contains("cut short"), "{done}");
        done.stdout.lines().map(|line| line.split('\x1f').map(str::to_owned).collect()).collect()
    }

    #[track_caller]
    pub(crate) fn comments(&self, file: &str) -> Vec<String> {
        self.read(file, &["frame.comment"]).into_iter().map(|mut fields| fields.remove(0)).collect()
    }
}

pub(crate) fn path(file: &str) -> String {
    Path::new("/run/capture").join(file).display().to_string()
}

/// ^C, and what it says then.
#[track_caller]
pub(crate) fn end(mut capture: Running) -> Vec<String> {
    capture.signal(Signal::SIGINT);
    ended(&mut capture)
}

#[track_caller]
pub(crate) fn ended(capture: &mut Running) -> Vec<String> {
    let status = capture.wait(SOON).unwrap_or_else(|| panic!("it goes on: {:?}", capture.said()));
    assert_eq!(status.code(), Some(0), "{:?}", capture.said());
    assert!(capture.wait_for_line(SOON, |line| line.contains("frames captured")).is_some());
    // The rest comes with the same write, or soon.
    thread::sleep(Duration::from_millis(100));
    capture.said()
}
