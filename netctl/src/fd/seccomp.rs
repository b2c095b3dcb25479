//! Leaves a process the system calls that move bytes between descriptors it has, and no others (seccomp(2)).
//!
//! No descriptor can be opened, no process started or signalled, and of the ioctls there is only TUNGETIFF, which asks.

use std::io;

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

/// What the kernel calls this architecture (linux/audit.h); the numbers of system calls are its own.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data`: the number of the call, the architecture, the low half of the second argument.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const SECOND_ARGUMENT: u32 = 24;

const ALLOWED: &[libc::c_long] = &[
    // Frames.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    // Connections.
    libc::SYS_accept4,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_fcntl,
    libc::SYS_close,
    // What the C library does by itself.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// For good. Other calls fail with EPERM; calls of another architecture end the process.
///
/// # Errors
/// A kernel without CONFIG_SECCOMP_FILTER.
pub(super) fn restrict() -> io::Result<()> {
    let mut filter = filter();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: prctl(2) reads the program and its instructions, which live until it returns.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn filter() -> Vec<sock_filter> {
    let allow = done(libc::SECCOMP_RET_ALLOW);
    let deny = done(libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned());
    let kill = done(libc::SECCOMP_RET_KILL_PROCESS);
    let mut filter = vec![load(ARCH), skip(ARCHITECTURE, 1, 0), kill, load(NUMBER)];
    for number in ALLOWED {
        filter.extend([skip(*number as u32, 0, 1), allow]);
    }
    filter.extend([skip(libc::SYS_ioctl as u32, 1, 0), deny, load(SECOND_ARGUMENT)]);
    filter.extend([skip(libc::TUNGETIFF as u32, 0, 1), allow, deny]);
    filter
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

/// Skips so many instructions if the loaded value is `value`, and so many else.
fn skip(value: u32, same: u8, other: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: same, jf: other, k: value }
}

fn done(action: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: action }
}
