//! A packet in fragments, as its sender makes them.

use super::{ethertype, protocol};

const ETHERNET: usize = 14;

/// The frame's packet, without options or extension headers, in fragments with payloads of at most `size` bytes, which
/// is a multiple of 8.
///
/// # Panics
/// If the frame has no such packet.
pub fn fragments(frame: &[u8], id: u32, size: usize) -> Vec<Vec<u8>> {
    let six = frame[12..14] == ethertype::IPV6.to_be_bytes();
    assert!(six || frame[12..15] == [0x08, 0x00, 0x45], "neither IPv6 nor IPv4 without options");
    let (head, payload) = frame.split_at(ETHERNET + if six { 40 } else { 20 });
    let count = payload.len().div_ceil(size);
    let piece = |(number, piece): (usize, &[u8])| {
        let (at, more) = (number * size, number + 1 < count);
        if six { piece_of_six(head, id, at, more, piece) } else { piece_of_four(head, id, at, more, piece) }
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

fn piece_of_four(head: &[u8], id: u32, at: usize, more: bool, piece: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    let ip = &mut head[ETHERNET..];
    ip[2..4].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
    ip[4..6].copy_from_slice(&(id as u16).to_be_bytes());
    ip[6..8].copy_from_slice(&((at / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes());
    ip[10..12].copy_from_slice(&[0, 0]);
    let checksum = super::checksum::internet(&[ip]);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&head[..], piece].concat()
}

fn piece_of_six(head: &[u8], id: u32, at: usize, more: bool, piece: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    let next = std::mem::replace(&mut head[ETHERNET + 6], protocol::FRAGMENT);
    head[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&((8 + piece.len()) as u16).to_be_bytes());
    let [high, low] = (at as u16 | u16::from(more)).to_be_bytes();
    [&head[..], &[next, 0, high, low], &id.to_be_bytes(), piece].concat()
}
