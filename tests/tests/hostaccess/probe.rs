//! `netctl network probe`, and what `netctl apply` says about a switch that leaves the guests of a vepa network alone.

use netctl_tests::lab::{Family, Lab};
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::{A_WHILE, Kind, LOCAL_VEPA, LONELY_VEPA, MACVLAN, SOON, VEPA, document, wire};

const RULES: [&str; 1] = [r#"{ allow = "any", from = "any", to = "any" }"#];
const CANNOT: &str =
    "guests of `lab` cannot reach each other: the switch behind `up0` does not send frames back";

fn on(kind: &Kind, test: impl FnOnce(&Sandbox, &Switch<'_>, Finished) + Send) {
    Sandbox::run(|sandbox| {
        let switch = wire(sandbox, kind);
        std::fs::write("/run/probe.toml", document(kind, "", &RULES)).unwrap();
        let applied = sandbox.netctl(["apply", "/run/probe.toml"]).expect_code(0);
        test(sandbox, &switch, applied);
    });
}

fn probe(sandbox: &Sandbox) -> Finished {
    sandbox.netctl(["network", "probe", "lab"])
}

#[test]
fn a_switch_that_sends_frames_back_is_found_out() {
    on(&VEPA, |sandbox, switch, applied| {
        assert!(!applied.stderr.contains("switch"), "{applied}");
        let done = probe(sandbox).expect_code(0);
        assert_eq!(done.stdout, "lab: the switch behind up0 sends frames back\n");
        let json = sandbox.netctl(["network", "probe", "lab", "--json"]).expect_code(0).json();
        assert_eq!(json, serde_json::json!({ "network": "lab", "uplink": "up0", "reflects": true }));

        switch.reflect("up0", false).unwrap();
        let done = probe(sandbox).expect_code(1);
        assert_eq!(done.stdout, "lab: the switch behind up0 does not send frames back\n");
        let json = sandbox.netctl(["network", "probe", "lab", "--json"]).expect_code(1).json();
        assert_eq!(json["reflects"], false);
    });
}

#[test]
fn the_answer_is_what_guests_find() {
    for kind in [&VEPA, &LONELY_VEPA] {
        Sandbox::run(|sandbox| {
            let _switch = wire(sandbox, kind);
            let lab = Lab::up(sandbox, &document(kind, "", &RULES)).unwrap();
            let limit = if kind.reflects { SOON } else { A_WHILE };
            let reached = lab.guest("web1").ping(lab.address("db1", Family::V4), limit);
            assert_eq!(
                (reached, probe(sandbox).code),
                (kind.reflects, Some(if kind.reflects { 0 } else { 1 }))
            );
        });
    }
}

#[test]
fn apply_tells_of_guests_that_are_cut_off_and_only_then() {
    on(&LONELY_VEPA, |sandbox, switch, applied| {
        assert!(applied.stderr.contains(CANNOT), "{applied}");
        assert!(applied.stderr.contains("hairpin = \"local\""), "{applied}");
        let again = sandbox.netctl(["apply", "/run/probe.toml"]).expect_code(0);
        assert!(again.stderr.contains(CANNOT), "{again}");
        switch.reflect("up0", true).unwrap();
        let healed = sandbox.netctl(["apply", "/run/probe.toml"]).expect_code(0);
        assert_eq!(healed.stderr, "");
    });
    for kind in [&LOCAL_VEPA, &MACVLAN] {
        on(kind, |_, _, applied| assert_eq!(applied.stderr, "", "{applied}"));
    }
}

#[test]
fn a_dead_link_is_no_answer() {
    on(&VEPA, |sandbox, _, _| {
        sandbox.ip("link set sw-up0 down");
        let done = probe(sandbox).expect_code(2);
        assert!(done.stderr.contains("the link of `up0` is dead: plug it in"), "{done}");
        let applied = sandbox.netctl(["apply", "/run/probe.toml"]).expect_code(0);
        assert!(applied.stderr.contains("is not known: the link of `up0` is dead"), "{applied}");
        sandbox.ip("link set up0 down");
        let done = probe(sandbox).expect_code(2);
        assert!(done.stderr.contains("the link of `up0` is down: `netctl apply` sets it up"), "{done}");
    });
}

#[test]
fn no_guest_and_no_other_station_sees_the_question() {
    for kind in [&VEPA, &LONELY_VEPA] {
        Sandbox::run(|sandbox| {
            let switch = wire(sandbox, kind);
            let lab = Lab::bare(sandbox, &document(kind, "", &RULES)).unwrap();
            // So that the switch has heard of the uplink, as it has of any host that was ever heard of.
            sandbox.ip("addr add 10.0.0.254/24 dev up0");
            let _ = std::net::UdpSocket::bind("10.0.0.254:0").unwrap().send_to(b"", "10.0.0.77:9");
            let taps = ["web1", "db1"].map(|name| lab.tap(name).unwrap());
            let world = switch.station("world").unwrap();
            assert_eq!(probe(sandbox).code, Some(if kind.reflects { 0 } else { 1 }));
            for tap in taps.iter().chain([&world]) {
                let ours = |frame: &[u8]| frame.get(12..14) == Some(&[0x88, 0xb5]);
                assert_eq!(tap.recv_matching(A_WHILE, ours).unwrap(), None);
            }
        });
    }
}

#[test]
fn what_cannot_be_asked_is_told() {
    Sandbox::run(|sandbox| {
        let none = probe(sandbox).expect_code(2);
        assert!(none.stderr.contains("netctl is not running here"), "{none}");
        std::fs::write(
            "/run/bridge.toml",
            "[networks.lab]\nkind = \"bridge\"\n[policy]\ndefault = \"deny\"\n",
        )
        .unwrap();
        sandbox.netctl(["apply", "/run/bridge.toml"]).expect_code(0);
        let bridge = probe(sandbox).expect_code(2);
        assert!(bridge.stderr.contains("network `lab` is of kind bridge"), "{bridge}");
        let other = sandbox.netctl(["network", "probe", "lap"]).expect_code(2);
        assert!(
            other.stderr.contains("no network `lap` in the running document; did you mean `lab`?"),
            "{other}"
        );
    });
}
