//! The limits of a port as the kernel's table has them.

use netctl_common::abi::{LimitEntry, LimitsEntry, port_flags};
use netctl_common::limit::Limit;

use crate::config::Limits;

pub(super) fn flag(limits: &Limits) -> u32 {
    if *limits == Limits::default() { 0 } else { port_flags::LIMITED }
}

/// `None` where there are no limits.
pub(super) fn entry(limits: &Limits) -> Option<LimitsEntry> {
    let mut entry = LimitsEntry::default();
    for (row, direction) in entry.directions.iter_mut().zip([&limits.from_guest, &limits.to_guest]) {
        for limit in Limit::ALL {
            let Some(rate) = direction.of(limit) else { continue };
            let burst = rate.burst_of(limit);
            let tokens = if limit == Limit::Bits { burst.saturating_mul(8) } else { burst };
            row[limit as usize] = LimitEntry::new(rate.per_second, tokens);
        }
    }
    (*limits != Limits::default()).then_some(entry)
}
