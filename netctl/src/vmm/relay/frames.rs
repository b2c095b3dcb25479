//! Frames on a stream: each behind its length, 32 bits in network byte order (net/stream.c of QEMU). Pure, and bounded: a
//! buffer never grows.

/// Bytes of the shortest frame: an Ethernet header.
pub(super) const SHORTEST: usize = 14;
/// Bytes of the longest: an IP packet of 65535 bytes behind an Ethernet header and two VLAN tags, and some.
pub(super) const LONGEST: usize = 65536 + 32;
/// Bytes of a length.
pub(super) const LENGTH: usize = 4;

/// Two of the longest frames, so that many usual ones are moved at a time.
const ROOM: usize = 2 * (LENGTH + LONGEST);

/// Bytes in order, between `start` and `end`.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What comes next in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame lies there, of so many bytes.
    Frame(usize),
    /// One that is shorter than any was taken out.
    TooShort,
    /// One that is longer than any is announced.
    TooLong,
    /// More has to be read.
    Incomplete,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; ROOM].into_boxed_slice(), start: 0, end: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The bytes that are there.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            self.clear();
        }
    }

    /// Room for more bytes behind those that are there; never none after all whole frames were taken.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were written to [`Self::room`].
    pub(super) fn add(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Room for one frame of any length behind its length; `None` if there is not enough.
    pub(super) fn frame_room(&mut self) -> Option<&mut [u8]> {
        let at = self.end + LENGTH;
        self.bytes.get_mut(at..at + LONGEST)
    }

    /// A frame of so many bytes was written to [`Self::frame_room`].
    pub(super) fn add_frame(&mut self, length: usize) {
        let announced = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes[self.end..self.end + LENGTH].copy_from_slice(&announced.to_be_bytes());
        self.add(LENGTH + length);
    }

    /// The next frame of a stream is behind its length, at [`Self::frame`].
    pub(super) fn next(&mut self) -> Next {
        let Some((length, rest)) = self.filled().split_first_chunk::<LENGTH>() else {
            return Next::Incomplete;
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > LONGEST {
            return Next::TooLong;
        }
        if rest.len() < length {
            return Next::Incomplete;
        }
        if length < SHORTEST {
            self.take(LENGTH + length);
            return Next::TooShort;
        }
        Next::Frame(length)
    }

    /// The bytes of the frame that [`Self::next`] found.
    pub(super) fn frame(&self, length: usize) -> &[u8] {
        let start = self.start + LENGTH;
        &self.bytes[start..start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(buffer: &mut Buffer, bytes: &[u8]) {
        buffer.room()[..bytes.len()].copy_from_slice(bytes);
        buffer.add(bytes.len());
    }

    fn announced(length: u32, bytes: usize) -> Vec<u8> {
        [&length.to_be_bytes()[..], &vec![7; bytes]].concat()
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let stream = [announced(14, 14), announced(60, 60), announced(1514, 1514)].concat();
        for step in [1, 2, 3, 5, 17, 64, stream.len()] {
            let (mut buffer, mut lengths) = (Buffer::new(), Vec::new());
            for chunk in stream.chunks(step) {
                feed(&mut buffer, chunk);
                while let Next::Frame(length) = buffer.next() {
                    assert!(buffer.frame(length).iter().all(|byte| *byte == 7));
                    lengths.push(length);
                    buffer.take(LENGTH + length);
                }
            }
            assert_eq!((lengths, buffer.is_empty()), (vec![14, 60, 1514], true), "steps of {step}");
        }
    }

    #[test]
    fn lengths_of_no_frame_are_told_apart() {
        let mut buffer = Buffer::new();
        feed(&mut buffer, &[announced(0, 0), announced(13, 13), announced(14, 14)].concat());
        assert_eq!(buffer.next(), Next::TooShort);
        assert_eq!(buffer.next(), Next::TooShort);
        assert_eq!(buffer.next(), Next::Frame(14));
        for length in [LONGEST as u32 + 1, u32::MAX] {
            let mut buffer = Buffer::new();
            feed(&mut buffer, &announced(length, 0));
            assert_eq!(buffer.next(), Next::TooLong);
        }
    }

    #[test]
    fn there_is_room_for_the_longest_frame_however_much_lies_before_it() {
        let mut buffer = Buffer::new();
        let length = LONGEST as u32;
        let stream = [announced(length, LONGEST), announced(length, LONGEST)].concat();
        let mut rest = &stream[..];
        let mut frames = 0;
        while frames < 2 {
            let room = buffer.room().len().min(rest.len()).min(50_000);
            assert!(room > 0, "after {frames} frames");
            feed(&mut buffer, &rest[..room]);
            rest = &rest[room..];
            while let Next::Frame(length) = buffer.next() {
                buffer.take(LENGTH + length);
                frames += 1;
            }
        }
        assert!(buffer.is_empty() && rest.is_empty());
    }

    #[test]
    fn frames_are_put_behind_their_lengths() {
        let mut buffer = Buffer::new();
        for length in [14, 99] {
            buffer.frame_room().unwrap()[..length].fill(7);
            buffer.add_frame(length);
        }
        assert_eq!(buffer.filled(), [announced(14, 14), announced(99, 99)].concat());
        buffer.add_frame(LONGEST);
        assert_eq!(buffer.frame_room(), None);
    }
}
