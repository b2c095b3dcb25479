//! The documents: the same network, ports and sets, where it matters two tenants more; each subject has rules of
//! its own.

const LAB: &str = r#"
[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24", "fd00::1/64"]

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:01"
addresses = ["10.0.0.11", "10.0.0.111", "fd00::11", "fd00::111"]
groups = ["web"]

[ports.web2]
network = "lab"
mac = "52:54:00:00:00:02"
addresses = ["10.0.0.12", "fd00::12"]
groups = ["web"]

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:03"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]

[ports.probe]
network = "lab"
mac = "52:54:00:00:00:04"
addresses = "any"

[sets]
office = ["192.0.2.0/24", "2001:db8::/32"]
"#;

const TENANTS: &str = r#"
[networks.red]
kind = "bridge"
zone = "red"

[networks.blue]
kind = "bridge"
zone = "blue"

[ports.red1]
network = "red"
mac = "52:54:00:00:00:05"
addresses = ["10.9.0.1", "10.9.0.5", "fd09::1", "fd09::5"]

[ports.red2]
network = "red"
mac = "52:54:00:00:00:06"
addresses = ["10.9.0.2", "fd09::2"]

[ports.blue1]
network = "blue"
mac = "52:54:00:00:00:07"
addresses = ["10.9.0.1", "fd09::1"]

[ports.blue2]
network = "blue"
mac = "52:54:00:00:00:08"
addresses = ["10.9.0.2", "fd09::2"]
"#;

/// A document with this default and these rules.
pub(super) fn document(default: &str, rules: &str) -> String {
    format!("{LAB}\n[policy]\ndefault = \"{default}\"\nrules = [\n{rules}]\n")
}

/// [`document`] with two tenants, each in a zone of its own.
pub(super) fn with_tenants(document: &str) -> String {
    format!("{TENANTS}{document}")
}

/// [`open`] on a macvlan whose guests are strangers to each other.
pub(super) fn private() -> String {
    on("kind = \"macvlan\"\nprivate = true\nuplinks = [\"eth1\"]\n")
}

/// [`open`] on another network than a bridge.
pub(super) fn on(network: &str) -> String {
    let bridge = "kind = \"bridge\"\naddresses = [\"10.0.0.1/24\", \"fd00::1/64\"]\n";
    open().replace(bridge, network)
}

/// Everything is allowed that the guards let through, but for SSH: what is denied is denied for its form.
pub(super) fn open() -> String {
    document("allow", "  { deny = \"tcp/22\", from = \"any\", to = \"any\", name = \"no ssh\" },\n")
}

/// [`document`] without one of `web1`'s addresses.
pub(super) fn document_without(address: &str, default: &str, rules: &str) -> String {
    document(default, rules).replace(&format!("\"{address}\", "), "")
}
