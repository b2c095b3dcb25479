//! An unprivileged user gets what is granted, and nothing else; each decision is in the log.

use std::os::fd::AsRawFd;

use netctl_tests::sandbox::Sandbox;

use crate::world::{ALICE, BOB, BRIDGE_CONF, GRANTS, World, ask_as, put};

fn lab(sandbox: &Sandbox) -> World<'_> {
    let world = World::with_lab(sandbox);
    world.install("cap_net_admin+p");
    world
}

#[test]
fn a_user_gets_the_ports_of_a_granted_network_one_after_the_other() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some("[[grant]]\nusers = [\"alice\"]\nnetworks = [\"lab\"]\n"));
        let answers = ["a1", "a2", "a3"].map(|wanted| {
            let answer = world.bridge(ALICE, "lab");
            assert_eq!(answer.interface(), wanted);
            let line = world.logged();
            assert!(
                line.contains(": granted by grant 1 of /etc/netctl/grants.toml user=\"alice\" "),
                "{line}"
            );
            assert!(line.contains(&format!(" network=\"lab\" port=\"{wanted}\" uid=1001 ")), "{line}");
            answer
        });
        world.bridge(ALICE, "lab").expect_refusal("is in use; stop the guest that holds");
        assert!(world.logged().contains(": refused: port `"));
        drop(answers);
        world.bridge(ALICE, "a2").interface();
    });
}

#[test]
fn what_is_not_granted_is_refused_and_logged() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        let grants = "[[grant]]\ngroups = [\"guests\"]\nports = [\"a2\"]\n";
        put(GRANTS, Some(grants));
        world.bridge(ALICE, "lab").expect_refusal("user `alice` may not open port `a1`: no grant in");
        let line = world.logged();
        assert!(line.contains(": refused: user `alice` may not open port"), "{line}");
        assert!(line.contains(" asked=\"lab\" network=\"lab\" ") && line.contains(" uid=1001 "), "{line}");
        world.bridge(ALICE, "a2").expect_refusal("user `alice` may not open port `a2`");
        world.log();

        assert_eq!(world.bridge(BOB, "lab").interface(), "a2", "by a supplementary group");
        world.bridge(BOB, "a1").expect_refusal("user `bob` may not open port `a1`");
        world.bridge(BOB, "nowhere").expect_refusal("`nowhere` is no network or port of netctl's");
        world.bridge(BOB, "br-lab").expect_refusal("`br-lab` is no network or port of netctl's");
        assert_eq!(world.log().len(), 4);
    });
}

#[test]
fn bridge_conf_can_deny_what_a_grant_allows_and_allow_where_there_are_no_grants() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        world.bridge(ALICE, "lab").expect_refusal("failed to parse default acl file `/etc/qemu/bridge.conf'");

        put(BRIDGE_CONF, Some("allow lab\n"));
        assert_eq!(world.bridge(ALICE, "lab").interface(), "a1");
        world.bridge(ALICE, "a1").expect_refusal("access denied by acl file");

        put(BRIDGE_CONF, Some("allow all\ndeny a1\n"));
        assert_eq!(world.bridge(ALICE, "lab").interface(), "a2", "the next one that is not denied");
        put(BRIDGE_CONF, Some("allow all\ndeny lab\n"));
        world.bridge(ALICE, "a2").expect_refusal("access denied by acl file");

        put(GRANTS, Some("[[grant]]\nusers = [\"1001\"]\nnetworks = [\"lab\"]\n"));
        world.bridge(ALICE, "lab").expect_refusal("access denied by acl file");
        put(BRIDGE_CONF, Some("allow other\n"));
        assert_eq!(world.bridge(ALICE, "lab").interface(), "a1", "a grant needs no allow");
        put(GRANTS, Some(""));
        world.bridge(ALICE, "lab").expect_refusal("no grant in /etc/netctl/grants.toml");
    });
}

#[test]
fn a_port_with_an_owner_needs_a_grant_for_others() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox);
        world.install("cap_net_admin+p");
        world.document(
            "[networks.lab]\nkind = \"bridge\"\n[ports.a1]\nnetwork = \"lab\"\naddresses = \"any\"\nowner = 1001\n\
             [policy]\ndefault = \"deny\"\nrules = []\n",
        );
        put(BRIDGE_CONF, Some("allow lab\n"));
        world.bridge(BOB, "lab").expect_refusal("may not open port `a1`: it belongs to uid 1001");
        assert_eq!(world.bridge(ALICE, "lab").interface(), "a1");
        put(GRANTS, Some("[[grant]]\nusers = [\"bob\"]\nports = [\"a1\"]\n"));
        assert_eq!(world.bridge(BOB, "a1").interface(), "a1");
    });
}

