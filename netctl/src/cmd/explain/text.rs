//! An answer as text.

use std::io::{self, Write};

use crate::explain::answer::{Answer, Step};
use crate::output::printable;

/// `ends`: what was typed for them.
pub(super) fn write(answer: &Answer, (from, to): (&str, &str), out: &mut impl Write) -> io::Result<()> {
    let verdict = if answer.allowed { "allow" } else { "deny" };
    let ends = format!("{from} ({}) > {to} ({})", answer.source, answer.destination);
    let vlan = answer.vlan.map_or_else(String::new, |vlan| format!("  vlan {vlan}"));
    let would = answer.steps.iter().filter_map(|step| step.audit.as_ref());
    let would: Vec<String> = would.map(ToString::to_string).collect();
    let audit = if would.is_empty() { String::new() } else { format!(" (audit: {})", would.join("; ")) };
    writeln!(out, "{verdict}{}  {}  {}{vlan}", printable(&audit), printable(&ends), answer.service)?;
    answer.steps.iter().try_for_each(|step| write_step(step, out))?;
    if let Some(note) = &answer.note {
        writeln!(out, "but {}", printable(note))?;
    }
    for port in &answer.not_filtered {
        writeln!(out, "  {} is not filtered: its guest drives the function itself", printable(port))?;
    }
    write_host(answer.generation, out)
}

/// Who answered.
pub(super) fn write_host(generation: Option<u32>, out: &mut impl Write) -> io::Result<()> {
    match generation {
        Some(generation) => {
            writeln!(out, "answered by the running programs (BPF_PROG_TEST_RUN), generation {generation}")
        }
        None => writeln!(out, "answered in user space, by the same code"),
    }
}

/// One port, with the steps of its decision.
pub(super) fn write_step(step: &Step, out: &mut impl Write) -> io::Result<()> {
    let Step { direction, action, reason, because, .. } = step;
    writeln!(out, "  {} {direction}: {action}, {reason}: {because}", printable(&step.port))?;
    for stage in &step.stages {
        writeln!(out, "    {:<7}  {:<6}  {}", stage.step, stage.verdict, printable(&stage.text))?;
    }
    if let Some(would) = &step.audit {
        let text = would.rule.as_ref().map_or_else(String::new, |rule| format!(": {}", rule.text));
        writeln!(out, "    but for audit mode, {}", printable(&format!("{would}{text}")))?;
    }
    if let Some(held) = &step.held {
        let line = format!("{}: claimed {}; allowed: {}", held.by, held.claimed, held.allowed);
        writeln!(out, "    {}", printable(&line))?;
        writeln!(out, "    to change: {}", printable(&held.change))?;
    }
    if let Some(nearest) = &step.nearest {
        let line = format!("nearest rule that {}: {}", nearest.says, nearest.rule);
        writeln!(out, "    {}", printable(&line))?;
        for difference in &nearest.differs {
            writeln!(out, "      but {}", printable(&difference.text))?;
        }
        if let Some(behind) = nearest.behind {
            writeln!(out, "      but rule {behind} comes first")?;
        }
        writeln!(out, "    to change: {}", printable(&nearest.change))?;
    }
    if let Some(rule) = &step.new_rule {
        let before = step.rule.as_ref();
        let before = before.map_or_else(String::new, |rule| format!(", before line {}", rule.line));
        let or = if step.nearest.is_some() { "or add" } else { "to change: add" };
        writeln!(out, "    {or} {}{before}", printable(rule))?;
    }
    Ok(())
}
