//! The cheapest forwarding there is: a classifier of four instructions that sends every frame out of another
//! interface. Loaded and attached with bpf(2) itself, so that it owes nothing to netctl's own program.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;
/// linux/if_link.h
const XDP_FLAGS_SKB_MODE: u32 = 2;
const XDP_PASS: i32 = 2;
const BPF_FUNC_REDIRECT: i32 = 23;

/// `struct bpf_insn`, without the offset that none of ours has.
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// The part of `union bpf_attr` for `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[repr(C)]
struct PinnedPath {
    path: u64,
    fd: u32,
    flags: u32,
}

/// The beginning of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: RawFd,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// The beginning of `union bpf_attr` for `BPF_PROG_QUERY`.
#[repr(C)]
#[derive(Default)]
struct ProgQuery {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    pad: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// Sends everything that comes in on `from` out of `to`, as long as the returned descriptor is open. Both are
/// interfaces of the calling thread's network namespace.
///
/// # Errors
/// If the kernel has no tcx (before 6.6), or an interface does not exist.
pub fn redirect(from: &str, to: &str) -> Result<OwnedFd> {
    let index = |name: &str| if_nametoindex(name).with_context(|| format!("there is no interface {name}"));
    let (from, to) = (index(from)?, index(to)?);
    let program = [
        op(0xb7, 1, to as i32),         // r1 = to
        op(0xb7, 2, 0),                 // r2 = 0: out of it, not into it
        op(0x85, 0, BPF_FUNC_REDIRECT), // call bpf_redirect
        op(0x95, 0, 0),                 // return what it returns
    ];
    let program = load(BPF_PROG_TYPE_SCHED_CLS, &program).context("cannot load the redirect program")?;
    attach(&program, from, (BPF_TCX_INGRESS, 0))
        .context("cannot attach the redirect program: tcx needs Linux 6.6")
}

/// Puts a program on `interface`, in its generic XDP hook, that passes everything, as long as the returned descriptor
/// is open.
///
/// # Errors
/// If there is no such interface, or it has a program.
pub fn xdp_pass(interface: &str) -> Result<OwnedFd> {
    let index = if_nametoindex(interface).with_context(|| format!("there is no interface {interface}"))?;
    let program = [op(0xb7, 0, XDP_PASS), op(0x95, 0, 0)];
    let program = load(BPF_PROG_TYPE_XDP, &program).context("cannot load an XDP program")?;
    attach(&program, index, (BPF_XDP, XDP_FLAGS_SKB_MODE)).context("cannot attach an XDP program")
}

const fn op(code: u8, registers: u8, immediate: i32) -> Instruction {
    Instruction { code, registers, offset: 0, immediate }
}

/// Programs that tcx has on an interface: towards the host, and away from it.
///
/// # Errors
/// If the kernel has no tcx (before 6.6), or the interface does not exist.
pub fn tcx_programs(interface: &str) -> Result<[Vec<u32>; 2]> {
    let index = if_nametoindex(interface).with_context(|| format!("there is no interface {interface}"))?;
    let query = |attach_type| {
        let mut ids = vec![0; 64];
        let mut query = ProgQuery {
            target_ifindex: index,
            attach_type,
            prog_ids: ids.as_mut_ptr() as u64,
            count: ids.len() as u32,
            ..ProgQuery::default()
        };
        // SAFETY: the kernel reads and writes `query`, and writes at most `count` numbers to `ids`.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_QUERY,
                std::ptr::from_mut(&mut query),
                size_of::<ProgQuery>(),
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        ids.truncate(query.count as usize);
        Ok(ids)
    };
    Ok([query(BPF_TCX_INGRESS)?, query(BPF_TCX_EGRESS)?])
}

/// A classifier that drops everything: a stand-in for the program of another build.
///
/// # Errors
/// If the kernel does not take it.
pub fn drop_all() -> io::Result<OwnedFd> {
    const TC_ACT_SHOT: i32 = 2;
    load(BPF_PROG_TYPE_SCHED_CLS, &[op(0xb7, 0, TC_ACT_SHOT), op(0x95, 0, 0)])
}

/// Pins `program` in the place of what is pinned at `path`.
///
/// # Errors
/// What the BPF file system says.
pub fn pin_over(program: &OwnedFd, path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = PinnedPath { path: path.as_ptr() as u64, fd: program.as_raw_fd() as u32, flags: 0 };
    command(BPF_OBJ_PIN, &attributes).map(drop)
}

/// Puts `program` in the place of the one of the link that is pinned at `path`.
///
/// # Errors
/// If there is no such link.
pub fn update_pinned_link(path: &Path, program: &OwnedFd) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let link = bpf(BPF_OBJ_GET, &PinnedPath { path: path.as_ptr() as u64, fd: 0, flags: 0 })?;
    command(BPF_LINK_UPDATE, &[link.as_raw_fd(), program.as_raw_fd(), 0, 0]).map(drop)
}

/// What the kernel has identities of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Program = 11,
    Map = 12,
    Link = 31,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Program, Self::Map, Self::Link];
}

/// Identities of all programs, maps or links in the kernel, whoever made them.
///
/// # Errors
/// Without CAP_SYS_ADMIN.
pub fn ids(kind: Kind) -> io::Result<BTreeSet<u32>> {
    // `start_id`, `next_id`, `open_flags` of `union bpf_attr`; the kinds are the numbers of `BPF_*_GET_NEXT_ID`.
    let mut attributes = [0u32; 3];
    let mut ids = BTreeSet::new();
    loop {
        // SAFETY: the kernel reads and writes `attributes` and nothing else.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                kind as libc::c_int,
                attributes.as_mut_ptr(),
                size_of_val(&attributes),
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ENOENT) { Ok(ids) } else { Err(error) };
        }
        attributes[0] = attributes[1];
        ids.insert(attributes[1]);
    }
}

fn load(prog_type: u32, program: &[Instruction]) -> io::Result<OwnedFd> {
    let load = ProgLoad {
        prog_type,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..ProgLoad::default()
    };
    bpf(BPF_PROG_LOAD, &load)
}

fn attach(program: &OwnedFd, interface: u32, (attach_type, flags): (u32, u32)) -> io::Result<OwnedFd> {
    let link = LinkCreate { prog_fd: program.as_raw_fd(), target_ifindex: interface, attach_type, flags };
    bpf(BPF_LINK_CREATE, &link)
}

/// A bpf(2) command that returns a descriptor.
fn bpf<T>(number: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let result = command(number, attributes)?;
    // SAFETY: the callers' commands return a new descriptor that no one else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}

/// A bpf(2) command that only reads its attributes.
fn command<T>(number: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes from `attributes`; what these point to (instructions,
    // license, path) outlives the call; no command of the callers writes through them.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, number, std::ptr::from_ref(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
