//! Audit mode: what is let be and told, and what is enforced all the same.

use netctl_common::verdict::{Action, Reason};

use super::case::Would::{Default, Rule};
use super::case::{Rows, allow, default, denied, deny, flow, from, passes, reject, revoked, to};
use super::documents::document;
use super::flows::ways;
use super::stations::{DB1, WEB1, WEB2, WORLD, link, v4};
use super::{Sequence, Subject};
use crate::frame::{ACK, BROADCAST, Build, Carrier, Network, RST, SYN, eth, mac};

const RULES: &str = r#"
  { deny = "tcp/22", from = "web", to = "db", name = "no ssh", audit = true },
  { deny = "tcp/22", from = "web1", to = "any", name = "behind no ssh", audit = true },
  { allow = "tcp/22-23", from = "web", to = "db", name = "tcp" },
  { allow = "tcp/24", from = "web", to = "db", name = "new", audit = true },
  { allow = "tcp/25", from = "any", to = "db", name = "the same", audit = true },
  { allow = "tcp/25", from = "web", to = "any", name = "enforced" },
  { reject = "tcp/26", from = "web", to = "db", name = "told", audit = true },
  { deny = "tcp/26", from = "any", to = "any", name = "silent" },
  { deny = "any", from = "web2", to = "any", name = "all of web2", audit = true },
  { allow = "udp/53", from = "any", to = "world", name = "dns" },
  { deny = "udp/5353", from = "web", to = "multicast", name = "no mdns", audit = true },
  { allow = "udp/5353", from = "any", to = "multicast", name = "mdns" },
  { allow = "ether/0x88b5", from = "web", to = "broadcast", name = "new type", audit = true },
  { deny = "ether/0x88b6", from = "web", to = "db", name = "old type", audit = true },
  { allow = "ether/0x88b6", from = "web1", to = "db1", name = "type" },
"#;

/// Rules of the documents whose policy or port is audited.
const DENIALS: &str = r#"
  { deny = "tcp/22", from = "web", to = "db", name = "no ssh" },
  { reject = "tcp/23", from = "web", to = "db", name = "no telnet" },
  { allow = "tcp/80", from = "web", to = "db", name = "http" },
  { deny = "ether/0x88b6", from = "web", to = "db", name = "old type" },
"#;

/// The same rules, none of them audited.
fn enforced() -> String {
    document("deny", &RULES.replace(", audit = true", ""))
}

fn audited_policy() -> String {
    document("deny", DENIALS).replace("[policy]\n", "[policy]\naudit = true\n")
}

fn audited_port() -> String {
    let mac = "mac = \"52:54:00:00:00:01\"\n";
    document("deny", DENIALS).replace(mac, &format!("{mac}audit = true\n"))
}

fn tcp(port: u16) -> impl Fn(Network) -> Vec<u8> {
    move |ip| ip.tcp(40000, port).frame()
}

pub(super) fn rules() -> Subject {
    let mut rows = Rows::default();
    let (web1, pair) = (from("web1"), (&WEB1, &DB1));
    let no_ssh = allow("tcp").but(Rule("no ssh"));
    rows.both("the first of two audited rules is told of", web1, pair, tcp(22), no_ssh);
    rows.both("and at the receiver", to("db1"), pair, tcp(22), no_ssh);
    rows.both("beside an audited rule", web1, pair, tcp(23), allow("tcp"));
    rows.both("would be allowed", web1, pair, tcp(24), default(Action::Deny).but(Rule("new")));
    rows.both("the outcome is the same", web1, pair, tcp(25), allow("enforced"));
    rows.both("would be rejected", web1, pair, tcp(26), deny("silent").but(Rule("told")));
    let dns = |ip: Network| ip.udp(1, 53).frame();
    let all = allow("dns").but(Rule("all of web2"));
    rows.both("an audited rule for any service", from("web2"), (&WEB2, &WORLD), dns, all);
    let denied_anyhow = |ip: Network| ip.udp(1, 54).frame();
    let same = default(Action::Deny);
    rows.both("it would deny what the default denies", from("web2"), (&WEB2, &WORLD), denied_anyhow, same);
    let middle = |ip: Network| ip.tcp(40000, 24).flags(ACK).frame();
    let no_flow = denied(Reason::NoFlow).but(Rule("new"));
    rows.both("the middle of what would be allowed", web1, pair, middle, no_flow);
    let mdns = eth(WEB1.mac, [1, 0, 0x5e, 0, 0, 0xfb]).ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame();
    rows.row("to a group", web1, mdns, allow("mdns").but(Rule("no mdns")));
    let new = eth(WEB1.mac, BROADCAST).payload(0x88b5, b"x").frame();
    rows.row("a type would be allowed", web1, new, denied(Reason::UnknownEthertype).but(Rule("new type")));
    let old = link(&WEB1, &DB1).payload(0x88b6, b"x").frame();
    rows.row("a type would be denied", web1, old, allow("type").but(Rule("old type")));
    let spoofed = eth(mac(9), DB1.mac).ipv4(WEB1.v4, DB1.v4).tcp(1, 22).frame();
    rows.row("a guard comes before an audited rule", web1, spoofed, denied(Reason::SpoofedMac));
    Subject { name: "audited rules", document: document("deny", RULES), cases: rows.0 }
}

