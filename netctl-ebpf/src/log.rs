//! A line for each frame that is decided, in builds for debugging: `cargo build -p netctl --features bpf-log`.

use aya_ebpf::programs::TcContext;
use aya_log_ebpf::info;
use netctl_common::decide::Facts;
use netctl_common::verdict::Direction;

/// Numbers, as names would be too long for the programs: [`netctl_common::verdict::Action`],
/// [`netctl_common::verdict::Reason`].
#[inline(always)]
pub(crate) fn frame(ctx: &TcContext, direction: Direction, facts: &Facts) {
    info!(
        ctx,
        "port {} direction {} action {} reason {} rule {} length {} generation {}",
        facts.port,
        direction as u32,
        facts.verdict.action as u32,
        facts.verdict.reason as u32,
        facts.verdict.rule,
        facts.packet.length,
        facts.generation
    );
}
