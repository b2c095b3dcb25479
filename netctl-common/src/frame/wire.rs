//! What a frame is on a wire, where one that the host handles in one piece (TSO, USO, GRO) is many.

use super::{ETHERNET_LEN, Frame, Packet, UDP_LEN, number};

/// A frame, cut into its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    pub packets: u64,
    /// With the headers of every segment, without FCS.
    pub bytes: u64,
}

impl Wire {
    /// `packet` is the parsed frame. The sizes come from a guest; what it says makes segments, so it is what counts.
    #[inline(always)]
    pub fn of<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> Self {
        let (length, size) = (u64::from(packet.length), u64::from(frame.segment_size()));
        if size == 0 {
            return Self { packets: 1, bytes: length };
        }
        // Of all segments alike; what is behind them is cut.
        let headers = u64::from(headers(frame, packet));
        let packets = length.saturating_sub(headers).div_ceil(size).max(1);
        Self { packets, bytes: length + (packets - 1) * headers }
    }
}

/// Bytes that each segment begins with.
#[inline(always)]
fn headers<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> u32 {
    match packet.tuple.protocol {
        _ if !packet.is_ip() => ETHERNET_LEN,
        number::TCP => {
            let offset: [u8; 1] = frame.read(packet.transport + 12).unwrap_or_default();
            packet.transport + u32::from(offset[0] >> 4) * 4
        }
        number::UDP => packet.transport + UDP_LEN,
        _ => packet.transport,
    }
}
