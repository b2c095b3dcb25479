//! A frame in user space with what a kernel knows of it besides its bytes.

use bytemuck::Pod;

use super::{Frame, Tag};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    pub bytes: &'a [u8],
    /// See [`crate::mark`].
    pub mark: u32,
    /// See [`Frame::ingress_ifindex`].
    pub ingress_ifindex: u32,
}

impl<'a> Arrived<'a> {
    /// Of which nothing else is known.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, mark: 0, ingress_ifindex: 0 }
    }
}

impl Frame for Arrived<'_> {
    fn len(&self) -> u32 {
        Frame::len(self.bytes)
    }

    fn read<T: Pod>(&self, at: u32) -> Option<T> {
        self.bytes.read(at)
    }

    fn read_near<const AT: u32, T: Pod>(&self) -> Option<T> {
        self.bytes.read_near::<AT, T>()
    }

    fn tag(&self) -> Option<Tag> {
        self.bytes.tag()
    }

    fn has_vlan_metadata(&self) -> bool {
        self.bytes.has_vlan_metadata()
    }

    fn mark(&self) -> u32 {
        self.mark
    }

    fn ingress_ifindex(&self) -> u32 {
        self.ingress_ifindex
    }
}
