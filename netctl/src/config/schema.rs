//! The document as JSON Schema (draft 2020-12), for editors. The types here have the shape of the text
//! and no other use; what a schema cannot say (that names resolve, that nothing is taken twice) is
//! checked by the parser. docs/netctl.schema.json is the output, kept up to date by a test.
#![expect(dead_code, reason = "the types are never made: only their shape counts")]

mod limits;

use std::collections::BTreeMap;

use netctl_common::flow::DEFAULT_TIMEOUTS;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::limits::{MAX_LIST, MAX_NETWORKS, MAX_PORTS, MAX_RULES, MAX_TESTS};
use super::parse::flows::MAX_TIMEOUT;
use super::parse::kind::{MAX_VFS, MAX_VLAN};
use super::parse::network::{MAX_MTU, MIN_MTU};
use super::parse::port::MAX_QUEUES;
use super::parse::rule::MAX_RULE_NAME;
use super::parse::tap::{MAX_SNDBUF, MIN_SNDBUF};

/// The schema of a document.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<Document>().to_value()
}

/// An `Option` is a key that may be left out; TOML has no null to write instead.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// A document of netctl: the networks and ports of a host, and who may open which connections.
#[derive(JsonSchema)]
#[schemars(title = "netctl document", deny_unknown_fields)]
struct Document {
    /// Networks (switches) by name.
    #[schemars(extend("maxProperties" = MAX_NETWORKS))]
    networks: Option<BTreeMap<Name, Network>>,
    /// Ports (the host's ends of guests' NICs) by name.
    #[schemars(extend("maxProperties" = MAX_PORTS))]
    ports: Option<BTreeMap<Name, Port>>,
    /// Groups of ports by name; ports can name their groups themselves, too.
    groups: Option<BTreeMap<Name, List<Name>>>,
    /// Sets of prefixes by name.
    sets: Option<BTreeMap<Name, List<Prefix>>>,
    /// Who may open which connections. Without it, everything is denied.
    policy: Option<Policy>,
    /// How connections are remembered.
    flows: Option<Flows>,
    /// What must hold of the policy; run by `netctl check`, `netctl policy test` and `netctl apply`.
    #[schemars(length(max = MAX_TESTS))]
    test: Option<Vec<Test>>,
}

/// A network: what its guests have in common, and how they are connected.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Network {
    /// How guests are connected.
    kind: NetworkKind,
    /// Addresses of different zones never match each other. Default: "default".
    zone: Option<Name>,
    /// Bridge: interface of the bridge, which is made if it does not exist. Default: derived from the name.
    interface: Option<InterfaceName>,
    /// Bridge: interfaces of the host that join it. Macvlan and vepa: the one NIC that the guests share. Passthrough:
    /// one NIC for each guest.
    uplinks: Option<List<InterfaceName>>,
    /// Macvlan: its guests never reach each other. Default: false.
    private: Option<bool>,
    /// Vepa: who sends a frame back that is for a guest of the same uplink. Default: "switch".
    hairpin: Option<Hairpin>,
    /// Macvlan and vepa: guests and the host reach each other, under the same policy. Default: false.
    host_access: Option<bool>,
    /// Passthrough: virtual functions of a NIC that ports lease.
    pool: Option<Pool>,
    /// The host's own addresses on the network, with prefix lengths: the selector `host`.
    addresses: Option<List<HostAddress>>,
    /// Bytes. Default: the kernel's.
    #[schemars(range(min = MIN_MTU, max = MAX_MTU))]
    mtu: Option<u16>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum NetworkKind {
    Bridge,
    Macvlan,
    Passthrough,
    Vepa,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum Hairpin {
    Switch,
    Local,
}

/// Virtual functions (SR-IOV) of one NIC.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Pool {
    /// Interface of the physical function.
    pf: InterfaceName,
    /// Number of virtual functions.
    #[schemars(range(min = 1, max = MAX_VFS))]
    vfs: u16,
    /// VLAN that the NIC puts the guests into.
    #[schemars(range(min = 1, max = MAX_VLAN))]
    vlan: Option<u16>,
    /// Whether the NIC drops frames with another source MAC address. Default: true.
    spoof_check: Option<bool>,
    /// Whether the function's driver may change its MAC address and be promiscuous. Default: false.
    trust: Option<bool>,
    /// Mbit/s that each function may send. Default: no limit.
    #[schemars(range(min = 1))]
    rate: Option<u16>,
}

