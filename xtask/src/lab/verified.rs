//! What each kernel's verifier did for each program, against what was agreed in `netctl-ebpf/verified.lock`.
//!
//! A program that grows slowly is refused one day by the kernel that counts worst; this tells beforehand.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{boot::Outcome, series::Series};
use crate::workspace;

/// The test target that prints the counts, as lines `verified PROGRAM COUNT`.
pub(super) const TARGET: &str = "verifier";

const LOCK: &str = "netctl-ebpf/verified.lock";

const HEAD: &str = "# Instructions that the verifier follows: series of kernels, program, count.\n\
                    # Written by `cargo xtask lab --bless`; more than 10 % above them fails.\n";

/// Instructions that one program may need on any kernel.
const BUDGET: u32 = 100_000;

/// Of one program in one kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    series: String,
    program: String,
    instructions: u32,
}

/// The counts that the job printed.
pub(super) fn counts(series: Series, outcome: &Outcome) -> Vec<Count> {
    let series = series.name();
    outcome
        .lines
        .iter()
        .filter_map(|line| parse(&format!("{series} {}", line.strip_prefix("verified ")?)))
        .collect()
}

fn parse(line: &str) -> Option<Count> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [series, program, instructions] = words.as_slice() else { return None };
    let instructions = instructions.parse().ok()?;
    Some(Count { series: (*series).to_owned(), program: (*program).to_owned(), instructions })
}

/// Compares `found`, of the kernels that were booted, with the agreed counts; or agrees on them.
///
/// # Errors
/// All counts that are over a bound, or not agreed on.
pub(super) fn check(found: &[Count], bless: bool) -> Result<()> {
    let file = workspace::root().join(LOCK);
    let agreed = fs::read_to_string(&file).unwrap_or_default();
    let agreed: Vec<Count> = agreed.lines().filter_map(parse).collect();
    if bless {
        return fs::write(&file, text(&blessed(agreed, found)))
            .with_context(|| format!("cannot write {LOCK}"));
    }
    let wrong = compare(&agreed, found);
    if !wrong.is_empty() {
        bail!("the verifier's work is not what was agreed in {LOCK}:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

fn text(counts: &[Count]) -> String {
    let lines = counts.iter().map(|it| format!("{} {} {}\n", it.series, it.program, it.instructions));
    HEAD.to_owned() + &lines.collect::<String>()
}

/// The agreed counts with those of the booted kernels replaced.
fn blessed(agreed: Vec<Count>, found: &[Count]) -> Vec<Count> {
    let booted = |count: &Count| found.iter().any(|it| it.series == count.series);
    let mut all: Vec<_> = agreed.into_iter().filter(|count| !booted(count)).collect();
    all.extend_from_slice(found);
    all.sort();
    all
}

/// What is wrong with each.
fn compare(agreed: &[Count], found: &[Count]) -> Vec<String> {
    let mut wrong = Vec::new();
    for it in found {
        let Count { series, program, instructions } = it;
        let same = |other: &&Count| (&other.series, &other.program) == (series, program);
        let place = format!("{program} on {series}: {instructions} instructions");
        match agreed.iter().find(same) {
            _ if *instructions > BUDGET => wrong.push(format!("{place}, more than {BUDGET}")),
            None => wrong.push(format!("{place}, not agreed on; run `cargo xtask lab --bless`")),
            Some(old) if u64::from(*instructions) * 10 > u64::from(old.instructions) * 11 => {
                wrong.push(format!(
                    "{place}, {} were agreed; make it simpler, or run `cargo xtask lab --bless`",
                    old.instructions
                ))
            }
            Some(_) => {}
        }
    }
    let gone = |old: &&Count| {
        found.iter().any(|it| it.series == old.series)
            && !found.iter().any(|it| (&it.series, &it.program) == (&old.series, &old.program))
    };
    wrong.extend(
        agreed
            .iter()
            .filter(gone)
            .map(|old| format!("{} on {}: gone; run `cargo xtask lab --bless`", old.program, old.series)),
    );
    wrong
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, Count, blessed, compare, parse, text};

    fn counts(lines: &[&str]) -> Vec<Count> {
        lines.iter().filter_map(|line| parse(line)).collect()
    }

    #[test]
    fn a_tenth_more_is_agreed_and_one_instruction_above_it_is_not() {
        let agreed = counts(&["6.1 from_guest 1000"]);
        assert!(compare(&agreed, &counts(&["6.1 from_guest 1100"])).is_empty());
        assert_eq!(compare(&agreed, &counts(&["6.1 from_guest 1101"])).len(), 1);
    }

    #[test]
    fn the_budget_holds_also_for_what_was_agreed() {
        let agreed = counts(&[&format!("7 to_guest {}", BUDGET + 1)]);
        assert_eq!(agreed.len(), 1);
        assert_eq!(compare(&agreed, &agreed).len(), 1);
    }

    #[test]
    fn a_program_that_is_new_or_gone_has_to_be_agreed_on() {
        let agreed = counts(&["6.1 from_guest 10", "6.12 from_guest 10"]);
        let wrong = compare(&agreed, &counts(&["6.1 to_guest 10"]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }

    #[test]
    fn blessing_keeps_what_other_kernels_say() {
        let agreed = counts(&["6.1 from_guest 10", "6.12 from_guest 10"]);
        let all = blessed(agreed, &counts(&["6.1 from_guest 20"]));
        assert_eq!(all, counts(&["6.1 from_guest 20", "6.12 from_guest 10"]));
        assert_eq!(counts(&text(&all).lines().collect::<Vec<_>>()), all);
    }
}
