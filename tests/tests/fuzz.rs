//! The targets of the fuzzers, without libFuzzer: over the corpus of attacks and over mutations of it that follow from
//! a seed. And host against kernel, which needs root. `NETCTL_SEED` and `NETCTL_FRAMES` set where and how long.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "fuzz/kernel.rs"]
mod kernel;
#[path = "kernel/lab.rs"]
#[allow(dead_code, reason = "of the kernel's tests, which need all of it")]
mod lab;
#[path = "kernel/live.rs"]
#[allow(dead_code, reason = "of the kernel's tests, which need all of it")]
mod live;
#[path = "fuzz/progress.rs"]
mod progress;
#[path = "fuzz/targets.rs"]
mod targets;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn seed() -> u64 {
    setting("NETCTL_SEED", 1)
}
