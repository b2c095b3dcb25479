//! The VMMs whose syntax netctl knows, and how one is recognised.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::ValueEnum;

use super::{OpenPort, RunPort, cloud_hypervisor, crosvm, firecracker, qemu};

/// A virtual machine monitor whose options for a port netctl can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vmm {
    /// QEMU 7.2 and newer
    Qemu,
    /// cloud-hypervisor
    CloudHypervisor,
    /// crosvm
    Crosvm,
    /// Firecracker, which opens a tap by its name
    Firecracker,
}

impl Vmm {
    pub const ALL: [Self; 4] = [Self::Qemu, Self::CloudHypervisor, Self::Crosvm, Self::Firecracker];

    /// As `--vmm` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::CloudHypervisor => "cloud-hypervisor",
            Self::Crosvm => "crosvm",
            Self::Firecracker => "firecracker",
        }
    }

    /// By the base name of the program, or of the program that a wrapper (`taskset -c 2 qemu-system-x86_64 …`) is to start:
    /// the first word that names one, before the first placeholder.
    pub fn of_command(command: &[OsString]) -> Option<Self> {
        let words = command.iter().take_while(|word| !word.as_encoded_bytes().contains(&b'{'));
        words.into_iter().find_map(|word| Self::of_program(word))
    }

    /// `NAME`, `NAME-SUFFIX` as releases are called, and `kvm`, which distributions call QEMU.
    fn of_program(program: &OsStr) -> Option<Self> {
        let base = Path::new(program).file_name()?.to_str()?;
        let is = |name: &str| {
            base.strip_prefix(name).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('-'))
        };
        if base == "kvm" {
            return Some(Self::Qemu);
        }
        Self::ALL.into_iter().find(|vmm| is(vmm.name()))
    }

    /// Whether it takes descriptors of vhost-net.
    pub const fn takes_vhost(self) -> bool {
        matches!(self, Self::Qemu)
    }

    /// Why a guest of this VMM cannot use the port; `None` if it can.
    pub fn refusal(self, port: &RunPort) -> Option<String> {
        match self {
            Self::Qemu => None,
            _ if port.vdpa.is_some() => Some("netctl hands vhost-vdpa devices to QEMU only".to_owned()),
            Self::CloudHypervisor => cloud_hypervisor::refusal(port),
            Self::Crosvm => crosvm::refusal(port),
            Self::Firecracker => firecracker::refusal(port),
        }
    }

    /// The arguments that give a guest its NIC; `None` for a VMM that takes no descriptor.
    pub fn arguments(self, open: &OpenPort<'_>, id: &str) -> Option<Vec<String>> {
        match self {
            Self::Qemu => Some(qemu::arguments(open, id)),
            Self::CloudHypervisor => Some(cloud_hypervisor::arguments(open)),
            Self::Crosvm => Some(crosvm::arguments(open)),
            Self::Firecracker => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(command: &str) -> Option<Vmm> {
        Vmm::of_command(&command.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_vmm_is_known_by_the_base_name_of_its_program() {
        for (command, vmm) in [
            ("qemu-system-x86_64 {web1}", Vmm::Qemu),
            ("/usr/libexec/qemu-kvm", Vmm::Qemu),
            ("kvm", Vmm::Qemu),
            ("./cloud-hypervisor-static", Vmm::CloudHypervisor),
            ("crosvm run", Vmm::Crosvm),
            ("/opt/firecracker-v1.13.1-x86_64", Vmm::Firecracker),
            ("setpriv --reuid nobody qemu-system-x86_64 {web1}", Vmm::Qemu),
        ] {
            assert_eq!(known(command), Some(vmm), "{command}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not_known() {
        for command in
            ["vmm {web1} qemu-system-x86_64", "qemux", "kvm-ok", "vmm --log=/var/log/qemu.log", "true"]
        {
            assert_eq!(known(command), None, "{command}");
        }
    }

    #[test]
    fn names_are_those_of_the_option() {
        for vmm in Vmm::ALL {
            assert_eq!(Vmm::from_str(vmm.name(), false), Ok(vmm));
        }
    }
}
