//! A CPU for one thread alone. Writer and reader work hand in hand: where one of them waits for a CPU that another
//! program has, the other waits too, and the number says how busy the machine is. So both run at real-time priority
//! for the fifth of a second that a measurement takes.

use std::io;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Binds the calling thread to a CPU, before all threads of ordinary priority.
///
/// # Errors
/// If there is no such CPU, or no right to real-time priority.
pub fn claim(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)
        .with_context(|| format!("cannot run on CPU {cpu}: the benchmark needs two"))?;
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: reads one sched_param, which lives until the call returns; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    let reason = io::Error::last_os_error();
    ensure!(
        result == 0,
        "cannot get real-time priority: {reason}; CAP_SYS_NICE is needed, and an RT budget of the cgroup"
    );
    Ok(())
}
