//! VF pools on a real SR-IOV NIC: QEMU's igb in a lab kernel. Not part of `cargo test` (`test = false` in Cargo.toml): these
//! tests change the machine's own NIC, because a virtual function's interface appears in the first network namespace
//! only. `NETCTL_TEST_PF=eth0 cargo test -p netctl-tests --test sriov -- --test-threads 1`, on a machine with
//! `-device intel-iommu` and `-device igb` behind a `pcie-root-port`, and all of its memory below 4 GiB: QEMU 10.0 loses
//! the upper half of the address of a function's registers otherwise.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests, also what clippy does not see as one")]

#[path = "sriov/crashes.rs"]
mod crashes;
#[path = "sriov/nic.rs"]
mod nic;
#[path = "sriov/settings.rs"]
mod settings;
#[path = "sriov/traffic.rs"]
mod traffic;
