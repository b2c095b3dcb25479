//! A kernel without BPF, made with a seccomp filter: bpf(2) fails as on a kernel that was built without it.

use std::fs;
use std::process::Command;

use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::seccomp;

use crate::lab::Lab;

#[track_caller]
fn netctl_without_bpf(sandbox: &Sandbox, error: i32) -> Finished {
    let mut command = Command::new(cli::binary().unwrap());
    command.args(["apply", "/run/lab/host.toml"]);
    seccomp::refuse(&mut command, libc::SYS_bpf, error);
    sandbox.finish(command).unwrap()
}

#[test]
fn a_kernel_without_bpf_is_told_in_one_sentence_and_nothing_is_made() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let left = || lab.sh("ip -oneline link; find /sys/fs/bpf").stdout;
        let before = left();
        for (error, wanted) in
            [(libc::ENOSYS, "netctl needs Linux 6.1 or newer"), (libc::EPERM, "run as root")]
        {
            let done = netctl_without_bpf(sandbox, error).expect_code(2);
            assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
            assert_eq!(done.stderr.lines().count(), 1, "more than a sentence\n{done}");
            assert_eq!(left(), before, "something is left behind");
        }
    });
}

#[test]
fn without_the_tun_device_nothing_is_left_half_made() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        fs::create_dir("/run/empty").unwrap();
        // In the sandbox's own mount namespace.
        lab.sh("mount --bind /run/empty /dev/net").expect_code(0);
        let before = lab.sh("ip -oneline link; find /sys/fs/bpf").stdout;
        let done = lab.sh("netctl apply host.toml").expect_code(2);
        assert!(done.stderr.contains("/dev/net/tun"), "{done}");
        assert_eq!(lab.sh("ip -oneline link; find /sys/fs/bpf").stdout, before, "something is left behind");
    });
}