#[test]
fn a_limit_counts_the_ports_that_a_user_holds_now() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some("[[grant]]\nusers = [\"alice\", \"bob\"]\nnetworks = [\"lab\"]\nlimit = 1\n"));
        let mut first = world.bridge(ALICE, "lab");
        assert_eq!(first.interface(), "a1");
        let refused = world.bridge(ALICE, "lab");
        refused.expect_refusal(
            "user `alice` has as many ports as /etc/netctl/grants.toml allows at once, which is 1",
        );
        assert_eq!(world.bridge(BOB, "lab").interface(), "a2", "each user has a limit of their own");
        // A guest can turn the carrier off, so that the port looks free.
        let off: libc::c_int = 0;
        // SAFETY: TUNSETCARRIER reads an int.
        let done = unsafe { libc::ioctl(first.queues[0].as_raw_fd(), libc::TUNSETCARRIER, &raw const off) };
        assert_eq!(done, 0);
        assert_eq!(std::fs::read_to_string("/sys/class/net/a1/carrier").unwrap().trim(), "0");
        world.bridge(ALICE, "a3").expect_refusal("as many ports as");
        // Whoever holds it: the port was given to alice.
        let elsewhere = first.queues[0].try_clone().unwrap();
        first.queues.clear();
        world.bridge(ALICE, "a3").expect_refusal("as many ports as");
        first.queues.push(elsewhere);
        drop(first);
        assert_eq!(world.bridge(ALICE, "a3").interface(), "a3");
    });
}

#[test]
fn a_limit_holds_against_helpers_that_run_at_once() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some("[[grant]]\nusers = [\"alice\"]\nnetworks = [\"lab\"]\nlimit = 1\n"));
        std::thread::scope(|scope| {
            let ask = |name| {
                scope.spawn(move || {
                    sandbox.enter(|| ask_as(sandbox, ALICE, &["--fd=0", &format!("--br={name}")]))
                })
            };
            let asked = ["a1", "a2", "a3", "lab"].map(ask).map(|thread| thread.join().unwrap());
            let given = asked.iter().filter(|answer| answer.code == Some(0)).count();
            assert!(given <= 1, "{asked:?}");
            assert!(asked.iter().all(|answer| answer.queues.len() == usize::from(answer.code == Some(0))));
        });
        assert_eq!(world.log().len(), 4);
        let again = (0..50).find(|_| world.bridge(ALICE, "a1").code == Some(0));
        assert!(again.is_some(), "the limit is free again");
    });
}

#[test]
fn ports_that_a_helper_cannot_give_are_refused_with_the_reason() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox);
        world.install("cap_net_admin+p");
        world.document(
            "[networks.lab]\nkind = \"bridge\"\n[ports.a1]\nnetwork = \"lab\"\naddresses = \"any\"\n\
             [ports.many]\nnetwork = \"lab\"\naddresses = \"any\"\nqueues = 2\n\
             [policy]\ndefault = \"deny\"\nrules = []\n",
        );
        put(BRIDGE_CONF, Some("allow all\n"));
        world
            .bridge(ALICE, "many")
            .expect_refusal("has several queues, and a helper hands over one; use `netctl run many");
        sandbox.ip("link set a1 down");
        world.bridge(ALICE, "a1").expect_refusal("port `a1` is down; run `netctl apply`");
        sandbox.ip("link set a1 up");
        world.bridge(ALICE, "a1").interface();
        for program in ["from_guest", "to_guest"] {
            sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
            world.bridge(ALICE, "a1").interface();
            detach(sandbox, program);
            // The kernel detaches some time after the last reference is gone.
            let answers = (0..1000).map(|_| world.bridge(ALICE, "a1"));
            let refused = answers.into_iter().inspect(|_| drop(world.log())).find(|it| it.code != Some(0));
            let refused = refused.expect("the programs are off");
            refused.expect_refusal("port `a1` has no policy: netctl's programs are not on `a1`");
        }
        world.install("cap_net_raw+p");
        world.bridge(ALICE, "a1").expect_refusal("too few capabilities for taps; `setcap cap_net_admin+p`");
    });
}

#[test]
fn other_programs_on_a_port_are_not_taken_for_netctls() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(BRIDGE_CONF, Some("allow all\n"));
        world.bridge(ALICE, "a1").interface();
        // A kernel without tcx has netctl's filters instead, which are known by themselves.
        if std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().starts_with("6.1.") {
            return;
        }
        let mark = current(sandbox);
        let parts: Vec<&str> = mark.split('-').collect();
        for (from, to) in [("4000000000", parts[4]), (parts[3], "4000000000")] {
            sandbox.ip(&format!("link property del dev a1 altname {}", current(sandbox)));
            sandbox.ip(&format!("link property add dev a1 altname netctl-programs-{}-{from}-{to}", parts[2]));
            world
                .bridge(ALICE, "a1")
                .expect_refusal("port `a1` has no policy: netctl's programs are not on `a1`");
        }
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        world.bridge(ALICE, "a1").interface();
    });
}

/// The alternative name of a1 that says which programs it has.
fn current(sandbox: &Sandbox) -> String {
    let shown = sandbox.ip("link show a1");
    let mut words = shown.split_whitespace();
    words.find(|word| word.starts_with("netctl-programs-")).unwrap().to_owned()
}

/// Takes a pinned link of port a1 away, as a mishap would.
fn detach(sandbox: &Sandbox, program: &str) {
    sandbox.assert_inside();
    let versions = std::fs::read_dir("/sys/fs/bpf/netctl").unwrap();
    for version in versions.flatten() {
        std::fs::remove_file(version.path().join("links").join(format!("a1+{program}"))).unwrap();
    }
}
