//! The soak test, for seconds.

use std::time::Duration;

use netctl_tests::soak;

#[test]
fn random_changes_leave_no_wrong_verdict_and_nothing_behind() {
    let report = soak::run(5, Duration::from_secs(20)).unwrap_or_else(|e| panic!("{e:#}"));
    let changes: u64 = report.changes.values().sum();
    assert!(changes > 10, "hardly any change: {report}");
    println!("{report}");
}
