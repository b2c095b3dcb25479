//! Blocks of pcapng files (draft-ietf-opsawg-pcapng), as bytes in little-endian order.

use std::borrow::Cow;
use std::io;

use netctl_common::verdict::{Action, Direction};
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock, Linktype, OptionCode,
    PcapNGOption, SectionHeaderBlock, ToVec,
};

/// Codes of options; what they mean depends on the block.
mod code {
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SHB_HARDWARE: u16 = 2;
    pub(super) const SHB_OS: u16 = 3;
    pub(super) const SHB_USERAPPL: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_TSOFFSET: u16 = 14;
    pub(super) const EPB_FLAGS: u16 = 2;
    pub(super) const EPB_VERDICT: u16 = 7;
    pub(super) const ISB_STARTTIME: u16 = 2;
    pub(super) const ISB_ENDTIME: u16 = 3;
    pub(super) const ISB_IFRECV: u16 = 4;
    pub(super) const ISB_OSDROP: u16 = 7;
    pub(super) const ISB_USRDELIV: u16 = 8;
}

/// Times are nanoseconds: 10 to the power of minus this.
const NANOSECONDS: u8 = 9;
/// The first byte of `epb_verdict`: a program at the TC hook decided; its return code follows.
const VERDICT_OF_TC: u8 = 1;
const TC_ACT_OK: u64 = 0;
const TC_ACT_SHOT: u64 = 2;

/// Who captured.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub hardware: String,
    pub os: String,
    pub application: String,
}

/// A captured frame with its tags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub time: u64,
    /// Bytes of the whole frame, of which `bytes` may be the beginning.
    pub length: u32,
    pub bytes: &'a [u8],
    pub comment: &'a str,
    pub direction: Direction,
    pub action: Action,
}

/// What became of the frames of an interface; times are nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    pub interface: u32,
    pub began: u64,
    pub ended: u64,
    /// Frames in the file.
    pub captured: u64,
    /// Frames that are not; `None` = not known of this interface alone.
    pub left: Option<u64>,
    pub comment: Option<String>,
}

impl Section {
    pub(super) fn block(&self) -> io::Result<Vec<u8>> {
        written(&mut SectionHeaderBlock {
            block_type: 0,
            block_len1: 0,
            bom: 0,
            major_version: 1,
            minor_version: 0,
            // Not known yet.
            section_len: -1,
            options: vec![
                text(code::SHB_HARDWARE, &self.hardware),
                text(code::SHB_OS, &self.os),
                text(code::SHB_USERAPPL, &self.application),
            ],
            block_len2: 0,
        })
    }
}

/// `snap`: bytes of a frame at most.
pub(super) fn interface(name: &str, description: &str, snap: u32) -> io::Result<Vec<u8>> {
    written(&mut InterfaceDescriptionBlock {
        block_type: 0,
        block_len1: 0,
        linktype: Linktype::ETHERNET,
        reserved: 0,
        snaplen: snap,
        options: vec![
            text(code::IF_NAME, name),
            text(code::IF_DESCRIPTION, description),
            option(code::IF_TSRESOL, vec![NANOSECONDS]),
            option(code::IF_TSOFFSET, vec![0; 8]),
        ],
        block_len2: 0,
        if_tsresol: NANOSECONDS,
        if_tsoffset: 0,
    })
}

impl Packet<'_> {
    pub(super) fn block(&self) -> io::Result<Vec<u8>> {
        // As the host's side of the port sees it.
        let flags: u32 = match self.direction {
            Direction::FromGuest => 1,
            Direction::ToGuest => 2,
        };
        let code = if self.action == Action::Allow { TC_ACT_OK } else { TC_ACT_SHOT };
        let verdict = [&[VERDICT_OF_TC][..], &code.to_le_bytes()].concat();
        written(&mut EnhancedPacketBlock {
            block_type: 0,
            block_len1: 0,
            if_id: self.interface,
            ts_high: high(self.time),
            ts_low: low(self.time),
            caplen: self.bytes.len() as u32,
            origlen: self.length,
            data: self.bytes,
            options: vec![
                text(code::COMMENT, self.comment),
                option(code::EPB_FLAGS, flags.to_le_bytes().to_vec()),
                option(code::EPB_VERDICT, verdict),
            ],
            block_len2: 0,
        })
    }
}

impl Statistics {
    pub(super) fn block(&self) -> io::Result<Vec<u8>> {
        let time = |time| [high(time).to_le_bytes(), low(time).to_le_bytes()].concat();
        let count = |code, count: u64| option(code, count.to_le_bytes().to_vec());
        let mut options = vec![
            option(code::ISB_STARTTIME, time(self.began)),
            option(code::ISB_ENDTIME, time(self.ended)),
            count(code::ISB_USRDELIV, self.captured),
        ];
        if let Some(left) = self.left {
            options.extend([count(code::ISB_IFRECV, self.captured + left), count(code::ISB_OSDROP, left)]);
        }
        options.extend(self.comment.as_deref().map(|comment| text(code::COMMENT, comment)));
        written(&mut InterfaceStatisticsBlock {
            block_type: 0,
            block_len1: 0,
            if_id: self.interface,
            ts_high: high(self.ended),
            ts_low: low(self.ended),
            options,
            block_len2: 0,
        })
    }
}

fn written(block: &mut impl ToVec) -> io::Result<Vec<u8>> {
    block.to_vec().map_err(|error| io::Error::other(format!("a block of pcapng: {error:?}")))
}

fn option(code: u16, value: Vec<u8>) -> PcapNGOption<'static> {
    PcapNGOption { code: OptionCode(code), len: value.len() as u16, value: Cow::Owned(value) }
}

/// Cut off where the length does not fit its 16 bits.
fn text(code: u16, text: &str) -> PcapNGOption<'_> {
    let value = &text.as_bytes()[..text.floor_char_boundary(u16::MAX.into())];
    PcapNGOption { code: OptionCode(code), len: value.len() as u16, value: Cow::Borrowed(value) }
}

const fn high(time: u64) -> u32 {
    (time >> 32) as u32
}

const fn low(time: u64) -> u32 {
    time as u32
}
