//! The bpf(2) commands that aya has no call for: batches, standalone inner maps of any type, raw look-ups.
//! The only `unsafe` of this folder. Layouts: `union bpf_attr` in the kernel's include/uapi/linux/bpf.h.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::fault::point;

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const OBJ_PIN: i32 = 6;
const OBJ_GET: i32 = 7;
const MAP_GET_FD_BY_ID: i32 = 14;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const PROG_QUERY: i32 = 16;
const MAP_LOOKUP_BATCH: i32 = 24;
const LINK_UPDATE: i32 = 29;
const MAP_UPDATE_BATCH: i32 = 26;

/// `BPF_MAP_TYPE_ARRAY_OF_MAPS`.
pub(super) const ARRAY_OF_MAPS: u32 = 12;

/// Types of the tables in maps of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapType {
    Hash = 1,
    Array = 2,
    PerCpuArray = 6,
    LruHash = 9,
    LpmTrie = 11,
    RingBuf = 27,
}

/// Whether a map of this type is read in batches from one position to the next: hash tables and tries.
pub(super) const fn is_hash(kind: u32) -> bool {
    matches!(kind, 1 | 9 | 10 | 11)
}

/// Whether it has a value for each CPU: arrays, and hash tables that forget.
pub(super) const fn is_per_cpu(kind: u32) -> bool {
    matches!(kind, 6 | 10)
}

/// What defines a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapShape {
    pub kind: MapType,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
}

impl MapShape {
    /// The kernel makes no map without room.
    pub(super) const fn with_room(self, entries: u32) -> Self {
        Self { max_entries: if entries == 0 { 1 } else { entries }, ..self }
    }
}

