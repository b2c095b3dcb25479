//! How the queues of a port are opened: `tap = { … }` in a document. The VMM may change most of it later; what it starts
//! with is here.

use std::collections::BTreeSet;

/// The default is a queue as most VMMs expect it: behind a virtio header of 10 bytes, without offloads and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapOptions {
    pub header: Header,
    /// 10 or 12 bytes (TUNSETVNETHDRSZ). Means nothing without a header.
    pub header_bytes: u16,
    /// Empty without a header, which is what describes them.
    pub offloads: BTreeSet<Offload>,
    /// Bytes that may wait to be sent (TUNSETSNDBUF); `None` is no limit for a tap, and the kernel's for a macvtap.
    pub sndbuf: Option<u32>,
    /// Taps only.
    pub napi: Napi,
}

/// Whether frames are read and written behind a virtio header, which is what carries offloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// IFF_VNET_HDR.
    Virtio,
    None,
}

/// Which frames the reader of the queues takes unfinished (TUNSETOFFLOAD). Whatever is taken besides, checksums have to
/// be; explicit congestion notification goes with TCP segments, and both kinds of UDP segments with each other
/// (drivers/net/tun.c, set_offload()).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offload {
    /// TUN_F_CSUM: without checksums.
    Checksum,
    /// TUN_F_TSO4, TUN_F_TSO6: TCP segments of up to 64 KiB.
    Tso4,
    Tso6,
    /// TUN_F_TSO_ECN.
    Ecn,
    /// TUN_F_UFO: taken, and not made any more since Linux 4.14.
    Ufo,
    /// TUN_F_USO4, TUN_F_USO6: UDP segments, from Linux 6.2 on.
    Uso4,
    Uso6,
}

/// Whether written frames go through NAPI, and so GRO (IFF_NAPI).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Napi {
    #[default]
    Off,
    On,
    /// IFF_NAPI_FRAGS: without copies of the frames' ends. Needs CAP_NET_ADMIN to open.
    Frags,
}

/// Bytes of `struct virtio_net_hdr`, which every new tap starts with. VMMs choose another size (12, with
/// `num_buffers`) themselves.
pub const VNET_HEADER_LEN: u16 = 10;

impl Default for TapOptions {
    fn default() -> Self {
        Self {
            header: Header::Virtio,
            header_bytes: VNET_HEADER_LEN,
            offloads: BTreeSet::new(),
            sndbuf: None,
            napi: Napi::Off,
        }
    }
}

impl From<Header> for TapOptions {
    fn from(header: Header) -> Self {
        Self { header, ..Self::default() }
    }
}

impl From<&Self> for TapOptions {
    fn from(options: &Self) -> Self {
        options.clone()
    }
}

impl Offload {
    pub const ALL: [Self; 7] =
        [Self::Checksum, Self::Tso4, Self::Tso6, Self::Ecn, Self::Ufo, Self::Uso4, Self::Uso6];

    /// The word for it in a document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checksum => "csum",
            Self::Tso4 => "tso4",
            Self::Tso6 => "tso6",
            Self::Ecn => "ecn",
            Self::Ufo => "ufo",
            Self::Uso4 => "uso4",
            Self::Uso6 => "uso6",
        }
    }

    /// What has to be taken with it and is not, in a document's words.
    pub fn lacks(self, taken: &BTreeSet<Self>) -> Option<&'static str> {
        let has = |offload| taken.contains(&offload);
        match self {
            Self::Checksum => None,
            _ if !has(Self::Checksum) => Some("\"csum\""),
            Self::Ecn if !has(Self::Tso4) && !has(Self::Tso6) => Some("\"tso4\" or \"tso6\""),
            Self::Uso4 if !has(Self::Uso6) => Some("\"uso6\""),
            Self::Uso6 if !has(Self::Uso4) => Some("\"uso4\""),
            _ => None,
        }
    }
}
