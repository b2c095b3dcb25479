//! A host that is not as netctl needs it: one sentence with the next step, exit code 2, and nothing left half-made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

/// Interfaces, and what is pinned; for a host on which nothing was applied.
#[track_caller]
fn left(lab: &Lab<'_>) -> String {
    lab.sh("ip -oneline link; find /sys/fs/bpf /run/netctl 2>/dev/null").stdout
}

/// `line` cannot run, says `wanted` in one line, and leaves the host as it was.
#[track_caller]
fn cannot_run(lab: &Lab<'_>, line: &str, wanted: &[&str]) -> Finished {
    let before = left(lab);
    let done = lab.sh(line).expect_code(2);
    assert!(done.stderr.starts_with("netctl: "), "{done}");
    assert_eq!(done.stderr.lines().count(), 1, "more than a sentence\n{done}");
    for word in wanted {
        assert!(done.stderr.contains(word), "no `{word}`\n{done}");
    }
    assert_eq!(left(lab), before, "something is left behind\n{done}");
    done
}

const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups /run/netctl-for-all";

/// Programs in the build folder may be out of another user's reach.
fn for_all() {
    let path = Path::new("/run/netctl-for-all");
    fs::copy(cli::binary().unwrap(), path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_root_every_command_says_how_to_get_it() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        for_all();
        lab.sh(&format!("{NOBODY} check host.toml")).expect_code(0);
        cannot_run(&lab, &format!("{NOBODY} apply host.toml"), &["run as root"]);
        lab.apply();
        for command in [
            "apply host.toml",
            "diff host.toml",
            "show",
            "down",
            "network list",
            "port list",
            "flows",
            "stats",
            "events",
            "map list",
            "explain web1 db1 tcp/5432",
            "run web1 -- true '{web1.fds}'",
        ] {
            cannot_run(&lab, &format!("{NOBODY} {command}"), &["run as root"]);
        }
    });
}

#[test]
fn without_a_capability_nothing_is_left_half_made() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        for (gone, wanted) in [("bpf,-sys_admin", "CAP_BPF"), ("net_admin", "CAP_NET_ADMIN")] {
            let less = format!("setpriv --bounding-set=-{gone} --inh-caps=-{gone}");
            cannot_run(&lab, &format!("{less} netctl apply host.toml"), &["run as root", wanted]);
        }
        lab.apply();
    });
}

#[test]
fn without_a_bpf_file_system_the_mount_command_is_shown() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let step = "mount one with `mount -t bpf bpf /run/lab`";
        for command in ["apply host.toml", "show", "stats"] {
            cannot_run(
                &lab,
                &format!("netctl --bpffs /run/lab {command}"),
                &["/run/lab is no BPF file system", step],
            );
        }
        lab.sh("umount /sys/fs/bpf").expect_code(0);
        cannot_run(&lab, "netctl apply host.toml", &["mount -t bpf bpf /sys/fs/bpf"]);
    });
}

#[test]
fn pins_in_a_folder_of_another_user_are_not_trusted() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.sh("mkdir /sys/fs/bpf/netctl && chown 65534 /sys/fs/bpf/netctl").expect_code(0);
        let wanted = "/sys/fs/bpf/netctl was made by another user (uid 65534)";
        for command in ["apply host.toml", "show"] {
            cannot_run(&lab, &format!("netctl {command}"), &[wanted, "remove it"]);
        }
        lab.sh("rmdir /sys/fs/bpf/netctl").expect_code(0);
        lab.apply();
        let mode = lab.sh("stat -c %a /sys/fs/bpf/netctl /sys/fs/bpf/netctl/v*").stdout;
        assert_eq!(mode, "700\n700\n", "another user could look or write");
    });
}

#[test]
fn before_the_first_apply_the_way_to_start_is_shown() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        for command in ["show", "stats", "run web1 -- true '{web1.fds}'", "explain web1 db1 tcp/1"] {
            cannot_run(
                &lab,
                &format!("netctl {command}"),
                &["not running here", "`netctl apply FILE` starts it"],
            );
        }
        assert_eq!(lab.sh("netctl down").expect_code(0).stdout, "");
    });
}

/// The first line says how many things do not fit; each has a line of its own.
#[track_caller]
fn does_not_fit(lab: &Lab<'_>, wanted: &str) {
    let before = left(lab);
    let done = lab.sh("netctl apply host.toml").expect_code(2);
    assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
    assert_eq!(left(lab), before, "something is left behind\n{done}");
}

#[test]
fn an_interface_of_someone_else_keeps_its_name() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        sandbox.ip("link add web1 type veth peer name other");
        does_not_fit(&lab, "line 5: port `web1` needs an interface `web1`, but that name is taken");
        sandbox.ip("link del web1");
        sandbox.ip("tuntap add dev db1 mode tap");
        does_not_fit(&lab, "line 11: port `db1` needs an interface `db1`, but that name is taken");
        sandbox.ip("link del db1");
        sandbox.ip("link add lab type veth peer name other");
        does_not_fit(&lab, "network `lab` needs a bridge `lab`, but that name is taken");
        sandbox.ip("link del lab");
        lab.apply();
    });
}

#[test]
fn down_leaves_what_is_not_its_own() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        sandbox.ip("link add mine type bridge");
        let before = left(&lab);
        lab.apply();
        lab.sh("netctl down").expect_code(0);
        assert_eq!(left(&lab), before);
    });
}
