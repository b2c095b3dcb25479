//! The benchmark at its quickest, so that it cannot rot: every way is set up and shown to do its work, and the
//! three files come out whole. As root; what it measures in a fraction of a second means nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_run_delivers_in_every_row_and_writes_three_files() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let _ = fs::remove_dir_all(&out);
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    bench.args(["--quick", "--out"]).arg(&out);
    let done = bench.output().unwrap();
    let (printed, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");

    let report: Value = serde_json::from_slice(&fs::read(out.join("bench.json")).unwrap()).unwrap();
    let rows = report["frames"].as_array().unwrap();
    // Six without rules; three kinds of nftables and netctl on four kinds of networks at two sizes; three kinds of
    // traffic.
    assert_eq!(rows.len(), (6 + (3 + 4) * 2) * 3);
    for row in rows {
        assert!(
            row["frames_delivered"].as_u64() > Some(0) && row["nanos"]["median"].as_f64() > Some(0.0),
            "{row}"
        );
        assert!(row["to_bare"]["median"].as_f64() > Some(0.0), "{row}");
    }
    // nftables knows no ports.
    assert_eq!(report["changes"].as_array().unwrap().len(), (2 + 3) * 2);

    assert_eq!(fs::read_to_string(out.join("bench.md")).unwrap(), printed);
    assert!(printed.contains("| bridge + nft vmap | 100 |"), "{printed}");
    let plot = fs::read_to_string(out.join("bench.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.matches("<rect").count() == rows.len() + 1);
}
