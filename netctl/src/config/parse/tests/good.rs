//! Good documents and what they mean.

use netctl_common::verdict::Action;

use super::{findings, parse_with_users, read};
use crate::config::model::{
    Addresses, Config, IcmpMatch, Log, NetworkKind, PortRange, Selector, Service, Vhost,
};
use crate::config::print::print;
use crate::config::{Endpoint, PolicyTest, parse_tests};

#[track_caller]
fn config(text: &str) -> Config {
    match read(text) {
        Ok(parsed) => parsed.config,
        Err(refused) => panic!("{refused}: {:#?}", refused.iter().collect::<Vec<_>>()),
    }
}

/// Everything that a document can say.
const ALL: &str = r#"
[networks.lab]
kind = "bridge"
zone = "tenant-a"
interface = "br0"
uplinks = ["eth1", "eth2"]
addresses = ["10.0.0.1/24", "fd00::1/64"]
mtu = 9000

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["fd00::11", "10.0.0.11"]
groups = ["web", "prod"]
ifname = "tap-web1"
queues = 4
owner = "qemu"
mtu = 1500
vhost = "on"

[ports.db1]
network = "lab"
addresses = "any"

[groups]
db = ["db1"]
spare = []

[sets]
office = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]
empty = []

[policy]
default = "reject"
rules = [
  { allow = ["tcp/80", "udp/1000-2000", "sctp", "icmp/3/4", "icmp6/echo-request"], from = "any", to = "web" },
  { deny = "tcp", from = ["web", "db1", "office"], to = ["host", "world"], source-ports = [53, "1024-65535"] },
  { reject = ["ip/gre", "ether/0x88cc", "any"], from = "10.0.0.0/8", to = ["multicast", "broadcast", "fd00::1"], name = "no \"tunnels\"", log = true },
]
"#;

