//! A kernel that refuses one system call, made with a seccomp filter for one process.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{io, mem};

/// Jumps and loads of classic BPF for seccomp (linux/filter.h, linux/seccomp.h): `call` fails with `error`.
fn filter(call: libc::c_long, error: i32) -> [libc::sock_filter; 4] {
    let statement = |code: u32, jf, k| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let number_at = mem::offset_of!(libc::seccomp_data, nr) as u32;
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, number_at),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// Lets a system call, such as `libc::SYS_bpf`, fail with an error number in the program that is going to be started.
pub fn refuse(command: &mut Command, call: libc::c_long, error: i32) {
    let filter = filter(call, error);
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
}
