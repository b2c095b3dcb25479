//! Steps of the decision as functions that the kernel's verifier follows once each, whatever they are called with: "global"
//! functions (kernel/bpf/verifier.c, do_check_subprogs; Linux 5.12 for arguments that are pointers to memory). Their symbols and
//! the types of their arguments are what tells the kernel, by BTF.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::programs::TcContext;
use netctl_common::abi::{AddressKey, NO_PORT, PortEntry};
use netctl_common::decide::{Facts, Judge, Step};
use netctl_common::lease;
use netctl_common::verdict::{Direction, Reason, Verdict};

use crate::maps::KernelTables;
use crate::packet::Skb;

macro_rules! steps {
    ($($symbol:ident: $step:ident,)+) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $symbol(
                skb: *mut __sk_buff,
                port: *const PortEntry,
                facts: *mut Facts,
                direction: u32,
            ) -> u32 {
                run(Step::$step, (skb, port, facts, direction))
            }
        )+

        /// Calls the step's function.
        #[inline(always)]
        pub(crate) fn call(
            step: Step,
            skb: *mut __sk_buff,
            port: &PortEntry,
            facts: &mut Facts,
            direction: Direction,
        ) {
            let _ = match step {
                $(Step::$step => $symbol(skb, port, facts, direction as u32),)+
            };
        }
    };
}

steps! {
    step_vlan: Vlan,
    step_fragment: Fragment,
    step_without_flow: WithoutFlow,
    step_sender: Sender,
    step_arp: Arp,
    step_ethertype: Ethertype,
    step_neighbor: Neighbor,
    step_link_layer: LinkLayer,
    step_related: Related,
    step_find_inner: FindInner,
    step_flow_of_inner: FlowOfInner,
    step_group: Group,
    step_portless: Portless,
    step_opens: Opens,
    step_addresses: Addresses,
    step_policy: Policy,
    step_rules: Rules,
    step_take_flow: TakeFlow,
    step_keep: Keep,
    step_settle: Settle,
    step_judge_again: JudgeAgain,
    step_take_frame: TakeFrame,
    step_leave_fragment: LeaveFragment,
    step_learn: Learn,
    step_learn_option: LearnOption,
    step_acquire: Acquire,
    step_take_place: TakePlace,
    step_put_lease: PutLease,
    step_advertise: Advertise,
}

/// See [`netctl_common::lease::holder`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lease_holder(key: *const AddressKey, slot: u32) -> u32 {
    // SAFETY: as in `run`.
    match unsafe { key.as_ref() } {
        // Its look-ups have nothing to do with the frame. Linux 6.1 takes no key but from the stack or a map: see
        // `netctl_common::decide`, `flow_apart`.
        Some(key) => lease::holder(&KernelTables::of_no_frame(), slot, &core::hint::black_box(*key)),
        None => NO_PORT,
    }
}

/// See [`netctl_common::lease::classes_of`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lease_classes(key: *const AddressKey, slot: u32, port: u32) -> u64 {
    // SAFETY: as in `run`.
    match unsafe { key.as_ref() } {
        Some(key) => lease::classes_of(&KernelTables::of_no_frame(), slot, port, key),
        None => u64::MAX,
    }
}

/// Returns a number because the kernel wants one of such functions; the verdict is in the facts.
#[inline(always)]
fn run(
    step: Step,
    (skb, port, facts, direction): (*mut __sk_buff, *const PortEntry, *mut Facts, u32),
) -> u32 {
    // SAFETY: the verifier lets only this object's programs call, with what `call` gives them: pointers that are valid for the
    // call, `facts` the only one that is written through.
    let (port, Some(facts)) = (unsafe { (port.as_ref(), facts.as_mut()) }) else { return 0 };
    let Some(port) = port else {
        facts.verdict = Verdict::deny(Reason::Internal);
        return 0;
    };
    // SAFETY: as above. Volatile, because callers would pass nothing for what a step does not use, which the verifier refuses.
    let direction = unsafe {
        let _ = (&raw const (*skb).len).read_volatile();
        let _ = (&raw const port.id).read_volatile();
        (&raw mut facts.direction).write_volatile(direction);
        (&raw const facts.direction).read_volatile()
    };
    let ctx = TcContext::new(skb);
    let (tables, frame) = (KernelTables::of(&ctx), Skb::untouched(&ctx));
    let direction = Direction::decode(direction as u8);
    Judge::new(&tables, &frame, port, direction, frame.ifindex()).run(step, facts);
    0
}