pub(super) fn policy() -> Subject {
    let mut rows = Rows::default();
    let (web1, pair) = (from("web1"), (&WEB1, &DB1));
    let by_default = passes(Reason::Audit).but(Default);
    rows.both("a rule denies", web1, pair, tcp(22), allow("no ssh").but(Rule("no ssh")));
    rows.both("a rule rejects", to("db1"), pair, tcp(23), allow("no telnet").but(Rule("no telnet")));
    rows.both("a rule allows", web1, pair, tcp(80), allow("http"));
    rows.both("the default denies", web1, pair, tcp(81), by_default);
    rows.both("the default denies at the receiver", to("web1"), (&WORLD, &WEB1), tcp(81), by_default);
    let middle = |ip: Network| ip.tcp(40001, 81).flags(ACK).frame();
    rows.both("the middle of a connection is taken up", web1, pair, middle, by_default);
    let all = eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(68, 67).frame();
    rows.row("to all", web1, all, by_default);
    let old = link(&WEB1, &DB1).payload(0x88b6, b"x").frame();
    rows.row("a rule denies a type", web1, old, allow("old type").but(Rule("old type")));
    enforced_all_the_same(&mut rows);
    Subject { name: "an audited policy", document: audited_policy(), cases: rows.0 }
}

fn enforced_all_the_same(rows: &mut Rows) {
    let (web1, pair) = (from("web1"), (&WEB1, &DB1));
    let mut row = |name, frame, reason| rows.row(name, web1, frame, denied(reason));
    let udp = |link: crate::frame::Eth| link.ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame();
    row("another's MAC address", udp(eth(mac(9), DB1.mac)), Reason::SpoofedMac);
    let other = link(&WEB1, &DB1).ipv4(WEB2.v4, DB1.v4).udp(1, 2).frame();
    row("another's IP address", other, Reason::SpoofedIpv4);
    let loopback = link(&WEB1, &DB1).ipv4(WEB1.v4, "127.0.0.1").udp(1, 2).frame();
    row("a martian", loopback, Reason::MartianAddress);
    let unknown = link(&WEB1, &DB1).payload(0x88b7, b"x").frame();
    row("a type that no rule names", unknown, Reason::UnknownEthertype);
    let answer = |ip: Network| ip.tcp(81, 40000).flags(SYN | ACK).frame();
    rows.both("an answer without a question", web1, pair, answer, denied(Reason::NoFlow));
    let reset = |ip: Network| ip.tcp(81, 40000).flags(RST).frame();
    rows.both("a reset of nothing", web1, pair, reset, denied(Reason::NoFlow));
    let foreign = v4(&WORLD, &DB1).tcp(1, 81).frame();
    rows.row("what is for another", to("web1"), foreign, denied(Reason::WrongDestination));
}

pub(super) fn port() -> Subject {
    let mut rows = Rows::default();
    let (pair, back) = ((&WEB1, &DB1), (&DB1, &WEB1));
    let by_default = passes(Reason::Audit).but(Default);
    rows.both("its own end", from("web1"), pair, tcp(22), allow("no ssh").but(Rule("no ssh")));
    rows.both("the other end is not audited", to("db1"), pair, tcp(22), deny("no ssh"));
    rows.both("nor what comes from there", from("db1"), back, tcp(81), default(Action::Deny));
    rows.both("but where it arrives", to("web1"), back, tcp(81), by_default);
    rows.both("another port of its group", from("web2"), (&WEB2, &DB1), tcp(23), reject("no telnet"));
    Subject { name: "an audited port", document: audited_port(), cases: rows.0 }
}

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        all.push(connection(family, &there, &back));
        all.push(rule_of_a_flow(family, &there, &back));
        all.push(rule_beside_a_flow(family, &there, &back));
        all.push(taken_up(family, &there, &back));
        all.push(would_be_kept(family, &there));
    }
    all
}

