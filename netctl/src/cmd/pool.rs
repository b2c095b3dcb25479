//! `netctl pool list`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::block_on;
use crate::cli::JsonArgs;
use crate::config::Config;
use crate::error::{Error, Outcome};
use crate::kernel::KernelError;
use crate::network::{self, Interface, Netlink, Observed, Vf};
use crate::output::{Format, Row, write_rows};
use crate::state::State;

/// A virtual function of a pool.
#[derive(Serialize)]
struct FunctionRow {
    /// Interface of the physical function.
    pf: String,
    /// Number of the virtual function.
    vf: u16,
    pci: String,
    driver: Option<String>,
    /// In this network namespace.
    interface: Option<String>,
    /// The port that leases it; its interface's name if no running document says more.
    port: Option<String>,
    mac: String,
    /// 0 for none.
    vlan: u16,
    spoof_check: bool,
    trust: bool,
    /// Mbit/s; 0 for no limit.
    rate: u32,
}

impl Row for FunctionRow {
    const HEADS: &'static [&'static str] =
        &["PF", "VF", "PORT", "MAC", "VLAN", "SPOOF CHECK", "TRUST", "RATE", "INTERFACE", "DRIVER", "PCI"];
    fn cells(&self) -> Vec<String> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let or_none = |number: u32| if number == 0 { "-".to_owned() } else { number.to_string() };
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        vec![
            self.pf.clone(),
            self.vf.to_string(),
            or_dash(&self.port),
            self.mac.clone(),
            or_none(self.vlan.into()),
            on(self.spoof_check),
            on(self.trust),
            or_none(self.rate),
            or_dash(&self.interface),
            or_dash(&self.driver),
            self.pci.clone(),
        ]
    }
}

/// The NICs of the running document's pools, and those on which an interrupted command has left its marks.
pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let config = match State::read(bpffs) {
        Ok(state) => state.config,
        Err(Error::Kernel(KernelError::NotRunning(_))) => Config::empty(),
        Err(error) => return Err(error),
    };
    let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
    let pools = config.networks.values().filter_map(|network| network.pool.as_ref());
    let pfs: BTreeSet<&str> = pools.map(|pool| pool.pf.as_str()).collect();
    let wanted = |pf: &&Interface| pfs.contains(pf.name.as_str()) || !pf.leases().is_empty();
    let rows: Vec<FunctionRow> = observed
        .interfaces()
        .filter(wanted)
        .flat_map(|pf| pf.sriov.iter().flat_map(|sriov| &sriov.vfs).map(move |vf| (pf, vf)))
        .map(|(pf, vf)| row(&observed, &config, pf, vf))
        .collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn row(observed: &Observed, config: &Config, pf: &Interface, vf: &Vf) -> FunctionRow {
    let lease = pf.leases().into_iter().find(|lease| lease.number == vf.number).map(|lease| lease.port);
    let name = |interface: String| {
        let port = config.ports.iter().find(|(_, port)| port.interface == interface);
        port.map_or(interface, |(name, _)| name.clone())
    };
    FunctionRow {
        pf: pf.name.clone(),
        vf: vf.number,
        pci: vf.pci.clone(),
        driver: vf.driver.clone(),
        interface: vf.interface.and_then(|index| observed.indexed(index)).map(|own| own.name.clone()),
        port: lease.map(name),
        mac: vf.state.mac.to_string(),
        vlan: vf.state.vlan,
        spoof_check: vf.state.spoof_check,
        trust: vf.state.trust,
        rate: vf.state.max_rate,
    }
}
