//! `netctl open`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::block_on;
use crate::cli::OpenArgs;
use crate::error::{Error, Outcome};
use crate::fd::pass::Channel;
use crate::network::Netlink;
use crate::output::{Format, Row, write_rows};
use crate::state::State;
use crate::vmm::firecracker::Stanza;
use crate::vmm::handover::Message;
use crate::vmm::open::{Opened, open};
use crate::vmm::template::TemplateError;
use crate::vmm::{RunPort, Vmm};

/// A message that was sent.
#[derive(Serialize)]
struct Sent(Message);

impl Row for Sent {
    const HEADS: &'static [&'static str] = &["PORT", "INTERFACE", "KIND", "MAC", "QUEUES", "VHOST"];
    fn cells(&self) -> Vec<String> {
        let it = &self.0;
        let vhost = it.vhost_fds.to_string();
        vec![
            it.port.clone(),
            it.interface.clone(),
            it.kind.to_owned(),
            it.mac.clone(),
            it.tap_fds.to_string(),
            vhost,
        ]
    }
}

pub(super) fn run(bpffs: &Path, args: &OpenArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    if let Some(vmm) = args.way.vmm {
        return describe(bpffs, args, vmm, out);
    }
    // Before anything is opened, which could have the number of `--fd`.
    let inherited = args.way.fd.map(Channel::inherited).transpose()?;
    let state = State::read(bpffs)?;
    let ports = state.run_ports(&args.ports)?;
    let opened = block_on(open_all(&ports))??;
    state.ensure_enforced(&args.ports)?;
    let messages = Message::of_all(&opened);
    if !args.dry_run {
        let connected = args.way.socket.as_deref().map(Channel::connect).transpose()?;
        if let Some(channel) = inherited.or(connected) {
            messages.iter().zip(&opened).try_for_each(|(message, opened)| message.send(&channel, opened))?;
        }
    }
    for note in opened.iter().filter_map(Opened::note) {
        eprintln!("netctl: {note}");
    }
    let rows: Vec<_> = messages.into_iter().map(Sent).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// All or none: nothing is sent before every port is open.
async fn open_all(ports: &[RunPort]) -> Result<Vec<Opened>, Error> {
    let netlink = Netlink::connect()?;
    let mut opened = Vec::new();
    for port in ports {
        opened.push(open(&netlink, port).await?);
    }
    Ok(opened)
}

/// What a VMM that opens its tap itself needs to know: one object a line.
fn describe(bpffs: &Path, args: &OpenArgs, vmm: Vmm, out: &mut impl Write) -> Result<Outcome, Error> {
    if vmm != Vmm::Firecracker {
        return Err(Error::Question(format!(
            "{} takes descriptors: start it with `netctl run`, which writes its options",
            vmm.name()
        )));
    }
    for port in State::read(bpffs)?.run_ports(&args.ports)? {
        if let Some(reason) = vmm.refusal(&port) {
            return Err(TemplateError::Unsuitable { port: port.name, vmm, reason }.into());
        }
        let line = serde_json::to_string(&Stanza::new(&port)).map_err(|e| Error::Output(e.into()))?;
        writeln!(out, "{line}").map_err(Error::Output)?;
    }
    Ok(Outcome::Yes)
}
