//! `netctl libvirt-hook`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::libvirt::script::{Driver, FOLDER};

#[derive(Debug, Args)]
pub struct LibvirtHookArgs {
    /// The driver of libvirt that calls.
    #[arg(long, value_enum, default_value_t = Driver::Qemu)]
    pub driver: Driver,
    /// Write the scripts `qemu.d/netctl` and `network.d/netctl` into libvirt's folder of hooks.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = FOLDER, conflicts_with_all = ["uninstall", "call"])]
    pub install: Option<PathBuf>,
    /// Remove the scripts again.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = FOLDER, conflicts_with = "call")]
    pub uninstall: Option<PathBuf>,
    /// With `--install` and `--uninstall`: print what would change, and change nothing.
    #[arg(long, conflicts_with = "call")]
    pub dry_run: bool,
    /// As libvirt says them: OBJECT OPERATION SUBOPERATION EXTRA.
    #[arg(num_args = 2..=4, required_unless_present_any = ["install", "uninstall"], value_name = "WORD")]
    pub call: Vec<OsString>,
}
