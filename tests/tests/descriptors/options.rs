//! Options of a port, from the document to the queue that `netctl run` hands over, and the policy behind them.

use std::fs::{self, File};
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netctl::fd::tap::{self, Napi, Options};
use netctl_common::verdict::{Direction, Reason};
use netctl_tests::cli;
use netctl_tests::frame::{BROADCAST, Build, Mac, eth};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use serde_json::{Value, json};

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
tap = { header-size = 12, offloads = ["csum", "tso4"], sndbuf = 1048576, napi = true }

[ports.bare1]
network = "lab"
mac = "52:54:00:00:00:12"
addresses = ["10.0.0.12"]
owner-group = "root"
tap = { vnet-header = false }

[ports.mail1]
network = "outside"
mac = "52:54:00:00:00:31"
addresses = ["10.0.1.31"]
queues = 2
tap = { header-size = 12, offloads = ["csum"], sndbuf = 262144 }

[policy]
default = "deny"
rules = [{ allow = "udp/53", from = "any", to = "any" }]
"#;

/// What the queues of a port are when `netctl run` hands them over.
#[track_caller]
fn handed_over(sandbox: &Sandbox, port: &str) -> Value {
    let netctl = cli::binary().unwrap();
    let each = "netctl=$0; set -- $(echo \"$1\" | tr : ' '); exec \"$netctl\" fd inspect --json \"$@\"";
    let words = ["run", port, "--", "sh", "-c", each, netctl.to_str().unwrap(), &format!("{{{port}.fds}}")];
    sandbox.netctl(words).expect_code(0).json()
}

#[test]
fn netctl_run_opens_a_port_as_the_document_says() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("eth3").unwrap();
        fs::write("/run/host.toml", DOCUMENT).unwrap();
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        let web = handed_over(sandbox, "web1");
        assert_eq!(web[0]["flags"], json!(["tap", "no_pi", "vnet_hdr", "napi", "persist"]));
        assert_eq!((&web[0]["header_bytes"], &web[0]["sndbuf"]), (&json!(12), &json!(1_048_576)));
        let bare = handed_over(sandbox, "bare1");
        assert_eq!(
            (&bare[0]["flags"], &bare[0]["header_bytes"]),
            (&json!(["tap", "no_pi", "persist"]), &json!(null))
        );
        let mail = handed_over(sandbox, "mail1");
        assert_eq!(mail.as_array().map(Vec::len), Some(2));
        for queue in mail.as_array().unwrap() {
            assert_eq!(queue["flags"], json!(["tap", "no_pi", "vnet_hdr", "multi_queue"]));
            assert_eq!(queue["header_bytes"], 12);
        }
        assert!(sandbox.netctl(["show"]).expect_code(0).stdout.contains("napi = true }"));
        // What is set when the port is opened is no change of the interface.
        fs::write("/run/other.toml", DOCUMENT.replace("header-size = 12, ", "")).unwrap();
        let done = sandbox.netctl(["apply", "/run/other.toml"]).expect_code(0);
        assert!(!done.stdout.contains("web1"), "{done}");
        assert_eq!(handed_over(sandbox, "web1")[0]["header_bytes"], 10);
    });
}

/// Frames that the driver hands over in pieces meet the same programs.
#[test]
fn a_guest_behind_napi_is_under_the_same_policy() {
    const NETWORK: &str = "[networks.lab]\nkind = \"bridge\"\n";
    const PORT: &str =
        "[ports.web1]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:11\"\naddresses = [\"10.0.0.11\"]\n";
    const WEB: Mac = [0x52, 0x54, 0, 0, 0, 0x11];
    Sandbox::run(|sandbox| {
        let lab = Lab::bare(sandbox, &format!("{NETWORK}{PORT}[policy]\ndefault = \"deny\"\n")).unwrap();
        for (round, napi) in (1..).zip([Napi::On, Napi::Frags]) {
            let mut queues = tap::open("web1", 1, Options { napi, ..Options::default() }).unwrap();
            let mut queue = File::from(queues.remove(0));
            let mut send = |frame: Vec<u8>| queue.write_all(&[&[0; 10][..], &frame].concat()).unwrap();
            send(eth(WEB, BROADCAST).arp_request("10.0.0.11", "10.0.0.1").frame());
            send(eth(WEB, BROADCAST).arp_request("10.0.0.12", "10.0.0.1").frame());
            send(eth([0x52, 0x54, 0, 0, 0, 0x99], BROADCAST).arp_request("10.0.0.11", "10.0.0.1").frame());
            for reason in [Reason::Arp, Reason::SpoofedArp, Reason::SpoofedMac] {
                let counted = lab.wait_stats(("web1", Direction::FromGuest, reason), round).unwrap();
                assert_eq!(counted, round, "{reason:?} with {napi:?}");
            }
            drop(queue);
            free("web1");
        }
    });
}

/// A child that another test is starting may hold the queue a moment longer.
#[track_caller]
fn free(interface: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(format!("/sys/class/net/{interface}/carrier")).unwrap().trim() == "1" {
        assert!(Instant::now() < deadline, "{interface} is still open");
        sleep(Duration::from_millis(5));
    }
}
