//! What `cargo xtask demo` shows, one file for each kind of guest.

pub mod qemu;
