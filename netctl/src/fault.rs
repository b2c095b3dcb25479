//! Points at which a test kills netctl: one before each change of the host's or the kernel's state.
//!
//! Only builds with debug assertions have them. `NETCTL_FAULT=list` names each point on standard error as it is
//! passed; `NETCTL_FAULT=7` kills the process with SIGKILL at the seventh.

/// The variable that says where to die.
pub const FAULT: &str = "NETCTL_FAULT";

/// Passes the point `name`, or dies there.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: OnceLock<Option<String>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let Some(wanted) = WANTED.get_or_init(|| std::env::var(FAULT).ok()) else { return };
    let number = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    if wanted == "list" {
        eprintln!("fault {number}: {name}");
    } else if wanted.parse() == Ok(number) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        // The signal ends all threads; until then this one goes no further.
        loop {
            std::thread::park();
        }
    }
}

/// Nothing: this build has no debug assertions.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &str) {}
