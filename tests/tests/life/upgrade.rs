//! A netctl of ABI version 2 has applied a document, and this one takes over: under traffic, and killed on the way.

use std::path::Path;

use netctl_common::abi::ABI_VERSION;
use netctl_tests::bench::raw_bpf;
use netctl_tests::builds;
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use super::points::FEWER;
use super::traffic::{ALLOWED, RULE, answer, datagram, drain, during, is_whole, open_flow, ports};
use super::world::{KINDS, Kind, World, write};
use super::{A_WHILE, SOON};

/// Packets of a port by direction and reason.
fn packets(stats: &Value, port: &str, reason: &str) -> u64 {
    let rows = stats["ports"].as_array().unwrap().iter();
    let of = rows.filter(|row| row["port"] == port && row["reason"] == reason);
    of.map(|row| row["packets"].as_u64().unwrap()).sum()
}

#[test]
fn an_older_netctl_s_state_is_not_touched_but_by_upgrade() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        let path = write(&world.document("", &[RULE]));
        world.other(&builds::v2(), &format!("apply {path}")).expect_code(0);
        let before = world.traces();
        for line in [&*format!("apply {path}"), "show", "port list", "stats", "port remove web1", "flows"] {
            let refused = world.netctl(line).expect_code(2);
            assert!(
                refused.stderr.contains("netctl/v2") && refused.stderr.contains("netctl upgrade"),
                "{refused}"
            );
        }
        let dry = world.netctl("upgrade --dry-run").expect_code(0);
        assert_eq!(dry.stdout, format!("would move 2 ports from version 2 to version {ABI_VERSION}\n"));
        assert_eq!(world.traces(), before);
        world.netctl("down").expect_code(0);
        assert!(world.traces().iter().all(|trace| !trace.contains("netctl")), "{:?}", world.traces());
    });
}

#[test]
fn a_newer_netctl_s_state_is_refused_with_what_to_do() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        std::fs::create_dir_all("/sys/fs/bpf/netctl/v4000").unwrap();
        let path = write(&world.document("", &[RULE]));
        for line in [&*format!("apply {path}"), "show", "upgrade"] {
            let refused = world.netctl(line).expect_code(2);
            assert!(
                refused.stderr.contains("newer version") && refused.stderr.contains("v4000"),
                "{refused}"
            );
        }
        std::fs::create_dir("/sys/fs/bpf/netctl/v1").unwrap();
        std::fs::remove_dir("/sys/fs/bpf/netctl/v4000").unwrap();
        let refused = world.netctl("upgrade").expect_code(2);
        assert!(refused.stderr.contains("no layouts of version 1"), "{refused}");
    });
}

#[test]
fn under_traffic_an_upgrade_loses_no_frame_no_flow_and_no_count() {
    for kind in KINDS {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox, kind);
            let document = world.document("", &[RULE]);
            world.other(&builds::v2(), &format!("apply {}", write(&document))).expect_code(0);
            let (web1, db1) = (world.tap("web1"), world.tap("db1"));
            open_flow(&web1, &db1, SOON);
            // A flow that nothing refreshes meanwhile: its answer is allowed only if it was kept.
            web1.send(&datagram(true, [7777, ALLOWED])).unwrap();
            let opened = |frame: &[u8]| ports(frame) == Some([7777, ALLOWED]);
            assert!(db1.recv_matching(SOON, opened).unwrap().is_some());
            let ((), counts) = during(&web1, &db1, || ());
            counts.assert_whole(10);
            let before = world.other(&builds::v2(), "stats --json").json();
            let flows = world.other(&builds::v2(), "flows --json").json().as_array().unwrap().len();
            assert!(flows > 5);

            let ((), counts) = during(&web1, &db1, || drop(world.netctl("upgrade").expect_code(0)));
            counts.assert_whole(20);
            db1.send(&datagram(false, [ALLOWED, 7777])).unwrap();
            let kept = |frame: &[u8]| ports(frame) == Some([ALLOWED, 7777]);
            assert!(web1.recv_matching(SOON, kept).unwrap().is_some(), "a flow is lost, {kind:?}");
            let after = world.json("stats");
            for (port, reason) in [("web1", "default"), ("db1", "flow"), ("web1", "rule")] {
                let [then, now] = [&before, &after].map(|stats| packets(stats, port, reason));
                assert!(then > 0 && now >= then, "{port} {reason}: {then}, now {now}");
            }
            let rule = |stats: &Value| stats["rules"][0]["packets"].as_u64().unwrap();
            assert!(rule(&after) > rule(&before), "{} {}", rule(&before), rule(&after));
            assert!(world.json("flows").as_array().unwrap().len() >= flows, "flows are lost");
            for interface in ["web1", "db1"] {
                assert_eq!(world.programs(interface), [1, 1], "{kind:?}");
            }
            let upgraded = world.traces();
            assert!(upgraded.iter().all(|trace| !trace.contains("/v2")), "{upgraded:?}");
            let again = world.netctl("upgrade").expect_code(0);
            assert!(again.stderr.contains("this build's already"), "{again}");
            drop((web1, db1));
            world.netctl("down").expect_code(0);
            world.apply(&document);
            assert_eq!(world.traces(), upgraded, "as if it had always been this version");
        });
    }
}

