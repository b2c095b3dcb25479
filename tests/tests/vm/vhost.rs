//! A guest whose frames the kernel moves itself: the programs are on the tap, and judge them as any other.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netctl_tests::sandbox::Sandbox;

use crate::lab::{apply, apply_with, counted};

/// The guest is emulated on an emulated machine.
const SOON: Duration = Duration::from_secs(400);

/// The smallest guest that uses its NIC: firmware that asks for an address to boot from. Linux takes longer to boot there
/// than anyone waits.
const FIRMWARE: [&str; 16] = [
    "run",
    "web1",
    "--",
    "qemu-system-x86_64",
    "-machine",
    "q35,accel=tcg",
    "-m",
    "64M",
    "-nodefaults",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-boot",
    "order=n",
    "{web1}",
];

/// Threads of vhost-net that work for QEMU: kernel threads before Linux 6.4, threads of its own since.
fn workers(pid: u32) -> usize {
    let name = format!("vhost-{pid}");
    let is_it = |path: std::path::PathBuf| fs::read_to_string(path).is_ok_and(|text| text.trim() == name);
    let own = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let all = fs::read_dir("/proc").unwrap();
    own.chain(all).flatten().filter(|entry| is_it(entry.path().join("comm"))).count()
}

#[test]
#[ignore = "needs /dev/vhost-net; `cargo xtask lab` has it"]
fn a_guest_on_vhost_net_is_under_the_same_policy() {
    Sandbox::run(|sandbox| {
        apply(sandbox);
        let mut guest = sandbox.start_netctl(FIRMWARE);
        let deadline = Instant::now() + SOON;
        let mut wait_for_more = |reason: &str| {
            let before = counted(sandbox, "web1", "from-guest", reason);
            while counted(sandbox, "web1", "from-guest", reason) == before {
                let ended = guest.wait(Duration::ZERO);
                assert!(
                    ended.is_none() && Instant::now() < deadline,
                    "{reason}: {ended:?} {:?}",
                    guest.said()
                );
                sleep(Duration::from_millis(200));
            }
        };
        wait_for_more("default");
        apply_with(sandbox, r#"{ allow = "udp/67", from = "web", to = "broadcast" }"#);
        wait_for_more("rule");
        let line = fs::read(format!("/proc/{}/cmdline", guest.pid())).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains(",vhost=on,vhostfds="), "{line}");
        assert!(workers(guest.pid()) > 0, "vhost-net does not run for the guest");
        guest.kill();
    });
}
