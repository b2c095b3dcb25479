//! The frames of a pcap or pcapng file, one after the other, whatever its size.

use std::fs::File;
use std::path::{Path, PathBuf};

use pcap_parser::pcapng::Block;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Linktype, PcapBlockOwned, PcapError, create_reader};

use crate::error::Error;

/// Bytes of the file that are held at once: the longest block that can be read. libpcap writes no longer frames than 256 KiB.
const HELD: usize = 1 << 20;

/// A frame of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    /// Counted from 1, as in Wireshark.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    /// Bytes that it had on the wire: more than `bytes` where the capture was cut (snaplen).
    pub(super) length: usize,
}

/// A file that is read to its end once.
pub(super) struct Capture {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    /// Of a pcap file, one; of a section of a pcapng file, one for each interface.
    links: Vec<Linktype>,
    frames: u64,
}

impl Capture {
    /// # Errors
    /// A file that cannot be read, or is neither.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        if file.metadata().map_err(read)?.is_dir() {
            return Err(read(std::io::ErrorKind::IsADirectory.into()));
        }
        let reader = create_reader(HELD, file).map_err(|error| match error {
            PcapError::ReadError => read(std::io::ErrorKind::Other.into()),
            _ => Error::Question(format!("{} is no pcap or pcapng file", path.display())),
        })?;
        Ok(Self { path: path.to_owned(), reader, links: Vec::new(), frames: 0 })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// A file that ends inside of a frame, is damaged, or has frames of another link type than Ethernet.
    pub(super) fn next(&mut self) -> Result<Option<Captured>, Error> {
        loop {
            let (frame, link, used) = match self.reader.next() {
                Ok((used, block)) => {
                    let (frame, link) = take(&block, &mut self.links);
                    (frame, link, used)
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    self.refill()?;
                    continue;
                }
                Err(error) => {
                    let what = told(&error);
                    return Err(self.broken(&what));
                }
            };
            self.reader.consume(used);
            let Some((bytes, length)) = frame else { continue };
            self.frames += 1;
            match link {
                Some(Linktype::ETHERNET) => {}
                Some(other) => return Err(self.other_link(other)),
                None => return Err(self.broken("names an interface that the file does not describe")),
            }
            return Ok(Some(Captured { number: self.frames, length: length.max(bytes.len()), bytes }));
        }
    }

    fn refill(&mut self) -> Result<(), Error> {
        match self.reader.refill() {
            Ok(()) => Ok(()),
            Err(error) => {
                let what = told(&error);
                Err(self.broken(&what))
            }
        }
    }

    fn broken(&self, what: &str) -> Error {
        let (path, frames) = (self.path.display(), self.frames);
        Error::Question(format!("{path}: what follows frame {frames} {what}"))
    }

    fn other_link(&self, link: Linktype) -> Error {
        Error::Question(format!(
            "{}: frame {} is of link type {link}, and a port has Ethernet frames only; capture on the port's own interface",
            self.path.display(),
            self.frames,
        ))
    }
}

/// The frame of a block with its length on the wire, and its link type.
type Taken = (Option<(Vec<u8>, usize)>, Option<Linktype>);

fn take(block: &PcapBlockOwned<'_>, links: &mut Vec<Linktype>) -> Taken {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            *links = vec![header.network];
            (None, None)
        }
        PcapBlockOwned::Legacy(frame) => {
            (Some((frame.data.to_vec(), frame.origlen as usize)), links.first().copied())
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            links.clear();
            (None, None)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            links.push(interface.linktype);
            (None, None)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
            let bytes = frame.packet_data().to_vec();
            (Some((bytes, frame.orig_len() as usize)), links.get(frame.if_id as usize).copied())
        }
        PcapBlockOwned::NG(Block::SimplePacket(frame)) => {
            (Some((frame.packet_data().to_vec(), frame.orig_len() as usize)), links.first().copied())
        }
        PcapBlockOwned::NG(_) => (None, None),
    }
}

fn told<I>(error: &PcapError<I>) -> String {
    match error {
        PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
            "is cut: the file ends before the frame does".to_owned()
        }
        PcapError::BufferTooSmall => format!("is longer than {HELD} bytes, or its length is damaged"),
        PcapError::ReadError => "cannot be read".to_owned(),
        _ => "is damaged".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcap file of this link type with frames of these lengths, each cut to 60 bytes.
    fn pcap(link: u32, lengths: &[u32]) -> Vec<u8> {
        let mut file = [0xa1b2_c3d4u32.to_le_bytes(), [2, 0, 4, 0]].concat();
        file.extend([0; 8]);
        file.extend([262_144u32, link].map(u32::to_le_bytes).concat());
        for length in lengths {
            let kept = (*length).min(60);
            file.extend([0, 0, kept, *length].map(u32::to_le_bytes).concat());
            file.extend(vec![7; kept as usize]);
        }
        file
    }

    fn written(name: &str, bytes: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("netctl-{}-{name}.pcap", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Lengths on the wire and in the file of all frames, and what ended it.
    fn frames(name: &str, bytes: &[u8]) -> (Vec<(usize, usize)>, Option<String>) {
        let path = written(name, bytes);
        let mut found = Vec::new();
        let mut capture = match Capture::open(&path) {
            Ok(capture) => capture,
            Err(error) => return (found, Some(error.to_string())),
        };
        let ended = loop {
            match capture.next() {
                Ok(Some(frame)) => found.push((frame.length, frame.bytes.len())),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        std::fs::remove_file(path).unwrap();
        (found, ended)
    }

    #[test]
    fn frames_come_with_their_length_on_the_wire() {
        assert_eq!(frames("whole", &pcap(1, &[60, 1500])), (vec![(60, 60), (1500, 60)], None));
    }

    #[test]
    fn a_file_that_is_cut_gives_what_is_whole_and_says_so() {
        let whole = pcap(1, &[60, 60]);
        let (found, ended) = frames("cut", &whole[..whole.len() - 1]);
        assert_eq!(found, [(60, 60)]);
        assert!(ended.unwrap().contains("what follows frame 1 is cut"));
    }

    #[test]
    fn another_link_type_is_named() {
        let (found, ended) = frames("sll", &pcap(113, &[60]));
        assert!(found.is_empty());
        assert!(ended.unwrap().contains("frame 1 is of link type LINUX_SLL"));
    }

    #[test]
    fn a_length_that_no_frame_has_is_refused_and_not_waited_for() {
        let mut file = pcap(1, &[60]);
        file[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        let (found, ended) = frames("long", &file);
        assert!(found.is_empty());
        assert!(ended.is_some(), "it is read as if it were whole");
        assert!(frames("text", b"no capture at all, but text").1.unwrap().contains("is no pcap"));
        assert!(frames("empty", b"").1.unwrap().contains("is no pcap"));
    }
}
