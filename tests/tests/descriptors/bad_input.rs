//! Descriptors that are not there, not netctl's to see, or not what was meant: one sentence, exit status 2.

use std::fs;
use std::process::Command;

use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use crate::lab::host;

#[track_caller]
fn refused(done: Finished, wanted: &str) {
    let done = done.expect_code(2);
    assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
    assert_eq!((done.stdout.as_str(), done.stderr.lines().count()), ("", 1), "{done}");
}

#[test]
fn what_cannot_be_inspected_is_told_in_one_sentence() {
    Sandbox::run(|sandbox| {
        let inspect = |target: &str| sandbox.netctl(["fd", "inspect", target]);
        refused(
            inspect("77"),
            "descriptor 77 is not open in netctl; pass it on, as a shell does with `77<&77`",
        );
        // Linux gives no process such a number (proc(5), pid_max).
        refused(inspect("pid:2147483647"), "there is no process 2147483647");
        refused(inspect("pid:2147483647/0"), "there is no process 2147483647");
        let me = std::process::id();
        refused(
            inspect(&format!("pid:{me}/1000000")),
            &format!(
                "descriptor 1000000 is not open in process {me}; `netctl fd inspect pid:{me}` lists what is"
            ),
        );
        for target in ["x", "3/4", "pid:x", "pid:1/x"] {
            let done = inspect(target).expect_code(2);
            assert!(
                done.stderr.contains(&format!("`{target}` is neither a descriptor nor a process")),
                "{done}"
            );
        }
    });
}

#[test]
fn another_users_process_is_not_permitted_to_be_seen() {
    host(|sandbox| {
        // Where anyone can run it.
        fs::copy(cli::binary().unwrap(), "/run/netctl").unwrap();
        let me = std::process::id();
        for target in [format!("pid:{me}"), format!("pid:{me}/0")] {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "/run/netctl"]);
            command.args(["fd", "inspect", &target]);
            let wanted = format!("process {me}: not permitted; run as root, or as the user of the process");
            refused(sandbox.finish(command).unwrap(), &wanted);
        }
    });
}
