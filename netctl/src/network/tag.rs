//! How netctl marks what it made, so that it is known later, also by another process: interfaces by their
//! alias, uplinks by an alternative name, addresses by their protocol number.

use std::fmt;

/// IFA_PROTO of the addresses that netctl adds (kernel 5.18 and later). The kernel itself uses 1 to 3.
pub(super) const ADDRESS_PROTOCOL: u8 = 110;

/// IFLA_GROUP of a bridge or macvtap that was made and has no alias yet.
///
/// The kernel takes a group in the request that makes an interface, but no alias: without this mark a
/// process that dies between the two requests would leave an interface that looks like someone else's.
pub(super) const HALF_MADE_GROUP: u32 = 0x6e63_746c;

/// What an interface of netctl's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag<'a> {
    /// The bridge of a network.
    Network(&'a str),
    /// The tap or macvtap of a port.
    Port(&'a str),
    /// A bridge or macvtap whose making was interrupted.
    HalfMade,
}

impl<'a> Tag<'a> {
    /// From IFLA_IFALIAS and IFLA_GROUP.
    pub fn read(alias: Option<&'a str>, group: u32) -> Option<Self> {
        match alias.map(|a| a.strip_prefix("netctl:").unwrap_or_default().split_once(':')) {
            Some(Some(("network", name))) => Some(Self::Network(name)),
            Some(Some(("port", rest))) => {
                Some(Self::Port(rest.split_once('@').map_or(rest, |(name, _)| name)))
            }
            None if group == HALF_MADE_GROUP => Some(Self::HalfMade),
            _ => None,
        }
    }
}

impl fmt::Display for Tag<'_> {
    /// The alias; of a port, its beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => write!(f, "netctl:network:{name}"),
            Self::Port(name) => write!(f, "netctl:port:{name}"),
            Self::HalfMade => Ok(()),
        }
    }
}

/// The alias of a port's interface: `netctl:port:NAME@NETWORK`. Who may not read the maps learns the network from it; no
/// name has an `@`.
pub(super) fn port_alias(name: &str, network: &str) -> String {
    format!("{}@{network}", Tag::Port(name))
}

/// The network of a port by its interface's alias. Before 0.2, aliases had none: the next apply adds it.
pub(super) fn port_network(alias: &str) -> Option<&str> {
    alias.strip_prefix("netctl:port:")?.split_once('@').map(|(_, network)| network)
}

/// The alternative name (IFLA_ALT_IFNAME) that says: netctl put this interface on that bridge, or set it up for
/// macvtaps.
///
/// Not the alias: an uplink is someone else's interface, its one alias may be in use; alternative names
/// can be many. They are unique in a network namespace, hence the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UplinkTag {
    /// Index of the uplink.
    pub index: u32,
    /// What to restore when the uplink is released.
    pub was_up: bool,
    /// Interface name of the bridge; empty for the uplink of macvtaps.
    pub bridge: String,
}

impl UplinkTag {
    /// `None` for any other name, and for a mark that another interface carried.
    pub(super) fn read(name: &str, index: u32) -> Option<Self> {
        let (own_index, rest) = name.strip_prefix("netctl-uplink-")?.split_once('-')?;
        let (state, bridge) = rest.split_once('-')?;
        let was_up = match state {
            "up" => true,
            "down" => false,
            _ => return None,
        };
        (own_index.parse() == Ok(index)).then(|| Self { index, was_up, bridge: bridge.to_owned() })
    }
}

impl fmt::Display for UplinkTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.was_up { "up" } else { "down" };
        write!(f, "netctl-uplink-{}-{state}-{}", self.index, self.bridge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_read_as_they_are_written() {
        for tag in [Tag::Network("lab"), Tag::Port("web:1"), Tag::Port("")] {
            assert_eq!(Tag::read(Some(&tag.to_string()), 0), Some(tag));
        }
    }

    #[test]
    fn a_ports_alias_names_its_network_and_an_old_one_does_not() {
        let alias = port_alias("web1", "lab");
        assert_eq!(alias, "netctl:port:web1@lab");
        assert_eq!(Tag::read(Some(&alias), 0), Some(Tag::Port("web1")));
        assert_eq!(port_network(&alias), Some("lab"));
        assert_eq!(port_network("netctl:port:web1"), None);
        assert_eq!(port_network("netctl:network:web1@lab"), None);
    }

    #[test]
    fn other_peoples_aliases_are_not_ours() {
        for alias in ["", "uplink", "netctl:", "netctl:network", "netctl:vm:x", "x netctl:port:y"] {
            assert_eq!(Tag::read(Some(alias), 0), None, "{alias:?}");
        }
        assert_eq!(Tag::read(None, 0), None);
    }

    #[test]
    fn the_group_marks_only_what_has_no_alias() {
        assert_eq!(Tag::read(None, HALF_MADE_GROUP), Some(Tag::HalfMade));
        assert_eq!(Tag::read(Some("mine"), HALF_MADE_GROUP), None);
    }

    #[test]
    fn an_uplink_tag_reads_as_it_is_written_and_only_on_its_own_interface() {
        let tag = UplinkTag { index: 7, was_up: false, bridge: "br-lab-0".into() };
        assert_eq!(tag.to_string(), "netctl-uplink-7-down-br-lab-0");
        assert_eq!(UplinkTag::read(&tag.to_string(), 7), Some(tag.clone()));
        assert_eq!(UplinkTag::read(&tag.to_string(), 8), None);
        assert_eq!(UplinkTag::read("netctl-uplink-7-sideways-br0", 7), None);
        assert_eq!(UplinkTag::read("eth0", 7), None);
    }
}
