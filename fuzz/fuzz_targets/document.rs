//! The document: see tests/src/fuzz/document.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netctl_tests::fuzz::document(bytes));
