//! `netctl upgrade`.

use std::io::Write;
use std::path::Path;

use netctl_common::abi::ABI_VERSION;

use super::apply::{consent, wait, write_applied};
use super::block_on;
use super::check::sound;
use super::confirm;
use crate::apply::apply_locked;
use crate::cli::UpgradeArgs;
use crate::document;
use crate::error::{Error, Outcome};
use crate::kernel::former::Former;
use crate::kernel::lock::Lock;
use crate::kernel::pins::Pins;
use crate::output::write_json;
use crate::state::State;
use crate::upgrade;

pub(super) fn run(
    bpffs: &Path,
    args: &UpgradeArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    Pins::at(bpffs)?;
    let lock = Lock::take_or(bpffs, wait(args.no_wait))?;
    confirm::refuse(bpffs)?;
    let former = Former::open(bpffs)?;
    let text = match &former {
        Some(former) => former.document.clone(),
        None => State::read(bpffs)?.document,
    };
    let Some(document) = sound(document::parse_text("the running document", text), color)? else {
        return Ok(Outcome::No);
    };
    if args.dry_run {
        return tell(former.as_ref(), args.json, out);
    }
    match &former {
        Some(former) => block_on(upgrade::from_version(bpffs, former, &document, &lock))??,
        None if block_on(upgrade::programs(bpffs, &document, &lock))?? => {}
        None => eprintln!("netctl: the programs are this build's already"),
    }
    // What this build does otherwise than the one before, and what an interrupted upgrade has left to do.
    let applied = block_on(apply_locked(bpffs, &document, consent(false), &lock))??;
    write_applied(&applied, &document, args.json, out)?;
    Ok(Outcome::Yes)
}

fn tell(former: Option<&Former>, json: bool, out: &mut impl Write) -> Result<Outcome, Error> {
    let words = match former {
        Some(former) => format!(
            "would move {} ports from version {} to version {ABI_VERSION}",
            former.ports.len(),
            former.version()
        ),
        None => format!("version {ABI_VERSION} runs; would replace its programs if this build's differ"),
    };
    let facts = serde_json::json!({ "from": former.map_or(ABI_VERSION, Former::version), "to": ABI_VERSION });
    let written = if json { write_json(out, &facts) } else { writeln!(out, "{words}") };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
