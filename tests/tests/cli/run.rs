//! What a monitor has that `netctl run` became: its descriptors, its user, and nothing where something is wrong.

use std::fs;

use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

/// Closes what the shell itself was started with, so that numbers from 3 on are free.
const CLEAN: &str = "for fd in /proc/$$/fd/*; do n=${fd##*/}; [ $n -le 2 ] || eval \"exec $n>&-\"; done; ";

fn with_ports(test: impl FnOnce(&Lab<'_>) + Send) {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        test(&lab);
    });
}

/// What there is: the document, the interfaces, what is pinned.
fn left(lab: &Lab<'_>) -> String {
    lab.sh("netctl show; ls /sys/class/net; find /sys/fs/bpf").stdout
}

/// One sentence, exit 2, and nothing more than before.
#[track_caller]
fn refused(lab: &Lab<'_>, line: &str, wanted: &str) -> Finished {
    let before = left(lab);
    let done = lab.sh(line).expect_code(2);
    assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
    assert_eq!(done.stderr.lines().count(), 1, "more than a sentence\n{done}");
    assert_eq!(left(lab), before, "{line}");
    done
}

#[test]
fn a_monitor_gets_its_descriptors_as_a_service_manager_passes_them() {
    with_ports(|lab| {
        let monitor = "echo $LISTEN_FDS $LISTEN_FDNAMES $0; [ $LISTEN_PID = $$ ] && echo its own; \
                       readlink /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5";
        let line = format!("{CLEAN} netctl run web1 db1 --listen-fds -- sh -c '{monitor}' '{{db1.fds}}'");
        // readlink fails for number 5, which is not there.
        let done = lab.sh(&line).expect_code(1);
        assert_eq!(done.stdout, "2 web1:db1 4\nits own\n/dev/net/tun\n/dev/net/tun\n");
        let shown =
            lab.sh(&format!("{CLEAN} netctl run db1 --listen-fds --dry-run -- vmm -x")).expect_code(0);
        assert!(shown.stdout.ends_with(" LISTEN_FDS=1 LISTEN_FDNAMES=db1 vmm -x\n"), "{shown}");
    });
}

#[test]
fn a_descriptor_that_was_there_is_neither_lost_nor_overwritten() {
    with_ports(|lab| {
        refused(
            lab,
            &format!("{CLEAN} netctl run web1 --listen-fds -- true 3</dev/zero"),
            "descriptor 3 is taken: netctl was started with it",
        );
        let line = "netctl run web1 -- sh -c 'readlink /proc/$$/fd/7' '{web1.fds}' 7</dev/zero";
        assert_eq!(lab.sh(line).expect_code(0).stdout, "/dev/zero\n", "what netctl was given is passed on");
    });
}

#[test]
fn the_monitor_of_a_user_has_that_users_rights_and_no_way_to_others() {
    with_ports(|lab| {
        let status =
            "grep -E \"^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)\" /proc/self/status; echo $USER";
        let done = lab.sh(&format!("netctl run web1 --user nobody -- sh -c '{status}' '{{web1.fds}}'"));
        let facts = done.expect_code(0).stdout;
        let facts: Vec<Vec<&str>> = facts.lines().map(|line| line.split_whitespace().collect()).collect();
        let id = lab.sh("id -u nobody").stdout;
        let group = lab.sh("id -g nobody").stdout;
        assert_eq!(facts[0][1..], [id.trim(); 4]);
        assert_eq!(facts[1][1..], [group.trim(); 4]);
        assert_eq!(facts[2][1..], [group.trim()], "no group of root's");
        let none = "0000000000000000";
        let capabilities = facts.iter().filter(|fact| fact[0].starts_with("Cap"));
        assert_eq!(capabilities.map(|fact| fact[1]).collect::<Vec<_>>(), [none; 4]);
        assert_eq!(facts[7], ["NoNewPrivs:", "1"]);
        assert_eq!(facts[8], ["nobody"]);
    });
}

