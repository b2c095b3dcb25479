//! SIGKILL in the middle: what is left is healed by the same command or the next, and never open.

use std::thread;

use netctl_tests::sandbox::Sandbox;

use super::{BRIDGE, apply, assert_same, bridge, look, mac, netctl, port, programs, tap, words};

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
            assert_same(&look(sandbox, "vnet0"), &before);
        }
        assert!(seen[0] > 0, "no adopt was killed before its end: {seen:?}");
    });
}
