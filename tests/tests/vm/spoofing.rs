//! A guest that uses addresses which are not its port's.

use netctl_tests::machine::Boot;
use netctl_tests::sandbox::Sandbox;

use crate::lab::{WEB, apply, boot, check, counted};

#[test]
fn a_guest_with_other_addresses_than_declared_reaches_nobody() {
    Sandbox::run(|sandbox| {
        apply(sandbox);
        let [mut guest] = boot(sandbox, [Boot { ipv4: "10.0.0.99/24", ipv6: "fd00::99/64", ..WEB }]);
        assert_ne!(check(&mut guest, "ping:10.0.0.1"), "ok");
        assert_ne!(check(&mut guest, "ping:fd00::1"), "ok");
        assert!(counted(sandbox, "web1", "from-guest", "spoofed-arp") > 0, "IPv4: its ARP is denied");
        assert!(counted(sandbox, "web1", "from-guest", "spoofed-neighbor") > 0, "IPv6: its claim is denied");
    });
}
