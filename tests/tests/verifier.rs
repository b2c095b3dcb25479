//! What the kernel's verifier has to do for the programs. `cargo xtask lab` reads what this prints, in each of its
//! kernels, and compares it with `netctl-ebpf/verified.lock`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use netctl::kernel::Kernel;
use netctl_tests::sandbox::Sandbox;

/// Instructions that the verifier may follow in one program: a tenth of what the kernel allows, because each
/// kernel's verifier cuts off other paths.
const BUDGET: u32 = 100_000;

#[test]
fn each_program_is_verified_within_the_budget() {
    Sandbox::run(|_| {
        let kernel = Kernel::open_or_load(Path::new("/sys/fs/bpf")).unwrap();
        let verified = kernel.verified(&kernel.twin().unwrap()).unwrap();
        assert!(verified.len() >= 4, "two programs and their twins: {verified:?}");
        for it in &verified {
            println!("verified {} {}", it.program, it.instructions);
            assert!(it.instructions > 0, "the kernel does not tell about {}", it.program);
            assert!(it.instructions <= BUDGET, "{}: {} of {BUDGET}", it.program, it.instructions);
        }
    });
}
