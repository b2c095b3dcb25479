//! `demo --qemu`: the main job with real guests. Three small Linux systems in QEMU, one policy, and a table of who
//! reaches whom: what the policy says beside what the guest saw.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::machine::{Boot, Machine};
use crate::sandbox::Sandbox;

const DOCUMENT: &str = r#"[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24", "fd00::1/64"]

[ports.web1]
network = "lab"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]

[ports.web2]
network = "lab"
addresses = ["10.0.0.12", "fd00::12"]
groups = ["web"]

[ports.db1]
network = "lab"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]
queues = 2

[policy]
default = "deny"
rules = [
  { allow = "tcp/5432", from = "web", to = "db", name = "app to database" },
  { allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "any" },
  { deny = "any", from = "db", to = "any", name = "a database opens nothing" },
]
"#;

const GUESTS: [Boot<'static>; 3] = [
    Boot { port: "web1", ipv4: "10.0.0.11/24", ipv6: "fd00::11/64", processors: 1 },
    Boot { port: "web2", ipv4: "10.0.0.12/24", ipv6: "fd00::12/64", processors: 1 },
    Boot { port: "db1", ipv4: "10.0.0.21/24", ipv6: "fd00::21/64", processors: 2 },
];

/// Who asks, whom, for which service, by which check of the guest, and whether the policy lets it.
type Question = (&'static str, &'static str, &'static str, &'static str, bool);

const QUESTIONS: [Question; 9] = [
    ("web1", "db1", "tcp/5432", "connect:10.0.0.21:5432", true),
    ("web2", "db1", "tcp/5432", "connect:[fd00::21]:5432", true),
    ("web1", "db1", "tcp/22", "connect:10.0.0.21:22", false),
    ("web1", "web2", "tcp/22", "connect:[fd00::12]:22", false),
    ("web1", "web2", "icmp/echo-request", "ping:10.0.0.12", true),
    ("web2", "db1", "icmp6/echo-request", "ping:fd00::21", true),
    ("web1", "host", "icmp/echo-request", "ping:10.0.0.1", true),
    ("db1", "web1", "tcp/22", "connect:10.0.0.11:22", false),
    ("db1", "host", "icmp6/echo-request", "ping:fd00::1", false),
];

/// Runs the demo in namespaces of its own, on standard output.
///
/// # Errors
/// What is missing (root, the guests' images), or a guest that saw something else than the policy says.
pub fn run() -> Result<()> {
    let sandbox = Sandbox::new()?;
    sandbox.enter(|| show(&sandbox))
}

fn show(sandbox: &Sandbox) -> Result<()> {
    fs::write("/run/host.toml", DOCUMENT).context("cannot write the document")?;
    println!("The document:\n\n{DOCUMENT}");
    step(sandbox, &["apply", "/run/host.toml"])?;
    step(sandbox, &["port", "list"])?;
    let mut guests = boot(sandbox)?;
    let unexpected = ask_all(&mut guests)?;
    println!();
    step(sandbox, &["stats"])?;
    step(sandbox, &["events"])?;
    drop(guests);
    step(sandbox, &["down"])?;
    ensure!(unexpected == 0, "{unexpected} answers are not what the policy says");
    Ok(())
}

/// A command as one would type it, and what it prints.
fn step(sandbox: &Sandbox, arguments: &[&str]) -> Result<()> {
    let done = sandbox.netctl(arguments);
    println!("$ netctl {}\n{}", arguments.join(" "), done.stdout);
    ensure!(done.code == Some(0), "{done}");
    Ok(())
}

fn boot(sandbox: &Sandbox) -> Result<Vec<Machine>> {
    let started = Instant::now();
    println!("$ netctl run PORT -- qemu-system-x86_64 … '{{PORT}}'   (for each port)");
    let mut guests =
        GUESTS.map(|boot| Machine::start(sandbox, boot)).into_iter().collect::<Result<Vec<_>>>()?;
    for guest in &mut guests {
        guest.wait_ready()?;
        for service in ["listen:tcp/22", "listen:tcp/5432"] {
            guest.check(service)?;
        }
    }
    println!("{} guests are up after {:.0} s\n", guests.len(), started.elapsed().as_secs_f64());
    Ok(guests)
}

/// Prints the table; how many answers are not the expected ones.
fn ask_all(guests: &mut [Machine]) -> Result<usize> {
    println!("{:<5} {:<5} {:<19} {:<25} {:<9} SEEN", "FROM", "TO", "SERVICE", "IN THE GUEST", "EXPECTED");
    let mut unexpected = 0;
    for (from, to, service, check, allowed) in QUESTIONS {
        let guest = GUESTS.iter().position(|boot| boot.port == from).and_then(|at| guests.get_mut(at));
        let seen = guest.with_context(|| format!("no guest {from}"))?.check(check)?;
        let expected = if allowed { "ok" } else { "no answer" };
        let wrong = (seen == "ok") != allowed;
        unexpected += usize::from(wrong);
        let mark = if wrong { "   <-- not as expected" } else { "" };
        println!("{from:<5} {to:<5} {service:<19} {check:<25} {expected:<9} {seen}{mark}");
    }
    Ok(unexpected)
}
