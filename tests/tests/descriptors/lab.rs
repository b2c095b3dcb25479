//! A host with a network of taps and one of macvtaps, and what `netctl fd inspect` says there.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use serde_json::Value;

const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"

[networks.outside]
kind = "macvlan"
uplinks = ["eth3"]

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11"]

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21"]
queues = 4

[ports.mail1]
network = "outside"
mac = "52:54:00:00:00:31"
addresses = ["10.0.1.31"]
queues = 4

[policy]
default = "deny"
rules = []
"#;

/// Runs a test where the document is applied.
pub(crate) fn host(test: impl FnOnce(&Sandbox) + Send) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("eth3").unwrap();
        fs::write("/run/host.toml", DOCUMENT).unwrap();
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        test(sandbox);
    });
}

/// How `netctl fd inspect` calls a descriptor of this process.
pub(crate) fn mine(fd: &impl AsFd) -> String {
    format!("pid:{}/{}", std::process::id(), fd.as_fd().as_raw_fd())
}

/// The one descriptor that a target stands for, as JSON.
#[track_caller]
pub(crate) fn inspected(sandbox: &Sandbox, target: &str) -> Value {
    let all = sandbox.netctl(["fd", "inspect", target, "--json"]).expect_code(0).json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    all[0].clone()
}
