//! Enforcement and netctl's processes: it needs none of them, and none of them can be killed at a bad moment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use netctl_common::verdict::Reason;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;

use super::stream::while_streaming;
use super::{A_WHILE, PORTS, SOON, document, policy, port};

const KILLS: u32 = 20;

const ECHO_TO_DB: &str = r#"{ allow = "udp/7", from = "web", to = "db" }"#;
const STREAM: &str = r#"{ allow = ["udp/1000", "tcp/5432"], from = "web", to = "db" }"#;

/// The one or the other of two documents that differ in rules, their order, and a port; UDP port 1001 or 1002 is open
/// in it.
fn variant(second: bool) -> String {
    let only = if second { 1002 } else { 1001 };
    let rule = format!(r#"{{ allow = "udp/{only}", from = "web", to = "db" }}"#);
    let other = r#"{ deny = ["tcp/22", "udp/9"], from = "any", to = "any" }"#;
    let text = if second { document(&[other, &rule, STREAM]) } else { document(&[STREAM, &rule]) };
    if second { text.replacen("[policy]", &(port("more", "web", 31) + "[policy]"), 1) } else { text }
}

#[test]
fn an_apply_can_be_killed_at_any_moment() {
    Sandbox::run(|sandbox| {
        let [one, other] = [variant(false), variant(true)];
        let mut lab = Lab::bare(sandbox, &one).unwrap();
        for name in ["web2", "db2"] {
            lab.start_guest(name).unwrap();
        }
        for port in [1001, 1002] {
            lab.guest("db2").udp_echo(port);
        }
        lab.guest("db2").tcp_listen(5432);
        let address = lab.address("db2", Family::V4);
        let conn = lab.guest("web2").tcp_connect(address, 5432, SOON).unwrap();
        let whole = lab.apply(&other).unwrap().elapsed;
        let texts = [one, other];
        let ((), counts) = while_streaming(&lab, &[1000, 1003], || {
            kill_applies(sandbox, (&lab, &texts), whole, || {
                assert!(conn.still_alive(SOON), "the connection is cut")
            });
        });
        assert!(counts[&1000].sent > 500, "hardly any traffic: {counts:?}");
        assert_eq!(counts[&1000].arrived, counts[&1000].sent, "what both allow: {counts:?}");
        assert_eq!(counts[&1003].arrived, 0, "what none allows: {counts:?}");
    });
}

/// Kills [`KILLS`] times, at moments that are spread over the time that a whole apply takes.
fn kill_applies(
    sandbox: &Sandbox,
    (lab, texts): (&Lab<'_>, &[String; 2]),
    mut whole: Duration,
    check: impl Fn(),
) {
    let paths = texts.each_ref().map(|text| lab.write(text).unwrap());
    let mut killed = 0;
    for attempt in 0..KILLS as usize * 4 {
        let mut apply = sandbox.start_netctl(["apply", &paths[attempt % 2]]);
        thread::sleep(whole * killed / KILLS);
        match apply.wait(Duration::ZERO) {
            None => killed += 1,
            // A whole apply takes less than was thought.
            Some(_) => whole = whole * 9 / 10,
        }
        apply.kill();
        check();
        assert!(one_of_both(lab), "a mix of two policies after kill {killed}");
        if attempt % 6 == 0 {
            heals(lab, &texts[attempt / 6 % 2], attempt / 6 % 2);
        }
        if killed == KILLS {
            return heals(lab, &texts[0], 0);
        }
    }
    panic!("only {killed} of {KILLS} were killed before their end");
}

fn one_of_both(lab: &Lab<'_>) -> bool {
    let [a, b] = [1001, 1002].map(|port| lab.explain("web1", "db1", &format!("udp/{port}")).unwrap().allowed);
    a != b
}

/// The next apply works, and the policy is the new one.
fn heals(lab: &Lab<'_>, text: &str, which: usize) {
    lab.apply(text).unwrap();
    let address = lab.address("db2", Family::V4);
    let asks = |port, limit| lab.guest("web2").udp_ask(address, port, b"?", limit);
    let ports = if which == 0 { [1001, 1002] } else { [1002, 1001] };
    assert!(asks(ports[0], SOON), "udp/{} after apply", ports[0]);
    assert!(!asks(ports[1], Duration::from_millis(100)), "udp/{} after apply", ports[1]);
}

#[test]
fn a_first_apply_that_is_killed_leaves_nothing_that_the_next_one_stumbles_over() {
    Sandbox::run(|sandbox| {
        let text = document(&[ECHO_TO_DB]);
        let before = pins();
        let whole = Lab::bare(sandbox, &text).unwrap().apply(&text).unwrap().elapsed * 2;
        for moment in 0..8 {
            sandbox.netctl(["down"]).expect_code(0);
            assert_eq!(pins(), before);
            fs::write("/run/first.toml", &text).unwrap();
            let mut apply = sandbox.start_netctl(["apply", "/run/first.toml"]);
            thread::sleep(whole * moment / 8);
            apply.kill();
            if moment % 2 == 0 {
                let lab = Lab::up(sandbox, &text).unwrap_or_else(|e| panic!("killed at {moment}/8: {e:#}"));
                works(&lab);
            }
        }
        sandbox.netctl(["down"]).expect_code(0);
        assert_eq!((pins(), links()), (before, ["lo".to_owned()].into()));
    });
}

fn works(lab: &Lab<'_>) {
    lab.guest("db1").udp_echo(7);
    lab.guest("web1").udp_echo(7);
    assert!(lab.guest("web1").udp_ask(lab.address("db1", Family::V4), 7, b"?", SOON));
    assert!(!lab.guest("db1").udp_ask(lab.address("web1", Family::V4), 7, b"?", A_WHILE));
}

/// Entries of the BPF file system; the kernel has some of its own.
fn pins() -> BTreeSet<String> {
    names("/sys/fs/bpf")
}

fn links() -> BTreeSet<String> {
    names("/sys/class/net")
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn down_removes_everything_and_a_second_apply_works() {
    Sandbox::run(|sandbox| {
        let (pins_before, links_before) = (pins(), links());
        for round in 0..2 {
            let lab = Lab::up(sandbox, &document(&[ECHO_TO_DB])).unwrap();
            works(&lab);
            drop(lab);
            assert!(pins().len() > pins_before.len() && links().len() == PORTS.len() + 2, "round {round}");
            sandbox.netctl(["down"]).expect_code(0);
            assert_eq!((pins(), links()), (pins_before.clone(), links_before.clone()), "round {round}");
        }
        let again = sandbox.netctl(["down"]).expect_code(0);
        assert_eq!(again.stdout, "");
    });
}

#[test]
fn enforcement_needs_no_process() {
    Sandbox::run(|sandbox| {
        let lab = Lab::up(sandbox, &document(&[ECHO_TO_DB])).unwrap();
        assert_eq!(processes_named("netctl"), 0, "a netctl is still running");
        works(&lab);
        assert_eq!(processes_named("netctl"), 0);
    });
}

/// In this network namespace.
fn processes_named(name: &str) -> usize {
    let namespace = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    let ours = namespace(Path::new("/proc/thread-self"));
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let named =
        |process: &Path| fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim() == name);
    processes.filter(|process| named(process) && namespace(process) == ours).count()
}

#[test]
fn applies_wait_for_each_other() {
    Sandbox::run(|sandbox| {
        let texts = [variant(false), variant(true)];
        let lab = Lab::bare(sandbox, &texts[0]).unwrap();
        let paths = texts.each_ref().map(|text| lab.write(text).unwrap());
        let generation = || lab.counters().unwrap().generation;
        let before = generation();

        let held = File::open("/sys/fs/bpf").unwrap();
        held.lock().unwrap();
        let mut waiting: Vec<_> = (0..6).map(|n| sandbox.start_netctl(["apply", &paths[n % 2]])).collect();
        assert_eq!(waiting[0].wait(Duration::from_millis(800)), None, "it does not wait for the lock");
        assert_eq!(generation(), before);
        held.unlock().unwrap();
        for apply in &mut waiting {
            let status = apply.wait(Duration::from_secs(20));
            assert!(status.is_some_and(|status| status.success()), "{:?}", apply.said());
        }

        assert_eq!(generation(), before + 6, "each one is a generation of its own");
        let open =
            [1001, 1002].map(|port| lab.explain("web1", "db1", &format!("udp/{port}")).unwrap().allowed);
        let runs = sandbox.netctl(["show"]).expect_code(0).stdout;
        assert_eq!(open, if runs.contains("more") { [false, true] } else { [true, false] }, "{runs}");
        assert_eq!(Path::new("/sys/class/net/more").exists(), open[1]);
    });
}

#[test]
fn explain_on_a_running_lab_leaves_no_trace() {
    Sandbox::run(|sandbox| {
        let text =
            document(&[STREAM, r#"{ deny = "tcp/22", from = "any", to = "any", log = true }"#, ECHO_TO_DB]);
        let lab = Lab::bare(sandbox, &text).unwrap();
        let traces = || {
            let mut counters = lab.counters().unwrap();
            // The host itself speaks on its bridge when it likes to: DAD and reports of its groups.
            counters.ports.retain(|row| row.reason != Reason::NeighborDiscovery.name());
            (counters, sandbox.netctl(["flows", "--json"]).stdout)
        };
        let before = traces();
        for (service, allowed) in
            [("tcp/5432", true), ("tcp/22", false), ("udp/7", true), ("icmp/echo-request", false)]
        {
            let answer = lab.explain("web1", "db1", service).unwrap();
            assert_eq!((answer.allowed, &*answer.answered_by), (allowed, "kernel"), "{service}");
        }
        lab.explain("world/192.0.2.7", "web1", "tcp/5432").unwrap();
        assert_eq!(traces(), before);
        assert!(lab.events().unwrap().is_empty());
        assert_eq!(lab.flows().unwrap().len(), 0);
    });
}

#[test]
fn a_document_with_an_error_changes_nothing() {
    Sandbox::run(|sandbox| {
        let lab = Lab::up(sandbox, &document(&[ECHO_TO_DB])).unwrap();
        let before = lab.counters().unwrap().generation;
        let path = lab.write(&(policy(&[r#"{ allow = "udp/7", from = "nobody", to = "db" }"#]))).unwrap();
        sandbox.netctl(["apply", &path]).expect_code(1);
        assert_eq!(lab.counters().unwrap().generation, before);
        works(&lab);
    });
}
