//! `netctl man`: a page for each command, from the definition of the command line, with the sessions of docs/cli.md.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::error::{Error, Outcome};

/// Its sessions are run by the tests.
const SESSIONS: &str = include_str!("../../../docs/cli.md");

pub(super) fn run(directory: &Path) -> Result<Outcome, Error> {
    let mut root = Cli::command();
    root.build();
    let write = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Cli::command(), directory)?;
        append(&root, "netctl", directory)
    };
    write().map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// The sessions of a command and of those below it, to the pages that are there.
fn append(command: &Command, name: &str, directory: &Path) -> io::Result<()> {
    let session = session(name);
    let page = directory.join(format!("{}.1", name.replace(' ', "-")));
    if !session.is_empty() && page.is_file() {
        OpenOptions::new().append(true).open(page)?.write_all(session.as_bytes())?;
    }
    let below = command.get_subcommands();
    below.into_iter().try_for_each(|one| append(one, &format!("{name} {}", one.get_name()), directory))
}

/// What is shown under the heading of a command, as roff; empty if nothing is.
fn session(name: &str) -> String {
    let mut text = String::new();
    let (mut is_its, mut is_shown) = (false, false);
    for line in SESSIONS.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            is_its = heading.split(", ").any(|one| is_of(one, name));
        } else if is_its && line.starts_with("```") {
            is_shown = !is_shown && ["```console", "```sh"].iter().any(|mark| line.starts_with(mark));
            text.push_str(if is_shown { "\n" } else { "" });
        } else if is_its && is_shown {
            let _ = writeln!(text, "{}", escaped(line));
        }
    }
    match text.trim_start() {
        "" => String::new(),
        text => format!(".SH EXAMPLES\n.nf\n{text}.fi\n"),
    }
}

/// `netctl apply FILE` is of `netctl apply`, and not of `netctl`.
fn is_of(heading: &str, name: &str) -> bool {
    let words: Vec<&str> = heading.split_whitespace().collect();
    let own: Vec<&str> = name.split(' ').collect();
    let is_verb = |word: &&str| !word.starts_with(|c: char| c.is_ascii_uppercase() || "[-|".contains(c));
    let verbs = words.iter().take_while(|word| is_verb(word)).count();
    own.len() > 1 && words.get(..verbs) == Some(own.as_slice())
}

fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_of_its_command_only() {
        assert!(is_of("netctl apply FILE", "netctl apply"));
        assert!(is_of("netctl relay PORT --listen ADDRESS | --fd NUMBER", "netctl relay"));
        assert!(is_of("netctl port list", "netctl port list"));
        assert!(!is_of("netctl port list", "netctl port"));
        assert!(!is_of("netctl apply FILE", "netctl"));
    }

    #[test]
    fn a_session_is_shown_as_it_was_typed() {
        let session = session("netctl explain");
        assert!(session.starts_with(".SH EXAMPLES\n.nf\n$ netctl explain web1 db1"), "{session}");
        assert_eq!(escaped(".\\ -"), "\\&.\\e \\-");
    }
}
