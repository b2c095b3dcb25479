//! A queue of an existing tap or macvtap, as a VMM opens it: non-blocking, with a virtio-net header in front of each
//! frame. They are made elsewhere ([`crate::bridge`], netctl); this file has the only `ioctl`s of the tests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::macvtap;

/// Longest frame, with its header: 64 KiB of payload and room for headers.
pub const MAX_FRAME: usize = 65536 + 64;

/// How a queue is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the header: 10 (virtio 0.9) or 12 (virtio 1.0).
    pub header_len: usize,
    /// The other side may send partial checksums and TCP segments of up to 64 KiB to this queue.
    pub offloads: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { header_len: 12, offloads: false }
    }
}

/// `struct virtio_net_hdr` (virtio 1.2, 5.1.6), in host byte order as tun has it by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// Bits: [`NEEDS_CSUM`], [`DATA_VALID`].
    pub flags: u8,
    /// [`GSO_NONE`], [`GSO_TCPV4`] or [`GSO_TCPV6`].
    pub gso_type: u8,
    /// Bytes of Ethernet, IP and TCP headers; also how much the kernel makes linear.
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub gso_size: u16,
    /// Where the checksum starts, from the frame's first byte.
    pub csum_start: u16,
    /// Where it is stored, from `csum_start`.
    pub csum_offset: u16,
}

pub const NEEDS_CSUM: u8 = 1;
pub const DATA_VALID: u8 = 2;
pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_TCPV6: u8 = 4;

impl VnetHeader {
    /// The sender left the checksum at `start + offset` to the receiver; it holds the pseudo header's sum.
    pub fn partial_checksum(start: u16, offset: u16) -> Self {
        Self { flags: NEEDS_CSUM, csum_start: start, csum_offset: offset, ..Self::default() }
    }

    /// As it stands in front of a frame; the number of buffers (virtio 1.0) is 0.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[0] = self.flags;
        bytes[1] = self.gso_type;
        let words = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
        for (place, word) in bytes[2..10].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; 12]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        }
    }
}

/// No packet information, a virtio-net header.
const HEADER_AND_FRAME: i32 = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;

/// One open queue. Any thread may use it; only opening must happen in the tap's network namespace.
#[derive(Debug)]
pub struct Tap {
    file: File,
    header_len: usize,
}

impl Tap {
    /// Opens a queue with a 12-byte header and no offloads.
    ///
    /// # Errors
    /// If there is no such tap or macvtap in this network namespace, or it cannot be opened.
    pub fn open(name: &str) -> Result<Self> {
        Self::open_with(name, Options::default())
    }

    /// # Errors
    /// Like [`Self::open`].
    pub fn open_with(name: &str, options: Options) -> Result<Self> {
        let file = if macvtap::is_macvtap(name) { open_macvtap(name)? } else { open_tap(name)? };
        set_header_len(&file, options.header_len)?;
        set_offloads(&file, options.offloads)?;
        Ok(Self { file, header_len: options.header_len })
    }

