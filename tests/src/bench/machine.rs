//! What the numbers were measured on: absolute times say nothing without it.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub memory_mib: u64,
    pub kernel: String,
    pub hypervisor: bool,
    pub nft: String,
    /// Seconds since 1970, UTC.
    pub time: u64,
}

impl Machine {
    /// # Errors
    /// If there is one CPU only: writer and reader need one each.
    pub fn look() -> Result<Self> {
        let cpus = std::thread::available_parallelism().context("cannot count the CPUs")?.get();
        ensure!(cpus >= 2, "the benchmark needs two CPUs, one for the writer and one for the reader");
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory =
            field(&meminfo, "MemTotal").and_then(|kib| kib.trim_end_matches(" kB").parse::<u64>().ok());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let flags = field(&cpuinfo, "flags").unwrap_or_default();
        Ok(Self {
            cpu: cpu_name(&cpuinfo),
            cpus,
            memory_mib: memory.unwrap_or(0) / 1024,
            kernel: release.trim().to_owned(),
            hypervisor: flags.split_whitespace().any(|flag| flag == "hypervisor"),
            nft: nft_version(),
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs()),
        })
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name);
    text.lines().find_map(named).map(|(_, value)| value.trim())
}

/// The name, and the numbers that tell models of one name apart.
fn cpu_name(cpuinfo: &str) -> String {
    let name = field(cpuinfo, "model name").unwrap_or("unknown");
    match (field(cpuinfo, "cpu family"), field(cpuinfo, "model"), field(cpuinfo, "stepping")) {
        (Some(family), Some(model), Some(stepping)) => {
            format!("{name} (family {family}, model {model}, stepping {stepping})")
        }
        _ => name.to_owned(),
    }
}

fn nft_version() -> String {
    let output = Command::new("nft").arg("--version").output();
    output.map_or_else(|_| "none".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}
