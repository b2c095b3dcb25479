//! `netctl explain`.

mod frames;
mod text;

use std::io::Write;
use std::path::Path;

use super::check::sound_document;
use crate::cli::ExplainArgs;
use crate::config::Config;
use crate::error::{Error, Outcome};
use crate::explain::answer::{by_document, by_kernel};
use crate::explain::question::Question;
use crate::output::write_json;
use crate::state::State;

pub(super) fn run(
    bpffs: &Path,
    args: &ExplainArgs,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    if let Some(port) = args.port.as_deref() {
        return frames::run(bpffs, (args, port), color, out);
    }
    let words = words(args)?;
    let answer = match &args.document {
        Some(file) => {
            let Some(document) = sound_document(file, color)? else { return Ok(Outcome::No) };
            by_document(&document, &question(&document.config, words, args)?)?
        }
        None => {
            let state = State::read(bpffs)?;
            by_kernel(&state, &question(&state.config_as_learned(), words, args)?)?
        }
    };
    let [from, to, _] = words;
    let written = if args.json { write_json(out, &answer) } else { text::write(&answer, (from, to), out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::yes_if(answer.allowed))
}

/// FROM, TO and SERVICE: by option, or in this order.
fn words(args: &ExplainArgs) -> Result<[&str; 3], Error> {
    let mut typed = args.words.iter().map(String::as_str);
    let mut missing = Vec::new();
    let words = [("FROM", &args.from), ("TO", &args.to), ("SERVICE", &args.service)].map(|(name, option)| {
        option.as_deref().or_else(|| typed.next()).unwrap_or_else(|| {
            missing.push(name);
            ""
        })
    });
    let more = typed.next();
    match (missing.as_slice(), more) {
        ([], None) => Ok(words),
        ([], Some(word)) => {
            Err(Error::Question(format!("`{word}` is one word too many: FROM, TO and SERVICE are said")))
        }
        (missing, _) => Err(Error::Question(format!(
            "{} is missing: explain FROM TO SERVICE, such as `explain web1 db1 tcp/443`, or frames with --pcap or --hex",
            missing.join(" and "),
        ))),
    }
}

fn question(config: &Config, [from, to, service]: [&str; 3], args: &ExplainArgs) -> Result<Question, Error> {
    let mut question = Question::new(config, from, to, service, args.source_port)?;
    question.as_new = args.as_new;
    Ok(question)
}
