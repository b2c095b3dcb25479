//! ARCHITECTURE.md and the tree agree: every file it names exists, and it names every folder of source files.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, bail};

use super::tree;
use crate::workspace;

const MAP: &str = "ARCHITECTURE.md";

/// Endings of words that are names of files.
const ENDINGS: [&str; 6] = [".rs", ".toml", ".md", ".sh", ".json", ".lock"];

/// # Errors
/// What does not agree, all of it.
pub(super) fn check() -> Result<()> {
    let text =
        fs::read_to_string(workspace::root().join(MAP)).with_context(|| format!("cannot read {MAP}"))?;
    let wrong = disagreements(&text, &tree::files()?);
    if !wrong.is_empty() {
        bail!("{MAP} and the tree differ: {}", wrong.join("; "));
    }
    Ok(())
}

fn disagreements(text: &str, files: &[String]) -> Vec<String> {
    let words: BTreeSet<&str> = words(text).collect();
    let gone = words.iter().filter(|word| is_file_name(word)).filter(|word| !exists(word, files));
    let folders: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.ends_with(".rs"))
        .filter_map(|file| Some(file.rsplit_once('/')?.0))
        .collect();
    let unnamed = folders.iter().filter(|folder| !words.contains(*folder));
    let gone = gone.map(|word| format!("{word} is named and does not exist"));
    gone.chain(unnamed.map(|folder| format!("{folder}/ has source files and is not named"))).collect()
}

/// Everything that can be a path, without the slash at the end of a folder or the full stop of a sentence.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let of_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    text.split(move |c| !of_path(c))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(|word| !word.is_empty())
}

fn is_file_name(word: &str) -> bool {
    // An address (`https://docs.rs`) is split after its colon; what is built is not in the tree.
    let elsewhere = word.starts_with('/') || word.starts_with("target/");
    !elsewhere && ENDINGS.iter().any(|ending| word.len() > ending.len() && word.ends_with(ending))
}

/// A file may be named by the end of its path, where the text says in which folder it is.
fn exists(name: &str, files: &[String]) -> bool {
    files
        .iter()
        .any(|file| file.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/')))
}

#[cfg(test)]
mod tests {
    use super::disagreements;

    fn tree() -> Vec<String> {
        ["netctl/src/lib.rs", "netctl/src/fd/tap.rs", "README.md"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_map_that_names_each_folder_and_only_what_exists_agrees() {
        let text =
            "See README.md. `netctl/src/` starts at lib.rs; netctl/src/fd (tap.rs) opens; https://docs.rs.";
        assert!(disagreements(text, &tree()).is_empty());
    }

    #[test]
    fn a_file_that_is_gone_and_a_folder_without_a_line_are_told() {
        let text = "`netctl/src/old.rs`, `netctl/src`, `ap.rs`";
        let wrong = disagreements(text, &tree()).join("\n");
        assert_eq!(
            wrong,
            "ap.rs is named and does not exist\nnetctl/src/old.rs is named and does not exist\n\
             netctl/src/fd/ has source files and is not named"
        );
    }
}
