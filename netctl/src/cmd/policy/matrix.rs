//! `netctl policy matrix`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use crate::apply::ApplyError;
use crate::cli::PolicyMatrixArgs;
use crate::cmd::check::sound_document;
use crate::compile::{Budget, PortIds, compile};
use crate::config::Config;
use crate::error::{Error, Outcome};
use crate::output::{printable, write_aligned, write_json};
use crate::policy::matrix::{Group, Matrix, Shown, named};
use crate::state::State;
use crate::would::not_enforced;

/// Characters of a cell; the rest is counted.
const LONGEST: usize = 40;
/// Members of a row that are named below the table.
const NAMED: usize = 12;

pub(super) fn run(
    bpffs: &Path,
    args: &PolicyMatrixArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let config = match &args.file {
        Some(file) => match sound_document(file, color)? {
            Some(document) => document.config,
            None => return Ok(Outcome::No),
        },
        None => State::read(bpffs)?.config,
    };
    let ids = PortIds::assign(&BTreeMap::new(), &config).map_err(ApplyError::from)?;
    let compiled = compile(&config, &ids, &Budget::default()).map_err(ApplyError::from)?;
    let matrix = Matrix::of(&config, &compiled).map_err(|error| Error::Question(error.to_string()))?;
    let rows = chosen(&matrix, &config, &args.from)?;
    let shown = matrix.rows_and_columns(rows, chosen(&matrix, &config, &args.to)?);
    if let Some(words) = not_enforced(&config) {
        eprintln!("netctl: {words}; the matrix shows what the rules say");
    }
    let written = if args.json {
        write_json(out, &shown)
    } else if args.svg {
        out.write_all(shown.svg().as_bytes())
    } else {
        write_table(&shown, out)
    };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// All rows, or those that the words name.
fn chosen(matrix: &Matrix, config: &Config, words: &[String]) -> Result<Vec<usize>, Error> {
    if words.is_empty() {
        return Ok((0..matrix.groups.len()).collect());
    }
    let mut chosen = Vec::new();
    for word in words {
        chosen.extend(named(&matrix.groups, config, word)?);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn write_table(shown: &Shown<'_>, out: &mut impl Write) -> io::Result<()> {
    let groups = &shown.matrix.groups;
    let label = |place: &usize| groups[*place].label.clone();
    let heads = ["FROM \\ TO".to_owned()].into_iter().chain(shown.columns.iter().map(label)).collect();
    let line = |row: &usize| {
        let cells =
            shown.cells(*row).map(|(_, cell)| cell.map_or_else(String::new, |cell| cell.shortened(LONGEST)));
        [label(row)].into_iter().chain(cells).collect()
    };
    let lines: Vec<Vec<String>> = [heads].into_iter().chain(shown.rows.iter().map(line)).collect();
    write_aligned(out, &lines)?;
    let is_shown = |place: &usize| shown.rows.contains(place) || shown.columns.contains(place);
    let explained: Vec<String> =
        (0..groups.len()).filter(is_shown).filter_map(|place| explained(&groups[place])).collect();
    if !explained.is_empty() {
        writeln!(out)?;
    }
    explained.iter().try_for_each(|line| writeln!(out, "{}", printable(line)))
}

/// Who stands behind a name that is not a port's.
fn explained(group: &Group) -> Option<String> {
    let all = group.describe();
    if all == group.label {
        return None;
    }
    let members: Vec<&str> = all.split(", ").collect();
    let named = members[..members.len().min(NAMED)].join(", ");
    let more = match members.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("{}: {named}{more}", group.label))
}
