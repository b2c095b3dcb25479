//! A classic pcap file of Ethernet in little-endian order, as `generate.py` writes it.

use anyhow::{Result, bail, ensure};

const MAGIC: [u8; 4] = 0xa1b2_c3d4_u32.to_le_bytes();
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// The frames of the file, in order.
///
/// # Errors
/// If it is of another format, or ends inside a frame.
pub(super) fn frames(file: &[u8]) -> Result<Vec<Vec<u8>>> {
    ensure!(file.starts_with(&MAGIC) && file.len() >= FILE_HEADER, "no little-endian pcap file");
    let (mut rest, mut frames) = (&file[FILE_HEADER..], Vec::new());
    while !rest.is_empty() {
        let Some((header, behind)) = rest.split_at_checked(RECORD_HEADER) else {
            bail!("the pcap file ends in the header of frame {}", frames.len() + 1)
        };
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, behind)) = behind.split_at_checked(len) else {
            bail!("the pcap file ends in frame {}", frames.len() + 1)
        };
        frames.push(frame.to_vec());
        rest = behind;
    }
    Ok(frames)
}
