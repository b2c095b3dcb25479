//! `netctl port addresses`: what each port may use, and why.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use netctl_common::lease::Source;
use serde::Serialize;

use crate::cli::PortAddressesArgs;
use crate::config::{Addresses, Port};
use crate::error::{Error, Outcome};
use crate::kernel::leases::left;
use crate::kernel::running::now;
use crate::names;
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct AddressRow {
    port: String,
    /// `any` where the port's addresses are not checked.
    address: String,
    /// `document`; `mac`: the link-local address that follows from the MAC address; or by what it was learned.
    source: &'static str,
    /// `valid`, or `tentative` while others may object.
    state: &'static str,
    /// Seconds until it is the port's no longer, if nothing is heard meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

impl Row for AddressRow {
    const HEADS: &'static [&'static str] = &["PORT", "ADDRESS", "SOURCE", "STATE", "EXPIRES"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.port.clone(),
            self.address.clone(),
            self.source.to_owned(),
            self.state.to_owned(),
            self.expires.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string()),
        ]
    }
}

pub(super) fn addresses(
    bpffs: &Path,
    args: &PortAddressesArgs,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    if let Some(name) = &args.port
        && !state.config.ports.contains_key(name)
    {
        return Err(Error::no_port(name, &state.config));
    }
    let ports = state.config.ports.iter().filter(|(name, _)| args.port.as_ref().is_none_or(|it| it == *name));
    let rows: Vec<AddressRow> =
        ports.flat_map(|(name, port)| known(name, port).into_iter().chain(learned(name, &state))).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// By the document.
fn known(name: &str, port: &Port) -> Vec<AddressRow> {
    let row = |address: String, source| AddressRow {
        port: name.to_owned(),
        address,
        source,
        state: "valid",
        expires: None,
    };
    let mut rows = match &port.addresses {
        Addresses::Any => vec![row("any".to_owned(), "document")],
        Addresses::Learned => Vec::new(),
        Addresses::Listed(listed) => listed.iter().map(|it| row(it.to_string(), "document")).collect(),
    };
    rows.push(row(IpAddr::from(port.mac.link_local()).to_string(), "mac"));
    rows
}

fn learned(name: &str, state: &State) -> Vec<AddressRow> {
    let now = now();
    let rows = state.leases_of(name).map(|(key, lease)| AddressRow {
        port: name.to_owned(),
        address: names::address(key.address).to_string(),
        source: Source::decode(lease.source).name(),
        state: if lease.is_tentative(now) { "tentative" } else { "valid" },
        expires: left(lease.since, lease.lifetime, now).map(|seconds| seconds.round() as u64),
    });
    rows.collect()
}
