//! Sockets: family, type, both ends, by getsockopt(2), getsockname(2) and getpeername(2).

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use serde::Serialize;

use super::{Facts as Descriptor, Kind, Namespace};
use crate::fd::ioctl::{End, interface_name, socket_name, socket_option};
use crate::fd::namespace;

/// What is known of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// `stream`, `datagram`, `raw`, `seqpacket`, or a number.
    #[serde(rename = "type")]
    pub kind: String,
    /// `10.0.0.1:80`, a path, `@name` of an abstract one.
    pub local: Option<String>,
    pub peer: Option<String>,
    /// Process that made or connected the other end of a unix stream (SO_PEERCRED).
    pub peer_pid: Option<u32>,
    /// It takes connections (SO_ACCEPTCONN).
    pub listening: bool,
    /// Of a packet socket, in host byte order; 3 is every one, 0 none.
    pub ethertype: Option<u16>,
}

pub(super) fn facts(file: &File) -> io::Result<Descriptor> {
    let fd = file.as_raw_fd();
    let domain = socket_option::<u32>(fd, libc::SO_DOMAIN)?.cast_signed();
    let mut descriptor = Descriptor::of(match domain {
        libc::AF_PACKET => Kind::PacketSocket,
        libc::AF_INET | libc::AF_INET6 => Kind::InetSocket,
        libc::AF_UNIX => Kind::UnixSocket,
        _ => Kind::OtherSocket,
    });
    descriptor.namespace = namespace::of_socket(file.as_fd());
    let own = socket_name(fd, End::Own).ok();
    if let (libc::AF_PACKET, Some(name)) = (domain, &own) {
        descriptor.interface = packet_interface(name, descriptor.namespace);
    }
    descriptor.socket = Some(Facts {
        kind: type_word(socket_option::<u32>(fd, libc::SO_TYPE)?.cast_signed()),
        ethertype: own.as_deref().filter(|_| domain == libc::AF_PACKET).and_then(ethertype),
        local: own.as_deref().and_then(address),
        peer: socket_name(fd, End::Peer).ok().as_deref().and_then(address),
        peer_pid: peer_pid(fd).filter(|_| domain == libc::AF_UNIX),
        listening: socket_option::<u32>(fd, libc::SO_ACCEPTCONN).is_ok_and(|on| on != 0),
    });
    Ok(descriptor)
}

fn type_word(number: libc::c_int) -> String {
    match number {
        libc::SOCK_STREAM => "stream".to_owned(),
        libc::SOCK_DGRAM => "datagram".to_owned(),
        libc::SOCK_RAW => "raw".to_owned(),
        libc::SOCK_SEQPACKET => "seqpacket".to_owned(),
        other => other.to_string(),
    }
}

/// `struct ucred` of socket(7): process, user, group. Process 0 is in another pid namespace, or there is none.
fn peer_pid(fd: RawFd) -> Option<u32> {
    let [pid, _, _] = socket_option::<[u32; 3]>(fd, libc::SO_PEERCRED).ok()?;
    (pid != 0).then_some(pid)
}

/// Of packet(7): a family, an ethertype, an index.
fn packet_interface(name: &[u8], namespace: Option<Namespace>) -> Option<String> {
    let index = u32::from_ne_bytes(name.get(4..8)?.try_into().ok()?);
    match (index, namespace) {
        // Bound to none: frames of all interfaces.
        (0, _) => None,
        (index, Some(Namespace::This)) => Some(interface_name(index).unwrap_or_else(|| format!("#{index}"))),
        (index, _) => Some(format!("#{index}")),
    }
}

fn ethertype(name: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(name.get(2..4)?.try_into().ok()?))
}

/// `None` for an end without a name, and of families that are told otherwise.
fn address(name: &[u8]) -> Option<String> {
    let family = u16::from_ne_bytes(name.get(..2)?.try_into().ok()?);
    let rest = name.get(2..)?;
    match libc::c_int::from(family) {
        libc::AF_INET => inet::<4>(rest, 2),
        libc::AF_INET6 => inet::<16>(rest, 6),
        libc::AF_UNIX => match rest {
            [] | [0] => None,
            [0, abstract_name @ ..] => Some(format!("@{}", String::from_utf8_lossy(abstract_name))),
            path => Some(String::from_utf8_lossy(path).trim_end_matches('\0').to_owned()),
        },
        _ => None,
    }
}

/// `rest` is behind the family: a port, and an address at `at` (ip(7), ipv6(7)).
fn inet<const N: usize>(rest: &[u8], at: usize) -> Option<String>
where
    IpAddr: From<[u8; N]>,
{
    let port = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    let bytes: [u8; N] = rest.get(at..at + N)?.try_into().ok()?;
    Some(SocketAddr::new(bytes.into(), port).to_string())
}
