//! Whether a port's programs are on its hooks, as CAP_NET_ADMIN alone can tell: for who may not open the pinned links, which
//! `kernel/enforced.rs` looks at. A tcx hook tells the identities of its programs, and not whose they are: the caller
//! knows which to expect.

use std::io;

use aya::programs::TcAttachType;
use netctl_common::verdict::Direction;

use super::attach::hook;
use super::{sys, tc};
use crate::config::PortKind;

/// linux/bpf.h
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;

/// Whether both hooks of an interface have netctl's program: the `expected` one (from the guest, to the guest) by tcx, or
/// netctl's clsact filter.
///
/// # Errors
/// What bpf(2) or netlink says; EPERM without CAP_NET_ADMIN.
pub fn is_guarded(ifindex: u32, kind: PortKind, expected: Option<[u32; 2]>) -> io::Result<bool> {
    for (number, direction) in [Direction::FromGuest, Direction::ToGuest].into_iter().enumerate() {
        let hook = hook(kind, direction);
        let tcx = match hook {
            TcAttachType::Egress => BPF_TCX_EGRESS,
            _ => BPF_TCX_INGRESS,
        };
        let by_tcx = match expected {
            Some(expected) => sys::tcx_programs(ifindex, tcx)?.contains(&expected[number]),
            None => false,
        };
        if !by_tcx && !tc::has_filter(ifindex, hook)? {
            return Ok(false);
        }
    }
    Ok(true)
}
