//! docs/libvirt.md, followed word by word: its documents and domains are written, and its `shell` blocks run, in the order
//! in which they are shown, with a real libvirtd.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use netctl_tests::cli;
use netctl_tests::sandbox::Sandbox;

use super::daemon::Daemon;

const FOLDER: &str = "/run/reader";

/// Blocks: the words behind the three backquotes, and the lines.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut lines = text.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind, block.join("\n") + "\n"));
        }
    }
    blocks
}

#[test]
fn what_the_document_shows_works_as_shown() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("libvirt.md");
    let text = fs::read_to_string(file).unwrap();
    Sandbox::run(|sandbox| {
        fs::create_dir(FOLDER).unwrap();
        symlink(cli::binary().unwrap(), format!("{FOLDER}/netctl")).unwrap();
        let mut daemon = Daemon::system(sandbox);
        let mut commands = 0;
        for (kind, block) in blocks(&text) {
            match kind.split_once(' ').unwrap_or((kind, "")) {
                ("toml" | "xml", name) if !name.is_empty() => {
                    fs::write(format!("{FOLDER}/{name}"), block).unwrap()
                }
                ("shell", _) => {
                    for line in block.replace("\\\n", " ").lines() {
                        commands += 1;
                        match line {
                            // No service manager here.
                            "systemctl restart libvirtd" => daemon.restart(),
                            line => drop(daemon.sh(&reader(line)).expect_code(0)),
                        }
                        assert!(line != "virsh start vm7" || adopted(sandbox), "{}", daemon.said());
                    }
                }
                _ => {}
            }
        }
        assert!(commands > 8, "only {commands} commands");
        assert!(!adopted(sandbox));
    });
}

fn reader(line: &str) -> String {
    format!("cd {FOLDER} && PATH={FOLDER}:$PATH && {line}")
}

fn adopted(sandbox: &Sandbox) -> bool {
    super::row(sandbox, "vm7")["filtered"] == true
}
