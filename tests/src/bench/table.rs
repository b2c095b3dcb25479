//! The report as Markdown.

use std::fmt::Write;

use super::frames::Row;
use super::report::{Report, Spread};
use super::traffic::Traffic;

/// Tables per traffic, of the changes and of the promises.
pub fn markdown(report: &Report) -> String {
    let mut text = machine(report);
    for traffic in Traffic::ALL {
        // Writing to a string does not fail.
        let _ = write!(text, "\n### {}\n\n{}", capitalized(&traffic.to_string()), frames(report, traffic));
    }
    if !report.changes.is_empty() {
        text.push_str(
            "\n### Changes\n\n| change | by | rules | ms | min - max |\n| --- | --- | ---: | ---: | ---: |\n",
        );
        for row in &report.changes {
            let (change, kind, rules) = (row.change.title(), row.kind.title(), row.rules);
            let (median, range) = (format!("{:.1}", row.millis.median), range(&row.millis, 1));
            let _ = writeln!(text, "| {change} | {kind} | {rules} | {median} | {range} |");
        }
    }
    if !report.targets.is_empty() {
        text.push_str(
            "\n### Promises\n\n| what | at most | measured | kept |\n| --- | ---: | ---: | --- |\n",
        );
        for target in &report.targets {
            let (name, unit, kept) = (&target.name, target.unit, if target.met { "yes" } else { "**no**" });
            let _ = writeln!(
                text,
                "| {name} | {:.2} {unit} | {:.2} {unit} | {kept} |",
                target.limit, target.measured
            );
        }
    }
    text
}

fn machine(report: &Report) -> String {
    let m = &report.machine;
    let virtual_machine = if m.hypervisor { ", in a virtual machine" } else { "" };
    format!(
        "ns/frame: from the first write to the last arrival, divided by the frames delivered, the slower of writer and \
         reader counting; path: the writer's time in write(2) alone, in which the frame reaches the other tap's \
         queue.\n\nMachine: {}, {} CPUs, {} MiB{virtual_machine}; Linux {}; {}. Medians of {} rounds of {} ms per row, all rows \
         in turn.\n",
        m.cpu, m.cpus, m.memory_mib, m.kernel, m.nft, report.rounds, report.round_millis
    )
}

fn frames(report: &Report, traffic: Traffic) -> String {
    let big = traffic == Traffic::Tso;
    let rate = if big { "Gbit/s" } else { "Mframes/s" };
    let mut text = format!(
        "| way | rules | ns/frame | min - max | × bare | {rate} | path ns |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    );
    for row in report.frames.iter().filter(|row| row.traffic == traffic) {
        let rules = if row.way.rules == 0 { String::new() } else { row.way.rules.to_string() };
        let ratio = row.to_bare.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {rules} | {:.0} | {} | {ratio} | {:.2} | {:.0} |",
            row.way.kind.title(),
            row.nanos.median,
            range(&row.nanos, 0),
            rate_of(row, big),
            row.path_nanos.median
        );
    }
    text
}

fn rate_of(row: &Row, big: bool) -> f64 {
    let bits = row.traffic.payload_len() as f64 * 8.0;
    if big { bits / row.nanos.median } else { 1e3 / row.nanos.median }
}

fn range(spread: &Spread, digits: usize) -> String {
    format!("{:.digits$} - {:.digits$}", spread.min, spread.max)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
