//! The uplink is the host's: what netctl puts on it goes when `host-access` is withdrawn, and on `down`.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use netctl_common::abi::ABI_VERSION;
use netctl_common::verdict::Direction::ToGuest;
use netctl_common::verdict::Reason;
use netctl_tests::cli;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use super::{ACCESS, MACVLAN, SOON, document, host, wait_addresses, wire};

const RULES: [&str; 1] = [r#"{ allow = "any", from = "any", to = "any" }"#];

fn run(sandbox: &Sandbox, program: &str, words: &str) -> Finished {
    let mut command = Command::new(program);
    command.args(words.split_whitespace());
    sandbox.finish(command).unwrap().expect_code(0)
}

/// With clsact where `old`, as on kernels before 6.6.
fn netctl(sandbox: &Sandbox, words: &[&str], old: bool) -> Finished {
    let mut command = Command::new(cli::binary().unwrap());
    command.args(words);
    if old {
        command.env("NETCTL_NO_TCX", "1");
    }
    sandbox.finish(command).unwrap()
}

/// All that can be seen on the uplink, but for its counters and the ages of things.
fn uplink(sandbox: &Sandbox) -> String {
    let mut seen = run(sandbox, "ip", "-d link show up0").stdout;
    for family in ["-4", "-6"] {
        seen += &run(sandbox, "ip", &format!("{family} -o addr show dev up0")).stdout;
    }
    seen += &run(sandbox, "tc", "qdisc show dev up0").stdout;
    for hook in ["ingress", "egress"] {
        seen += &run(sandbox, "tc", &format!("filter show dev up0 {hook}")).stdout;
    }
    seen + &run(sandbox, "bpftool", "net show dev up0").stdout
}

fn in_both_ways(test: impl Fn(&Sandbox, bool) + Sync) {
    for old in [false, true] {
        Sandbox::run(|sandbox| {
            let _switch = wire(sandbox, &MACVLAN);
            let access = document(&MACVLAN, ACCESS, &RULES);
            std::fs::write("/run/on.toml", &access).unwrap();
            std::fs::write("/run/off.toml", document(&MACVLAN, "", &RULES)).unwrap();
            test(sandbox, old);
        });
    }
}

/// By filters that `tc` shows, or by links, which the tools of older distributions do not know.
fn is_attached(seen: &str, old: bool) -> bool {
    ["from_host", "to_host"].iter().all(|program| match old {
        true => seen.contains(program),
        false => Path::new(&format!("/sys/fs/bpf/netctl/v{ABI_VERSION}/links"))
            .join(format!("@lab+{program}"))
            .exists(),
    })
}

#[test]
fn withdrawing_it_leaves_the_uplink_as_it_was() {
    in_both_ways(|sandbox, old| {
        netctl(sandbox, &["apply", "/run/off.toml"], old).expect_code(0);
        let before = uplink(sandbox);
        netctl(sandbox, &["apply", "/run/on.toml"], old).expect_code(0);
        wait_addresses(sandbox);
        let with = uplink(sandbox);
        assert!(is_attached(&with, old) && with.contains("10.0.0.254"), "{with}");
        assert_eq!(with.contains("clsact"), old, "{with}");
        netctl(sandbox, &["apply", "/run/on.toml"], old).expect_code(0);
        assert_eq!(uplink(sandbox), with, "applying again changes nothing");
        netctl(sandbox, &["apply", "/run/off.toml"], old).expect_code(0);
        assert_eq!(uplink(sandbox), before);
        assert!(!is_attached(&before, old));
    });
}

#[test]
fn guests_and_host_reach_each_other_by_filters_too() {
    Sandbox::run(|sandbox| {
        let _switch = wire(sandbox, &MACVLAN);
        let access = document(&MACVLAN, ACCESS, &RULES);
        std::fs::write("/run/on.toml", &access).unwrap();
        netctl(sandbox, &["apply", "/run/on.toml"], true).expect_code(0);
        // Applied again where tcx is there: filters stay filters, or each frame would be judged twice.
        let lab = Lab::up(sandbox, &access).unwrap();
        wait_addresses(sandbox);
        assert!(is_attached(&uplink(sandbox), true) && !is_attached("", false));
        lab.guest("db1").tcp_listen(80);
        for family in Family::ALL {
            assert!(lab.guest("web1").ping(host(family), SOON), "{family:?}");
            let (opened, seen) = lab
                .during(|| {
                    TcpStream::connect_timeout(&SocketAddr::new(lab.address("db1", family), 80), SOON).is_ok()
                })
                .unwrap();
            assert!(opened, "{family:?}");
            assert_eq!(seen.packets("db1", ToGuest, Reason::Rule), 1, "{family:?}");
        }
    });
}

#[test]
fn down_leaves_the_uplink_as_it_was() {
    in_both_ways(|sandbox, old| {
        let before = uplink(sandbox);
        netctl(sandbox, &["apply", "/run/on.toml"], old).expect_code(0);
        wait_addresses(sandbox);
        assert!(is_attached(&uplink(sandbox), old));
        netctl(sandbox, &["down"], old).expect_code(0);
        assert_eq!(uplink(sandbox), before);
    });
}

/// One that no frame matches.
fn add_filter(sandbox: &Sandbox) {
    let mut command = Command::new("tc");
    command.args("filter add dev up0 ingress pref 7 handle 1 protocol ip bpf bytecode".split(' '));
    command.args(["1,6 0 0 0", "classid", "1:1"]);
    sandbox.finish(command).unwrap().expect_code(0);
}

/// Someone else's filters and qdisc are not netctl's to take.
#[test]
fn what_others_have_on_the_uplink_stays() {
    in_both_ways(|sandbox, old| {
        run(sandbox, "tc", "qdisc add dev up0 clsact");
        add_filter(sandbox);
        let before = uplink(sandbox);
        netctl(sandbox, &["apply", "/run/on.toml"], old).expect_code(0);
        wait_addresses(sandbox);
        netctl(sandbox, &["down"], old).expect_code(0);
        assert_eq!(uplink(sandbox), before);

        // Put there while netctl's qdisc was there: that has to stay then.
        run(sandbox, "tc", "qdisc del dev up0 clsact");
        netctl(sandbox, &["apply", "/run/on.toml"], old).expect_code(0);
        if !old {
            run(sandbox, "tc", "qdisc add dev up0 clsact");
        }
        add_filter(sandbox);
        netctl(sandbox, &["down"], old).expect_code(0);
        assert_eq!(uplink(sandbox), before);
    });
}

#[test]
fn an_address_of_the_uplink_that_the_document_does_not_list_is_told() {
    Sandbox::run(|sandbox| {
        let _switch = wire(sandbox, &MACVLAN);
        sandbox.ip("addr add 192.0.2.7/24 dev up0");
        std::fs::write("/run/on.toml", document(&MACVLAN, ACCESS, &RULES)).unwrap();
        let done = netctl(sandbox, &["apply", "/run/on.toml"], false).expect_code(0);
        assert!(done.stderr.contains("has the address 192.0.2.7/24"), "{done}");
        assert!(!done.stderr.contains("10.0.0.254") && !done.stderr.contains("fe80"), "{done}");
        wait_addresses(sandbox);
        let again = netctl(sandbox, &["apply", "/run/on.toml"], false).expect_code(0);
        assert_eq!(again.stderr, done.stderr);
        netctl(sandbox, &["down"], false).expect_code(0);
        assert!(sandbox.ip("addr show up0").contains("192.0.2.7/24"));
    });
}

#[test]
fn an_uplink_without_ipv6_cannot_have_the_hosts_ipv6_address() {
    Sandbox::run(|sandbox| {
        let _switch = wire(sandbox, &MACVLAN);
        std::fs::write("/proc/sys/net/ipv6/conf/up0/disable_ipv6", "1").unwrap();
        std::fs::write("/run/on.toml", document(&MACVLAN, ACCESS, &RULES)).unwrap();
        let done = netctl(sandbox, &["apply", "/run/on.toml"], false).expect_code(2);
        assert!(done.stderr.contains("sysctl net.ipv6.conf.up0.disable_ipv6=0"), "{done}");
    });
}