fn segment(ip: &Network, port: u16, flags: u8) -> Vec<u8> {
    ip.clone().tcp(40001, port).flags(flags).frame()
}

fn answer(ip: &Network, port: u16, flags: u8) -> Vec<u8> {
    ip.clone().tcp(port, 40001).flags(flags).frame()
}

fn connection(family: &str, there: &Network, back: &Network) -> Sequence {
    let by_default = passes(Reason::Audit).but(Default);
    let part = passes(Reason::Flow);
    let name = format!("audit mode makes flows, told of once, which end with it ({family})");
    Sequence::new(name, &audited_policy())
        .then(from("web1"), segment(there, 81, SYN), by_default)
        .then(to("db1"), segment(there, 81, SYN), by_default)
        .then(from("db1"), answer(back, 81, SYN | ACK), part)
        .then(to("web1"), answer(back, 81, SYN | ACK), part)
        .then(from("web1"), segment(there, 81, ACK), part)
        // Still so in the next generation: told of already.
        .apply(&audited_policy())
        .then(from("web1"), segment(there, 81, ACK), part)
        .apply(&document("deny", DENIALS))
        .then(from("web1"), segment(there, 81, ACK), revoked(Action::Deny, None))
        .then(to("web1"), answer(back, 81, ACK), revoked(Action::Deny, None))
        .apply(&audited_policy())
        .then(to("web1"), answer(back, 81, ACK), by_default)
        .then(from("web1"), segment(there, 81, ACK), part)
}

fn rule_of_a_flow(family: &str, there: &Network, back: &Network) -> Sequence {
    let name = format!("a flow against an audited rule ends when the rule is enforced ({family})");
    Sequence::new(name, &document("deny", RULES))
        .then(from("web1"), segment(there, 22, SYN), allow("tcp").but(Rule("no ssh")))
        .then(to("web1"), answer(back, 22, SYN | ACK), flow("tcp"))
        .apply(&enforced())
        .then(from("web1"), segment(there, 22, ACK), revoked(Action::Deny, Some("no ssh")))
        .apply(&document("deny", RULES))
        .then(from("web1"), segment(there, 22, ACK), allow("tcp").but(Rule("no ssh")))
        .then(from("web1"), segment(there, 22, ACK), flow("tcp"))
}

fn rule_beside_a_flow(family: &str, there: &Network, back: &Network) -> Sequence {
    let before = "  { allow = \"tcp\", from = \"web\", to = \"db\", name = \"all\" },\n";
    let name = format!("an audited rule tells of flows that were there before it ({family})");
    Sequence::new(name, &document("deny", before))
        .then(from("web1"), segment(there, 22, SYN), allow("all"))
        .apply(&document("deny", RULES))
        .then(to("web1"), answer(back, 22, SYN | ACK), allow("tcp").but(Rule("no ssh")))
        .then(from("web1"), segment(there, 22, ACK), flow("tcp"))
}

fn taken_up(family: &str, there: &Network, back: &Network) -> Sequence {
    let name = format!("audit mode takes up the connections that it finds ({family})");
    Sequence::new(name, &audited_port())
        .then(to("web1"), answer(back, 81, ACK), passes(Reason::Audit).but(Default))
        .then(from("web1"), segment(there, 81, ACK), passes(Reason::Flow))
        .apply(&document("deny", DENIALS))
        .then(from("web1"), segment(there, 81, ACK), revoked(Action::Deny, None))
}

fn would_be_kept(family: &str, there: &Network) -> Sequence {
    let with = "  { allow = \"tcp/24\", from = \"web\", to = \"db\", name = \"new\" },\n";
    let name = format!("a flow ends although an audited rule would keep it, which is told once ({family})");
    let no = revoked(Action::Deny, None);
    Sequence::new(name, &document("deny", with))
        .then(from("web1"), segment(there, 24, SYN), allow("new"))
        .apply(&document("deny", RULES))
        .then(from("web1"), segment(there, 24, ACK), no.but(Rule("new")))
        .then(from("web1"), segment(there, 24, ACK), no)
}