/// Programs that drop everything stand for those of another build.
#[test]
fn programs_of_another_build_are_told_by_their_tags_and_replaced() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        world.apply(&world.document("", &[RULE]));
        let clean = world.traces();
        let (web1, db1) = (world.tap("web1"), world.tap("db1"));
        open_flow(&web1, &db1, SOON);
        let pins = Path::new("/sys/fs/bpf/netctl").join(format!("v{ABI_VERSION}"));
        for point in 0..30 {
            let foreign = raw_bpf::drop_all().unwrap();
            for program in ["from_guest", "to_guest"] {
                raw_bpf::pin_over(&foreign, &pins.join("programs").join(program)).unwrap();
                for port in ["web1", "db1"] {
                    let link = pins.join("links").join(format!("{port}+{program}"));
                    raw_bpf::update_pinned_link(&link, &foreign).unwrap();
                }
            }
            drain(&db1);
            web1.send(&datagram(true, [5000, ALLOWED])).unwrap();
            assert!(db1.recv_matching(A_WHILE / 4, |frame| ports(frame).is_some()).unwrap().is_none());
            let ended = point > 0 && world.die_at(point, "upgrade");
            let done = world.netctl("upgrade").expect_code(0);
            assert!(point > 0 || !done.stderr.contains("already"), "{done}");
            let whole = answer(&web1, &db1, SOON).and_then(|()| is_whole(&web1, &db1, SOON));
            whole.unwrap_or_else(|e| panic!("{e} after point {point}"));
            assert_eq!(world.traces(), clean, "after point {point}");
            if ended {
                break;
            }
        }
        let again = world.netctl("upgrade").expect_code(0);
        assert!(again.stderr.contains("already"), "{again}");
    });
}

#[test]
fn a_killed_upgrade_goes_on_where_it_was() {
    killed_from(KINDS[0], 1);
}

/// What comes before the first hook is the same for all kinds.
#[test]
fn a_killed_upgrade_of_filters_on_macvtaps_goes_on_where_it_was() {
    killed_from(KINDS[3], 50);
}

/// At the points: whole, and healed by the same command.
fn killed_from(kind: Kind, first: u32) {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, kind);
        let path = write(&world.document("", &[RULE]));
        let mut clean = None;
        for point in FEWER.points(first, 0) {
            let when = format!("after point {point}, {kind:?}");
            world.other(&builds::v2(), &format!("apply {path}")).expect_code(0);
            let (web1, db1) = (world.tap("web1"), world.tap("db1"));
            open_flow(&web1, &db1, SOON);
            let ended = world.die_at(point, "upgrade");
            // The answer first: the other frames would open the flow again.
            let check = || answer(&web1, &db1, SOON).and_then(|()| is_whole(&web1, &db1, SOON));
            check().unwrap_or_else(|e| panic!("{e} {when}"));
            world.netctl("upgrade").expect_code(0);
            check().unwrap_or_else(|e| panic!("{e} {when}, healed"));
            drop((web1, db1));
            let traces = world.traces();
            assert_eq!(clean.get_or_insert_with(|| traces.clone()), &traces, "{when}");
            world.netctl("down").expect_code(0);
            if ended {
                assert!(point > 60, "only {point} points");
                break;
            }
        }
    });
}
