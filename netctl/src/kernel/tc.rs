//! Traffic control requests that aya has no call for: what is in a clsact qdisc, and taking a filter or the whole
//! qdisc off again. By interface index, which no other interface takes meanwhile, unlike a name.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use aya::programs::TcAttachType;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// The filter of netctl's on a hook: no other may have both.
pub(super) const PRIORITY: u16 = 1;
pub(super) const HANDLE: u16 = 0x6e63;

/// include/uapi/linux/pkt_sched.h: the one place of an interface where clsact (or ingress) is.
const PARENT: u32 = 0xffff_fff1;

const KIND: u16 = 1;

/// Whether the interface has a clsact qdisc.
pub(super) fn has_clsact(ifindex: u32) -> io::Result<bool> {
    let mut found = false;
    let request = Request { kind: libc::RTM_GETQDISC, flags: libc::NLM_F_DUMP, ..Request::on(ifindex) };
    request.run(|answer| {
        found |= answer.ifindex == ifindex && answer.parent == PARENT && answer.names(b"clsact\0");
    })?;
    Ok(found)
}

/// Whether netctl's filter is on a hook.
pub(super) fn has_filter(ifindex: u32, hook: TcAttachType) -> io::Result<bool> {
    let mut found = false;
    let parent = parent(hook);
    let request =
        Request { kind: libc::RTM_GETTFILTER, flags: libc::NLM_F_DUMP, parent, ..Request::on(ifindex) };
    let listed = request.run(|answer| {
        found |= answer.ifindex == ifindex
            && answer.handle == u32::from(HANDLE)
            && answer.info >> 16 == u32::from(PRIORITY);
    });
    Ok(tolerate(listed)? && found)
}

/// Takes netctl's filter off a hook. `false` if there is none, or the interface is gone.
pub(super) fn delete_filter(ifindex: u32, hook: TcAttachType) -> io::Result<bool> {
    let info = u32::from(PRIORITY) << 16 | u32::from((libc::ETH_P_ALL as u16).to_be());
    tolerate(
        Request {
            kind: libc::RTM_DELTFILTER,
            handle: HANDLE.into(),
            parent: parent(hook),
            info,
            name: Some(b"bpf\0"),
            ..Request::on(ifindex)
        }
        .run(|_| ()),
    )
}

/// Takes the clsact qdisc off if nobody has a filter there. `false` if it stays, or there is none.
pub(super) fn delete_empty_clsact(ifindex: u32) -> io::Result<bool> {
    for hook in [TcAttachType::Ingress, TcAttachType::Egress] {
        let mut filters = 0;
        let parent = parent(hook);
        let request =
            Request { kind: libc::RTM_GETTFILTER, flags: libc::NLM_F_DUMP, parent, ..Request::on(ifindex) };
        let listed = tolerate(request.run(|answer| filters += u32::from(answer.ifindex == ifindex)))?;
        if !listed || filters > 0 {
            return Ok(false);
        }
    }
    let name = Some(&b"clsact\0"[..]);
    tolerate(Request { kind: libc::RTM_DELQDISC, parent: PARENT, name, ..Request::on(ifindex) }.run(|_| ()))
}

/// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS or TC_H_MIN_EGRESS)`.
const fn parent(hook: TcAttachType) -> u32 {
    match hook {
        TcAttachType::Egress => 0xffff_fff3,
        _ => 0xffff_fff2,
    }
}

/// The interface, the qdisc or the filter is not there (any more).
fn tolerate(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::EINVAL)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// `struct nlmsghdr`, `struct tcmsg` and TCA_KIND (include/uapi/linux/{netlink,rtnetlink}.h).
#[derive(Clone, Copy, Default)]
struct Request {
    kind: u16,
    flags: i32,
    ifindex: u32,
    handle: u32,
    parent: u32,
    info: u32,
    /// Of the qdisc or filter, with its final zero.
    name: Option<&'static [u8]>,
}

/// What is read of an answer.
struct Answer<'a> {
    ifindex: u32,
    handle: u32,
    parent: u32,
    /// Priority and protocol of a filter.
    info: u32,
    attributes: &'a [u8],
}

impl Answer<'_> {
    /// Whether TCA_KIND, which the kernel puts first, is `name`.
    fn names(&self, name: &[u8]) -> bool {
        self.attributes.get(4..4 + name.len()) == Some(name)
    }
}

impl Request {
    fn on(ifindex: u32) -> Self {
        Self { ifindex, ..Self::default() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0; 4];
        for word in [self.ifindex, self.handle, self.parent, self.info] {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        if let Some(name) = self.name {
            body.extend_from_slice(&(4 + name.len() as u16).to_ne_bytes());
            body.extend_from_slice(&KIND.to_ne_bytes());
            body.extend_from_slice(name);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        // NLM_F_ACK beside NLM_F_DUMP is fine: a dump ends with NLMSG_DONE.
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | self.flags) as u16;
        let mut bytes = (HEADER as u32 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    /// Sends it and reads up to its end. The kernel answers before `send` returns or at the next read of a dump.
    fn run(&self, mut each: impl FnMut(&Answer<'_>)) -> io::Result<()> {
        let socket: OwnedFd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        send(socket.as_raw_fd(), &self.bytes(), MsgFlags::empty())?;
        // The kernel fills at most 32 KiB at once (net/netlink/af_netlink.c, netlink_dump()).
        let mut buffer = vec![0; 1 << 15];
        loop {
            let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            if let Some(end) = read(&buffer[..len], &mut each)? {
                return end;
            }
        }
    }
}

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// The messages of one datagram; `Some` once the answer is complete.
fn read(mut rest: &[u8], each: &mut impl FnMut(&Answer<'_>)) -> io::Result<Option<io::Result<()>>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "netlink's answer ends too early");
    while !rest.is_empty() {
        let len = word(rest, 0).ok_or_else(bad)? as usize;
        let message = rest.get(..len).filter(|_| len >= HEADER).ok_or_else(bad)?;
        let kind = word(message, 4).ok_or_else(bad)? & 0xffff;
        match kind as i32 {
            // Both begin with an error number; 0 is the acknowledgement.
            libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                let code = word(message, HEADER).unwrap_or(0) as i32;
                let failed = (code < 0).then(|| io::Error::from_raw_os_error(-code));
                return Ok(Some(failed.map_or(Ok(()), Err)));
            }
            _ => each(&Answer {
                ifindex: word(message, HEADER + 4).ok_or_else(bad)?,
                handle: word(message, HEADER + 8).ok_or_else(bad)?,
                parent: word(message, HEADER + 12).ok_or_else(bad)?,
                info: word(message, HEADER + 16).ok_or_else(bad)?,
                attributes: message.get(HEADER + 20..).ok_or_else(bad)?,
            }),
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(None)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
