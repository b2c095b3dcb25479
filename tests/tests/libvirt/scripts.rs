//! `--install` and `--uninstall`, and the scripts as libvirt runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use super::{ADDRESSES, BRIDGE, MAC, UUID, apply, bridge, domain, nic, port, programs, tap};

const HOOKS: &str = "/run/hooks";
const SCRIPTS: [&str; 2] = ["/run/hooks/qemu.d/netctl", "/run/hooks/network.d/netctl"];

#[track_caller]
fn run(sandbox: &Sandbox, words: [&str; 4], xml: &str) -> Finished {
    fs::write("/run/hook.xml", xml).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" < /run/hook.xml", SCRIPTS[0]]).args(words);
    sandbox.finish(command).unwrap()
}

#[test]
fn the_scripts_are_written_and_removed_and_those_of_others_are_left_alone() {
    Sandbox::run(|sandbox| {
        let done = sandbox.netctl(["libvirt-hook", "--install", HOOKS, "--dry-run"]).expect_code(0);
        assert!(done.stdout.contains("/run/hooks/qemu.d/netctl:\n#!/bin/sh\n"), "{done}");
        assert!(!Path::new(HOOKS).exists());
        for _ in 0..2 {
            sandbox.netctl(["libvirt-hook", "--install", HOOKS]).expect_code(0);
        }
        for script in SCRIPTS {
            assert_eq!(fs::metadata(script).unwrap().permissions().mode() & 0o7777, 0o755);
        }
        let dry = sandbox.netctl(["libvirt-hook", "--uninstall", HOOKS, "--dry-run"]).expect_code(0);
        assert_eq!(dry.stdout, "- /run/hooks/qemu.d/netctl\n- /run/hooks/network.d/netctl\n");
        fs::write("/run/hooks/network.d/other", "#!/bin/sh\n").unwrap();
        sandbox.netctl(["libvirt-hook", "--uninstall", HOOKS]).expect_code(0);
        assert!(!Path::new("/run/hooks/qemu.d").exists() && Path::new("/run/hooks/network.d/other").exists());

        fs::create_dir_all("/run/hooks/qemu.d").unwrap();
        fs::write(SCRIPTS[0], "#!/bin/sh\nexit 0\n").unwrap();
        for verb in ["--install", "--uninstall"] {
            let done = sandbox.netctl(["libvirt-hook", verb, HOOKS]).expect_code(2);
            assert!(done.stderr.contains("is a script of someone else's; move it away"), "{done}");
        }
        assert_eq!(fs::read_to_string(SCRIPTS[0]).unwrap(), "#!/bin/sh\nexit 0\n");
    });
}

#[test]
fn the_name_of_a_domain_is_no_option() {
    Sandbox::run(|sandbox| {
        sandbox.netctl(["libvirt-hook", "--install", HOOKS]).expect_code(0);
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        apply(sandbox, BRIDGE);
        let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("bridge", MAC, "vnet0"));
        for name in ["--uninstall", "--help", "$(reboot)", "a b", "-"] {
            run(sandbox, [name, "start", "begin", "-"], &xml).expect_code(0);
            assert_eq!(programs("vnet0"), [1, 1], "{name}");
            run(sandbox, [name, "stopped", "end", "-"], &xml).expect_code(0);
        }
        assert!(Path::new(SCRIPTS[0]).exists());
        let done = run(sandbox, ["g1", "start", "begin", "-"], "<domain/>").expect_code(1);
        assert!(done.stderr.contains("has no UUID"), "{done}");
    });
}

#[test]
fn a_reconnect_does_not_fail_without_netctl() {
    Sandbox::run(|sandbox| {
        sandbox.netctl(["libvirt-hook", "--install", HOOKS]).expect_code(0);
        let text = fs::read_to_string(SCRIPTS[0]).unwrap();
        let program = text.lines().nth(2).unwrap().split(' ').next().unwrap();
        fs::write(SCRIPTS[0], text.replace(program, "/nonexistent/netctl")).unwrap();
        run(sandbox, ["g1", "reconnect", "begin", "-"], "").expect_code(0);
        let started = run(sandbox, ["g1", "start", "begin", "-"], "");
        assert_ne!(started.code, Some(0), "what cannot be asked does not agree");
    });
}
