//! `netctl policy diff`.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::PolicyDiffArgs;
use crate::cmd::check::sound;
use crate::compile::CompileError;
use crate::document;
use crate::error::{Error, Outcome};
use crate::output::{Format, printable, write_json, write_rows};
use crate::policy::difference::{Difference, End, Limits, Row, Side, difference};
use crate::state::State;

pub(super) fn run(
    bpffs: &Path,
    args: &PolicyDiffArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let (before, after) = match args.files.as_slice() {
        [before, after] => (of_file(before, color)?, of_file(after, color)?),
        [after] => (running(bpffs)?, of_file(after, color)?),
        // Refused before.
        _ => return Ok(Outcome::Yes),
    };
    let rows = if args.limit == 0 { usize::MAX } else { args.limit };
    let found = difference(&before, &after, &Limits { rows, ..Limits::default() })?;
    let written = if args.json { write_json(out, &found) } else { write_table(&found, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::yes_if(found.same))
}

fn of_file(file: &Path, color: bool) -> Result<Side, Error> {
    let name = || file.display().to_string();
    match document::parse(file)? {
        // What is doubtful about them is `check`'s to tell.
        Ok(document) => side(&name(), Side::new(document.config, document.text)),
        errors => {
            sound(errors, color)?;
            Err(Error::NotComparable { document: name() })
        }
    }
}

fn running(bpffs: &Path) -> Result<Side, Error> {
    let state = State::read(bpffs)?;
    side("the running document", Side::new(state.config, state.document))
}

fn side(name: &str, side: Result<Side, CompileError>) -> Result<Side, Error> {
    side.map_err(|source| Error::NotCompiled { document: name.to_owned(), source })
}

impl crate::output::Row for Row {
    const HEADS: &'static [&'static str] = &["FROM", "TO", "SERVICES", "OVER", "BEFORE", "AFTER"];

    fn cells(&self) -> Vec<String> {
        let ends = |ends: &[End]| ends.iter().map(End::to_string).collect::<Vec<_>>().join(", ");
        let mut services = self.services.join(", ");
        if !self.except.is_empty() {
            services = format!("{services} but {}", self.except.join(", "));
        }
        let zone = self.zone.as_ref().map_or_else(String::new, |zone| format!(" in zone {zone}"));
        let network = self.network.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
        vec![
            ends(&self.from),
            ends(&self.to),
            services,
            format!("{}{zone}{network}", self.family.name()),
            self.before.to_string(),
            self.after.to_string(),
        ]
    }
}

fn write_table(found: &Difference, out: &mut impl Write) -> io::Result<()> {
    for change in &found.ports {
        writeln!(out, "{}", printable(&change.to_string()))?;
    }
    if !found.flows.is_empty() {
        write_rows(out, &found.flows, Format::Table)?;
    }
    if found.omitted > 0 {
        let (shown, omitted) = (found.flows.len(), found.omitted);
        let text =
            format!("netctl: {shown} differences shown, {omitted} more left out; `--limit 0` shows all");
        writeln!(io::stderr(), "{text}")?;
    }
    Ok(())
}