/// A port: the host's end of one guest's NIC.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Port {
    /// The network that it belongs to, or an interface of the host.
    network: Name,
    /// MAC address of the guest's NIC. Default: derived from the name.
    mac: Option<MacAddress>,
    /// What the guest may send from, besides its IPv6 link-local address; "any" checks nothing.
    addresses: Option<Addresses>,
    /// Groups that it belongs to.
    groups: Option<List<Name>>,
    /// Interface of the port. Default: derived from the name.
    ifname: Option<InterfaceName>,
    /// Queue pairs. Default: 1.
    #[schemars(range(min = 1, max = MAX_QUEUES))]
    queues: Option<u16>,
    /// Name or uid of the user who may open the tap without privileges; not for macvtap ports.
    owner: Option<Owner>,
    /// Name or gid of the group whose members may do so; not for macvtap ports.
    owner_group: Option<Owner>,
    /// How the queues are opened.
    tap: Option<Tap>,
    /// Rates that the guest may not exceed. Default: no limits.
    limits: Option<limits::Limits>,
    /// Bytes. Default: the network's.
    #[schemars(range(min = MIN_MTU, max = MAX_MTU))]
    mtu: Option<u16>,
    /// Whether vhost-net serves the port. Default: "auto", if it can be opened.
    vhost: Option<Vhost>,
    /// Passthrough without a pool: the NIC that the guest gets. Default: one that is free.
    uplink: Option<InterfaceName>,
    /// The interface `ifname` is someone else's: it only gets the programs. Default: false.
    adopt: Option<bool>,
    /// UUID of the libvirt domain that the interface of an adopted port belongs to; `netctl libvirt-hook` writes it.
    #[schemars(regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    domain: Option<String>,
    /// The guest drives a leased virtual function itself, which cannot be filtered. Default: false.
    vfio: Option<bool>,
    /// A vhost-vdpa device that moves the guest's frames, which cannot be filtered.
    vdpa: Option<VdpaDevice>,
    /// "none" is what a port with `vfio` or `vdpa` has to say. Default: "policy".
    filter: Option<Filter>,
    /// Checks of the port; what is `false` is off. Default: all are on.
    guards: Option<Guards>,
    /// VLAN of the frames that the guest sends and gets untagged. Default: none.
    #[schemars(range(max = MAX_VLAN))]
    vlan: Option<u16>,
    /// VLANs whose tags the guest may send and get. Default: none.
    #[schemars(length(min = 1, max = MAX_LIST))]
    vlans: Option<Vec<VlanOrRange>>,
    /// What the policy denies at this port is reported and not enforced. Guards are enforced. Default: false.
    audit: Option<bool>,
}

