//! VF pools on a real SR-IOV NIC: QEMU's igb in a lab kernel. Not part of `cargo test`: these tests change the machine's
//! own NIC, because a virtual function's interface appears in the first network namespace only.

#[path = "sriov/crashes.rs"]
mod crashes;
#[path = "sriov/nic.rs"]
mod nic;
#[path = "sriov/settings.rs"]
mod settings;
#[path = "sriov/traffic.rs"]
mod traffic;
