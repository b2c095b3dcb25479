//! Whether a port's hooks are taken, as far as CAP_NET_ADMIN alone shows: for who may not open the pinned links, which
//! `kernel/enforced.rs` looks at. A tcx hook tells how many programs it has, and not whose they are.

use std::io;

use aya::programs::TcAttachType;
use netctl_common::verdict::Direction;

use super::attach::hook;
use super::{sys, tc};
use crate::config::PortKind;

/// linux/bpf.h
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;

/// Whether both hooks of an interface have a program: a tcx link, or netctl's clsact filter.
///
/// # Errors
/// What bpf(2) or netlink says; EPERM without CAP_NET_ADMIN.
pub fn is_guarded(ifindex: u32, kind: PortKind) -> io::Result<bool> {
    for direction in Direction::ALL {
        let hook = hook(kind, direction);
        let tcx = match hook {
            TcAttachType::Egress => BPF_TCX_EGRESS,
            _ => BPF_TCX_INGRESS,
        };
        if sys::count_tcx(ifindex, tcx)? == 0 && !tc::has_filter(ifindex, hook)? {
            return Ok(false);
        }
    }
    Ok(true)
}
