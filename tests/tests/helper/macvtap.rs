//! Ports of macvtap networks: their device is opened by the node that devtmpfs made, with two capabilities more.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use netctl::fd::tap;
use netctl_tests::sandbox::Sandbox;

use crate::world::{ALICE, BOB, GRANTS, World, put};

const CAPABILITIES: &str = "cap_net_admin,cap_dac_override,cap_sys_ptrace+p";

fn macvlan(sandbox: &Sandbox) -> World<'_> {
    let world = World::new(sandbox);
    sandbox.ip("link add up0 type veth peer name far0");
    sandbox.ip("link set far0 up");
    world.apply("[networks.direct]\nkind = \"macvlan\"\nuplinks = [\"up0\"]\n", &["m1", "m2"]);
    put(GRANTS, Some("[[grant]]\nusers = [\"alice\"]\nnetworks = [\"direct\"]\nlimit = 1\n"));
    world
}

#[test]
fn a_macvtap_is_given_with_the_header_that_was_asked_for() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world.make_node("m1");
        let answer = world.bridge(ALICE, "direct");
        assert_eq!(answer.interface(), "m1");
        assert_eq!(answer.looks(), [(0x5002, true)]);
        assert!(world.logged().contains(" network=\"direct\" port=\"m1\" "));
        drop(answer);
        let plain = world.ask(ALICE, &["--br=m1", "--fd=0"]);
        assert_eq!(plain.looks(), [(0x1002, true)]);
        assert!(tap::info(plain.queues[0].as_fd()).is_ok());
    });
}

#[test]
fn a_macvtap_in_use_is_not_given_and_counts_to_the_limit() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world.make_node("m1");
        world.make_node("m2");
        let held = world.bridge(ALICE, "m1");
        assert_eq!(held.interface(), "m1");
        world.bridge(ALICE, "m1").expect_refusal("port `m1` is in use; stop the guest that holds `m1`");
        world.bridge(ALICE, "m2").expect_refusal("user `alice` has as many ports as");
        drop(held);
        assert_eq!(world.bridge(ALICE, "m2").interface(), "m2");
    });
}

#[test]
fn a_macvtap_that_another_user_had_is_not_given() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world.make_node("m1");
        put(GRANTS, Some("[[grant]]\nusers = [\"alice\", \"bob\"]\nnetworks = [\"direct\"]\n"));
        world.bridge(ALICE, "m1").interface();
        world
            .bridge(BOB, "m1")
            .expect_refusal("port `m1` was given to uid 1001 before, who can hold a macvtap unseen");
        world.bridge(ALICE, "m1").interface();
    });
}

#[test]
fn a_reference_to_the_node_that_everybody_can_have_keeps_nobody_out() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world.make_node("m1");
        let index = fs::read_to_string("/sys/class/net/m1/ifindex").unwrap();
        let mut open = fs::OpenOptions::new();
        open.read(true).custom_flags(libc::O_PATH);
        let _reference = open.open(format!("/dev/tap{}", index.trim())).unwrap();
        world.bridge(ALICE, "m1").interface();
    });
}

#[test]
fn a_node_that_is_another_device_is_not_opened() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world
            .bridge(ALICE, "m1")
            .expect_refusal("macvtap `m1`: cannot find its device in /dev: No such file");
        world.make_node("m2");
        let index = |name: &str| fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).unwrap();
        let path = |name: &str| format!("/dev/tap{}", index(name).trim());
        fs::rename(path("m2"), path("m1")).unwrap();
        world.bridge(ALICE, "m1").expect_refusal("is another device");
        fs::remove_file(path("m1")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("m1")).unwrap();
        world.bridge(ALICE, "m1").expect_refusal("is another device");
    });
}

#[test]
fn a_helper_for_taps_alone_says_what_macvtaps_need() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install("cap_net_admin+p");
        world.make_node("m1");
        world.bridge(ALICE, "m1").expect_refusal(
            "too few capabilities for macvtaps; `setcap cap_net_admin,cap_dac_override,cap_sys_ptrace+p`",
        );
    });
}

#[test]
fn another_namespaces_sysfs_is_noticed() {
    Sandbox::run(|sandbox| {
        let world = macvlan(sandbox);
        world.install(CAPABILITIES);
        world.make_node("m1");
        // As a process sees it that changed its network namespace and nothing else.
        sandbox.ip("netns add other");
        let copied = fs::read_to_string("/sys/class/net/m1/address").unwrap();
        let command = format!(
            "mount -t sysfs sysfs /sys && ip link add up0 type veth && ip link add m1 link up0 address {} type macvtap",
            copied.trim()
        );
        let mut shell = std::process::Command::new("nsenter");
        shell.args(["--net=/run/netns/other", "sh", "-c", &command]);
        sandbox.finish(shell).unwrap().expect_code(0);
        world
            .bridge(ALICE, "m1")
            .expect_refusal("macvtap `m1`: cannot find it in /sys: /sys shows other interfaces");
    });
}
