//! A process that dies between any two steps, or is killed at any moment: the next one heals what it left.

use std::process::{Command, Stdio};
use std::time::Duration;

use netctl::config::{self, Config};
use netctl::network::{Consent, Netlink, Step, apply, observe, plan, plan_down};
use netctl_tests::cli::binary;

use super::nic::{Nic, document, netctl};

fn text(pf: &str, ports: &str) -> String {
    let port = |name: char| {
        let last = name as u32;
        format!(
            "[ports.{name}]\nnetwork = \"direct\"\nmac = \"52:54:00:00:00:{last:02x}\"\naddresses = [\"10.0.0.{last}\"]\n"
        )
    };
    let ports: String = ports.chars().map(port).collect();
    format!(
        "[networks.direct]\nkind = \"passthrough\"\npool = {{ pf = \"{pf}\", vfs = 2, vlan = 7 }}\n{ports}"
    )
}

fn config(text: &str) -> Config {
    config::parse("test", text).unwrap().config
}

async fn steps(netlink: &Netlink, wanted: &Config) -> Vec<Step> {
    let observed = observe(netlink).await.unwrap();
    let plan = plan(wanted, &observed, Consent::NotGiven).unwrap();
    plan.changes().flat_map(|change| change.steps()).cloned().collect()
}

async fn to(netlink: &Netlink, wanted: &Config) {
    apply::run(netlink, &steps(netlink, wanted).await).await.unwrap();
    let left = steps(netlink, wanted).await;
    assert!(left.is_empty(), "one apply is not enough: {left:?}");
}

async fn down(netlink: &Netlink) {
    let plan = plan_down(&observe(netlink).await.unwrap());
    apply::remove(netlink, &plan).await.unwrap();
}

fn run(test: impl AsyncFnOnce(&Netlink)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { test(&Netlink::connect().unwrap()).await });
}

#[test]
fn a_crash_while_a_pool_is_made_is_healed_by_the_next_apply_and_by_down() {
    let nic = Nic::new();
    let wanted = config(&text(&nic.pf, "ab"));
    let before = nic.snapshot();
    run(async |netlink| {
        let count = steps(netlink, &wanted).await.len();
        assert!(count > 15, "{count}");
        for crash in 0..=count {
            let these = steps(netlink, &wanted).await;
            apply::run(netlink, &these[..crash]).await.unwrap();
            // Every other crash is followed by `down` alone.
            if crash % 2 == 0 {
                to(netlink, &wanted).await;
                assert_eq!(nic.vf(1)["address"], "52:54:00:00:00:62", "after {:?}", these[..crash].last());
            }
            down(netlink).await;
            assert_eq!(nic.snapshot(), before, "after {:?}", these[..crash].last());
        }
    });
}

#[test]
fn a_crash_while_functions_change_hands_is_healed() {
    let nic = Nic::new();
    let (from, wanted) = (config(&text(&nic.pf, "ab")), config(&text(&nic.pf, "bc")));
    super::nic::sh(&format!("ip link set {} up; sleep 2", nic.pf));
    nic.set_vfs(2);
    let before = nic.snapshot();
    run(async |netlink| {
        to(netlink, &from).await;
        let count = steps(netlink, &wanted).await.len();
        for crash in 0..=count {
            to(netlink, &from).await;
            let these = steps(netlink, &wanted).await;
            apply::run(netlink, &these[..crash]).await.unwrap();
            let last = these[..crash].last();
            to(netlink, &wanted).await;
            assert_eq!(nic.vf(0)["address"], "52:54:00:00:00:63", "after {last:?}");
            assert_eq!(nic.vf(1)["address"], "52:54:00:00:00:62", "after {last:?}");
        }
        down(netlink).await;
    });
    assert_eq!(nic.snapshot(), before);
}

#[test]
fn a_netctl_that_is_killed_leaves_nothing_that_the_next_one_does_not_heal() {
    let nic = Nic::new();
    let before = nic.snapshot();
    let file = document("killed", &text(&nic.pf, "ab"));
    for delay in [200, 500, 900, 1400, 2000, 3000] {
        let mut apply = Command::new(binary().unwrap());
        let mut apply =
            apply.args(["apply", &file]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        apply.kill().unwrap();
        apply.wait().unwrap();
        if delay % 1000 == 0 {
            netctl(&["apply", &file]);
            assert_eq!(netctl(&["diff", &file]), "", "killed after {delay} ms");
        }
        netctl(&["down"]);
        assert_eq!(nic.snapshot(), before, "killed after {delay} ms");
    }
}
