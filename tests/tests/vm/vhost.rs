//! A guest whose frames the kernel moves itself: the programs are on the tap, and judge them as any other.

use std::fs;

use netctl_tests::sandbox::Sandbox;

use crate::lab::{WEB, apply, boot, check, counted};

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
        let [mut guest] = boot(sandbox, [WEB]);
        let line = fs::read(format!("/proc/{}/cmdline", guest.pid())).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains(",vhost=on,vhostfds="), "{line}");
        assert!(workers(guest.pid()) > 0, "vhost-net does not run for the guest");
        check(&mut guest, "patience:20");
        assert_eq!(check(&mut guest, "ping:10.0.0.1"), "ok");
        assert_eq!(check(&mut guest, "ping:fd00::1"), "ok");
        assert!(counted(sandbox, "web1", "from-guest", "rule") > 0, "its rule allowed it");
        check(&mut guest, "patience:5");
        let before = counted(sandbox, "web1", "from-guest", "default");
        assert_eq!(check(&mut guest, "connect:10.0.0.1:22"), "fail timeout");
        assert!(counted(sandbox, "web1", "from-guest", "default") > before, "the default denied it");
    });
}
