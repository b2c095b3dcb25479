//! `netctl explain --pcap` and `--hex`.

use std::io::{self, Read, Write};
use std::path::Path;

use super::text;
use crate::cli::ExplainArgs;
use crate::cmd::check::sound_document;
use crate::error::{Error, Outcome};
use crate::explain::frames::{At, Framed, Source, by_document, by_kernel};
use crate::output::{printable, write_json};
use crate::state::State;

/// Longest text that is read from standard input for one frame, in bytes.
const MAX_TEXT: u64 = 1 << 20;

pub(super) fn run(
    bpffs: &Path,
    (args, port): (&ExplainArgs, &str),
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let typed = match args.hex.as_deref() {
        Some("-") => Some(standard_input()?),
        other => other.map(str::to_owned),
    };
    let source = match (&args.pcap, &typed) {
        (Some(path), _) => Source::Capture(path),
        (None, Some(text)) => Source::Hex(text),
        (None, None) => {
            let text = "`--port` is for frames: say which with --pcap FILE or --hex BYTES".to_owned();
            return Err(Error::Question(text));
        }
    };
    let at = At { port, direction: args.direction.map(Into::into), as_new: args.as_new };
    let mut all_allowed = true;
    let (state, document) = match &args.document {
        Some(file) => match sound_document(file, color)? {
            Some(document) => (None, Some(document)),
            None => return Ok(Outcome::No),
        },
        None => (Some(State::read(bpffs)?), None),
    };
    let generation = state.as_ref().map(|state| state.root.generation);
    let mut tell = |framed: Framed| {
        all_allowed &= framed.is_allowed();
        write_frame(&framed, (args, generation), out).map_err(Error::Output)
    };
    match (&state, &document) {
        (Some(state), _) => by_kernel(state, source, &at, &mut tell)?,
        (None, Some(document)) => by_document(document, source, &at, &mut tell)?,
        (None, None) => {}
    }
    Ok(Outcome::yes_if(all_allowed))
}

fn standard_input() -> Result<String, Error> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_TEXT).read_to_string(&mut text);
    read.map_err(|source| Error::Read { path: "-".into(), source })?;
    Ok(text)
}

fn write_frame(
    framed: &Framed,
    (args, generation): (&ExplainArgs, Option<u32>),
    out: &mut impl Write,
) -> io::Result<()> {
    match (args.json, args.pcap.is_some()) {
        (true, true) => {
            serde_json::to_writer(&mut *out, framed)?;
            writeln!(out)
        }
        (true, false) => write_json(out, framed),
        (false, true) => write_line(framed, out),
        (false, false) => write_whole(framed, generation, out),
    }
}

/// Widths for IPv4; what is longer pushes the rest to the right. A file may be too long to be read twice.
const LINE: [&str; 9] =
    ["FRAME", "BYTES", "DIRECTION", "SOURCE", "DESTINATION", "SERVICE", "VERDICT", "REASON", "RULE"];

fn write_line(framed: &Framed, out: &mut impl Write) -> io::Result<()> {
    if framed.frame == 1 {
        write_cells(&LINE.map(str::to_owned), out)?;
    }
    let step = framed.step.as_ref();
    let word = |word: Option<&'static str>| word.unwrap_or("-").to_owned();
    let rule = match (step.and_then(|step| step.rule.as_ref()), &framed.note) {
        (Some(rule), None) => rule.to_string(),
        (Some(rule), Some(note)) => format!("{rule} ({note})"),
        (None, Some(note)) => format!("- ({note})"),
        (None, None) => "-".to_owned(),
    };
    let cells = [
        framed.frame.to_string(),
        framed.length.to_string(),
        word(step.map(|step| step.direction)),
        framed.source.clone(),
        framed.destination.clone(),
        framed.service.clone(),
        step.map_or("not asked", |step| step.action).to_owned(),
        word(step.map(|step| step.reason)),
        rule,
    ];
    write_cells(&cells, out)
}

fn write_cells(cells: &[String; 9], out: &mut impl Write) -> io::Result<()> {
    let [frame, bytes, direction, source, destination, service, verdict, reason, rule] = cells;
    writeln!(
        out,
        "{frame:<6}  {bytes:<5}  {direction:<10}  {source:<17}  {destination:<17}  {service:<12}  {verdict:<9}  \
         {reason:<18}  {}",
        printable(rule),
    )
}

/// One frame with all that was seen of it.
fn write_whole(framed: &Framed, generation: Option<u32>, out: &mut impl Write) -> io::Result<()> {
    let verdict = framed.step.as_ref().map_or("-", |step| step.action);
    let Framed { source, destination, service, .. } = framed;
    writeln!(out, "{verdict}  {source} > {destination}  {service}")?;
    if let Some(step) = &framed.step {
        text::write_step(step, out)?;
    }
    if let Some(note) = &framed.note {
        writeln!(out, "  {note}")?;
    }
    text::write_host(generation, out)
}
