//! `netctl explain`.

use std::io::{self, Write};
use std::path::Path;

use super::check::sound_document;
use crate::cli::ExplainArgs;
use crate::config::Config;
use crate::error::{Error, Outcome};
use crate::explain::answer::{Answer, by_document, by_kernel};
use crate::explain::question::Question;
use crate::output::write_json;
use crate::state::State;

pub(super) fn run(
    bpffs: &Path,
    args: &ExplainArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let answer = match &args.document {
        Some(file) => {
            let Some(document) = sound_document(file, color)? else { return Ok(Outcome::No) };
            by_document(&document, &question(&document.config, args)?)?
        }
        None => {
            let state = State::read(bpffs)?;
            by_kernel(&state, &question(&state.config_as_learned(), args)?)?
        }
    };
    let written = if args.json { write_json(out, &answer) } else { write_answer(&answer, args, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::yes_if(answer.allowed))
}

fn question(config: &Config, args: &ExplainArgs) -> Result<Question, Error> {
    Question::new(config, &args.from, &args.to, &args.service, args.source_port)
}

fn write_answer(answer: &Answer, args: &ExplainArgs, out: &mut impl Write) -> io::Result<()> {
    let verdict = if answer.allowed { "allow" } else { "deny" };
    let ends = format!("{} ({}) > {} ({})", args.from, answer.source, args.to, answer.destination);
    let vlan = answer.vlan.map_or_else(String::new, |vlan| format!("  vlan {vlan}"));
    let would = answer.steps.iter().filter_map(|step| step.audit.as_ref());
    let would: Vec<String> = would.map(ToString::to_string).collect();
    let audit = if would.is_empty() { String::new() } else { format!(" (audit: {})", would.join("; ")) };
    writeln!(out, "{verdict}{audit}  {ends}  {}{vlan}", args.service)?;
    for step in &answer.steps {
        writeln!(
            out,
            "  {} {}: {}, {}: {}",
            step.port, step.direction, step.action, step.reason, step.because
        )?;
        if let Some(rule) = &step.rule {
            writeln!(out, "    {rule}: {}", rule.text)?;
        }
        if let Some(would) = &step.audit {
            let text = would.rule.as_ref().map_or_else(String::new, |rule| format!(": {}", rule.text));
            writeln!(out, "    but for audit mode, {would}{text}")?;
        }
    }
    if let Some(note) = &answer.note {
        writeln!(out, "but {note}")?;
    }
    for port in &answer.not_filtered {
        writeln!(out, "  {port} is not filtered: its guest drives the function itself")?;
    }
    match answer.generation {
        Some(generation) => {
            writeln!(out, "answered by the running programs (BPF_PROG_TEST_RUN), generation {generation}")
        }
        None => writeln!(out, "answered in user space, by the same code"),
    }
}
