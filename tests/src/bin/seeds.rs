//! Writes what fuzzers start from to `fuzz/corpus`, a folder for each target, where cargo-fuzz looks for it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use netctl_tests::fuzz::seeds;

fn main() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let targets =
        [("parser", seeds::frames()), ("decision", seeds::sequences()), ("document", seeds::documents())];
    for (target, seeds) in targets {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (number, seed) in seeds.iter().enumerate() {
            let file = folder.join(format!("seed-{number:04}"));
            fs::write(&file, seed).with_context(|| format!("cannot write {}", file.display()))?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