#[test]
fn a_network_and_a_port_are_as_the_document_says() {
    let config = config(ALL);
    let lab = &config.networks["lab"];
    assert_eq!(
        (lab.kind, lab.zone.as_str(), lab.interface.as_str()),
        (NetworkKind::Bridge, "tenant-a", "br0")
    );
    assert_eq!((lab.uplinks.join(" ").as_str(), lab.mtu, lab.line), ("eth1 eth2", Some(9000), 2));
    assert_eq!(lab.addresses, ["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()]);
    let web1 = &config.ports["web1"];
    assert_eq!((web1.network.as_str(), web1.mac.to_string().as_str()), ("lab", "52:54:00:00:00:11"));
    let listed = ["10.0.0.11", "fd00::11"].map(|address| address.parse().unwrap());
    assert_eq!(web1.addresses, Addresses::Listed(listed.into()));
    assert_eq!((web1.interface.as_str(), web1.queues, web1.owner), ("tap-web1", 4, Some(107)));
    assert_eq!((web1.mtu, web1.vhost, web1.line), (Some(1500), Vhost::On, 10));
}

#[test]
fn what_a_port_leaves_out_is_derived_or_the_default() {
    let config = config(ALL);
    let db1 = &config.ports["db1"];
    assert_eq!((db1.addresses.clone(), db1.queues, db1.owner), (Addresses::Any, 1, None));
    assert_eq!((db1.interface.as_str(), db1.mtu, db1.vhost), ("db1", None, Vhost::Auto));
    assert_eq!(db1.mac.0[0], 0x02);
    assert_ne!(db1.mac, config.networks["lab"].mac);
}

#[test]
fn ports_name_their_groups_and_groups_name_their_ports() {
    let config = config(ALL);
    let members = |name: &str| config.groups[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(members("web"), ["web1"]);
    assert_eq!(members("db"), ["db1"]);
    assert!(members("spare").is_empty());
    assert!(config.ports["db1"].groups.contains("db"), "a port knows that [groups] names it");
}

#[test]
fn rules_are_as_the_document_says_and_know_their_lines() {
    let policy = config(ALL).policy;
    assert_eq!(policy.default, Action::Reject);
    assert_eq!(policy.rules.iter().map(|rule| rule.line).collect::<Vec<_>>(), [36, 37, 38]);
    let [first, second, third] = policy.rules.as_slice() else { panic!("{policy:?}") };
    let udp = Service::Udp(PortRange { first: 1000, last: 2000 });
    let tcp = Service::Tcp(PortRange { first: 80, last: 80 });
    let sctp = Service::Sctp(PortRange::ALL);
    let icmp = [Service::Icmp(IcmpMatch::Code(3, 4)), Service::Icmp6(IcmpMatch::Type(128))];
    assert_eq!(first.services, [[tcp, udp, sctp].as_slice(), &icmp].concat());
    assert_eq!(
        (first.action, &first.from, &first.to),
        (Action::Allow, &vec![Selector::Any], &vec![Selector::Group("web".into())])
    );
    let from = [Selector::Group("web".into()), Selector::Port("db1".into()), Selector::Set("office".into())];
    assert_eq!((second.action, second.from.as_slice()), (Action::Deny, from.as_slice()));
    assert_eq!((second.to.as_slice(), second.log), ([Selector::Host, Selector::World].as_slice(), None));
    assert_eq!(second.source_ports, [53..=53, 1024..=65535]);
    let to = [Selector::Multicast, Selector::Broadcast, Selector::Prefix("fd00::1/128".parse().unwrap())];
    assert_eq!(
        (third.action, third.to.as_slice(), third.log),
        (Action::Reject, to.as_slice(), Some(Log::OPENINGS))
    );
    assert_eq!(third.services, [Service::Protocol(47), Service::Ethertype(0x88cc), Service::Any]);
    assert_eq!(third.name.as_deref(), Some("no \"tunnels\""));
}

#[test]
fn tests_stand_in_the_document_or_in_a_file_of_their_own() {
    let tests = "[[test]]\nname = \"é\"\nfrom = \"web1\"\nto = \"db1/::1\"\nservice = \"udp/53\"\n\
                 source-port = 0\nexpect = \"reject\"\n\n[[test]]\nfrom = \"fd00::1\"\nto = \"host\"\n\
                 service = \"icmp6/echo-request\"\nexpect = \"deny\"\n";
    let config = config(&format!("{ALL}{tests}"));
    assert_eq!(config.tests.iter().map(|test| test.line).collect::<Vec<_>>(), [40, 48]);
    assert_eq!(config.tests[0].to, Endpoint::PortAt("db1".to_owned(), "::1".parse().unwrap()));
    assert!(print(&config).ends_with(&format!("]\n\n{tests}")), "{}", print(&config));

    let alone = parse_tests("tests.toml", tests.as_bytes(), &config).unwrap();
    assert_eq!((alone[0].line, alone[1].line), (1, 9));
    let same = alone
        .iter()
        .zip(&config.tests)
        .all(|(alone, own)| own == &PolicyTest { line: own.line, ..alone.clone() });
    assert!(same, "{alone:?}");
    for bad in ["[policy]\n", "[[test]]\nfrom = \"nobody\"\n", "[[test", "\u{fffd}"] {
        assert!(parse_tests("tests.toml", bad.as_bytes(), &config).is_err(), "{bad}");
    }
    assert!(parse_tests("tests.toml", b"\xff", &config).is_err());
    assert!(parse_tests("tests.toml", b"", &config).unwrap().is_empty());
}

#[test]
fn a_document_may_say_nothing_and_then_denies_everything() {
    for text in ["", "# nothing\n", "[policy]", "[networks]\n[ports]\n[groups]\n[sets]\n"] {
        let config = config(text);
        assert_eq!((config.policy.default, config.policy.rules.len()), (Action::Deny, 0));
        assert!(config.networks.is_empty() && config.ports.is_empty());
    }
}

#[test]
fn rules_in_braces_and_rules_with_headers_are_the_same() {
    let braces = config("[policy]\nrules = [{ allow = \"tcp/22\", from = \"any\", to = \"host\" }]");
    let headers = config("[[policy.rules]]\nallow = [\"tcp/22\"]\nfrom = [\"any\"]\nto = [\"host\"]\n");
    assert_eq!((braces.policy.rules[0].line, headers.policy.rules[0].line), (2, 1));
    assert_eq!(braces.without_lines(), headers.without_lines());
}

#[test]
fn networks_of_different_zones_may_have_the_same_addresses() {
    let text = r#"
        [networks]
        a = { kind = "bridge", zone = "a", addresses = ["10.0.0.1/24"] }
        b = { kind = "bridge", zone = "b", addresses = ["10.0.0.1/24"] }
        [ports]
        a1 = { network = "a", addresses = ["10.0.0.2"], mac = "52:54:00:00:00:11" }
        b1 = { network = "b", addresses = ["10.0.0.2"], mac = "52:54:00:00:00:11" }
    "#;
    assert_eq!(config(text).ports.len(), 2);
    assert_eq!(findings(text), [""; 0]);
}

#[test]
fn ports_whose_addresses_are_not_known_are_warned_about() {
    let text = "[networks.lab]\nkind = \"bridge\"\n[ports.a]\nnetwork = \"lab\"\n[ports.b]\nnetwork = \"lab\"\naddresses = \"any\"\n[ports.c]\nnetwork = \"lab\"\naddresses = []\n";
    let expected = [
        "3:8 port `a` has no addresses: it can use only its IPv6 link-local address | add `addresses = [\"10.0.0.11\"]`, or `addresses = []` if that is meant",
        "7:13 the addresses that port `b` sends from are not checked: it can use any that no other port has | list its addresses, or use \"learn\": then it cannot pretend to be another",
    ];
    assert_eq!(findings(text), expected);
    assert_eq!(config(text).ports["a"].addresses, Addresses::Listed([].into()));
}

#[test]
fn an_owner_may_be_a_number() {
    let text = "[networks.lab]\nkind = \"bridge\"\n[ports.a]\nnetwork = \"lab\"\naddresses = []\nowner = 0\n";
    assert_eq!(config(text).ports["a"].owner, Some(0));
}

#[test]
fn a_user_is_looked_up_once_however_many_ports_it_owns() {
    let port = |n: u8| format!("[ports.p{n}]\nnetwork = \"lab\"\naddresses = []\nowner = \"qemu\"\n");
    let text = format!("[networks.lab]\nkind = \"bridge\"\n{}{}", port(1), port(2));
    let asked = std::cell::Cell::new(0);
    let users = |_: &str| {
        asked.set(asked.get() + 1);
        Some(107)
    };
    let config = parse_with_users("host.toml", &text, &users).unwrap().config;
    assert_eq!((config.ports["p2"].owner, asked.get()), (Some(107), 1));
}

#[test]
fn the_ends_of_point_to_point_prefixes_are_addresses() {
    let text = "[networks.lab]\nkind = \"bridge\"\naddresses = [\"10.0.0.0/31\"]\n[ports.a]\nnetwork = \"lab\"\naddresses = [\"10.0.0.1\"]\n";
    assert_eq!(findings(text), [""; 0]);
}

#[test]
fn a_document_is_printed_with_what_was_derived_and_without_defaults() {
    let expected = r#"[networks.lab]
kind = "bridge"
zone = "tenant-a"
interface = "br0"
uplinks = ["eth1", "eth2"]
addresses = ["10.0.0.1/24", "fd00::1/64"]
mtu = 9000

[ports.db1]
network = "lab"
mac = "02:DB:1"
addresses = "any"
groups = ["db"]
ifname = "db1"

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["prod", "web"]
ifname = "tap-web1"
queues = 4
owner = 107
mtu = 1500
vhost = "on"

[groups]
spare = []

[sets]
empty = []
office = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]

[policy]
default = "reject"
rules = [
  { allow = ["tcp/80", "udp/1000-2000", "sctp", "icmp/fragmentation-needed", "icmp6/echo-request"], from = "any", to = "web" },
  { deny = "tcp", from = ["web", "db1", "office"], to = ["host", "world"], source-ports = [53, "1024-65535"] },
  { reject = ["ip/gre", "ether/0x88cc", "any"], from = "10.0.0.0/8", to = ["multicast", "broadcast", "fd00::1"], name = "no \"tunnels\"", log = true },
]
"#;
    let first = config(ALL);
    let expected = expected.replace("02:DB:1", &first.ports["db1"].mac.to_string());
    assert_eq!(print(&first), expected);
    assert_eq!(config(&expected).without_lines(), first.without_lines());
}

#[test]
fn guards_are_on_unless_the_document_says_otherwise_and_each_that_is_off_is_told() {
    use netctl_common::abi::guards;
    let text = "[networks.lab]\nkind = \"bridge\"\n[ports.a]\nnetwork = \"lab\"\naddresses = []\n\
                guards = { router = false, mac = true, dhcp-server = false }\n\
                [ports.b]\nnetwork = \"lab\"\naddresses = []\n";
    let config = config(text);
    assert_eq!(config.ports["a"].guards.0, guards::ALL & !guards::ROUTER & !guards::DHCP_SERVER);
    assert_eq!(config.ports["b"].guards.0, guards::ALL);
    let found = findings(text).join("\n");
    assert_eq!(found.matches("port `a` can").count(), 2, "{found}");
    assert!(found.contains("make itself the router of all guests"), "{found}");
    assert!(found.contains("remove `dhcp-server = false` if that is not meant"), "{found}");
}

#[test]
fn vlans_are_what_the_document_says() {
    let port = |keys: &str| {
        let text = format!(
            "[networks.lab]\nkind = \"bridge\"\n[ports.a]\nnetwork = \"lab\"\naddresses = []\n{keys}\n"
        );
        config(&text).ports["a"].vlans.clone()
    };
    let access = port("vlan = 10");
    assert_eq!((access.access, access.trunk.len(), access.native_untagged), (Some(10), 0, false));
    let trunk = port("vlans = [10, \"20-22\", 4094]");
    assert_eq!(trunk.trunk.into_iter().collect::<Vec<_>>(), [10, 20, 21, 22, 4094]);
    assert_eq!((trunk.access, trunk.native_untagged), (None, false));
    let native = port("vlan = 0\nvlans = [10]");
    assert_eq!((native.access, native.native_untagged), (None, true));
    let both = port("vlan = 5\nvlans = [10]");
    assert_eq!((both.access, both.native_untagged), (Some(5), false));
}
