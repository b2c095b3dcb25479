//! The process of a relay: what it has, and when it ends.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::Signal;

use crate::lab::{BRIDGE, MACVLAN, SOON, relay, relays_of, status, wait_until, with};

/// A VMM that reads nothing and goes on until it is killed; its relay runs when this returns.
#[track_caller]
fn vmm(sandbox: &Sandbox, placeholder: &str) -> Running {
    // The shell's own argument is no VMM's option.
    let script = "echo begun $0; read line";
    let argument = format!("fd={placeholder}");
    let vmm = sandbox.start_netctl(["run", "web1", "--", "sh", "-c", script, &argument]);
    assert!(vmm.wait_for_line(SOON, |line| line.starts_with("begun fd=")).is_some(), "{:?}", vmm.said());
    vmm
}

#[track_caller]
fn is_free(sandbox: &Sandbox, port: &str) -> bool {
    let placeholder = format!("{{{port}.fds}}");
    sandbox.netctl(["run", port, "--", "true", &placeholder]).code == Some(0)
}

#[track_caller]
fn has_nothing(pid: u32) {
    for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&status(pid, key), 16), Ok(0), "{key}");
    }
    for (key, value) in [
        ("Uid", "65534 65534 65534 65534"),
        ("Gid", "65534 65534 65534 65534"),
        ("Groups", ""),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Threads", "1"),
    ] {
        assert_eq!(status(pid, key), value, "{key}");
    }
}

/// It holds no file system but the root.
#[track_caller]
fn is_nowhere(pid: u32) {
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
}

/// What the descriptors of a process are, without their numbers; sorted.
fn descriptors(pid: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let kind = |path: std::path::PathBuf| {
        let text = path.to_string_lossy().into_owned();
        text.split(":[").next().unwrap_or_default().to_owned()
    };
    let mut kinds: Vec<_> = links.map(|link| kind(fs::read_link(link.path()).unwrap())).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_relay_of_run_has_no_privileges_and_only_its_own_descriptors() {
    with(BRIDGE, |sandbox, _| {
        let vmm = vmm(sandbox, "{web1.stream}");
        let [pid] = relays_of(None)[..] else { panic!("one relay") };
        has_nothing(pid);
        is_nowhere(pid);
        assert_ne!(
            status(pid, "PPid"),
            vmm.pid().to_string(),
            "the VMM has no child that it does not know of"
        );
        // Standard error is the pipe.
        assert_eq!(descriptors(pid), ["/dev/net/tun", "/dev/null", "/dev/null", "pipe", "socket"]);
        let of_vmm = descriptors(vmm.pid());
        assert_eq!(of_vmm.iter().filter(|kind| *kind == "socket").count(), 1, "{of_vmm:?}");
        assert!(!of_vmm.iter().any(|kind| kind.contains("tun")), "{of_vmm:?}");
    });
}

#[test]
fn a_relay_ends_with_its_vmm_and_the_port_is_free_again() {
    for (network, placeholder) in [
        (BRIDGE, "{web1.stream}"),
        (BRIDGE, "{web1.dgram}"),
        (MACVLAN, "{web1.stream}"),
        (MACVLAN, "{web1.dgram}"),
    ] {
        with(network, |sandbox, _| {
            let mut vmm = vmm(sandbox, placeholder);
            assert_eq!(relays_of(None).len(), 1, "{placeholder}");
            let second = sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).expect_code(2);
            assert!(second.stderr.contains("port `web1` is in use by another process"), "{second}");
            vmm.kill();
            wait_until("the relay has ended", || relays_of(None).is_empty());
            wait_until("the port is free", || is_free(sandbox, "web1"));
        });
    }
}

#[test]
fn a_vmm_that_cannot_be_started_leaves_no_relay_and_a_dry_run_starts_none() {
    with(BRIDGE, |sandbox, _| {
        // It is there, and its interpreter is not.
        fs::write("/run/vmm", "#!/no/such\n").unwrap();
        fs::set_permissions("/run/vmm", fs::Permissions::from_mode(0o755)).unwrap();
        let done = sandbox.netctl(["run", "web1", "--", "/run/vmm", "{web1.stream}"]).expect_code(2);
        assert!(done.stderr.contains("cannot run `/run/vmm`"), "{done}");
        wait_until("the relay has ended", || relays_of(None).is_empty());
        wait_until("the port is free", || is_free(sandbox, "web1"));
        let done = sandbox.netctl(["run", "web1", "--dry-run", "--", "vmm", "{web1.stream}"]).expect_code(0);
        assert!(done.stdout.contains("vmm -netdev stream,id=web1,addr.type=fd,addr.str="), "{done}");
        assert_eq!(relays_of(None).len(), 0);
    });
}

#[test]
fn a_path_is_the_owners_alone_and_goes_with_the_relay() {
    with(BRIDGE, |sandbox, lab| {
        let path = Path::new("/run/web1.sock");
        let mut running = relay(sandbox, &["web1", "--listen", "unix:/run/web1.sock"]);
        let facts = fs::symlink_metadata(path).unwrap();
        assert_eq!((facts.permissions().mode() & 0o7777, facts.uid()), (0o600, 12345));
        let [pid] = relays_of(Some(running.pid()))[..] else { panic!("one process below") };
        has_nothing(pid);
        // One VMM after the other.
        for _ in 0..2 {
            drop(UnixStream::connect(path).unwrap());
        }
        running.signal(Signal::SIGINT);
        assert_eq!(running.wait(SOON).and_then(|status| status.code()), Some(0), "{:?}", running.said());
        assert!(!path.exists());
        assert_eq!(lab.stats("web1", FromGuest, Reason::SpoofedMac).unwrap(), 0);

        // The parent is killed: its child ends, and the port is free.
        let mut running = relay(sandbox, &["web1", "--listen", "unix:/run/web1.sock"]);
        running.kill();
        wait_until("the relay has ended", || relays_of(None).is_empty());
        wait_until("the port is free", || is_free(sandbox, "web1"));
        let again = sandbox.netctl(["relay", "web1", "--listen", "unix:/run/web1.sock"]).expect_code(2);
        assert!(
            again.stderr.contains("cannot listen on `unix:/run/web1.sock`: Address already in use"),
            "{again}"
        );
    });
}

#[test]
fn a_relay_ends_when_its_port_is_removed() {
    for network in [BRIDGE, MACVLAN] {
        with(network, |sandbox, _| {
            let mut running = relay(sandbox, &["web1", "--listen", "unix:/run/web1.sock"]);
            sandbox.ip("link delete web1");
            assert_eq!(running.wait(SOON).and_then(|status| status.code()), Some(2), "{:?}", running.said());
            let said = running.wait_for_line(SOON, |line| line.contains("the port is gone"));
            assert!(said.is_some(), "{:?}", running.said());
        });
    }
}
