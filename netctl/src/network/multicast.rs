//! The multicast groups that a guest on a virtual function must hear whatever its NIC can: those that find its IPv6
//! addresses. Drivers of virtual functions may know no all-multicast mode (igbvf does not), and the guest's own joins
//! do not reach them; a macvtap hands its groups down to the function's driver (macvlan_set_mac_lists()).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::config::{Addresses, Mac, Port};

/// First bytes of the groups for solicited-node addresses (RFC 2464, 7; RFC 4291, 2.7.1).
const SOLICITED_NODE: [u8; 3] = [0x33, 0x33, 0xff];
/// 224.0.0.1, and ff02::1.
const ALL_NODES: [Mac; 2] = [Mac([0x01, 0, 0x5e, 0, 0, 1]), Mac([0x33, 0x33, 0, 0, 0, 1])];

/// Groups of all nodes, and of each of the port's IPv6 addresses.
pub(super) fn groups(port: &Port) -> BTreeSet<Mac> {
    let listed = match &port.addresses {
        Addresses::Any | Addresses::Learned => Vec::new(),
        Addresses::Listed(addresses) => addresses.iter().copied().collect(),
    };
    let v6 = listed.into_iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    });
    v6.chain([port.mac.link_local()]).map(solicited_node).chain(ALL_NODES).collect()
}

/// Whether the group is one of those that netctl adds for an address.
pub(super) fn is_solicited_node(group: Mac) -> bool {
    group.0.starts_with(&SOLICITED_NODE)
}

fn solicited_node(address: Ipv6Addr) -> Mac {
    let [.., d, e, f] = address.octets();
    let [a, b, c] = SOLICITED_NODE;
    Mac([a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_an_address_has_its_last_three_bytes() {
        let address = "fe80::5054:ff:fe12:3456".parse().unwrap();
        assert_eq!(solicited_node(address).to_string(), "33:33:ff:12:34:56");
        assert!(is_solicited_node(solicited_node(address)));
        assert!(!is_solicited_node(ALL_NODES[1]));
    }
}
