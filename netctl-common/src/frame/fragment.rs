//! Fragments of IPv4 (RFC 791) and IPv6 (RFC 8200, 4.5).

use super::{Frame, Packet, header};
use crate::verdict::Reason;

/// Which part of its IP packet a frame has.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Whole = 0,
    /// The first fragment of several, with the transport header.
    First = 1,
    Later = 2,
}

/// Where in its packet a fragment lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Of IPv4, 16 bits.
    pub id: u32,
    /// Of the payload, in bytes from the beginning of the packet's.
    pub at: u16,
    pub end: u16,
    pub part: Part,
    /// What the fragment says that it carries; of IPv6 also the header in front of the transport header.
    pub protocol: u8,
}

impl Packet {
    /// A fragment, whose payload is from `payload` to the end of the packet. `header_len` is what the packet will have in
    /// front of its payload when it is put together.
    #[inline(always)]
    pub(super) fn set_fragment(
        &mut self,
        id: u32,
        at: u32,
        more: bool,
        (payload, header_len): (u32, u32),
    ) -> Result<(), Reason> {
        let len = self.end - payload;
        // Who takes the odd end of a fragment, and who cuts it off, would not see the same packet.
        if len == 0 || (more && !len.is_multiple_of(8)) || header_len + at + len > 0xffff {
            return Err(Reason::BadHeader);
        }
        let part = if at == 0 { Part::First } else { Part::Later };
        let protocol = self.tuple.protocol;
        self.fragment = Fragment { id, at: at as u16, end: (at + len) as u16, part, protocol };
        Ok(())
    }

    /// The fragment header of IPv6 that stands at the transport's place, and is stepped over. An atomic one (RFC 6946)
    /// changes nothing else.
    // Out of line for the verifier: it is at the end of each step of a loop.
    #[inline(never)]
    pub(super) fn ipv6_fragment<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        let header: header::Fragment = frame.read(self.transport).ok_or(Reason::Truncated)?;
        self.transport += size_of::<header::Fragment>() as u32;
        if self.transport > self.end {
            return Err(Reason::Truncated);
        }
        self.tuple.protocol = header.next;
        let offset = u16::from_be(header.offset);
        let (at, more) = (u32::from(offset & !7), offset & 1 != 0);
        if at == 0 && !more {
            return Ok(());
        }
        self.set_fragment(super::number_of(header.id), at, more, (self.transport, 0))
    }
}
