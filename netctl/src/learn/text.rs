//! A proposal as a section of a document, with the evidence in comments.

use std::collections::BTreeMap;
use std::fmt;

use super::evidence::Evidence;
use super::propose::Proposal;
use crate::config;

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flows: u64 = self.rules.iter().map(|proposed| proposed.evidence.flows).sum();
        writeln!(
            f,
            "# Proposed by `netctl policy learn` from {}. Read it before you use it.",
            flows_of(flows)
        )?;
        writeln!(f, "[policy]\ndefault = \"deny\"\nrules = [")?;
        for proposed in &self.rules {
            writeln!(f, "  # {}", Words(&proposed.evidence))?;
            writeln!(f, "  {},", config::print_rule_text(&proposed.rule))?;
        }
        writeln!(f, "]")?;
        list(f, "Denied, and not proposed:", &self.denied)?;
        list(f, "Left out:", &self.left_out)
    }
}

struct Words<'a>(&'a Evidence);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { flows, ports, first, last, guessed } = self.0;
        let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
        let flows = flows_of(*flows);
        write!(f, "{flows} at {}; first {first:.0} s ago, last {last:.0} s ago", ports.join(", "))?;
        if *guessed {
            write!(f, "; some were there before, and the lower port is taken for the service's")?;
        }
        Ok(())
    }
}

fn flows_of(flows: u64) -> String {
    if flows == 1 { "1 flow".to_owned() } else { format!("{flows} flows") }
}

fn list(f: &mut fmt::Formatter<'_>, head: &str, lines: &BTreeMap<String, u64>) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "# {head}")?;
    lines.iter().try_for_each(|(words, count)| writeln!(f, "#   {count} x {words}"))
}
