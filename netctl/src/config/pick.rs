//! A port may name an interface of the host as its network: what the network is then, and how the document says so
//! explicitly. What runs is always explicit, so that nobody has to look at the host again.

use serde::Serialize;

use super::edit::{EditError, NewSection, add_section};
use super::parse::kind::MAX_VFS;

/// What an interface is to a port that names it as its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    Bridge,
    /// SR-IOV: how many virtual functions there are, and can be.
    PhysicalFunction {
        vfs: u16,
        most: u16,
    },
    VirtualFunction,
    /// What macvtaps can be on; what it is: `a NIC`, `a bond`.
    Nic(&'static str),
    /// No network can be made of it: what it is, and the next step.
    Unfit {
        what: String,
        help: String,
    },
}

/// The interface of that name on this host, if there is one.
pub type InterfaceLookup<'a> = &'a dyn Fn(&str) -> Option<InterfaceKind>;

/// A network that no table of the document describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picked {
    /// Also the interface.
    pub network: String,
    pub kind: &'static str,
    /// A phrase for people.
    pub why: String,
}

impl std::fmt::Display for Picked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "network `{}`: {}", self.network, self.why)
    }
}

/// `None` for what no network can be made of.
pub(super) fn pick(interface: &str, found: &InterfaceKind) -> Option<(Picked, NewSection)> {
    let mut section = NewSection::default();
    let (kind, why) = match found {
        InterfaceKind::Bridge => {
            section.text("kind", "bridge");
            section.text("interface", interface);
            ("bridge", format!("`{interface}` is a bridge, so its ports are taps on it"))
        }
        InterfaceKind::PhysicalFunction { vfs, most } => {
            let number = if *vfs > 0 { *vfs } else { *most }.clamp(1, MAX_VFS);
            section.text("kind", "passthrough");
            section.pool("pool", interface, number);
            let why =
                format!("`{interface}` has SR-IOV, so each port gets one of {number} virtual functions");
            ("passthrough", why)
        }
        InterfaceKind::VirtualFunction => {
            section.text("kind", "passthrough");
            section.texts("uplinks", &[interface.to_owned()]);
            ("passthrough", format!("`{interface}` is a virtual function, so it is for one port alone"))
        }
        InterfaceKind::Nic(what) => {
            section.text("kind", "macvlan");
            section.texts("uplinks", &[interface.to_owned()]);
            ("macvlan", format!("`{interface}` is {what}, so its ports are macvtaps that share it (macvlan)"))
        }
        InterfaceKind::Unfit { .. } => return None,
    };
    Some((Picked { network: interface.to_owned(), kind, why }, section))
}

/// The document with a section for each picked network.
pub(super) fn explicit(text: &str, picks: &[(Picked, NewSection)]) -> Result<String, EditError> {
    picks.iter().try_fold(text.to_owned(), |text, (picked, section)| {
        add_section(&text, ("networks", &picked.network), section, &format!("# picked: {}\n", picked.why))
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Lookups, parse_with};
    use super::*;
    use crate::config::print;

    const PORT: &str = "[ports.web1]\nnetwork = \"eth0\"\naddresses = []\n";

    fn host(name: &str) -> Option<InterfaceKind> {
        Some(match name {
            "eth0" => InterfaceKind::Nic("a NIC"),
            "br0" => InterfaceKind::Bridge,
            "eth3" => InterfaceKind::PhysicalFunction { vfs: 0, most: 8 },
            "eth4" => InterfaceKind::PhysicalFunction { vfs: 2, most: 8 },
            "eth3v0" => InterfaceKind::VirtualFunction,
            "tap0" => InterfaceKind::Unfit { what: "a tap".into(), help: "adopt it".into() },
            _ => return None,
        })
    }

    fn read(text: &str) -> Result<crate::config::Parsed, Vec<String>> {
        let users = |_: &str| None;
        let parsed =
            parse_with("host.toml", text, Lookups { users: &users, user_groups: &users, interfaces: &host });
        parsed.map_err(|found| {
            found.iter().map(|d| format!("{}:{} {} | {}", d.line, d.column, d.message, d.help)).collect()
        })
    }

    #[test]
    fn the_network_follows_from_what_the_interface_is_and_is_written_out() {
        for (interface, kind, keys) in [
            ("eth0", "macvlan", "kind = \"macvlan\"\nuplinks = [\"eth0\"]\n"),
            ("br0", "bridge", "kind = \"bridge\"\ninterface = \"br0\"\n"),
            ("eth3", "passthrough", "kind = \"passthrough\"\npool = { pf = \"eth3\", vfs = 8 }\n"),
            ("eth4", "passthrough", "kind = \"passthrough\"\npool = { pf = \"eth4\", vfs = 2 }\n"),
            ("eth3v0", "passthrough", "kind = \"passthrough\"\nuplinks = [\"eth3v0\"]\n"),
        ] {
            let text = PORT.replace("eth0", interface);
            let parsed = read(&text).unwrap();
            let picked = &parsed.picked[0];
            assert_eq!((picked.network.as_str(), picked.kind), (interface, kind));
            let explicit = parsed.explicit.unwrap();
            let section = format!("\n# picked: {}\n[networks.{interface}]\n{keys}", picked.why);
            assert_eq!(explicit, format!("{text}{section}"));
            // And it means the same without a look at the host.
            let again = crate::config::parse("shown.toml", &explicit).unwrap();
            assert_eq!((print(&again.config), again.config), (print(&parsed.config), parsed.config));
        }
    }

    #[test]
    fn a_network_of_the_document_comes_first_and_one_section_is_enough() {
        let declared = "[networks.eth0]\nkind = \"bridge\"\n";
        assert_eq!(read(&format!("{declared}{PORT}")).unwrap().explicit, None);
        let two = format!("{PORT}{}", PORT.replace("web1", "web2"));
        assert_eq!(read(&two).unwrap().picked.len(), 1);
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_it_is_and_a_slip_with_what_was_meant() {
        let of = |name: &str| {
            let text = format!("[networks.lab]\nkind = \"bridge\"\n{}", PORT.replace("eth0", name));
            read(&text).unwrap_err()
        };
        assert_eq!(of("tap0"), ["4:11 `tap0` is a tap, which is no network | adopt it"]);
        assert_eq!(of("lap"), ["4:11 there is no network `lap` | did you mean `lab`?"]);
        let unknown = "4:11 there is no network `eth9` | define it: a table of [networks] with a `kind`";
        assert_eq!(of("eth9"), [unknown]);
    }

    #[test]
    fn mistakes_beside_a_picked_network_are_all_told() {
        let found = read(&format!("{PORT}mac = \"no\"\n[ports.b]\nnetwork = \"nothing\"\naddresses = []\n"));
        assert_eq!(found.unwrap_err().len(), 2);
    }

    #[test]
    fn braces_get_another_entry() {
        let text = "networks = { lab = { kind = \"bridge\" } }\nports = { a = { network = \"eth0\", addresses = [] } }\n";
        let parsed = read(text).unwrap();
        assert!(parsed.explicit.unwrap().contains("eth0 = { kind = \"macvlan\", uplinks = [\"eth0\"] }"));
        assert_eq!(parsed.config.networks.len(), 2);
    }
}
