//! Every command in README.md and docs/*.md is run, in the order in which it is shown, in a sandbox for each file.
//!
//! Commands are the lines of `sh` blocks and the lines after `$ ` of `console` blocks. They end with 0, or as a line
//! `# exits with 1` before says. In a block marked `console exact` the output is compared as well. A block marked
//! `toml NAME` or `python NAME` is written to that file first. `cargo` and `git` are for the reader: a sandbox has no sources.

use std::fs;
use std::path::{Path, PathBuf};

use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

/// What a reader of a document does, one after another.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Write { file: String, text: String },
    Run { line: usize, command: String, code: i32, output: Option<String> },
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let listed = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    files.sort();
    files.insert(0, root.join("README.md"));
    files
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = document.lines().zip(1..);
    while let Some((line, at)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> =
            lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```").collect();
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("toml" | "python", file) if !file.is_empty() => {
                steps.push(Step::Write { file: file.to_owned(), text: block.join("\n") + "\n" });
            }
            ("sh", _) => steps.extend(commands(&block, at, "", false)),
            ("console", mode) => steps.extend(commands(&block, at, "$ ", mode == "exact")),
            _ => {}
        }
    }
    steps
}

/// The commands of a block that starts on line `at`: they begin with `prompt`, and go on after a `\`.
fn commands(block: &[&str], at: usize, prompt: &str, exact: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut code = 0;
    let mut number = 0;
    while let Some(text) = block.get(number) {
        let line = at + 1 + number;
        number += 1;
        if let Some(exit) = text.trim_start_matches(prompt).strip_prefix("# exits with ") {
            code = exit.trim().parse().unwrap_or_else(|e| panic!("line {line}: {text}: {e}"));
            continue;
        }
        let Some(command) = text.strip_prefix(prompt).filter(|c| !c.is_empty() && !c.starts_with('#')) else {
            continue;
        };
        let mut command = command.to_owned();
        while command.ends_with('\\') {
            command.pop();
            command.push_str(block.get(number).map_or("", |more| more.trim_start_matches("> ").trim_start()));
            number += 1;
        }
        let shown =
            block.iter().skip(number).take_while(|l| !l.starts_with("$ ") && !l.starts_with("# exits"));
        let output = exact.then(|| shown.map(|l| format!("{l}\n")).collect());
        steps.push(Step::Run { line, command, code: std::mem::take(&mut code), output });
    }
    steps
}

#[test]
fn the_commands_of_the_documents_work_as_shown() {
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let steps = steps(&fs::read_to_string(&file).unwrap_or_else(|e| panic!("{name}: {e}")));
        Sandbox::run(|sandbox| {
            let lab = Lab::new(sandbox);
            if name == "bridge-helper.md" {
                // Its commands install something.
                lab.own_files();
            }
            steps.iter().for_each(|step| take(&lab, &name, step));
        });
    }
}

fn take(lab: &Lab<'_>, name: &str, step: &Step) {
    match step {
        Step::Write { file, text } => lab.write(file, text),
        Step::Run { command, .. } if ["cargo ", "git "].iter().any(|tool| command.starts_with(tool)) => {}
        Step::Run { line, command, code, output: Some(output) } => {
            let done = lab.sh(&format!("{{ {command}; }} 2>&1"));
            assert_eq!(&done.stdout, output, "{name}:{line}: `{command}`");
            assert_eq!(done.code, Some(*code), "{name}:{line}: {done}");
        }
        Step::Run { line, command, code, output: None } => {
            println!("{name}:{line}: {command}");
            lab.follow(command, *code);
        }
    }
}

#[test]
fn blocks_of_a_document_are_told_apart() {
    let document = "x\n```toml a.toml\nb = 1\n```\n```console exact\n$ one \\\n> two\nout\n# exits with 1\n$ three\n```\n```sh\n# no\nfour\n```\n```text\nfive\n```\n";
    let run = |line, command: &str, code, output: Option<&str>| Step::Run {
        line,
        command: command.to_owned(),
        code,
        output: output.map(str::to_owned),
    };
    let expected = [
        Step::Write { file: "a.toml".to_owned(), text: "b = 1\n".to_owned() },
        run(6, "one two", 0, Some("out\n")),
        run(10, "three", 1, Some("")),
        run(14, "four", 0, None),
    ];
    assert_eq!(steps(document), expected);
}
