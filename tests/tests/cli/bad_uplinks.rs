//! Uplinks that a macvlan, passthrough or vepa network cannot have, as an operator meets them: the place, the reason and
//! the next step, exit code 2, and nothing changed.

use netctl_tests::bench::raw_bpf::xdp_pass;
use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

const POLICY: &str = "[policy]\ndefault = \"deny\"\nrules = []\n";

/// Network `direct`, and a port `web1` with these keys more.
fn document(network: &str, port: &str) -> String {
    format!(
        "[networks.direct]\n{network}\n[ports.web1]\nnetwork = \"direct\"\naddresses = [\"10.0.0.11\"]\n{port}\n{POLICY}"
    )
}

const MACVLAN: &str = "kind = \"macvlan\"\nuplinks = [\"up0\"]";
const PASSTHROUGH: &str = "kind = \"passthrough\"\nuplinks = [\"up0\"]";

#[track_caller]
fn left(lab: &Lab<'_>) -> String {
    lab.sh("ip -oneline -details link; ip route; find /sys/fs/bpf /run/netctl 2>/dev/null").stdout
}

/// Runs `prepare`, and `wanted` is why `document` cannot be applied then; the host stays as it was.
#[track_caller]
fn refused(lab: &Lab<'_>, prepare: &str, document: &str, wanted: &str) {
    lab.sh(prepare).expect_code(0);
    lab.write("host.toml", document);
    let before = left(lab);
    for command in ["netctl apply host.toml", "netctl apply host.toml --dry-run"] {
        let done = lab.sh(command).expect_code(2);
        assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
        assert_eq!(left(lab), before, "something is left behind\n{done}");
    }
}

/// `up0` with the address 02:aa:00:00:00:01 on a wire.
const NIC: &str = "ip link add up0 address 02:aa:00:00:00:01 type veth peer name wire; ip link set up0 up; ip link set wire up";

#[test]
fn an_uplink_that_is_not_there_or_not_free_is_named_with_the_next_step() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let macvlan = document(MACVLAN, "");
        refused(
            &lab,
            "true",
            &macvlan,
            "line 1: network `direct` has the uplink `up0`, but there is no such interface",
        );
        refused(
            &lab,
            &format!("{NIC}; ip link add br7 type bridge; ip link set up0 master br7"),
            &macvlan,
            "uplink `up0` of network `direct` is a port of `br7`, which takes all its frames; release it with `ip link \
             set up0 nomaster`",
        );
        refused(
            &lab,
            "ip link set up0 nomaster; ip link add other link up0 type macvtap mode passthru",
            &macvlan,
            "uplink `up0` of network `direct` is in use by `other`, which is not netctl's; remove it (`ip link del other`)",
        );
        lab.sh("ip link del other; netctl apply host.toml; netctl down").expect_code(0);
    });
}

#[test]
fn a_port_that_its_uplink_cannot_carry_is_named_with_the_next_step() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        refused(
            &lab,
            NIC,
            &document(MACVLAN, "mac = \"02:aa:00:00:00:01\""),
            "port `web1` has the MAC address 02:aa:00:00:00:01 of its uplink `up0`; give it another `mac`",
        );
        refused(
            &lab,
            "true",
            &document(MACVLAN, "mtu = 9000"),
            "port `web1` has MTU 9000, but its uplink `up0` 1500; `ip link set up0 mtu 9000`",
        );
        let second = "[ports.web2]\nnetwork = \"direct\"\naddresses = [\"10.0.0.12\"]";
        refused(
            &lab,
            "true",
            &document(PASSTHROUGH, second),
            "port `web2` has no uplink: network `direct` has 1 for 2 guests",
        );
        let same = "mac = \"52:54:00:00:00:01\"\n[ports.web2]\nnetwork = \"direct\"\naddresses = [\"10.0.0.12\"]\n\
                    mac = \"52:54:00:00:00:01\"";
        lab.write("host.toml", document(MACVLAN, same));
        let done = lab.sh("netctl apply host.toml").expect_code(1);
        assert!(done.stderr.contains("52:54:00:00:00:01"), "{done}");
    });
}

#[test]
fn the_hosts_way_out_is_given_to_a_guest_only_if_that_is_said() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let route = "ip address add 192.0.2.5/24 dev up0; ip route add default via 192.0.2.1";
        refused(
            &lab,
            &format!("{NIC}; {route}"),
            &document(PASSTHROUGH, ""),
            "uplink `up0` of network `direct` holds the host's default route, and a passthrough guest takes the whole \
             NIC: the host may be cut off; say `--yes` if that is meant",
        );
        lab.sh("netctl apply host.toml --yes").expect_code(0);
        let below = lab.sh("ip -json -details link show web1").json();
        assert_eq!(below[0]["linkinfo"]["info_data"]["mode"], "passthru");
        lab.sh("netctl down").expect_code(0);
        assert!(lab.sh("ip route").stdout.contains("default via 192.0.2.1 dev up0"));
    });
}

#[test]
fn a_program_before_netctls_is_told_and_left_alone() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.sh(NIC).expect_code(0);
        let _program = xdp_pass("up0").unwrap();
        lab.write("host.toml", document(MACVLAN, ""));
        let done = lab.sh("netctl apply host.toml").expect_code(0);
        assert!(done.stderr.contains("uplink `up0` of network `direct` has XDP program"), "{done}");
        lab.sh("netctl down").expect_code(0);
        assert!(lab.sh("ip link show up0").stdout.contains("xdpgeneric"));
    });
}

#[test]
fn an_uplink_that_goes_is_told_by_diff_and_apply_and_heals_when_it_is_back() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.sh(NIC).expect_code(0);
        lab.write("host.toml", document(MACVLAN, ""));
        lab.apply();
        lab.sh("ip link del up0").expect_code(0);
        let gone = "network `direct` has the uplink `up0`, but there is no such interface";
        for command in ["netctl diff host.toml", "netctl apply host.toml"] {
            let done = lab.sh(command).expect_code(2);
            assert!(done.stderr.contains(gone), "{done}");
        }
        let done = lab.sh("netctl run web1 -- true '{web1.fds}'").expect_code(2);
        assert!(done.stderr.contains("no interface `web1`"), "{done}");
        lab.sh(NIC).expect_code(0);
        lab.apply();
        lab.sh("netctl run web1 -- true '{web1.fds}'").expect_code(0);
        lab.sh("netctl down").expect_code(0);
    });
}
