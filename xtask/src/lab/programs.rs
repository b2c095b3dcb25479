//! Builds the test programs on this machine, once for all kernels.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{run, workspace};

/// A test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) executable: PathBuf,
    /// Where cargo runs it: the package's folder.
    pub(super) directory: PathBuf,
}

/// The programs of test targets, by target.
///
/// # Errors
/// They do not build.
pub(super) fn build(targets: &[&str]) -> Result<BTreeMap<String, Program>> {
    let mut cargo = run::test_command();
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    for target in targets {
        cargo.args(["--test", target]);
    }
    let shown = workspace::shown(&cargo);
    eprintln!("$ {shown}");
    let mut child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {shown}"))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let programs = BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| parse(&line));
    let programs = programs.collect();
    workspace::success(child.wait()?, &shown)?;
    Ok(programs)
}

/// A line of cargo's JSON messages, if it is about a test program.
fn parse(line: &str) -> Option<(String, Program)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["kind"][0] != "test" {
        return None;
    }
    let executable = PathBuf::from(message["executable"].as_str()?);
    let directory = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    Some((message["target"]["name"].as_str()?.to_owned(), Program { executable, directory }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_test_programs_are_taken_from_cargos_messages() {
        let message = |kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml",
                "target":{{"kind":["{kind}"],"name":"wire"}},"executable":"/t/wire-1"}}"#
            )
        };
        let (name, program) = parse(&message("test")).unwrap();
        assert_eq!((name.as_str(), program.directory.to_str()), ("wire", Some("/w/tests")));
        assert_eq!(parse(&message("bin")), None);
        assert_eq!(parse(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
