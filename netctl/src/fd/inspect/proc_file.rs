//! What /proc shows of another process's descriptor: enough to tell what it is, not how it is set up.

use std::fs;
use std::io;
use std::os::fd::RawFd;

use super::device;
use super::{Facts, Kind};

const NOTE: &str =
    "read from /proc, as a copy of the descriptor is not permitted: run as root to have the rest";

/// The name of the file behind a descriptor.
pub(super) fn link(pid: u32, number: RawFd) -> io::Result<String> {
    let target = fs::read_link(format!("/proc/{pid}/fd/{number}"))?;
    Ok(target.to_string_lossy().into_owned())
}

pub(super) fn facts(pid: u32, number: RawFd) -> io::Result<Facts> {
    let file = link(pid, number)?;
    let driver = fs::metadata(format!("/proc/{pid}/fd/{number}")).ok().as_ref().and_then(device::driver);
    let mut facts = Facts::of(match driver {
        Some(driver) => driver.kind(),
        None if file.starts_with("socket:") => socket_kind(pid, &file),
        None => Kind::Other,
    });
    if facts.kind == Kind::TapQueue {
        // drivers/net/tun.c, tun_chr_show_fdinfo().
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"))?;
        let named = info.lines().find_map(|line| line.strip_prefix("iff:")).map(str::trim);
        facts.interface = named.filter(|name| !name.is_empty()).map(str::to_owned);
    }
    facts.file = Some(file);
    facts.note = Some(NOTE.to_owned());
    Ok(facts)
}

/// By the lists of the process's network namespace; a socket of another one is in none of them.
fn socket_kind(pid: u32, file: &str) -> Kind {
    let inode = file.trim_start_matches("socket:[").trim_end_matches(']');
    // Where each list has the inode (proc(5)).
    let lists = [
        ("packet", 8, Kind::PacketSocket),
        ("unix", 6, Kind::UnixSocket),
        ("tcp", 9, Kind::InetSocket),
        ("tcp6", 9, Kind::InetSocket),
        ("udp", 9, Kind::InetSocket),
        ("udp6", 9, Kind::InetSocket),
    ];
    let holds = |list: &str, column: usize| {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{list}")).unwrap_or_default();
        text.lines().skip(1).any(|line| line.split_whitespace().nth(column) == Some(inode))
    };
    lists.into_iter().find(|(list, column, _)| holds(list, *column)).map_or(Kind::OtherSocket, |it| it.2)
}
