//! A [`Config`] as a document: what the parser takes, with what it derives or assumes written out
//! where that helps (MAC addresses, interface names) and left out where it is the default.

mod flows;
mod guarding;
mod kind;
mod policy_test;
mod tap;

use std::fmt::{self, Display, Write};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

pub use guarding::{print_guarding, print_trunk};

use super::guarding::Limits;
use super::model::{
    Addresses, Config, Device, IcmpMatch, Log, Network, Port, PortRange, Rule, Selector, Service,
};
use super::parse::network::DEFAULT_ZONE;
use super::parse::port::{ANY_ADDRESS, LEARNED_ADDRESSES, VHOST_WORDS};
use super::words::{ICMP_NAMES, IcmpName, PROTOCOL_NAMES};

/// The canonical document: read again it gives the same [`Config`], but for line numbers.
pub fn print(config: &Config) -> String {
    Document(config).to_string()
}

struct Document<'a>(&'a Config);

impl Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, network) in &self.0.networks {
            print_network(f, name, network)?;
        }
        for (name, port) in &self.0.ports {
            print_port(f, name, port)?;
        }
        // Groups with ports are written at their ports.
        let mut empty = self.0.groups.iter().filter(|(_, ports)| ports.is_empty()).peekable();
        if empty.peek().is_some() {
            writeln!(f, "[groups]")?;
            empty.try_for_each(|(name, _)| writeln!(f, "{} = []", Key(name)))?;
            writeln!(f)?;
        }
        if !self.0.sets.is_empty() {
            writeln!(f, "[sets]")?;
            for (name, prefixes) in &self.0.sets {
                writeln!(f, "{} = {}", Key(name), List(prefixes.iter().map(|net| quote(Prefix(net)))))?;
            }
            writeln!(f)?;
        }
        f.write_str(&flows::text(&self.0.policy.timeouts))?;
        writeln!(f, "[policy]\ndefault = \"{}\"", self.0.policy.default.name())?;
        print_audit(f, self.0.policy.audit)?;
        if !self.0.policy.rules.is_empty() {
            writeln!(f, "rules = [")?;
            self.0.policy.rules.iter().try_for_each(|rule| print_rule(f, rule))?;
            writeln!(f, "]")?;
        }
        self.0.tests.iter().try_for_each(|test| policy_test::print(f, test))
    }
}

fn print_network(f: &mut fmt::Formatter<'_>, name: &str, network: &Network) -> fmt::Result {
    writeln!(f, "[networks.{}]\nkind = \"{}\"", Key(name), network.kind.name())?;
    if network.zone != DEFAULT_ZONE {
        writeln!(f, "zone = {}", quote(&network.zone))?;
    }
    if let Some(bridge) = network.bridge() {
        writeln!(f, "interface = {}", quote(bridge))?;
    }
    if !network.uplinks.is_empty() {
        writeln!(f, "uplinks = {}", List(network.uplinks.iter().map(quote)))?;
    }
    kind::print_network(f, network)?;
    if !network.addresses.is_empty() {
        writeln!(f, "addresses = {}", List(network.addresses.iter().map(quote)))?;
    }
    if let Some(mtu) = network.mtu {
        writeln!(f, "mtu = {mtu}")?;
    }
    writeln!(f)
}

fn print_port(f: &mut fmt::Formatter<'_>, name: &str, port: &Port) -> fmt::Result {
    writeln!(f, "[ports.{}]\nnetwork = {}", Key(name), quote(&port.network))?;
    writeln!(f, "mac = \"{}\"", port.mac)?;
    match &port.addresses {
        Addresses::Any => writeln!(f, "addresses = \"{ANY_ADDRESS}\"")?,
        Addresses::Listed(listed) => writeln!(f, "addresses = {}", List(listed.iter().map(quote)))?,
        Addresses::Learned => writeln!(f, "addresses = \"{LEARNED_ADDRESSES}\"")?,
    }
    if !port.groups.is_empty() {
        writeln!(f, "groups = {}", List(port.groups.iter().map(quote)))?;
    }
    // A vDPA device has no interface, so that the key is refused there.
    if !matches!(port.device, Device::Vdpa(_)) {
        writeln!(f, "ifname = {}", quote(&port.interface))?;
    }
    if port.queues != 1 {
        writeln!(f, "queues = {}", port.queues)?;
    }
    if let Some(owner) = port.owner {
        writeln!(f, "owner = {owner}")?;
    }
    if let Some(gid) = port.owner_group {
        writeln!(f, "owner-group = {gid}")?;
    }
    if let Some(options) = tap::text(&port.tap) {
        writeln!(f, "tap = {options}")?;
    }
    if port.limits != Limits::default() {
        writeln!(f, "limits = {}", port.limits)?;
    }
    if let Some(mtu) = port.mtu {
        writeln!(f, "mtu = {mtu}")?;
    }
    if let Some((word, _)) = VHOST_WORDS[1..].iter().find(|(_, vhost)| *vhost == port.vhost) {
        writeln!(f, "vhost = \"{word}\"")?;
    }
    kind::print_port(f, port)?;
    guarding::print_port(f, port)?;
    print_audit(f, port.audit)?;
    writeln!(f)
}

fn print_audit(f: &mut fmt::Formatter<'_>, audit: bool) -> fmt::Result {
    if audit { writeln!(f, "audit = true") } else { Ok(()) }
}

/// One rule, as it stands in a document.
pub fn print_rule_text(rule: &Rule) -> String {
    struct Text<'a>(&'a Rule);
    impl Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            print_rule(f, self.0)
        }
    }
    Text(rule).to_string().trim().trim_end_matches(',').to_owned()
}