/// What the kernel says about a map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MapInfo {
    pub kind: u32,
    pub id: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct CreateAttr {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct ElementAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value_or_next: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct PathAttr {
    path: u64,
    fd: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

#[repr(C)]
#[derive(Default)]
struct LinkUpdateAttr {
    link_fd: u32,
    new_program_fd: u32,
    flags: u32,
    old_program_fd: u32,
}

fn bpf<T>(command: i32, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is the part of `union bpf_attr` that the command reads, of exactly the size given; the
    // addresses in it point to buffers that the callers below keep alive and sized as the map wants them.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: bpf(2) just returned this descriptor; nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

fn address_mut(bytes: &mut [u8]) -> u64 {
    bytes.as_mut_ptr() as u64
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

pub(super) fn create(name: &str, shape: &MapShape) -> io::Result<OwnedFd> {
    let mut attr = CreateAttr {
        kind: shape.kind as u32,
        key_size: shape.key_size,
        value_size: shape.value_size,
        max_entries: shape.max_entries,
        flags: shape.flags,
        ..CreateAttr::default()
    };
    create_named(name, &mut attr)
}

/// An array of `slots` maps like `template`, which is not needed any more afterwards.
pub(super) fn create_outer(name: &str, slots: u32, template: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = CreateAttr {
        kind: ARRAY_OF_MAPS,
        key_size: 4,
        value_size: 4,
        max_entries: slots,
        inner_map_fd: number(template),
        ..CreateAttr::default()
    };
    create_named(name, &mut attr)
}

fn create_named(name: &str, attr: &mut CreateAttr) -> io::Result<OwnedFd> {
    for (to, from) in attr.name.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    bpf(MAP_CREATE, attr).map(owned)
}

pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    point("pin");
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = PathAttr { path: path.as_ptr() as u64, fd: number(object), ..PathAttr::default() };
    bpf(OBJ_PIN, &mut attr).map(drop)
}

pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = PathAttr { path: path.as_ptr() as u64, ..PathAttr::default() };
    bpf(OBJ_GET, &mut attr).map(owned)
}

pub(super) fn open_id(id: u32) -> io::Result<OwnedFd> {
    bpf(MAP_GET_FD_BY_ID, &mut IdAttr { id, ..IdAttr::default() }).map(owned)
}

pub(super) fn info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    let mut info = MapInfo::default();
    let mut attr = InfoAttr {
        fd: number(map),
        len: size_of::<MapInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

/// The head of `struct bpf_link_info` and, of its union, what a tcx link has there.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
    pad: u32,
    ifindex: u32,
    attach_type: u32,
}

/// `BPF_LINK_TYPE_TCX`.
const LINK_TYPE_TCX: u32 = 11;

/// The interface of a tcx link; 0 if it is gone, or if the link is of another kind.
pub(super) fn link_ifindex(link: BorrowedFd<'_>) -> io::Result<u32> {
    let info = link_info(link)?;
    Ok(if info.kind == LINK_TYPE_TCX { info.ifindex } else { 0 })
}

/// Identity of the program of a link.
pub(super) fn link_program(link: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(link_info(link)?.prog_id)
}

fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    let mut attr = InfoAttr {
        fd: number(link),
        len: size_of::<LinkInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

/// The head of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProgramInfo {
    pub kind: u32,
    pub id: u32,
    /// Hash of the instructions as they were loaded.
    pub tag: [u8; 8],
}

pub(super) fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let mut info = ProgramInfo::default();
    let mut attr = InfoAttr {
        fd: number(program),
        len: size_of::<ProgramInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

/// Puts a program in the place of a link's, between one frame and the next.
pub(super) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    point("update link");
    let mut attr = LinkUpdateAttr {
        link_fd: number(link),
        new_program_fd: number(program),
        ..LinkUpdateAttr::default()
    };
    bpf(LINK_UPDATE, &mut attr).map(drop)
}

/// The part of `union bpf_attr` for BPF_PROG_QUERY.
#[repr(C)]
#[derive(Default)]
struct QueryAttr {
    ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    pad: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

/// Identities of the programs on a tcx hook; `attach_type` is BPF_TCX_INGRESS or BPF_TCX_EGRESS. Needs CAP_NET_ADMIN and
/// nothing else. None on a kernel without tcx.
pub(super) fn tcx_programs(ifindex: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    /// linux/bpf_mprog.h
    const BPF_MPROG_MAX: usize = 64;
    let mut ids = vec![0u32; BPF_MPROG_MAX];
    let mut attr = QueryAttr {
        ifindex,
        attach_type,
        programs: ids.as_mut_ptr() as u64,
        count: BPF_MPROG_MAX as u32,
        ..QueryAttr::default()
    };
    match bpf(PROG_QUERY, &mut attr) {
        Ok(_) => {
            ids.truncate(attr.count as usize);
            Ok(ids)
        }
        // EINVAL: the attach type is not known, or compiled out.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// `flags`: `BPF_ANY` (0), `BPF_NOEXIST` (1), `BPF_EXIST` (2).
pub(super) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    point("put table into slot");
    write(map, key, value, flags)
}

/// [`update`] of a table that is filled: all of it is one step.
pub(super) fn write(map: BorrowedFd<'_>, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    let mut attr =
        ElementAttr { map_fd: number(map), pad: 0, key: address(key), value_or_next: address(value), flags };
    bpf(MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// `false` if there is no such element.
pub(super) fn lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut attr = ElementAttr {
        map_fd: number(map),
        key: address(key),
        value_or_next: address_mut(value),
        ..ElementAttr::default()
    };
    found(bpf(MAP_LOOKUP_ELEM, &mut attr))
}

/// `false` if there was no such element.
pub(super) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    point("delete element");
    let mut attr = ElementAttr { map_fd: number(map), key: address(key), ..ElementAttr::default() };
    found(bpf(MAP_DELETE_ELEM, &mut attr))
}

/// Bytes in a ring buffer that its reader has not read, with their headers. Layout: `struct bpf_ringbuf` in
/// kernel/bpf/ringbuf.c, the reader's position on the first page that is mapped, and the writers' on the second.
pub(super) fn ring_fill(ring: BorrowedFd<'_>) -> io::Result<u64> {
    use std::sync::atomic::{AtomicU64, Ordering};
    // SAFETY: sysconf(3) and mmap(2) of two pages that every ring buffer has, for reading; the kernel chooses where.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let flags = (libc::PROT_READ, libc::MAP_SHARED);
        let start = libc::mmap(std::ptr::null_mut(), 2 * page, flags.0, flags.1, ring.as_raw_fd(), 0);
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let read = (*start.cast::<AtomicU64>()).load(Ordering::Acquire);
        let written = (*start.byte_add(page).cast::<AtomicU64>()).load(Ordering::Acquire);
        libc::munmap(start, 2 * page);
        // A reader that went on between the two is no further than the writers.
        Ok(written.saturating_sub(read))
    }
}

fn found(result: io::Result<i32>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `keys` and `values` hold `count` elements each.
pub(super) fn update_batch(map: BorrowedFd<'_>, keys: &[u8], values: &[u8], count: u32) -> io::Result<()> {
    let mut attr = BatchAttr {
        keys: address(keys),
        values: address(values),
        count,
        map_fd: number(map),
        ..BatchAttr::default()
    };
    bpf(MAP_UPDATE_BATCH, &mut attr).map(drop)
}

/// Reads up to `count` elements behind the position `at` (`None` starts). Returns how many were read and whether
/// there may be more. `position` is opaque: as large as a key and at least 4 bytes.
pub(super) fn lookup_batch(
    map: BorrowedFd<'_>,
    at: Option<&[u8]>,
    position: &mut [u8],
    (keys, values): (&mut [u8], &mut [u8]),
    count: u32,
) -> io::Result<(u32, bool)> {
    let mut attr = BatchAttr {
        in_batch: at.map_or(0, address),
        out_batch: address_mut(position),
        keys: address_mut(keys),
        values: address_mut(values),
        count,
        map_fd: number(map),
        ..BatchAttr::default()
    };
    match bpf(MAP_LOOKUP_BATCH, &mut attr) {
        Ok(_) => Ok((attr.count, true)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok((attr.count, false)),
        Err(error) => Err(error),
    }
}

/// `f_type` of the file system that holds `path`; see statfs(2).
pub(super) fn file_system_type(path: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut facts = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path is a C string, and statfs(2) fills the whole structure when it returns 0.
    let facts = unsafe {
        if libc::statfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        facts.assume_init()
    };
    Ok(facts.f_type as u64)
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(super) fn monotonic_now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How many elements a hash table or trie has now.
pub(super) fn count(map: BorrowedFd<'_>, key_size: usize, value_size: usize) -> io::Result<u64> {
    const BATCH: u32 = 4096;
    let (mut keys, mut values) = (vec![0; key_size * BATCH as usize], vec![0; value_size * BATCH as usize]);
    let mut position = vec![0; key_size.max(4)];
    let (mut sum, mut at) = (0, None);
    loop {
        let room = (keys.as_mut_slice(), values.as_mut_slice());
        let (count, more) = lookup_batch(map, at.as_deref(), &mut position, room, BATCH)?;
        sum += u64::from(count);
        if !more {
            return Ok(sum);
        }
        at = Some(position.clone());
    }
}
