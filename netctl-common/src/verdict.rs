//! What can be decided about a frame, and why. The names here are the names in counters, events,
//! the command line and the tests.

/// Seen from the guest, everywhere.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    FromGuest = 0,
    ToGuest = 1,
}

impl Direction {
    pub const ALL: [Self; 2] = [Self::FromGuest, Self::ToGuest];

    #[inline(always)]
    pub const fn opposite(self) -> Self {
        match self {
            Self::FromGuest => Self::ToGuest,
            Self::ToGuest => Self::FromGuest,
        }
    }

    /// This direction's half. Not by index: where the direction is not known at compile time, its range is not known to
    /// the kernel's verifier either.
    #[inline(always)]
    pub const fn pick(self, halves: &[u32; 2]) -> u32 {
        let [from_guest, to_guest] = *halves;
        from_guest ^ ((from_guest ^ to_guest) & (self as u32).wrapping_neg())
    }

    /// The stored number; anything but `FromGuest`'s is `ToGuest`.
    #[inline(always)]
    pub const fn decode(raw: u8) -> Self {
        if raw == Self::FromGuest as u8 { Self::FromGuest } else { Self::ToGuest }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::FromGuest => "from-guest",
            Self::ToGuest => "to-guest",
        }
    }
}

/// What happens to the frame.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Deny = 0,
    Allow = 1,
    /// Denied like `Deny`; the sender is to be told.
    Reject = 2,
}

impl Action {
    /// The stored number; what is not known denies.
    #[inline(always)]
    pub const fn decode(raw: u32) -> Self {
        match raw {
            1 => Self::Allow,
            2 => Self::Reject,
            _ => Self::Deny,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Reject => "reject",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why. Stored as its discriminant in counters and events.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// In the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it on the command line, in JSON and in counters.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence for people.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// A rule decided.
    Rule = "rule",
    /// No rule matches; the policy's default decided.
    Default = "default",
    /// Belongs to a flow that was allowed.
    Flow = "flow",
    /// An ICMP error about a flow that was allowed.
    Related = "related",
    /// Address resolution (ARP) whose addresses are the sender's own.
    Arp = "arp",
    /// IPv6 neighbor discovery whose addresses are the sender's own.
    NeighborDiscovery = "neighbor-discovery",
    /// There is no running policy.
    NoPolicy = "no-policy",
    /// The interface is not a port of the running policy.
    UnknownPort = "unknown-port",
    /// A table of the running policy is missing or cannot be read.
    Internal = "internal",
    /// The frame ends inside a header that it announces.
    Truncated = "truncated",
    /// A header contradicts itself.
    BadHeader = "bad-header",
    /// A VLAN that the port is not in, or a second tag.
    VlanTag = "vlan-tag",
    /// An 802.3 length where an ethertype belongs (LLC, SNAP).
    LlcFrame = "llc-frame",
    /// An ethertype that no rule allows.
    UnknownEthertype = "unknown-ethertype",
    /// The source MAC address is not the port's.
    SpoofedMac = "spoofed-mac",
    /// The IPv4 source address is not one of the port's.
    SpoofedIpv4 = "spoofed-ipv4",
    /// The IPv6 source address is not one of the port's.
    SpoofedIpv6 = "spoofed-ipv6",
    /// ARP with a sender address that is not the port's.
    SpoofedArp = "spoofed-arp",
    /// Neighbor discovery for an address that is not the port's.
    SpoofedNeighbor = "spoofed-neighbor",
    /// A router advertisement or redirect from a guest.
    RogueRouter = "rogue-router",
    /// An address that no frame on a wire has: loopback, a group as source, IPv4-mapped IPv6 (RFC 6890).
    MartianAddress = "martian-address",
    /// Unicast for another MAC or IP address than the port's.
    WrongDestination = "wrong-destination",
    /// IPv4 options other than router alert.
    Ipv4Options = "ipv4-options",
    /// A fragment.
    Fragment = "fragment",
    /// More IPv6 extension headers than are walked, or out of order.
    ExtensionChain = "extension-chain",
    /// An IPv6 routing header.
    RoutingHeader = "routing-header",
    /// TCP flags that no TCP sends together.
    BadTcpFlags = "bad-tcp-flags",
    /// In the middle of a connection that has no flow, and that the policy would not let this side open.
    NoFlow = "no-flow",
    /// An ICMP error about no flow of this port.
    UnrelatedError = "unrelated-error",
    /// Its flow was allowed once; the policy that runs now denies it.
    Revoked = "revoked",
    /// The flow table did not take a new flow.
    FlowTable = "flow-table",
    /// From guest to guest of a private network, or a guest's own frame that came back to it.
    PrivateNetwork = "private-network",
    /// Let through by audit mode: a rule or the default would deny it.
    Audit = "audit",
    /// netctl's own answer to a frame that a rule rejected.
    Answer = "answer",
    /// To a link-local group of switches (STP, LACP, LLDP, pause) from a guest.
    LinkControl = "link-control",
    /// An answer of a DHCP server from a guest.
    RogueDhcp = "rogue-dhcp",
    /// From a local port's address, but not from that port.
    SpoofedOrigin = "spoofed-origin",
    /// A first fragment that does not show its ports in full.
    TinyFragment = "tiny-fragment",
    /// A fragment that would overwrite what the first one showed.
    OverlappingFragment = "overlapping-fragment",
    /// A fragment without a first one before it.
    StrayFragment = "stray-fragment",
    /// A TCP segment that does not fit its connection: a reset outside of the window, an answer to no question.
    TcpState = "tcp-state",
    /// An address that a guest claims is another port's.
    AddressTaken = "address-taken",
    /// The port has learned as many addresses as it may.
    AddressLimit = "address-limit",
    /// More new flows than the port's limit.
    FlowLimit = "flow-limit",
    /// More packets than the port's limit.
    PacketLimit = "packet-limit",
    /// More bits than the port's limit.
    BitLimit = "bit-limit",
    /// More broadcast than the port's limit.
    BroadcastLimit = "broadcast-limit",
    /// More multicast than the port's limit.
    MulticastLimit = "multicast-limit",
    /// More unicast to nobody known than the port's limit.
    UnknownUnicastLimit = "unknown-unicast-limit",
}

/// How many reasons there are.
pub const REASONS: usize = Reason::ALL.len();

impl Reason {
    /// By stored number.
    pub fn decode(raw: u8) -> Option<Self> {
        Self::ALL.get(usize::from(raw)).copied()
    }

    /// By [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.name() == name)
    }
}

/// The decision about one frame at one port.
#[must_use = "a verdict that is not applied lets the frame through"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    pub reason: Reason,
    /// Index of the rule that decided, or [`crate::abi::NO_RULE`].
    pub rule: u32,
}

impl Verdict {
    #[inline(always)]
    pub const fn deny(reason: Reason) -> Self {
        Self { action: Action::Deny, reason, rule: crate::abi::NO_RULE }
    }

    #[inline(always)]
    pub const fn allow(reason: Reason) -> Self {
        Self { action: Action::Allow, reason, rule: crate::abi::NO_RULE }
    }

    #[inline(always)]
    pub const fn allows(&self) -> bool {
        matches!(self.action, Action::Allow)
    }
}

impl From<Reason> for Verdict {
    /// What stops a decision denies.
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self::deny(reason)
    }
}
