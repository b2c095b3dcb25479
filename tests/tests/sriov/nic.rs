//! The NIC with SR-IOV, and what iproute2 and the kernel say of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netctl_tests::cli::binary;
use serde_json::Value;

/// The tests share one NIC.
static ALONE: Mutex<()> = Mutex::new(());

/// The physical function, as the tests found it; nobody else changes it meanwhile.
pub(crate) struct Nic {
    pub pf: String,
    _alone: MutexGuard<'static, ()>,
}

impl Nic {
    /// Without virtual functions and down, as after booting.
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(pf) = std::env::var("NETCTL_TEST_PF") else {
            panic!(
                "these tests change a NIC of the machine itself, so they are for a lab kernel: name its igb NIC in \
                 NETCTL_TEST_PF"
            );
        };
        let driver = std::fs::read_link(format!("/sys/class/net/{pf}/device/driver")).unwrap_or_default();
        assert!(driver.ends_with("igb"), "`{pf}` is no NIC of the driver igb: {}", driver.display());
        let nic = Self { pf, _alone: alone };
        netctl(&["down"]);
        nic.set_vfs(0);
        sh(&format!("ip link set {} down", nic.pf));
        nic
    }

    pub(crate) fn set_vfs(&self, count: u16) {
        let path = format!("/sys/class/net/{}/device/sriov_numvfs", self.pf);
        std::fs::write(&path, count.to_string()).unwrap_or_else(|e| panic!("{count} to {path}: {e}"));
    }

    /// As `ip -d link show` has it.
    pub(crate) fn vf(&self, number: usize) -> Value {
        link(&self.pf)["vfinfo_list"][number].clone()
    }

    /// Interface of a virtual function.
    pub(crate) fn own(&self, number: usize) -> String {
        let path = format!("/sys/class/net/{}/device/virtfn{number}/net", self.pf);
        let mut names = std::fs::read_dir(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        names.next().unwrap().unwrap().file_name().into_string().unwrap()
    }

    /// Everything that `netctl down` has to bring back. Numbers of interfaces are left out.
    pub(crate) fn snapshot(&self) -> Vec<String> {
        let count =
            std::fs::read_to_string(format!("/sys/class/net/{}/device/sriov_numvfs", self.pf)).unwrap();
        let mut lines = vec![format!("{} functions", count.trim())];
        for link in links("ip -d -j link show") {
            let name = link["ifname"].as_str().unwrap();
            let up = link["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
            let multicast = link["flags"].as_array().unwrap().iter().any(|flag| flag == "ALLMULTI");
            let ipv6 = std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"));
            lines.push(format!(
                "{name}: {} up {up} allmulti {multicast} promiscuity {} ipv6 {:?} alias {} altnames {} mtu {}",
                link["address"], link["promiscuity"], ipv6.ok(), link["ifalias"], link["altnames"], link["mtu"],
            ));
            for vf in link["vfinfo_list"].as_array().into_iter().flatten() {
                lines.push(format!("{name} {vf}"));
            }
        }
        lines
    }
}

impl Drop for Nic {
    fn drop(&mut self) {
        // A failed test is told by its panic; the next one begins by the same.
        let _ = Command::new(binary().unwrap()).arg("down").output();
        let _ = std::fs::write(format!("/sys/class/net/{}/device/sriov_numvfs", self.pf), "0");
    }
}

#[track_caller]
pub(crate) fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(output.status.success(), "`{command}`: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn links(command: &str) -> Vec<Value> {
    serde_json::from_str(&sh(command)).unwrap()
}

#[track_caller]
pub(crate) fn link(name: &str) -> Value {
    links(&format!("ip -d -j link show dev {name}")).remove(0)
}

/// Standard output of a netctl that has to succeed.
#[track_caller]
pub(crate) fn netctl(args: &[&str]) -> String {
    let output = Command::new(binary().unwrap()).args(args).output().unwrap();
    assert!(output.status.success(), "netctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a netctl that has to fail.
#[track_caller]
pub(crate) fn refused(args: &[&str]) -> String {
    let output = Command::new(binary().unwrap()).args(args).output().unwrap();
    assert!(!output.status.success(), "netctl {args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

pub(crate) fn json(args: &[&str]) -> Value {
    serde_json::from_str(&netctl(args)).unwrap()
}

/// A document in a file of its own.
pub(crate) fn document(name: &str, text: &str) -> String {
    let path: PathBuf = std::env::temp_dir().join(format!("netctl-sriov-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}
