//! `netctl apply` and `netctl diff`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::block_on;
use super::check::{parsed_document, sound, sound_document, tests_hold};
use super::confirm;
use crate::apply::{self, Applied};
use crate::cli::{ApplyArgs, FileArgs};
use crate::config::{Config, Picked};
use crate::diff::{self, RuleChange};
use crate::document::{self, Document};
use crate::error::{Error, Outcome};
use crate::kernel::lock::{Lock, Wait};
use crate::kernel::pins::Pins;
use crate::libvirt;
use crate::network::{self, Consent, Netlink, Plan};
use crate::output::write_json;
use crate::state::State;

/// What applying a document changes.
#[derive(Serialize)]
pub(super) struct Difference {
    interfaces: Plan,
    policy: Vec<RuleChange>,
    /// Networks that ports name by an interface.
    picked: Vec<Picked>,
}

pub(super) fn run(
    bpffs: &Path,
    args: &ApplyArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    if args.dry_run {
        let Some(document) = sound_document(&args.file, color)? else { return Ok(Outcome::No) };
        if !may_apply(&document, args, color)? {
            return Ok(Outcome::No);
        }
        let Some(document) = with_guests(bpffs, document, color)? else { return Ok(Outcome::No) };
        difference(bpffs, &document, consent(args.yes))?.write(args.json, out)?;
        return Ok(Outcome::Yes);
    }
    let Some(document) = parsed_document(&args.file, color)? else { return Ok(Outcome::No) };
    if !may_apply(&document, args, color)? {
        return Ok(Outcome::No);
    }
    if let Some(limit) = args.confirm {
        return confirm::apply(bpffs, (args, document), limit, color);
    }
    Pins::at(bpffs)?;
    let lock = Lock::take_or(bpffs, wait(args.no_wait))?;
    confirm::refuse(bpffs)?;
    let Some(document) = with_guests(bpffs, document, color)? else { return Ok(Outcome::No) };
    let applied = block_on(apply::apply_locked(bpffs, &document, consent(args.yes), &lock))??;
    write_applied(&applied, &document, args.json, out)?;
    Ok(Outcome::Yes)
}

/// Who wrote what must hold of a policy does not want one of which it does not.
fn may_apply(document: &Document, args: &ApplyArgs, color: bool) -> Result<bool, Error> {
    let holds = tests_hold(document, color)?;
    if !holds && args.skip_tests {
        eprintln!("netctl: applying although tests fail");
    } else if !holds {
        eprintln!("netctl: nothing was changed, since tests fail; `--skip-tests` applies it nevertheless");
    }
    Ok(holds || args.skip_tests)
}

/// With the ports of libvirt's running guests, which no file can know. What cannot be read does not keep a document from
/// being applied: that is the way out.
pub(super) fn with_guests(bpffs: &Path, document: Document, color: bool) -> Result<Option<Document>, Error> {
    let running = State::read(bpffs).ok();
    let running = running.as_ref().map(|state| &state.config);
    let is_guest = |config: &Config| config.ports.values().any(|port| port.domain.is_some());
    if !is_guest(&document.config) && !running.is_some_and(is_guest) {
        return Ok(Some(document));
    }
    let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
    let edit = libvirt::keep(&document.config, running, &observed);
    if edit.is_empty() {
        return Ok(Some(document));
    }
    for port in &edit.add {
        eprintln!("netctl: port `{}` stays: its guest runs in libvirt", port.name);
    }
    for port in edit.remove.iter().filter(|name| edit.add.iter().all(|port| port.name != **name)) {
        eprintln!("netctl: port `{port}` is left out: its guest in libvirt has ended");
    }
    let text = edit.of(&document.text)?;
    sound(document::parse_text("the document, with the ports of libvirt's guests", text), color)
}

pub(super) fn write_applied(
    applied: &Applied,
    document: &Document,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Error> {
    let written = if json {
        write_json(
            out,
            &serde_json::json!({
                "generation": applied.generation, "interfaces": applied.plan, "picked": document.picked
            }),
        )
    } else {
        let config = &document.config;
        let (rules, ports) = (config.policy.rules.len(), config.ports.len());
        write_plan(&applied.plan, out).and_then(|()| {
            let audited = config.policy.rules.iter().filter(|rule| rule.audit).count();
            let audited = if audited > 0 { format!(" ({audited} audited)") } else { String::new() };
            writeln!(out, "generation {}: {rules} rules{audited} for {ports} ports", applied.generation)
        })
    };
    written.map_err(Error::Output)
}

pub(super) fn diff(
    bpffs: &Path,
    args: &FileArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let Some(document) = sound_document(&args.file, color)? else { return Ok(Outcome::No) };
    let Some(document) = with_guests(bpffs, document, color)? else { return Ok(Outcome::No) };
    let difference = difference(bpffs, &document, Consent::Given)?;
    difference.write(args.json, out)?;
    Ok(Outcome::yes_if(difference.interfaces.is_empty() && difference.policy.is_empty()))
}

/// Says on standard error whom it waits for.
pub(super) fn wait(no: bool) -> Wait {
    if no {
        Wait::No
    } else {
        Wait::Telling(|holder| eprintln!("netctl: waiting for another netctl: {holder}"))
    }
}

pub(super) const fn consent(yes: bool) -> Consent {
    if yes { Consent::Given } else { Consent::NotGiven }
}

pub(super) fn difference(bpffs: &Path, document: &Document, consent: Consent) -> Result<Difference, Error> {
    let interfaces = block_on(apply::plan(bpffs, &document.config, consent))??;
    let running = match State::read(bpffs) {
        Ok(state) => Some(state.config),
        Err(Error::Kernel(crate::kernel::KernelError::NotRunning(_))) => None,
        Err(error) => return Err(error),
    };
    let policy = diff::policies(running.as_ref(), &document.config);
    Ok(Difference { interfaces, policy, picked: document.picked.clone() })
}

impl Difference {
    pub(super) fn write(&self, json: bool, out: &mut impl Write) -> Result<(), Error> {
        let written = if json {
            write_json(out, self)
        } else {
            write_plan(&self.interfaces, out)
                .and_then(|()| self.policy.iter().try_for_each(|change| writeln!(out, "{change}")))
        };
        written.map_err(Error::Output)
    }
}

pub(super) fn write_plan(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    for warning in &plan.warnings {
        writeln!(std::io::stderr(), "netctl: {warning}")?;
    }
    plan.changes().try_for_each(|change| writeln!(out, "{change}"))
}