    /// A queue that is open already, such as a macvtap's, with a 12-byte header.
    ///
    /// # Errors
    /// What fcntl(2) and TUNSETVNETHDRSZ say.
    pub fn of_queue(queue: OwnedFd) -> Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&queue, FcntlArg::F_GETFL)?);
        fcntl(&queue, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let (file, header_len) = (File::from(queue), Options::default().header_len);
        set_header_len(&file, header_len)?;
        Ok(Self { file, header_len })
    }

    /// Sends a frame whose checksums are complete.
    ///
    /// # Errors
    /// EIO where the interface is down, EINVAL where the frame is shorter than an Ethernet header.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.send_with(VnetHeader::default(), frame)
    }

    /// # Errors
    /// Like [`Self::send`]; EINVAL where the header does not fit the frame.
    pub fn send_with(&self, header: VnetHeader, frame: &[u8]) -> io::Result<()> {
        let header = header.to_bytes();
        let parts = [IoSlice::new(&header[..self.header_len]), IoSlice::new(frame)];
        (&self.file).write_vectored(&parts).map(drop)
    }

    /// Writes a header and a frame that already lie behind each other.
    ///
    /// # Errors
    /// Like [`Self::send`].
    pub fn send_raw(&self, header_and_frame: &[u8]) -> io::Result<()> {
        (&self.file).write(header_and_frame).map(drop)
    }

    /// The next frame, or `None` if none comes within `limit`.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn recv(&self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        Ok(self.recv_with(limit)?.map(|(_, frame)| frame))
    }

    /// The next frame and what its header says.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn recv_with(&self, limit: Duration) -> io::Result<Option<(VnetHeader, Vec<u8>)>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(received) = self.try_recv()? {
                return Ok(Some(received));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            wait_readable(&[self.as_fd()], left)?;
        }
    }

    /// The next frame that `wanted` takes; others are dropped.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn recv_matching(
        &self,
        limit: Duration,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.recv(deadline.saturating_duration_since(Instant::now()))? {
                Some(frame) if !wanted(&frame) => {}
                other => return Ok(other),
            }
        }
    }

    /// A frame that has already arrived.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn try_recv(&self) -> io::Result<Option<(VnetHeader, Vec<u8>)>> {
        let mut header = [0; 12];
        let mut frame = vec![0; MAX_FRAME];
        let mut parts = [IoSliceMut::new(&mut header[..self.header_len]), IoSliceMut::new(&mut frame)];
        match (&self.file).read_vectored(&mut parts) {
            Ok(len) => {
                frame.truncate(len.saturating_sub(self.header_len));
                Ok(Some((VnetHeader::from_bytes(&header), frame)))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads header and frame into `buffer`; the number of bytes, or `None` if nothing is there.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn recv_raw(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.file).read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Drops what has arrived, and counts it.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn drain(&self) -> io::Result<usize> {
        let mut count = 0;
        while self.try_recv()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Whether frames to this queue may have partial checksums and be segments of up to 64 KiB. To close a queue and
    /// open another is not the same: a process that is just being started may hold the first a while longer.
    ///
    /// # Errors
    /// If the tap is gone.
    pub fn take_offloads(&self, on: bool) -> Result<()> {
        set_offloads(&self.file, on)
    }

    pub fn header_len(&self) -> usize {
        self.header_len
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Waits until one of the descriptors can be read or is broken, or `limit` has passed.
///
/// # Errors
/// Those of poll(2), but for EINTR.
pub fn wait_readable(descriptors: &[BorrowedFd<'_>], limit: Duration) -> io::Result<()> {
    let mut waits: Vec<_> = descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    // Rounded up, so that a rest of less than a millisecond does not become a busy loop.
    let millis = limit.as_micros().div_ceil(1000).min(60_000) as u16;
    match poll(&mut waits, PollTimeout::from(millis)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The queue of a tap belongs to it by TUNSETIFF.
fn open_tap(name: &str) -> Result<File> {
    // TUNSETIFF makes a tap that does not exist; and it wants the queue kind that the tap was made with.
    let path = format!("/sys/class/net/{name}/tun_flags");
    let flags = fs::read_to_string(&path).with_context(|| format!("there is no tap {name} here"))?;
    let made_with = i32::from_str_radix(flags.trim().trim_start_matches("0x"), 16)
        .with_context(|| format!("{path} holds {flags:?}"))?;
    let kind = HEADER_AND_FRAME | (made_with & libc::IFF_MULTI_QUEUE) | (made_with & libc::IFF_NAPI);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .context("cannot open /dev/net/tun")?;
    attach(&file, name, kind).with_context(|| format!("cannot open a queue of {name}"))?;
    Ok(file)
}

/// The queue of a macvtap belongs to it from the start, and any number can be open; TUNSETIFF sets its header.
fn open_macvtap(name: &str) -> Result<File> {
    let file = macvtap::open(name)?;
    attach(&file, name, HEADER_AND_FRAME).with_context(|| format!("cannot set up a queue of {name}"))?;
    set_send_buffer(&file)?;
    Ok(file)
}

fn attach(file: &File, name: &str, flags: i32) -> Result<()> {
    ensure!(name.len() < libc::IFNAMSIZ, "the name {name} is longer than 15 bytes");
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives until the call returns.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    ensure!(result == 0, io::Error::last_os_error());
    Ok(())
}

/// Without a limit, as VMMs set it and taps have it: a macvtap starts with the limit of sockets, three big frames.
fn set_send_buffer(file: &File) -> Result<()> {
    let bytes = libc::c_int::MAX;
    // SAFETY: TUNSETSNDBUF reads one int, which lives until the call returns.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETSNDBUF, &raw const bytes) };
    ensure!(result == 0, "TUNSETSNDBUF: {}", io::Error::last_os_error());
    Ok(())
}

fn set_header_len(file: &File, len: usize) -> Result<()> {
    ensure!(len == 10 || len == 12, "a virtio-net header has 10 or 12 bytes, not {len}");
    let len = len as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one int, which lives until the call returns.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const len) };
    ensure!(result == 0, "TUNSETVNETHDRSZ: {}", io::Error::last_os_error());
    Ok(())
}

fn set_offloads(file: &File, on: bool) -> Result<()> {
    let offloads = if on { libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 } else { 0 };
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) };
    ensure!(result == 0, "TUNSETOFFLOAD: {}", io::Error::last_os_error());
    Ok(())
}
