//! `cargo xtask lab`: netctl's tests in other kernels than this machine's, emulated by QEMU.
//!
//! The kernels are Debian's, fetched by apt from the mirror that the machine uses, and kept (`store`); a kernel that is
//! not to be had is a failure. They are booted over the machine's own root file system (`boot`), and run the test
//! programs that were built here (`programs`), as `job` plans it. `verified` compares what the verifiers did.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use self::{
    boot::{Boot, Report},
    job::{Job, PLAN, Planned},
    series::Series,
    store::{Kernel, Qemu, Store},
    verified::Count,
};
use crate::workspace;

mod boot;
mod job;
mod programs;
mod series;
mod store;
mod suite;
mod verified;

/// Logs of the last run, seen from the workspace's folder.
const LOGS: &str = "target/lab";

/// Tells tests of a second QEMU, newer than Debian 12's: 8.0 or newer, of Debian's backports 10.
pub(crate) const QEMU_VARIABLE: &str = "NETCTL_QEMU_10";

/// Kernels that run at the same time: much of a test is waiting.
const SIDE_BY_SIDE: usize = 2;

/// How `cargo xtask lab` was asked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only in these kernels
    #[arg(long = "kernel", value_enum)]
    kernels: Vec<Series>,
    /// Agree on what the verifiers did: write netctl-ebpf/verified.lock
    #[arg(long)]
    bless: bool,
    /// Only fetch what is missing
    #[arg(long)]
    fetch: bool,
    /// Instead of tests, run this shell script as root
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Test targets; default: what the lab has planned
    targets: Vec<String>,
    /// Passed to the test programs
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// A kernel with what it is to run, and what came of it.
struct Run {
    kernel: Kernel,
    jobs: Vec<Job>,
    result: Option<Result<Report>>,
}

/// The program for [`QEMU_VARIABLE`]; fetched if it is not there.
///
/// # Errors
/// It is not to be had.
pub(crate) fn newer_qemu() -> Result<PathBuf> {
    Store::open()?.newer_qemu()
}

/// The same, if it is there.
///
/// # Errors
/// Why it is not.
pub(crate) fn find_newer_qemu() -> Result<String, String> {
    store::find_newer_qemu().map(|file| file.display().to_string()).map_err(|e| format!("{e:#}"))
}

/// Fetches, builds, boots, and reports.
///
/// # Errors
/// Something that cannot be fetched or built, a kernel that does not boot, or a job that fails.
pub(crate) fn lab(options: &Options) -> Result<()> {
    let start = Instant::now();
    let series: Vec<_> = Series::ALL
        .into_iter()
        .filter(|it| options.kernels.is_empty() || options.kernels.contains(it))
        .collect();
    let store = Store::open()?;
    let qemu = store.qemu()?;
    let kernels = series.iter().map(|it| store.kernel(*it)).collect::<Result<Vec<_>>>()?;
    if options.fetch {
        kernels.iter().for_each(|it| eprintln!("lab: {} is {}", it.series.name(), it.release));
        return Ok(());
    }
    let mut runs = plan(options, kernels)?;
    boot_all(&qemu, &mut runs);
    let failures = summary(&runs);
    let counts: Vec<_> = runs.iter().flat_map(verified_counts).collect();
    if !counts.is_empty() {
        verified::check(&counts, options.bless)?;
    }
    if failures > 0 {
        bail!("{failures} of the lab's runs failed; logs are in {LOGS}");
    }
    eprintln!("lab: passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// What each kernel is to run.
fn plan(options: &Options, kernels: Vec<Kernel>) -> Result<Vec<Run>> {
    let netctl = workspace::release_binary()?;
    if let Some(script) = &options.script {
        let script = script.canonicalize().with_context(|| format!("no {}", script.display()))?;
        let job = Job::script_of(&script, &netctl);
        let run = |kernel| Run { kernel, jobs: vec![job.clone()], result: None };
        return Ok(kernels.into_iter().map(run).collect());
    }
    let planned: Vec<Planned<'_>> = match options.targets.as_slice() {
        [] => PLAN.to_vec(),
        named => named.iter().map(|name| Planned::named(name)).collect(),
    };
    let targets: Vec<&str> = planned.iter().map(|it| it.target).collect();
    let programs = programs::build(&targets)?;
    let mut runs = Vec::new();
    for kernel in kernels {
        let mut jobs = Vec::new();
        for it in &planned {
            if options.targets.is_empty() && it.not_daily.contains(&kernel.series) {
                eprintln!("lab: {} runs in {} only by name", it.target, kernel.release);
                continue;
            }
            if let Some(feature) = it.lacks(kernel.series) {
                eprintln!("lab: {} needs {}, which {} has not", it.target, feature.name(), kernel.release);
                continue;
            }
            let program = programs.get(it.target).with_context(|| format!("no test target {}", it.target))?;
            jobs.push(Job::of(it, program, &options.arguments, &netctl));
        }
        runs.push(Run { kernel, jobs, result: None });
    }
    for it in &planned {
        it.left_out.iter().for_each(|test| eprintln!("lab: {} runs without {test}", it.target));
    }
    Ok(runs)
}

/// Boots the kernels, some at a time.
fn boot_all(qemu: &Qemu, runs: &mut [Run]) {
    let root = workspace::root();
    let waiting = Mutex::new(runs.iter_mut());
    let work = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(run) = next else { return };
            let name = run.kernel.series.name();
            let dir = root.join(LOGS).join(name);
            println!("{name:>4} | booting {}", run.kernel.release);
            let boot = Boot { kernel: &run.kernel, qemu, jobs: &run.jobs, dir: &dir };
            run.result = Some(boot.run(&|line| println!("{name:>4} | {line}")));
        }
    };
    thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
}

/// Prints what came of all, and counts what failed.
fn summary(runs: &[Run]) -> usize {
    let mut failures = 0;
    for run in runs {
        let (name, release) = (run.kernel.series.name(), &run.kernel.release);
        match &run.result {
            Some(Ok(report)) => {
                println!("{name:>4} | {release}: booted in {:.0} s", report.boot.as_secs_f64());
                for (job, outcome) in run.jobs.iter().zip(&report.outcomes) {
                    let word = outcome.word();
                    failures += usize::from(outcome.code != 0);
                    println!(
                        "{name:>4} |   {:<10} {word} in {:.0} s",
                        job.name,
                        outcome.elapsed.as_secs_f64()
                    );
                }
            }
            Some(Err(e)) => {
                failures += 1;
                println!("{name:>4} | {release}: {e:#}");
            }
            None => failures += 1,
        }
    }
    failures
}

fn verified_counts(run: &Run) -> Vec<Count> {
    let Some(Ok(report)) = &run.result else { return Vec::new() };
    let jobs = run.jobs.iter().zip(&report.outcomes).filter(|(job, _)| job.name == verified::TARGET);
    jobs.flat_map(|(_, outcome)| verified::counts(run.kernel.series, outcome)).collect()
}
