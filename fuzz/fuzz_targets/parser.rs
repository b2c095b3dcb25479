//! The parser of frames: see tests/src/fuzz/parser.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netctl_tests::fuzz::parser(bytes));
