//! `netctl port add` and `netctl port remove`: edits of the running document, which is then applied.
//!
//! The text is read, edited and applied under one lock, so that of two commands at once none undoes the other.

use std::io::Write;
use std::path::Path;

use crate::apply;
use crate::cli::{EditArgs, NewPortArgs, PortAddArgs, PortNameArgs};
use crate::cmd::apply::{consent, difference, wait, write_applied};
use crate::cmd::block_on;
use crate::cmd::check::sound;
use crate::cmd::confirm;
use crate::config::edit::{self, NewSection};
use crate::config::{Device, Port};
use crate::document;
use crate::error::{Error, Outcome};
use crate::kernel::KernelError;
use crate::kernel::lock::Lock;
use crate::kernel::pins::Pins;
use crate::state::State;

pub(super) fn add(
    bpffs: &Path,
    args: &PortAddArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let edit = Edit::begin(bpffs, &args.edit, color)?;
    edit.must_be_new(&args.name)?;
    let mut port = NewSection::default();
    port.text("network", &args.network);
    let words =
        [("mac", &args.mac), ("ifname", &args.ifname), ("vhost", &args.vhost), ("uplink", &args.uplink)];
    for (key, word) in words {
        word.iter().for_each(|word| port.text(key, word));
    }
    let numbers = [("queues", args.queues), ("mtu", args.mtu)];
    for (key, number) in numbers {
        number.into_iter().for_each(|number| port.number(key, number.into()));
    }
    match args.owner.as_ref().map(|owner| (owner, owner.parse::<u32>())) {
        Some((_, Ok(uid))) => port.number("owner", uid),
        Some((name, Err(_))) => port.text("owner", name),
        None => {}
    }
    addresses_and_groups(&mut port, &args.new);
    let text = edit::add_port(&edit.state.document, &args.name, &port)?;
    edit.apply(text, out)
}

pub(super) fn remove(
    bpffs: &Path,
    args: &PortNameArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let edit = Edit::begin(bpffs, &args.edit, color)?;
    if edit.port(&args.name)?.device == Device::Adopted {
        return Err(Error::Edit(format!(
            "port `{0}` is adopted, its interface is not netctl's to remove; `netctl port release {0}` takes the \
             programs off",
            args.name
        )));
    }
    edit.take_out(&args.name, out)
}

/// As a document says them; without an address the parser warns.
pub(super) fn addresses_and_groups(port: &mut NewSection, args: &NewPortArgs) {
    match args.addresses.as_slice() {
        [] => {}
        [word] if word == "any" || word == "learn" => port.text("addresses", word),
        listed => port.texts("addresses", listed),
    }
    if !args.groups.is_empty() {
        port.texts("groups", &args.groups);
    }
}

/// The running document, which nobody else changes meanwhile.
pub(super) struct Edit<'a> {
    bpffs: &'a Path,
    args: &'a EditArgs,
    color: bool,
    pub(super) state: State,
    lock: Lock,
}

impl<'a> Edit<'a> {
    pub(super) fn begin(bpffs: &'a Path, args: &'a EditArgs, color: bool) -> Result<Self, Error> {
        Pins::at(bpffs)?;
        let lock = Lock::take_or(bpffs, wait(args.no_wait))?;
        confirm::refuse(bpffs)?;
        let state = State::read(bpffs).map_err(|error| match error {
            Error::Kernel(KernelError::NotRunning(_)) => Error::NothingToEdit,
            other => other,
        })?;
        Ok(Self { bpffs, args, color, state, lock })
    }

    pub(super) fn port(&self, name: &str) -> Result<&Port, Error> {
        self.state.config.ports.get(name).ok_or_else(|| Error::no_port(name, &self.state.config))
    }

    pub(super) fn must_be_new(&self, name: &str) -> Result<(), Error> {
        if self.state.config.ports.contains_key(name) {
            return Err(Error::Edit(format!(
                "there is a port `{name}` already; `netctl port list` shows it, choose another name"
            )));
        }
        Ok(())
    }

    pub(super) fn take_out(&self, name: &str, out: &mut impl Write) -> Result<Outcome, Error> {
        let text = edit::remove_port(&self.state.document, name)?;
        self.apply(text.ok_or_else(|| Error::no_port(name, &self.state.config))?, out)
    }

    /// Checks the edited document as any other, and applies it.
    pub(super) fn apply(&self, text: String, out: &mut impl Write) -> Result<Outcome, Error> {
        let checked = document::parse_text("the running document, edited", text);
        let Some(document) = sound(checked, self.color)? else { return Ok(Outcome::No) };
        let consent = consent(self.args.yes);
        if self.args.dry_run {
            difference(self.bpffs, &document, consent)?.write(self.args.json, out)?;
            return Ok(Outcome::Yes);
        }
        let applied = block_on(apply::apply_locked(self.bpffs, &document, consent, &self.lock))??;
        write_applied(&applied, &document, self.args.json, out)?;
        Ok(Outcome::Yes)
    }
}
