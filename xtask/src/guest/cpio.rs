//! Writes cpio archives in the `newc` form that the kernel unpacks as an initramfs.
//!
//! Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Everything belongs to root and
//! has time 0, so that the same entries give the same bytes.

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// An archive that grows by one entry at a time; folders come before what is in them.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// Major and minor number of a device.
type Device = (u32, u32);

impl Archive {
    pub(crate) fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY, (0, 0), &[]);
    }

    /// An executable file.
    pub(crate) fn program(&mut self, name: &str, data: &[u8]) {
        self.entry(name, PROGRAM, (0, 0), data);
    }

    pub(crate) fn character_device(&mut self, name: &str, device: Device) {
        self.entry(name, CHARACTER_DEVICE, device, &[]);
    }

    /// The archive's bytes, with the entry that ends it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: Device, data: &[u8]) {
        self.entries += 1;
        let links = if mode == DIRECTORY { 2 } else { 1 };
        // ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum
        let size = data.len() as u32;
        let (major, minor) = device;
        let name_size = name.len() as u32 + 1;
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    /// Names and data end at a multiple of four.
    fn pad(&mut self) {
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn an_entry_has_its_size_and_ends_aligned() {
        let mut archive = Archive::default();
        archive.program("init", b"hello");
        let bytes = archive.finish();
        assert_eq!(&bytes[..6], b"070701");
        // The seventh field of eight digits is the size, the twelfth the name's length with its zero.
        assert_eq!(&bytes[6 + 6 * 8..6 + 7 * 8], b"00000005");
        assert_eq!(&bytes[6 + 11 * 8..6 + 12 * 8], b"00000005");
        assert_eq!(&bytes[110..115], b"init\0");
        assert_eq!(&bytes[116..121], b"hello");
        assert_eq!(&bytes[124..130], b"070701");
    }
}
