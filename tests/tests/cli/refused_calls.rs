//! A kernel without BPF, made with a seccomp filter: bpf(2) fails as on a kernel that was built without it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{io, mem};

use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

/// Jumps and loads of classic BPF for seccomp (linux/filter.h, linux/seccomp.h): bpf(2) fails with `error`.
fn filter(error: i32) -> [libc::sock_filter; 4] {
    let statement = |code: u32, jf, k| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let number_at = mem::offset_of!(libc::seccomp_data, nr) as u32;
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, number_at),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, libc::SYS_bpf as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[track_caller]
fn netctl_without_bpf(sandbox: &Sandbox, error: i32) -> Finished {
    let filter = filter(error);
    let mut command = Command::new(cli::binary().unwrap());
    command.args(["apply", "/run/lab/host.toml"]);
    let install = move || {
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: plain system calls; `program` and the filter it points to live until they return.
        let result = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: `install` makes two system calls, and neither allocates nor locks.
    unsafe { command.pre_exec(install) };
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