/// Which checks of a port are on.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Guards {
    /// The source MAC address is the port's. Default: true.
    mac: Option<bool>,
    /// The source IP address is one of the port's. Default: true.
    ip: Option<bool>,
    /// ARP claims only the sender's own address. Default: true.
    arp: Option<bool>,
    /// Neighbor discovery claims only the sender's own address. Default: true.
    neighbor: Option<bool>,
    /// The guest sends no router advertisements and redirects. Default: true.
    router: Option<bool>,
    /// The guest answers nobody as a DHCP server. Default: true.
    dhcp_server: Option<bool>,
    /// The guest sends nothing to the groups of switches (LACP, LLDP, EAPOL, pause). STP, which has no ethertype, is denied
    /// without it, too. Default: true.
    link_control: Option<bool>,
    /// No frames of 802.3 (LLC, SNAP). Default: true.
    llc: Option<bool>,
    /// No IPv4 options but router alert, no IPv6 routing headers. Default: true.
    options: Option<bool>,
    /// No addresses that no frame on a wire has. Default: true.
    martian: Option<bool>,
    /// The guest gets what is for its own MAC and IP addresses. Default: true.
    destination: Option<bool>,
    /// A local guest's address comes from that guest's port only. Default: true.
    origin: Option<bool>,
    /// Fragments follow their first one and do not overlap it. Default: true.
    fragments: Option<bool>,
    /// TCP segments fit the state of their connection. Default: true.
    tcp_state: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum VlanOrRange {
    Vlan(#[schemars(range(min = 1, max = MAX_VLAN))] u16),
    Range(#[schemars(regex(pattern = "^[1-9][0-9]{0,3}-[1-9][0-9]{0,3}$"))] String),
}

/// How the queues of a port are opened. The monitor may change it later.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Tap {
    /// Whether a virtio header is in front of every frame. Default: true.
    vnet_header: Option<bool>,
    /// Bytes of it. Default: 10.
    #[schemars(transform = ten_or_twelve)]
    header_size: Option<u16>,
    /// What the monitor takes from the kernel unfinished. Default: nothing.
    offloads: Option<List<Offload>>,
    /// Bytes that may wait to be sent. Default: no limit; of macvtaps the kernel's.
    #[schemars(range(min = MIN_SNDBUF, max = MAX_SNDBUF))]
    sndbuf: Option<u32>,
    /// Whether what the guest sends goes through NAPI and GRO; not for macvtap ports. Default: false.
    napi: Option<bool>,
    /// Whether that copies less. Default: false.
    napi_frags: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum Offload {
    Csum,
    Tso4,
    Tso6,
    Ecn,
    Ufo,
    Uso4,
    Uso6,
}

fn ten_or_twelve(schema: &mut Schema) {
    schema.insert("enum".to_owned(), json!([10, 12]));
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum Filter {
    Policy,
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum Vhost {
    Auto,
    On,
    Off,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Owner {
    Name(String),
    Uid(#[schemars(range(max = u32::MAX - 1))] u32),
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Addresses {
    Listed(List<Address>),
    Any(AnyAddress),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum AnyAddress {
    /// What DHCP and router advertisements give the guest.
    Learn,
    /// Not checked.
    Any,
}

/// Ordered rules, and what happens where none matches.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Policy {
    /// Where no rule matches. Default: "deny".
    default: Option<Action>,
    /// What the policy denies is reported and not enforced, at all ports. Guards are enforced. Default: false.
    audit: Option<bool>,
    /// The first rule that matches decides.
    #[schemars(length(max = MAX_RULES))]
    rules: Option<Vec<Rule>>,
}

/// How connections are remembered.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Flows {
    /// How long connections may be silent, by their state: seconds, or a number with s, m, h or d; 1 s to 7 d.
    timeouts: Option<Timeouts>,
}

/// The names follow from `flow::DEFAULT_TIMEOUTS`.
struct Timeouts;

impl JsonSchema for Timeouts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timeouts".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        let time = json!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": MAX_TIMEOUT },
                { "type": "string", "pattern": "^[0-9]+[smhd]?$" },
            ],
        });
        let properties: serde_json::Map<String, Value> =
            DEFAULT_TIMEOUTS.iter().map(|(name, _)| ((*name).to_owned(), time.clone())).collect();
        schemars::json_schema!({ "type": "object", "additionalProperties": false, "properties": properties })
    }
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum Action {
    Deny,
    Allow,
    Reject,
}

/// Who may (or may not) open which connections towards whom. Exactly one of allow, deny and reject.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", transform = exactly_one_action)]
struct Rule {
    /// Services to let through.
    allow: Option<OneOrMore<Service>>,
    /// Services to drop.
    deny: Option<OneOrMore<Service>>,
    /// Services to drop, with word to the sender.
    reject: Option<OneOrMore<Service>>,
    /// Who opens the connection.
    from: OneOrMore<Selector>,
    /// Towards whom.
    to: OneOrMore<Selector>,
    /// Source ports, of TCP, UDP and SCTP. Default: any.
    source_ports: Option<OneOrMore<SourcePort>>,
    /// Shown wherever the rule decides.
    #[schemars(length(min = 1, max = MAX_RULE_NAME))]
    name: Option<String>,
    /// What is told of connections that the rule decides; see `netctl events`.
    log: Option<Log>,
    /// What the rule would do is reported; the rules behind it decide. Default: false.
    audit: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Log {
    /// Whether the first frame of each connection, and its end, are told of.
    Openings(bool),
    Chosen(LogTable),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, inline)]
struct LogTable {
    /// Events per second and CPU at most. Default: what the port may tell of.
    #[schemars(range(min = 1))]
    rate: Option<u16>,
    /// Frames of each connection that are told of, from its first one on. Default: 1.
    #[schemars(range(min = 1))]
    packets: Option<u8>,
}

fn exactly_one_action(schema: &mut Schema) {
    let one = ["allow", "deny", "reject"].map(|action| json!({ "required": [action] }));
    schema.insert("oneOf".to_owned(), json!(one));
}

/// A connection that somebody opens, and what is expected to become of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Test {
    /// Who opens it.
    from: Endpoint,
    /// Towards whom.
    to: Endpoint,
    /// One service: one port, an ICMP message, or an IP protocol.
    service: AskedService,
    /// Source port, of TCP, UDP and SCTP. Default: 49152.
    source_port: Option<u16>,
    /// What becomes of it.
    expect: Action,
    /// Shown wherever the test fails.
    #[schemars(length(min = 1, max = MAX_RULE_NAME))]
    name: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum SourcePort {
    Port(u16),
    Range(#[schemars(regex(pattern = "^[0-9]{1,5}(-[0-9]{1,5})?$"))] String),
}

#[derive(JsonSchema)]
#[schemars(transparent, inline)]
struct List<T>(#[schemars(length(max = MAX_LIST))] Vec<T>);

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum OneOrMore<T> {
    One(T),
    More(#[schemars(length(min = 1, max = MAX_LIST))] Vec<T>),
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident = $pattern:literal,)+) => {$(
        $(#[doc = $doc])+
        #[derive(PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
        struct $name(#[schemars(regex(pattern = $pattern))] String);
    )+};
}

texts! {
    /// 1 to 63 letters, digits, `.`, `_` and `-`, a letter or digit first.
    Name = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    /// An interface name of Linux: 1 to 15 characters.
    InterfaceName = "^[!-$&-.0-9;-~]{1,15}$",
    /// A vhost-vdpa device, such as `/dev/vhost-vdpa-0`.
    VdpaDevice = "^/dev/vhost-vdpa-(0|[1-9][0-9]{0,6})$",
    /// An Ethernet address, such as `52:54:00:00:00:11`.
    MacAddress = "^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$",
    /// An IPv4 or IPv6 address, such as `10.0.0.11`.
    Address = "^[0-9A-Fa-f.:]+$",
    /// An IPv4 or IPv6 address with a prefix length, such as `10.0.0.1/24`.
    HostAddress = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$",
    /// An IPv4 or IPv6 prefix, such as `192.0.2.0/24`, or a single address.
    Prefix = "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
    /// `any`, `host`, `world`, `multicast`, `broadcast`, the name of a port, group or set, a prefix or an address.
    Selector = "^[A-Za-z0-9:][A-Za-z0-9._:/-]*$",
    /// A port, `web1/10.0.0.11` for one of its addresses, an address, `host`, or `world/192.0.2.7`.
    Endpoint = "^[A-Za-z0-9:][A-Za-z0-9._:/-]*$",
    /// `tcp/443`, `icmp/echo-request`, `icmp6`, `ip/47`.
    AskedService = "^((tcp|udp|sctp)/[0-9]{1,5}|icmp6?(/[a-z0-9-]+(/[0-9]{1,3})?)?|ip/[a-z0-9]+)$",
    /// `any`, `tcp`, `tcp/443`, `udp/1000-2000`, `sctp`, `icmp/echo-request`, `icmp/3/4`, `icmp6`, `ip/47`, `ether/0x88cc`.
    Service = "^(any|(tcp|udp|sctp)(/[0-9]{1,5}(-[0-9]{1,5})?)?|icmp6?(/[a-z0-9-]+(/[0-9]{1,3})?)?|ip/[a-z0-9]+|ether/(0x[0-9A-Fa-f]{1,4}|[0-9]{1,5}))$",
}

#[cfg(test)]
pub(super) mod tests;
