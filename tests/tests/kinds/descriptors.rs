//! The queues of macvtaps, as `netctl run` and a library user get them: those of the port and of no other interface,
//! as many as it has, and only for one process.

use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netctl::fd::macvtap;
use netctl::fd::tap::Header;
use netctl_tests::frame::{BROADCAST, Build, Carrier, eth};
use netctl_tests::lab::Lab;
use netctl_tests::monitor::Monitor;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::SOON;
use super::kind::{self, DB1, MACVLAN, WEB1, WORLD, policy};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];

/// Without a virtio header's contents: no offloads.
const HEADER: [u8; 10] = [0; 10];

/// A frame that passes every policy, and tells of a target that nobody has.
fn claim(number: u8) -> Vec<u8> {
    eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, format!("10.0.0.{number}").as_str()).frame()
}

fn index(interface: &str) -> u32 {
    fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).unwrap().trim().parse().unwrap()
}

/// The node `/dev/tapINDEX` is one for both, if there is one at all.
#[test]
fn interfaces_of_one_index_in_two_namespaces_are_two_macvtaps() {
    let worlds = [(); 2].map(|()| Sandbox::new().unwrap());
    let monitors = worlds.each_ref().map(|sandbox| {
        sandbox.enter(|| {
            let switch = Switch::new(sandbox, "switch").unwrap();
            MACVLAN.wire(&switch);
            Lab::bare(sandbox, &MACVLAN.document(RULES)).unwrap();
            (index("web1"), Monitor::on("up0").unwrap())
        })
    });
    assert_eq!(monitors[0].0, monitors[1].0, "the test shows nothing");
    for (number, sandbox) in worlds.iter().enumerate() {
        let (by_library, by_run) = (claim(1), claim(2));
        sandbox.enter(|| {
            let queues = macvtap::open("web1", 1, Header::Virtio).unwrap();
            nix::unistd::write(queues[0].as_fd(), &[&HEADER[..], &by_library].concat()).unwrap();
            drop(queues);
            run_and_send(sandbox, &by_run);
        });
        assert_eq!(monitors[number].1.frames().unwrap(), [by_library, by_run], "namespace {number}");
        assert_eq!(monitors[1 - number].1.frames().unwrap(), Vec::<Vec<u8>>::new(), "the other namespace");
    }
}

/// `netctl run` of a shell that writes the frame to the port's one queue.
fn run_and_send(sandbox: &Sandbox, frame: &[u8]) {
    fs::write("/run/frame", [&HEADER[..], frame].concat()).unwrap();
    let command = ["run", "web1", "--", "bash", "-c", "cat /run/frame >&$0", "{web1.fds}"];
    let deadline = Instant::now() + SOON;
    loop {
        let done = sandbox.netctl(command);
        // A process that another test has just started may still hold the queue that was dropped.
        if done.code == Some(0) || Instant::now() > deadline {
            done.expect_code(0);
            return;
        }
    }
}

#[test]
fn a_macvtap_that_a_guest_holds_is_not_opened_again() {
    kind::without_guests(&MACVLAN, RULES, |host| {
        let mut guest = host.sandbox.start_netctl([
            "run",
            "web1",
            "--",
            "sh",
            "-c",
            "echo up; exec sleep 60",
            "{web1.fds}",
        ]);
        assert!(guest.wait_for_line(SOON, |line| line == "up").is_some(), "{:?}", guest.said());
        let second = host.sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).expect_code(2);
        let wanted = "port `web1` is in use by another process; stop the guest that holds `web1`";
        assert!(second.stderr.contains(wanted), "{second}");
        host.sandbox.netctl(["run", "db1", "--", "true", "{db1.fds}"]).expect_code(0);
        guest.kill();
        // A process that another test has just started may hold what this one had, for a moment.
        let deadline = Instant::now() + SOON;
        while host.sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).code != Some(0) {
            assert!(Instant::now() < deadline, "web1 is in use for ever");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_macvtap_of_two_queues_hands_over_both_and_uses_both() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        MACVLAN.wire(&switch);
        let world = switch.station("world").unwrap();
        let text = MACVLAN.network("lab") + &WEB1.port() + &DB1.port() + "queues = 2\n" + &policy(RULES);
        let lab = Lab::bare(sandbox, &text).unwrap();

        let monitor = Monitor::on("up0").unwrap();
        let frames = [1, 2].map(|number| {
            eth(DB1.mac, BROADCAST).arp_request(DB1.v4, format!("10.0.0.{number}").as_str()).frame()
        });
        for (number, frame) in frames.iter().enumerate() {
            fs::write(format!("/run/frame{number}"), [&HEADER[..], frame].concat()).unwrap();
        }
        let script = "a=${0%:*}; b=${0#*:}; test $a != $b && cat /run/frame0 >&$a && cat /run/frame1 >&$b";
        sandbox.netctl(["run", "db1", "--", "bash", "-c", script, "{db1.fds}"]).expect_code(0);
        assert_eq!(monitor.frames().unwrap(), frames);

        let queues = [(); 2].map(|()| lab.tap("db1").unwrap());
        const DATAGRAMS: u16 = 64;
        for port in 0..DATAGRAMS {
            let frame = eth(WORLD.mac, DB1.mac).ipv4(WORLD.v4, DB1.v4).udp(5000 + port, 53).frame();
            world.send(&frame).unwrap();
        }
        let deadline = Instant::now() + SOON;
        let mut counts = [0; 2];
        while counts.iter().sum::<usize>() < usize::from(DATAGRAMS) && Instant::now() < deadline {
            for (count, queue) in counts.iter_mut().zip(&queues) {
                *count += queue.drain().unwrap();
            }
        }
        assert_eq!(counts.iter().sum::<usize>(), usize::from(DATAGRAMS), "{counts:?}");
        assert!(counts.iter().all(|count| *count > 0), "flows are spread over both: {counts:?}");
    });
}
