//! The schema against the parser: the same keys, and the same verdict about documents that a schema
//! can judge.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;

use super::*;
use crate::config::parse::section::Field;
use crate::config::parse::tests::{docs, read};
use crate::config::parse::{FIELDS, flows, guards, kind, network, policy, policy_test, port, rule};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// What the schema says against a document.
pub(in crate::config) fn violations(text: &str) -> Vec<String> {
    let document: Value = toml::from_str(text).unwrap();
    VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_published_schema_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/netctl.schema.json");
    let now = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("NETCTL_UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == now,
        "docs/netctl.schema.json is out of date; NETCTL_UPDATE=1 cargo test schema writes it"
    );
}

#[test]
fn schema_and_parser_know_the_same_keys() {
    let schema = schema();
    let keys = |pointer: &str| -> Vec<String> {
        let mut keys: Vec<String> =
            schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let known = |fields: &[Field]| {
        let mut names: Vec<String> = fields.iter().map(|field| field.name.to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(keys("/properties"), known(FIELDS));
    assert_eq!(keys("/$defs/Network/properties"), known(network::FIELDS));
    assert_eq!(keys("/$defs/Pool/properties"), known(kind::POOL_FIELDS));
    assert_eq!(keys("/$defs/Port/properties"), known(port::FIELDS));
    assert_eq!(keys("/$defs/Guards/properties"), known(guards::FIELDS));
    assert_eq!(keys("/$defs/Policy/properties"), known(policy::FIELDS));
    assert_eq!(keys("/$defs/Rule/properties"), known(rule::FIELDS));
    assert_eq!(keys("/$defs/Test/properties"), known(policy_test::FIELDS));
    assert_eq!(keys("/$defs/Flows/properties"), known(flows::FIELDS));
    assert_eq!(keys("/$defs/Timeouts/properties"), known(&flows::TIMEOUT_FIELDS));
}

#[test]
fn what_the_reference_shows_is_valid() {
    for block in docs::blocks("toml") {
        assert_eq!(violations(block), [""; 0], "{block}");
    }
    assert_ne!(violations(docs::blocks("toml,bad")[0]), [""; 0]);
}

#[test]
fn a_schema_has_no_null() {
    assert!(!schema().to_string().contains("null"));
}

/// Documents that a schema can tell to be wrong, each beside one that is right but for that.
#[test]
fn what_a_schema_can_see_it_sees_as_the_parser_does() {
    let lab = "[networks.lab]\nkind = \"bridge\"\n";
    let rule = |rule: &str| format!("[policy]\nrules = [{{ {rule} }}]");
    let test = |keys: &str| {
        let ends = "from = \"host\"\nto = \"a\"\nexpect = \"deny\"";
        format!("{lab}[ports.a]\nnetwork = \"lab\"\naddresses = []\n[[test]]\n{ends}\n{keys}")
    };
    let port = |key: &str| format!("{lab}[ports.a]\nnetwork = \"lab\"\naddresses = []\n{key}");
    for (good, bad) in [
        (lab.to_owned(), "[networks.lab]\n".to_owned()),
        (lab.to_owned(), "[network.lab]\nkind = \"bridge\"\n".to_owned()),
        (lab.to_owned(), "[networks.lab]\nkind = \"ovs\"\n".to_owned()),
        (format!("{lab}mtu = 68"), format!("{lab}mtu = 67")),
        (format!("{lab}addresses = [\"10.0.0.1/8\"]"), format!("{lab}addresses = [\"10.0.0.1\"]")),
        (format!("{lab}uplinks = [\"eth0\"]"), format!("{lab}uplinks = [\"eth%0\"]")),
        (port(""), format!("{lab}[ports.a]\naddresses = []\n")),
        (port("queues = 16"), port("queues = 17")),
        (
            port("vdpa = \"/dev/vhost-vdpa-0\"\nfilter = \"none\""),
            port("vdpa = \"/dev/vhost-vdpa-x\"\nfilter = \"none\""),
        ),
        (port("guards = { router = false }"), port("guards = { routers = false }")),
        (port("guards = { mac = true }"), port("guards = { mac = 1 }")),
        (port("vlan = 4094"), port("vlan = 4095")),
        (port("vlan = 0\nvlans = [4094]"), port("vlan = 0\nvlans = [0]")),
        (port("vlans = [10, \"20-30\"]"), port("vlans = [10, \"20..30\"]")),
        (port("vlans = [1]"), port("vlans = []")),
        (port("owner-group = 0"), port("owner-group = -1")),
        (port("tap = { header-size = 12 }"), port("tap = { header-size = 11 }")),
        (port("tap = { sndbuf = 66000 }"), port("tap = { sndbuf = 0 }")),
        (port("tap = { offloads = [\"csum\"] }"), port("tap = { offloads = [\"lro\"] }")),
        (port("tap = { napi = true }"), port("tap = { napy = true }")),
        (port("owner = 4294967294"), port("owner = 4294967295")),
        (port("mac = \"02:00:00:00:00:01\""), port("mac = \"03:00:00:00:00:01\"")),
        (port("ifname = \"fifteen-bytes-x\""), port("ifname = \"sixteen-bytes-xy\"")),
        ("[sets]\na = [\"10.0.0.0/8\"]".to_owned(), "[sets]\na = [\"web1\"]".to_owned()),
        ("[groups]\na = []".to_owned(), "[groups]\n\"a b\" = []".to_owned()),
        (rule("deny = \"any\", from = \"any\", to = \"host\""), rule("deny = \"any\", from = \"any\"")),
        (rule("deny = \"any\", from = \"any\", to = \"host\""), rule("from = \"any\", to = \"host\"")),
        (
            rule("deny = \"any\", from = \"any\", to = \"host\""),
            rule("deny = \"any\", allow = \"any\", from = \"any\", to = \"host\""),
        ),
        (
            rule("deny = [\"icmp/3/4\"], from = [\"any\"], to = \"::1\""),
            rule("deny = [], from = [\"any\"], to = \"::1\""),
        ),
        (
            rule("deny = \"tcp/80\", from = \"any\", to = \"any\""),
            rule("deny = \"tcp/http\", from = \"any\", to = \"any\""),
        ),
        (
            rule("deny = \"tcp\", from = \"any\", to = \"any\", source-ports = [1, \"2-3\"]"),
            rule("deny = \"tcp\", from = \"any\", to = \"any\", source-ports = [65536]"),
        ),
        (test("service = \"tcp/80\""), test("service = \"tcp/80-90\"")),
        (test("service = \"ip/47\""), test("service = \"any\"")),
        (test("service = \"udp/1\"\nsource-port = 65535"), test("service = \"udp/1\"\nsource-port = -1")),
    ] {
        assert!(read(&good).is_ok() && read(&bad).is_err(), "the parser:\n{good}\n{bad}");
        assert_eq!(violations(&good), [""; 0], "{good}");
        assert_ne!(violations(&bad), [""; 0], "{bad}");
    }
}
