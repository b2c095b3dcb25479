//! The four kinds of networks as data: what a document says and how the uplinks are wired. Two guests, `web1` and
//! `db1`, and a station on the switch that is nobody's guest.

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::frame::{Mac, mac};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use netctl_tests::tap::Tap;

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Keys of the network, beside its uplinks.
    pub(crate) network: &'static str,
    pub(crate) uplinks: &'static [&'static str],
    /// Whether the switch sends frames back where they came from.
    pub(crate) reflects: bool,
}

pub(crate) const BRIDGE: Kind =
    Kind { name: "bridge", network: "kind = \"bridge\"", uplinks: &["up0"], reflects: false };
pub(crate) const MACVLAN: Kind =
    Kind { name: "macvlan", network: "kind = \"macvlan\"", uplinks: &["up0"], reflects: false };
pub(crate) const PASSTHROUGH: Kind = Kind {
    name: "passthrough",
    network: "kind = \"passthrough\"",
    uplinks: &["up0", "up1"],
    reflects: false,
};
pub(crate) const VEPA: Kind =
    Kind { name: "vepa", network: "kind = \"vepa\"", uplinks: &["up0"], reflects: true };

/// A guest or the station on the switch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Station {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) mac: Mac,
    pub(crate) v4: &'static str,
    pub(crate) v6: &'static str,
}

pub(crate) const WEB1: Station =
    Station { name: "web1", group: "web", mac: mac(0x11), v4: "10.0.0.11", v6: "fd00::11" };
pub(crate) const DB1: Station =
    Station { name: "db1", group: "db", mac: mac(0x21), v4: "10.0.0.21", v6: "fd00::21" };
/// No port of the document.
pub(crate) const WORLD: Station =
    Station { name: "world", group: "", mac: mac(0xfe), v4: "198.51.100.7", v6: "2001:470::7" };

impl Station {
    /// As text of the document, on network `lab`.
    pub(crate) fn port(&self) -> String {
        self.port_on("lab")
    }

    pub(crate) fn port_on(&self, network: &str) -> String {
        let mac = netctl_tests::frame::mac_text(self.mac);
        format!(
            "[ports.{}]\nnetwork = \"{network}\"\nmac = \"{mac}\"\naddresses = [\"{}\", \"{}\"]\ngroups = [\"{}\"]\n",
            self.name, self.v4, self.v6, self.group
        )
    }
}

pub(crate) fn policy(rules: &[&str]) -> String {
    format!("[policy]\ndefault = \"deny\"\nrules = [\n{}\n]\n", rules.join(",\n"))
}

impl Kind {
    /// Both guests, `deny` as the default, and these rules.
    pub(crate) fn document(&self, rules: &[&str]) -> String {
        self.network("lab") + &WEB1.port() + &DB1.port() + &policy(rules)
    }

    pub(crate) fn network(&self, name: &str) -> String {
        let uplinks: Vec<_> = self.uplinks.iter().map(|nic| format!("\"{nic}\"")).collect();
        format!("[networks.{name}]\n{}\nuplinks = [{}]\n", self.network, uplinks.join(", "))
    }

    /// Plugs the uplinks into the switch.
    pub(crate) fn wire(&self, switch: &Switch<'_>) {
        for nic in self.uplinks {
            switch.nic(nic).unwrap();
            switch.reflect(nic, self.reflects).unwrap();
        }
    }

    /// Frames pass between the guests and the switch when this returns.
    pub(crate) fn wait(&self) {
        for nic in self.uplinks.iter().filter(|_| self.name == BRIDGE.name) {
            wait_forwarding(nic).unwrap();
        }
    }
}

/// What stands around a guest.
pub(crate) struct Host<'s> {
    pub(crate) sandbox: &'s Sandbox,
    pub(crate) lab: Lab<'s>,
    pub(crate) switch: Switch<'s>,
    pub(crate) world: Tap,
}

/// Runs a test with a smoltcp guest on each port.
pub(crate) fn with_guests(kind: &Kind, rules: &[&str], test: impl FnOnce(&Host<'_>) + Send) {
    with(kind, |sandbox| Lab::up(sandbox, &kind.document(rules)).unwrap(), test);
}

/// Runs a test whose frames are its own, with another document.
pub(crate) fn with_document(kind: &Kind, document: &str, test: impl FnOnce(&Host<'_>) + Send) {
    with(kind, |sandbox| Lab::bare(sandbox, document).unwrap(), test);
}

/// Runs a test whose frames are its own.
pub(crate) fn without_guests(kind: &Kind, rules: &[&str], test: impl FnOnce(&Host<'_>) + Send) {
    with(kind, |sandbox| Lab::bare(sandbox, &kind.document(rules)).unwrap(), test);
}

/// Runs a test whose frames are its own, with keys of the two ports that others need not.
pub(crate) fn with_keys(
    kind: &Kind,
    [web1, db1]: [&str; 2],
    rules: &[&str],
    test: impl FnOnce(&Host<'_>) + Send,
) {
    let ports = [WEB1.port(), web1.to_owned(), DB1.port(), db1.to_owned()].join("\n");
    let document = format!("{}{ports}\n{}", kind.network("lab"), policy(rules));
    with(kind, |sandbox| Lab::bare(sandbox, &document).unwrap(), test);
}

fn with(
    kind: &Kind,
    lab: impl for<'s> FnOnce(&'s Sandbox) -> Lab<'s> + Send,
    test: impl FnOnce(&Host<'_>) + Send,
) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        kind.wire(&switch);
        let world = switch.station("world").unwrap();
        let lab = lab(sandbox);
        kind.wait();
        test(&Host { sandbox, lab, switch, world });
    });
}
