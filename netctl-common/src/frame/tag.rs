//! VLAN tags (IEEE 802.1Q, 9), and frames as bytes, whose outer tag is in band.

use bytemuck::Pod;

use super::{ETHERNET_LEN, Frame, number};

/// The outer tag of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 0x8100, or 0x88a8 (802.1ad).
    pub protocol: u16,
    /// Priority (3 bits), drop eligible (1), VLAN (12).
    pub control: u16,
}

impl Tag {
    const VLAN: u16 = 0x0fff;

    /// 0 for a priority tag.
    #[inline(always)]
    pub const fn vlan(self) -> u16 {
        self.control & Self::VLAN
    }

    /// Priority and drop eligibility, with another VLAN.
    #[inline(always)]
    pub const fn control_in(self, vlan: u16) -> u16 {
        (self.control & !Self::VLAN) | vlan
    }

    /// Protocol above control; never 0, which stands for no tag.
    #[inline(always)]
    pub const fn packed(self) -> u32 {
        (self.protocol as u32) << 16 | self.control as u32
    }

    #[inline(always)]
    pub const fn unpacked(packed: u32) -> Option<Self> {
        if packed == 0 {
            return None;
        }
        Some(Self { protocol: (packed >> 16) as u16, control: packed as u16 })
    }

    /// Which tags the kernel takes out of a frame (include/linux/if_vlan.h, `eth_type_vlan`).
    #[inline(always)]
    pub const fn is_tag(ethertype: u16) -> bool {
        matches!(ethertype, number::ETHERTYPE_VLAN | number::ETHERTYPE_QINQ)
    }
}

/// Bytes of a tag, and where it is: behind the MAC addresses.
const LEN: usize = 4;
const AT: usize = ETHERNET_LEN as usize - 2;

impl Frame for [u8] {
    fn len(&self) -> u32 {
        let out = if self.tag().is_some() { LEN } else { 0 };
        u32::try_from(<[u8]>::len(self) - out).unwrap_or(u32::MAX)
    }

    fn read<T: Pod>(&self, at: u32) -> Option<T> {
        let at = at as usize;
        let end = at.checked_add(size_of::<T>())?;
        if self.tag().is_none() || end <= AT {
            return Some(bytemuck::pod_read_unaligned(self.get(at..end)?));
        }
        if at >= AT {
            return Some(bytemuck::pod_read_unaligned(self.get(at + LEN..end + LEN)?));
        }
        let mut value = T::zeroed();
        let (before, behind) = (self.get(at..AT)?, self.get(AT + LEN..end + LEN)?);
        let (first, second) = bytemuck::bytes_of_mut(&mut value).split_at_mut(before.len());
        first.copy_from_slice(before);
        second.copy_from_slice(behind);
        Some(value)
    }

    fn read_near<const NEAR_AT: u32, T: Pod>(&self) -> Option<T> {
        self.read(NEAR_AT)
    }

    /// None where the kernel side sees none: the ethertype behind a tag has to be there, and the whole of a second tag.
    /// skb_vlan_pop() (net/core/skbuff.c) takes the outer one out, then fails at a second one without
    /// VLAN_ETH_HLEN bytes; for the program, no tag was taken out of such a frame.
    fn tag(&self) -> Option<Tag> {
        let [a, b, c, d, e, f] = *self.get(AT..)?.first_chunk()?;
        let (protocol, behind) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([e, f]));
        let tags = if Tag::is_tag(behind) { 2 } else { 1 };
        let whole = <[u8]>::len(self) >= ETHERNET_LEN as usize + tags * LEN;
        (whole && Tag::is_tag(protocol)).then_some(Tag { protocol, control: u16::from_be_bytes([c, d]) })
    }

    fn has_vlan_metadata(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Tag};

    const ONE: [u8; 22] = *b"......,,,,,,\x81\x00\x00\x0a\x08\x00IPv4";
    const TWO: [u8; 22] = *b"......,,,,,,\x81\x00\x00\x0a\x81\x00\x00\x0b\x08\x00";
    const OUTER: Tag = Tag { protocol: 0x8100, control: 10 };

    #[test]
    fn a_tag_is_taken_out_with_the_ethertype_behind_it() {
        assert_eq!(ONE[..18].tag(), Some(OUTER));
        assert_eq!(ONE[..17].tag(), None);
        assert_eq!(TWO.tag(), Some(OUTER));
    }

    #[test]
    fn a_tag_before_one_that_is_cut_short_stays() {
        for cut in [&TWO[..18], &TWO[..19], &TWO[..21]] {
            assert_eq!(cut.tag(), None, "{cut:?}");
            assert_eq!(Frame::len(cut) as usize, cut.len());
            assert_eq!(cut.read::<[u8; 2]>(12), Some([0x81, 0]));
        }
    }
}
