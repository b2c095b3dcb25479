//! Entry points of the kernel side: one program for each direction of a port, and of an uplink at which guests and the
//! host reach each other. No policy in here; what is decided is in `netctl_common::decide`.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod atomic;
mod capture;
mod forward;
mod journal;
#[cfg(feature = "log")]
mod log;
mod maps;
mod packet;
mod record;
mod reject;
mod steps;

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use netctl_common::decide::decide;
use netctl_common::frame::Frame;
use netctl_common::host;
use netctl_common::mark;
use netctl_common::verdict::Direction;

use crate::maps::KernelTables;
use crate::packet::Skb;

/// tap: TC ingress. macvtap: TC egress.
#[classifier]
pub(crate) fn from_guest(ctx: TcContext) -> i32 {
    run(&ctx, Direction::FromGuest)
}

/// tap: TC egress. macvtap: TC ingress.
#[classifier]
pub(crate) fn to_guest(ctx: TcContext) -> i32 {
    run(&ctx, Direction::ToGuest)
}

/// Uplink: TC egress.
#[classifier]
pub(crate) fn from_host(ctx: TcContext) -> i32 {
    let skb = Skb::untouched(&ctx);
    forward::sent(&skb, host::sent(skb.ifindex(), &skb, &KernelTables::of(&ctx)))
}

/// Uplink: TC ingress.
#[classifier]
pub(crate) fn to_host(ctx: TcContext) -> i32 {
    let skb = Skb::untouched(&ctx);
    let is_copy = skb.mark() == mark::FROM_HOST;
    forward::received(&skb, host::received(skb.ifindex(), is_copy, &skb, &KernelTables::of(&ctx)))
}

#[inline(always)]
fn run(ctx: &TcContext, direction: Direction) -> i32 {
    let skb = Skb::new(ctx);
    let Some(facts) = maps::facts() else { return TC_ACT_SHOT };
    let verdict = decide(direction, skb.ifindex(), &skb, &KernelTables::of(ctx), facts);
    if maps::answers() {
        return record::answer(skb.ifindex(), facts);
    }
    #[cfg(feature = "log")]
    log::frame(ctx, direction, facts);
    record::record(direction, skb.ifindex(), verdict, facts);
    capture::frame(&skb, facts, direction);
    forward::act(&skb, direction, verdict, facts)
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