fn print_rule(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    let services = OneOrMore(&rule.services, |service| quote(ServiceText(service)));
    let from = OneOrMore(&rule.from, |selector| quote(SelectorText(selector)));
    let to = OneOrMore(&rule.to, |selector| quote(SelectorText(selector)));
    write!(f, "  {{ {} = {services}, from = {from}, to = {to}", rule.action.name())?;
    if !rule.source_ports.is_empty() {
        write!(f, ", source-ports = {}", OneOrMore(&rule.source_ports, source_ports))?;
    }
    if let Some(name) = &rule.name {
        write!(f, ", name = {}", quote(name))?;
    }
    print_log(f, rule.log)?;
    if rule.audit {
        write!(f, ", audit = true")?;
    }
    writeln!(f, " }},")
}

fn print_log(f: &mut fmt::Formatter<'_>, log: Option<Log>) -> fmt::Result {
    match log {
        None => Ok(()),
        Some(Log::OPENINGS) => write!(f, ", log = true"),
        Some(Log { rate: None, packets }) => write!(f, ", log = {{ packets = {packets} }}"),
        Some(Log { rate: Some(rate), packets: 1 }) => write!(f, ", log = {{ rate = {rate} }}"),
        Some(Log { rate: Some(rate), packets }) => {
            write!(f, ", log = {{ rate = {rate}, packets = {packets} }}")
        }
    }
}

fn source_ports(range: &RangeInclusive<u16>) -> String {
    let (first, last) = (range.start(), range.end());
    if first == last { first.to_string() } else { format!("\"{first}-{last}\"") }
}

/// A basic string. Control characters are in no document that was accepted, but nothing here relies on it.
fn quote(text: impl Display) -> String {
    let mut out = String::from("\"");
    for c in text.to_string().chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key: bare where TOML allows it.
struct Key<'a>(&'a str);

impl Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare =
            !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if bare { f.write_str(self.0) } else { f.write_str(&quote(self.0)) }
    }
}

/// `[a, b]`.
struct List<I>(I);

impl<I: Iterator<Item = String> + Clone> Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, item) in self.0.clone().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(&item)?;
        }
        f.write_char(']')
    }
}

/// A list of one entry is written as the entry.
struct OneOrMore<'a, T>(&'a [T], fn(&T) -> String);

impl<T> Display for OneOrMore<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [only] => f.write_str(&(self.1)(only)),
            many => List(many.iter().map(self.1)).fmt(f),
        }
    }
}

/// A prefix; one address is written without its length.
struct Prefix<'a>(&'a IpNet);

impl Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            <IpAddr as Display>::fmt(&self.0.addr(), f)
        } else {
            <IpNet as Display>::fmt(self.0, f)
        }
    }
}

/// A selector as a rule writes it.
pub fn print_selector(selector: &Selector) -> String {
    SelectorText(selector).to_string()
}

/// A service as a rule writes it.
pub fn print_service(service: &Service) -> String {
    ServiceText(service).to_string()
}

struct SelectorText<'a>(&'a Selector);

impl Display for SelectorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Selector::Any => f.write_str("any"),
            Selector::Host => f.write_str("host"),
            Selector::World => f.write_str("world"),
            Selector::Multicast => f.write_str("multicast"),
            Selector::Broadcast => f.write_str("broadcast"),
            Selector::Group(name) | Selector::Port(name) | Selector::Set(name) => f.write_str(name),
            Selector::Prefix(net) => Prefix(net).fmt(f),
        }
    }
}

struct ServiceText<'a>(&'a Service);

impl Display for ServiceText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Service::Any => f.write_str("any"),
            Service::Tcp(range) => print_ports(f, "tcp", *range),
            Service::Udp(range) => print_ports(f, "udp", *range),
            Service::Sctp(range) => print_ports(f, "sctp", *range),
            Service::Icmp(what) => print_icmp(f, "icmp", *what, |name| name.icmp),
            Service::Icmp6(what) => print_icmp(f, "icmp6", *what, |name| name.icmp6),
            Service::Protocol(number) => match PROTOCOL_NAMES.iter().find(|(_, known)| known == number) {
                Some((name, _)) => write!(f, "ip/{name}"),
                None => write!(f, "ip/{number}"),
            },
            Service::Ethertype(number) => write!(f, "ether/{number:#06x}"),
        }
    }
}

fn print_ports(f: &mut fmt::Formatter<'_>, protocol: &str, range: PortRange) -> fmt::Result {
    match range {
        PortRange::ALL => f.write_str(protocol),
        PortRange { first, last } if first == last => write!(f, "{protocol}/{first}"),
        PortRange { first, last } => write!(f, "{protocol}/{first}-{last}"),
    }
}

fn print_icmp(
    f: &mut fmt::Formatter<'_>,
    family: &str,
    what: IcmpMatch,
    of: fn(&IcmpName) -> Option<IcmpMatch>,
) -> fmt::Result {
    let name = ICMP_NAMES.iter().find(|name| of(name) == Some(what)).map(|name| name.name);
    match (what, name) {
        (_, Some(name)) => write!(f, "{family}/{name}"),
        (IcmpMatch::All, None) => f.write_str(family),
        (IcmpMatch::Type(kind), None) => write!(f, "{family}/{kind}"),
        (IcmpMatch::Code(kind, code), None) => write!(f, "{family}/{kind}/{code}"),
    }
}

#[cfg(test)]
mod tests;
