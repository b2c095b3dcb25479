//! SIGKILL in the middle: what is left is healed by the same command or the next, and never open.

use std::thread;

use netctl_tests::sandbox::Sandbox;

use super::{
    BRIDGE, apply, assert_given_back, bridge, look, mac, netctl, nothing_on, port, programs, tap, words,
};

/// Moments of a command at which it is killed.
const MOMENTS: u32 = 12;

#[test]
fn a_killed_adopt_or_release_is_healed_by_the_next() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        apply(sandbox, BRIDGE).expect_code(0);
        let before = look(sandbox, "vnet0");
        let adopt = format!("port adopt vnet0 --mac {} --address 10.0.0.11", mac(11));
        let mut seen = [0; 2];
        let whole = netctl(sandbox, &adopt, 0).elapsed;
        netctl(sandbox, "port release vnet0", 0);
        for moment in 0..MOMENTS {
            let mut killed = sandbox.start_netctl(words(&adopt));
            thread::sleep(whole * moment / MOMENTS);
            killed.kill();
            let known = !port(sandbox, "vnet0").is_null();
            seen[usize::from(known)] += 1;
            // Known, so filtered: the programs come first.
            assert!(!known || programs("vnet0") == [1, 1], "open at {moment}");
            if !known {
                netctl(sandbox, &adopt, 0);
            }
            assert_eq!(port(sandbox, "vnet0")["filtered"], true, "after {moment}");

            let mut killed = sandbox.start_netctl(words("port release vnet0"));
            thread::sleep(whole * moment / MOMENTS);
            killed.kill();
            match port(sandbox, "vnet0").is_null() {
                // Gone from the document; what may be left on the interface goes with any apply.
                true => drop(apply(sandbox, BRIDGE).expect_code(0)),
                false => drop(netctl(sandbox, "port release vnet0", 0)),
            }
            assert_given_back(sandbox, "vnet0", &before);
        }
        assert!(seen[0] > 0, "no adopt was killed before its end: {seen:?}");
    });
}

#[test]
fn a_killed_move_to_another_interface_leaves_none_open() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        let names = ["vnet0", "vnet1"];
        names.iter().for_each(|name| tap(sandbox, name, "br0", ""));
        apply(sandbox, BRIDGE).expect_code(0);
        netctl(sandbox, &format!("port adopt vnet0 --name web1 --mac {} --address 10.0.0.11", mac(11)), 0);
        let documents = names.map(|name| netctl(sandbox, "show", 0).stdout.replace("vnet0", name));
        let whole = apply(sandbox, &documents[0]).expect_code(0).elapsed * 2;
        let mut unfinished = 0;
        for moment in 0..MOMENTS * 2 {
            let wanted = (moment + 1) as usize % 2;
            std::fs::write("/run/moved.toml", &documents[wanted]).unwrap();
            let mut killed = sandbox.start_netctl(["apply", "/run/moved.toml"]);
            thread::sleep(whole * moment / (MOMENTS * 2));
            killed.kill();
            let runs = port(sandbox, "web1")["interface"].as_str().unwrap().to_owned();
            unfinished += usize::from(runs != names[wanted]);
            let [in_, out] = programs(&runs);
            assert!(in_ > 0 && out > 0, "{runs} is open after {moment}");
            apply(sandbox, &documents[wanted]).expect_code(0);
            assert_eq!(programs(names[wanted]), [1, 1], "after {moment}");
            nothing_on(names[1 - wanted]);
        }
        assert!(unfinished > 0, "nothing was killed before its end");
    });
}
