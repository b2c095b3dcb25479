//! What events cost the data path: a flood of denied frames, by programs that tell of them and by the same ones without
//! events, in turn. As root, in a sandbox of its own.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use netctl::kernel::Kernel;
use netctl::kernel::timed::Timed;
use netctl_common::abi::Counter;
use netctl_common::verdict::{Direction, Reason};
use netctl_tests::frame::{Build, Carrier, SYN, eth, mac};
use netctl_tests::sandbox::Sandbox;

const DOCUMENT: &str = r#"[networks.lab]
kind = "bridge"

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11"]

[policy]
default = "deny"
rules = [{ allow = "tcp/443", from = "any", to = "web1" }]
"#;

/// Frames are offered in bursts this far apart.
const BURST: Duration = Duration::from_millis(5);

/// Measures what events cost.
#[derive(Parser)]
struct Args {
    /// Denied frames a second
    #[arg(long, default_value_t = 200_000)]
    rate: u32,
    /// Rounds, in each of which both are measured once
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Length of one measurement
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500)]
    millis: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    Sandbox::run(|sandbox| measure(&args, sandbox))
}

fn measure(args: &Args, sandbox: &Sandbox) -> Result<()> {
    std::fs::write("/run/host.toml", DOCUMENT)?;
    let applied = sandbox.netctl(["apply", "/run/host.toml"]);
    ensure!(applied.code == Some(0), "{applied}");
    let kernel = Kernel::open(std::path::Path::new("/sys/fs/bpf"))?;
    let port = kernel.ports()?.pop().context("no port")?;
    let frame = eth(mac(0x11), mac(0x21)).ipv4("10.0.0.11", "10.0.0.21").tcp(5000, 22).flags(SYN).frame();
    let [mut telling, mut quiet] =
        [kernel.timed(Direction::FromGuest, true)?, kernel.timed(Direction::FromGuest, false)?];
    let mut took = [Vec::new(), Vec::new()];
    let before = kernel.untold_events(port.entry.id)?;
    let journal = kernel.journal()?;
    let numbered = journal.end();
    for _ in 0..args.rounds {
        for (program, took) in [&mut telling, &mut quiet].into_iter().zip(&mut took) {
            took.push(flood(program, port.ifindex, &frame, args)?);
        }
    }
    let denied = denied(&kernel.port_counters(port.entry.id)?);
    let told = journal.end() - numbered;
    let untold = kernel.untold_events(port.entry.id)? - before;
    let [telling, quiet] = took.map(median);
    println!("denied {denied} frames, {} a second; half of them by programs that tell", args.rate);
    println!("told {told}, counted {untold} that were over the rate");
    ensure!(told + untold == denied / 2, "{told} told and {untold} counted of {}", denied / 2);
    println!("a denied frame: {telling:.1} ns with events, {quiet:.1} ns without; {:.3} x", telling / quiet);
    Ok(())
}

/// Nanoseconds per frame, of frames in bursts at the rate.
fn flood(program: &mut Timed, ifindex: u32, frame: &[u8], args: &Args) -> Result<f64> {
    let each = (f64::from(args.rate) * BURST.as_secs_f64()).max(1.0) as u32;
    let bursts = (Duration::from_millis(args.millis).as_nanos() / BURST.as_nanos()).max(1);
    let mut sum = 0.0;
    for _ in 0..bursts {
        let begun = Instant::now();
        sum += program.run(ifindex, frame, each)?.as_nanos() as f64;
        sleep(BURST.saturating_sub(begun.elapsed()));
    }
    Ok(sum / bursts as f64)
}

fn denied(counters: &[Counter]) -> u64 {
    counters[Reason::Default as usize].packets
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