#[test]
fn qemu_of_an_ordinary_user_takes_the_queues_that_it_could_not_open() {
    with_ports(|lab| {
        let qemu = "qemu-system-x86_64 -nodefaults -display none -S -accel tcg -monitor stdio '{web1}'";
        let line = format!("printf 'info network\\nquit\\n' | netctl run web1 --user nobody -- {qemu}");
        let done = lab.sh(&line).expect_code(0);
        assert!(done.stdout.contains("type=tap,fd="), "{done}");
    });
}

#[test]
fn what_cannot_be_started_leaves_nothing() {
    with_ports(|lab| {
        for (line, wanted) in [
            ("netctl run web1 -- ./missing '{web1.fds}'", "no program `./missing`; give its path"),
            ("netctl run web1 -- no-such-vmm '{web1.fds}'", "no program `no-such-vmm`; give its path"),
            ("netctl run web1 -- true '{web1}'", "options of `true` for a NIC are not known"),
            (
                "netctl run web1 -- true '{web1.fds}' '{web2.fds}'",
                "`{web2.fds}` names no port of this command",
            ),
            ("netctl run web1 web1 -- true '{web1.fds}'", "port `web1` is named twice"),
            ("netctl run web1 --user root -- true '{web1.fds}'", "user `root` is root"),
            ("netctl run web1 --user noone -- true '{web1.fds}'", "no user `noone` on this host"),
            ("netctl run web1 --vmm firecracker -- true '{web1.fds}'", "firecracker takes no descriptors"),
        ] {
            refused(lab, line, wanted);
        }
        lab.sh("netctl run web1 -- true '{web1.fds}'").expect_code(0);
    });
}

#[test]
fn a_port_whose_programs_someone_took_off_is_not_opened() {
    with_ports(|lab| {
        let taken = lab.sh("find /sys/fs/bpf/netctl -path '*links*' -name '*web1*' -print -delete; tc qdisc del dev web1 clsact");
        assert!(taken.stdout.contains("web1"), "{taken}");
        let wanted = "port `web1` is not filtered: netctl's programs are not on `web1`, so it is not opened";
        for line in [
            "netctl run web1 -- true '{web1.fds}'",
            "netctl run db1 web1 -- true '{web1.fds}' '{db1.fds}'",
            "netctl open web1 --socket vmm.sock",
            "netctl open web1 --for firecracker",
        ] {
            refused(lab, line, wanted);
        }
        lab.sh("netctl run db1 -- true '{db1.fds}'").expect_code(0);
        lab.apply();
        lab.sh("netctl run web1 -- true '{web1.fds}'").expect_code(0);
    });
}

#[test]
fn an_interface_that_took_the_place_of_a_ports_is_not_opened() {
    with_ports(|lab| {
        lab.sh("ip link del web1 && ip tuntap add web1 mode tap vnet_hdr && ip link set web1 master lab up")
            .expect_code(0);
        refused(lab, "netctl run web1 -- true '{web1.fds}'", "port `web1` is not filtered");
    });
}

#[test]
fn a_monitor_that_opens_its_tap_by_name_is_told_of_a_free_one() {
    with_ports(|lab| {
        // Firecracker's: by its base name. It is a shell here, that tells what it got.
        let program = "/run/programs/firecracker";
        fs::write(program, "#!/bin/sh\necho $1; ls -l /proc/$$/fd | grep -c /dev/net/tun\n").unwrap();
        lab.sh(&format!("chmod +x {program}")).expect_code(0);
        let done = lab.sh("netctl run web1 -- firecracker '{web1.ifname}'").expect_code(1);
        assert_eq!(done.stdout, "web1\n0\n", "no descriptor is handed over");
        let wanted = "put what `netctl open web1 --for firecracker` prints into its configuration";
        refused(lab, "netctl run web1 -- firecracker '{web1}'", wanted);
    });
}
