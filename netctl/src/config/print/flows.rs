//! `[flows]`: what differs from the default.

use netctl_common::flow::{DEFAULT_TIMEOUTS, TIMEOUTS};

use crate::config::duration::print_seconds;

/// The section; nothing where all is the default.
pub(super) fn text(timeouts: &[u32; TIMEOUTS]) -> String {
    let named = DEFAULT_TIMEOUTS.iter().zip(timeouts);
    let changed = named.filter(|((_, default), seconds)| default != *seconds);
    let parts: Vec<_> =
        changed.map(|((name, _), seconds)| format!("{name} = \"{}\"", print_seconds(*seconds))).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("[flows]\ntimeouts = {{ {} }}\n\n", parts.join(", "))
}
