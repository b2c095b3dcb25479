//! The demonstration, so that it cannot rot.

use std::process::Command;

#[test]
fn the_demo_finds_all_as_expected() {
    let done = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let (printed, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{printed}{said}");
    assert!(printed.contains("36 of 36 as expected"), "{printed}");
    // Both words, or the matrix shows nothing.
    assert!(printed.contains("yes/yes") && printed.contains("no/no"), "{printed}");
    assert!(printed.contains("web1 > db1 tcp/5432 is silent"), "{printed}");
}
