//! Guests on macvtaps on virtual functions: frames pass from one to the other, and the policy holds.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netctl::fd::{macvtap, tap};
use netctl_tests::frame::Mac;
use netctl_tests::guest::Guest;
use netctl_tests::tap::Tap;

use super::nic::{Nic, document, json, netctl};

const SOON: Duration = Duration::from_secs(30);
const NOT: Duration = Duration::from_secs(2);

fn two(pf: &str) -> String {
    format!(
        r#"
[networks.direct]
kind = "passthrough"
pool = {{ pf = "{pf}", vfs = 2 }}
[ports.web1]
network = "direct"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
[ports.web2]
network = "direct"
mac = "52:54:00:00:00:12"
addresses = ["10.0.0.12", "fd00::12"]
[policy]
default = "deny"
rules = [ {{ allow = ["tcp/80", "icmp/echo-request", "icmp6/echo-request"], from = "web1", to = "web2" }} ]
"#
    )
}

fn queue(port: &str) -> Tap {
    let queue = macvtap::open(port, 1, tap::Header::Virtio).unwrap().remove(0);
    Tap::of_queue(queue).unwrap()
}

fn guest(port: &str, last: u8) -> Guest {
    let (v4, v6) = (format!("10.0.0.{last:x}/24"), format!("fd00::{last:x}/64"));
    Guest::start(queue(port), [0x52, 0x54, 0, 0, 0, last], &[&v4, &v6]).unwrap()
}

/// Packets of a port, a direction and a reason.
fn counted(port: &str, direction: &str, reason: &str) -> u64 {
    let stats = json(&["stats", "--json"]);
    let rows = stats["ports"].as_array().unwrap().iter();
    let wanted = |row: &&serde_json::Value| {
        row["port"] == port && row["direction"] == direction && row["reason"] == reason
    };
    rows.filter(wanted).filter_map(|row| row["packets"].as_u64()).sum()
}

/// The NIC's link takes a while to come up, and drops frames until then.
fn wait_for_link(nic: &Nic) {
    let started = Instant::now();
    let up = |number| super::nic::link(&nic.own(number))["operstate"] == "UP";
    while !(up(0) && up(1)) {
        assert!(started.elapsed() < Duration::from_secs(30), "the functions have no link");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn guests_on_two_functions_reach_each_other_as_the_policy_says() {
    let nic = Nic::new();
    netctl(&["apply", &document("two", &two(&nic.pf))]);
    wait_for_link(&nic);
    let (web1, web2) = (guest("web1", 0x11), guest("web2", 0x12));
    let (v4, v6): (IpAddr, IpAddr) = ("10.0.0.12".parse().unwrap(), "fd00::12".parse().unwrap());
    web2.tcp_listen(80);
    web2.tcp_listen(81);
    assert!(web1.ping(v4, SOON), "IPv4, with ARP by broadcast");
    let connection = web1.tcp_connect(v4, 80, SOON).expect("the rule allows it");
    assert!(connection.send(b"hello", SOON));
    assert!(web1.ping(v6, SOON), "IPv6, with neighbor discovery by multicast");
    let before = counted("web1", "from-guest", "default");
    assert!(web1.tcp_connect(v4, 81, NOT).is_err(), "no rule allows it");
    assert!(counted("web1", "from-guest", "default") > before);
    let before = counted("web2", "from-guest", "default");
    assert!(!web2.ping("10.0.0.11".parse().unwrap(), NOT), "not in this direction");
    assert!(counted("web2", "from-guest", "default") > before);
}

#[test]
fn a_guest_cannot_take_another_address() {
    let nic = Nic::new();
    netctl(&["apply", &document("two", &two(&nic.pf))]);
    wait_for_link(&nic);
    let web1 = queue("web1");
    let spoofed: Mac = [0x52, 0x54, 0, 0, 0, 0x99];
    let mut frame = vec![0x52, 0x54, 0, 0, 0, 0x12];
    frame.extend(spoofed);
    // LLDP: nothing in it is looked at before the address.
    frame.extend([0x88, 0xcc]);
    frame.resize(60, 0);
    let before = counted("web1", "from-guest", "spoofed-mac");
    web1.send(&frame).unwrap();
    assert_eq!(counted("web1", "from-guest", "spoofed-mac"), before + 1);
}
