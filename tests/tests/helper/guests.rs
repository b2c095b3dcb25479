//! Real QEMU, unprivileged, with its NIC from the helper: the guest is under the port's policy.

use std::fs;
use std::path::PathBuf;

use netctl_tests::machine::{Boot, Machine, images};
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use crate::world::{GRANTS, OURS, World, put, tmpfs};

const ALICE: [&str; 5] = ["setpriv", "--reuid=1001", "--regid=1001", "--clear-groups", "qemu-system-x86_64"];
const WEB: Boot<'static> = Boot { port: "web1", ipv4: "10.0.0.11/24", ipv6: "fd00::11/64", processors: 1 };
const DATABASE: Boot<'static> =
    Boot { port: "db1", ipv4: "10.0.0.21/24", ipv6: "fd00::21/64", processors: 1 };

/// Pings are allowed, and what else there is, is not.
fn document(network: &str) -> String {
    let port = |name: &str, number: u32| {
        format!(
            "[ports.{name}]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:{number}\"\n\
             addresses = [\"10.0.0.{number}\", \"fd00::{number}\"]\n"
        )
    };
    format!(
        "[networks.lab]\n{network}\n{}{}[policy]\ndefault = \"deny\"\nrules = [\n  \
         {{ allow = [\"icmp/echo-request\", \"icmp6/echo-request\"], from = \"any\", to = \"any\" }},\n]\n",
        port("web1", 11),
        port("db1", 21)
    )
}

/// The guest's images, where everyone can read them.
fn readable_images() -> PathBuf {
    let from = images().unwrap_or_else(|e| panic!("{e:#}"));
    let place = PathBuf::from("/run/images");
    fs::create_dir(&place).unwrap();
    tmpfs("/run/images");
    for name in ["vmlinuz", "initramfs.cpio"] {
        fs::copy(from.join(name), place.join(name)).unwrap();
    }
    place
}

#[track_caller]
fn check(machine: &mut Machine, question: &str) -> String {
    machine.check(question).unwrap_or_else(|e| panic!("{e:#}"))
}

#[track_caller]
fn ready(mut machine: Machine) -> Machine {
    machine.wait_ready().unwrap_or_else(|e| panic!("{e:#}"));
    machine
}

/// The peer answers pings, and its other services are denied at the port, by the default.
#[track_caller]
fn is_under_the_policy(world: &World<'_>, machine: &mut Machine, port: &str, peer: &str) {
    check(machine, "patience:20");
    assert_eq!(check(machine, &format!("ping:{peer}")), "ok", "{port}");
    check(machine, "patience:3");
    let before = denied(world, port);
    assert_eq!(check(machine, &format!("connect:{peer}:22")), "fail timeout", "{port}");
    assert!(denied(world, port) > before, "{port}: reason `default` stays at {before}");
}

fn denied(world: &World<'_>, port: &str) -> u64 {
    let stats = world.sandbox.netctl(["stats", "--json"]).expect_code(0).json();
    let is_it =
        |row: &&Value| row["port"] == port && row["direction"] == "from-guest" && row["reason"] == "default";
    stats["ports"].as_array().unwrap().iter().find(is_it).map_or(0, |row| row["packets"].as_u64().unwrap())
}

fn grant(user: &str) {
    put(GRANTS, Some(&format!("[[grant]]\nusers = [\"{user}\"]\nnetworks = [\"lab\"]\n")));
}

#[test]
fn guests_of_an_unprivileged_user_get_their_nics_on_a_bridge_network_and_are_under_its_policy() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox);
        world.install("cap_net_admin+p");
        world.document(&document("kind = \"bridge\"\naddresses = [\"10.0.0.1/24\", \"fd00::1/64\"]"));
        grant("alice");
        let images = readable_images();
        // The guest has its port's MAC address: it asks for the port, or knows which is the network's first.
        let netdevs =
            [format!("bridge,id=n,br=web1,helper={OURS}"), format!("tap,id=n,br=lab,helper={OURS}")];
        let nics = ["52:54:00:00:00:11", "52:54:00:00:00:21"]
            .map(|mac| format!("virtio-net-pci,netdev=n,mac={mac}"));
        let start = |boot, at: usize| {
            let nic = ["-netdev", &netdevs[at], "-device", &nics[at]];
            Machine::launch(sandbox, boot, &images, (&ALICE, &nic)).unwrap()
        };
        let (web, database) = (start(WEB, 0), start(DATABASE, 1));
        let (mut web, mut database) = (ready(web), ready(database));
        let log = world.log();
        assert!(
            log.len() == 2 && log.iter().all(|line| line.contains(": granted by grant 1 of ")),
            "{log:?}"
        );
        assert!(log[0].contains(" parent=\"/usr/bin/qemu-system-x86_64\" "), "{log:?}");
        is_under_the_policy(&world, &mut web, "web1", "10.0.0.21");
        is_under_the_policy(&world, &mut database, "db1", "10.0.0.1");
        // A second guest on the same port says why it does not start, and the first goes on.
        let nic = ["-netdev", &netdevs[0], "-device", &nics[0]];
        let mut second = Machine::launch(sandbox, WEB, &images, (&ALICE, &nic)).unwrap();
        let error = second.wait_ready().unwrap_err().to_string();
        assert!(error.contains("port `web1` is in use; stop the guest that holds `web1`"), "{error}");
        assert_eq!(check(&mut web, "ping:10.0.0.1"), "ok");
    });
}

/// A guest on a macvlan network, whose NIC is a macvtap from the helper.
fn macvtap(monitor: &[&str], user: &str) {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox);
        sandbox.ip("netns add far");
        sandbox.ip("link add up0 type veth peer name far0 netns far");
        sandbox.ip("-n far address add 10.0.0.99/24 dev far0");
        sandbox.ip("-n far link set far0 up");
        world.install("cap_net_admin,cap_dac_override,cap_sys_ptrace+p");
        world.document(&document("kind = \"macvlan\"\nuplinks = [\"up0\"]"));
        world.make_node("db1");
        grant(user);
        let netdev = format!("bridge,id=n,br=lab,helper={OURS}");
        let nic = ["-netdev", &netdev, "-device", "virtio-net-pci,netdev=n,mac=52:54:00:00:00:21"];
        let machine = Machine::launch(sandbox, DATABASE, &readable_images(), (monitor, &nic)).unwrap();
        let mut machine = ready(machine);
        assert!(world.logged().contains(": granted by grant 1 of "));
        is_under_the_policy(&world, &mut machine, "db1", "10.0.0.99");
    });
}

#[test]
fn a_guest_of_an_unprivileged_user_gets_a_macvtap_on_a_macvlan_network() {
    macvtap(&ALICE, "alice");
}

#[test]
fn a_guest_of_qemu_10_gets_a_macvtap_on_a_macvlan_network() {
    let qemu = std::env::var("NETCTL_QEMU_10").unwrap_or_else(|_| {
        panic!("NETCTL_QEMU_10 names no QEMU of version 8 or newer; `cargo xtask test` sets it")
    });
    // As root: what the variable names may be readable for nobody else.
    macvtap(&[&qemu], "root");
}
