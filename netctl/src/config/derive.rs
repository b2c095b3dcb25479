//! MAC addresses and interface names that follow from a name in the document.
//! They are promises to operators (docs/document.md gives the recipe): never change them.

use super::model::Mac;

/// Longest interface name in bytes (IFNAMSIZ less the final zero).
pub const INTERFACE_LEN: usize = 15;

/// What the name belongs to; a network and a port of one name get different addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Network,
    Port,
}

impl Named {
    fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Port => "port",
        }
    }
}

/// A locally administered unicast address: `02`, then a hash of the name (docs/document.md).
pub fn mac(named: Named, name: &str) -> Mac {
    let [a, b, c, d, e] = hash(named, name);
    Mac([0x02, a, b, c, d, e])
}

/// The name itself where it fits into an interface name, else its first 8 bytes, `-`, and the last
/// three octets of [`mac`] in hexadecimal.
pub fn interface(named: Named, name: &str) -> String {
    if name.len() <= INTERFACE_LEN {
        return name.to_owned();
    }
    let [_, _, c, d, e] = hash(named, name);
    // Valid names are ASCII; for others, which are errors anyway, stop before the character that is cut.
    let start: String =
        name.char_indices().take_while(|(at, c)| at + c.len_utf8() <= 8).map(|(_, c)| c).collect();
    format!("{start}-{c:02x}{d:02x}{e:02x}")
}

/// FNV-1a, 64 bits, of `network:NAME` or `port:NAME`, folded to 40 bits by exclusive or, big-endian.
fn hash(named: Named, name: &str) -> [u8; 5] {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = named.word().bytes().chain(*b":").chain(name.bytes());
    let hash = bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    let [_, _, _, a, b, c, d, e] = ((hash >> 40) ^ (hash & 0xff_ffff_ffff)).to_be_bytes();
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, by the recipe of docs/document.md.
    const KNOWN: [(Named, &str, &str, &str); 4] = [
        (Named::Port, "web1", "02:c0:3c:3d:ab:d8", "web1"),
        (Named::Network, "lab", "02:cb:7a:65:cd:20", "lab"),
        (Named::Network, "web1", "02:91:a9:ad:f2:0f", "web1"),
        (Named::Port, "web-frontend-0001", "02:84:01:0c:65:9c", "web-fron-0c659c"),
    ];

    #[test]
    fn derived_addresses_and_interface_names_never_change() {
        for (named, name, address, interface_name) in KNOWN {
            assert_eq!(mac(named, name).to_string(), address, "{named:?} {name}");
            assert_eq!(interface(named, name), interface_name, "{named:?} {name}");
        }
    }

    #[test]
    fn an_interface_name_never_exceeds_the_kernels_limit() {
        for len in 1..=63 {
            let name = interface(Named::Port, &"x".repeat(len));
            assert!(name.len() <= INTERFACE_LEN, "{name}");
            assert_eq!(name.len() == len, len <= INTERFACE_LEN);
        }
        assert!(interface(Named::Port, &"é".repeat(10)).starts_with("éééé-"));
    }

    #[test]
    fn a_derived_address_is_local_and_unicast() {
        for name in ["a", "b", "web1", "db1"] {
            assert_eq!(mac(Named::Port, name).0[0] & 0b11, 0b10);
        }
    }
}
