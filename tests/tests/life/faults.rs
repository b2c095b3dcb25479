//! SIGKILL at the points at which a command changes something (`netctl::fault`): what is left is the old state or the new one,
//! whole, and the next command heals the rest. netctl's debug build has the points.

use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;

use super::SOON;
use super::points::FEW;
use super::traffic::{DENIED, RULE, datagram, drain, is_whole, ports};
use super::world::{KINDS, Kind, World, port, write};

/// Allowed by the one document and by the other.
const ONE: u16 = 1001;
const OTHER: u16 = 1002;

/// Taps with tcx, and macvtaps with clsact.
const BOTH: [Kind; 2] = [KINDS[0], KINDS[3]];

fn rule(port: u16) -> String {
    format!(r#"{{ allow = "udp/{port}", from = "web", to = "db" }}"#)
}

/// Two documents that differ in rules, their order and number, and in a port.
fn documents(world: &World<'_>) -> [String; 2] {
    let deny = r#"{ deny = "udp/9", from = "any", to = "any" }"#;
    [
        world.document(&port("one", "web", 0x31), &[RULE, &rule(ONE)]),
        world.document(&port("other", "db", 0x32), &[deny, &rule(OTHER), RULE]),
    ]
}

/// Which of the ports arrive; a frame that all allow comes last, and the order is kept.
fn arriving(web1: &Tap, db1: &Tap) -> Vec<u16> {
    drain(db1);
    for port in [ONE, OTHER, DENIED, super::traffic::ALLOWED] {
        web1.send(&datagram(true, [6000, port])).unwrap();
    }
    let mut arrived = Vec::new();
    while let Some(frame) = db1.recv(SOON).unwrap() {
        let Some([_, port]) = ports(&frame) else { continue };
        if port == super::traffic::ALLOWED {
            break;
        }
        arrived.push(port);
    }
    arrived
}

/// No port of netctl's that is up is without its programs.
#[track_caller]
fn assert_guarded(world: &World<'_>, when: &str) {
    for entry in std::fs::read_dir("/sys/class/net").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let read =
            |file: &str| std::fs::read_to_string(format!("/sys/class/net/{name}/{file}")).unwrap_or_default();
        let flags = u32::from_str_radix(read("flags").trim().trim_start_matches("0x"), 16).unwrap_or(0);
        if read("ifalias").starts_with("netctl:port:") && flags & 1 != 0 {
            let programs = world.programs(&name);
            assert!(programs[0] > 0 && programs[1] > 0, "{name} is open {when}: {programs:?}");
        }
    }
}

#[test]
fn apply_leaves_the_old_policy_or_the_new_one() {
    for (turn, kind) in (0..).zip(BOTH) {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox, kind);
            let [one, other] = documents(&world);
            world.apply(&other);
            let clean = world.traces();
            let path = write(&other);
            let mut seen = [0; 2];
            for point in FEW.points(1, turn) {
                world.apply(&one);
                let (web1, db1) = (world.tap("web1"), world.tap("db1"));
                let ended = world.die_at(point, &format!("apply {path}"));
                let when = format!("after point {point}, {kind:?}");
                match arriving(&web1, &db1).as_slice() {
                    [ONE] => seen[0] += 1,
                    [OTHER] => seen[1] += 1,
                    mix => panic!("{mix:?} arrive {when}"),
                }
                assert_guarded(&world, &when);
                world.apply(&other);
                is_whole(&web1, &db1, SOON).unwrap();
                drop((web1, db1));
                assert_eq!(world.traces(), clean, "{when}");
                if ended {
                    break;
                }
            }
            assert!(seen[0] > FEW.share(20) && seen[1] > FEW.share(5), "hardly any point: {seen:?}");
        });
    }
}

#[test]
fn a_first_apply_and_down_leave_nothing_open_and_nothing_behind() {
    for (turn, kind) in (0..).zip(BOTH) {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox, kind);
            let nothing = world.traces();
            let path = write(&documents(&world)[0]);
            let apply = format!("apply {path}");
            world.netctl(&apply).expect_code(0);
            let clean = world.traces();
            world.netctl("down").expect_code(0);
            assert_eq!(world.traces(), nothing);
            let mut points = 0;
            for command in [apply.as_str(), "down"] {
                for point in FEW.points(1, turn) {
                    let when = format!("after point {point} of `{command}`, {kind:?}");
                    if command == "down" {
                        world.netctl(&apply).expect_code(0);
                    }
                    let ended = world.die_at(point, command);
                    assert_guarded(&world, &when);
                    if point % 2 == 0 {
                        world.netctl(&apply).expect_code(0);
                        assert_eq!(world.traces(), clean, "{when}");
                    }
                    world.netctl("down").expect_code(0);
                    assert_eq!(world.traces(), nothing, "{when}");
                    points += 1;
                    if ended {
                        break;
                    }
                }
            }
            assert!(points > FEW.share(60), "only {points} points");
        });
    }
}

#[test]
fn adopt_and_release_never_leave_a_port_that_is_known_and_open() {
    for (turn, clsact) in (0..).zip([false, true]) {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox, Kind { clsact, macvtap: false });
            sandbox.ip("link add br0 type bridge stp_state 0");
            sandbox.ip("link set br0 up");
            sandbox.ip("tuntap add dev vnet0 mode tap vnet_hdr");
            sandbox.ip("link set vnet0 master br0 up");
            let document = world
                .document("", &[RULE])
                .replace("kind = \"bridge\"\nmtu = 1500", "kind = \"bridge\"\ninterface = \"br0\"");
            world.apply(&document);
            let without = world.traces();
            let adopt = "port adopt vnet0 --mac 52:54:00:00:00:41 --address 10.0.0.65";
            world.netctl(adopt).expect_code(0);
            let with = world.traces();
            world.netctl("port release vnet0").expect_code(0);
            assert_eq!(world.traces(), without);
            let is_known = || world.netctl("show").expect_code(0).stdout.contains("[ports.vnet0]");
            let (web1, db1) = (world.tap("web1"), world.tap("db1"));
            for (command, begins, ends) in
                [(adopt, "port release vnet0", &with), ("port release vnet0", adopt, &without)]
            {
                for point in FEW.points(1, turn) {
                    let when = format!("after point {point} of `{command}`, clsact {clsact}");
                    let known = is_known();
                    if known == (command == adopt) {
                        world.netctl(begins).expect_code(0);
                    }
                    let ended = world.die_at(point, command);
                    let known = is_known();
                    let programs = world.programs("vnet0");
                    assert!(!known || (programs[0] > 0 && programs[1] > 0), "open {when}: {programs:?}");
                    is_whole(&web1, &db1, SOON).unwrap_or_else(|e| panic!("{e} {when}"));
                    if known == (command == adopt) {
                        // Done as far as the document goes; what is left goes with any apply.
                        let shown = world.netctl("show").expect_code(0).stdout;
                        world.apply(&shown);
                    } else {
                        world.netctl(command).expect_code(0);
                    }
                    assert_eq!(world.traces(), *ends, "{when}");
                    if ended {
                        break;
                    }
                }
            }
            drop((web1, db1));
        });
    }
}
