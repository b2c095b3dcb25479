//! The decision over sequences of frames: see tests/src/fuzz/decision.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netctl_tests::fuzz::decision(bytes));
