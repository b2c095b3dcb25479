//! A flow remembers its generation: what runs now decides about it, in the direction in which it was opened.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, flow, from, passes, revoked, to};
use super::documents::{document, document_without};
use super::flows::{RULES, policy, ways};
use super::stations::{DB1, PROBE, WEB1, WORLD, link, v4, v6};
use crate::frame::{ACK, Build, Carrier, Network, RST, SYN};

const DENY: &str = "  { deny = \"tcp/80\", from = \"web\", to = \"db\", name = \"no web\" },\n";
const REJECT: &str = "  { reject = \"tcp/80\", from = \"web\", to = \"db\", name = \"refused\" },\n";
/// The same service by another rule, behind one for replies that must not matter.
const OTHER: &str = "  { deny = \"tcp\", from = \"db\", to = \"web\", name = \"nothing back\" },
  { allow = \"tcp\", from = \"web\", to = \"db\", name = \"all of tcp\" },\n";

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        all.push(cut_and_back(family, &there, &back));
        all.push(by_another_rule(family, &there, &back));
        all.push(while_denied(family, &there, &back));
        all.push(by_default(family, &there, &back));
    }
    all.push(address_taken_away());
    all.push(address_given_to_another());
    all.push(opened_from_outside());
    all.push(group_member_leaves());
    all
}

fn tcp(ip: &Network, flags: u8) -> Vec<u8> {
    ip.clone().tcp(40001, 80).flags(flags).frame()
}

fn answer(ip: &Network, flags: u8) -> Vec<u8> {
    ip.clone().tcp(80, 40001).flags(flags).frame()
}

fn cut_and_back(family: &str, there: &Network, back: &Network) -> Sequence {
    let no = revoked(Action::Deny, Some("no web"));
    Sequence::new(
        format!("a rule that is withdrawn cuts its flows, both ways, until it is back ({family})"),
        &policy(),
    )
    .then(from("web1"), tcp(there, SYN), allow("service"))
    .then(to("web1"), answer(back, SYN | ACK), flow("service"))
    .apply(&document("deny", DENY))
    .then(to("web1"), answer(back, ACK), no)
    .then(from("web1"), tcp(there, ACK), no)
    .then(from("web1"), tcp(there, SYN), no)
    .apply(&document("deny", REJECT))
    .then(from("web1"), tcp(there, ACK), revoked(Action::Reject, Some("refused")))
    .apply(&policy())
    .then(to("web1"), answer(back, ACK), flow("service"))
    .then(from("web1"), tcp(there, ACK), flow("service"))
}

fn by_another_rule(family: &str, there: &Network, back: &Network) -> Sequence {
    Sequence::new(format!("a flow goes on by the rule that now allows its opening ({family})"), &policy())
        .then(from("web1"), tcp(there, SYN), allow("service"))
        .then(to("db1"), tcp(there, SYN), allow("service"))
        .apply(&document("deny", OTHER))
        // A reply comes first; it is the opening that counts.
        .then(to("web1"), answer(back, SYN | ACK), flow("all of tcp"))
        .then(from("db1"), answer(back, SYN | ACK), flow("all of tcp"))
}

fn while_denied(family: &str, there: &Network, back: &Network) -> Sequence {
    Sequence::new(
        format!("a flow that was reset opens again only by the policy that runs ({family})"),
        &policy(),
    )
    .then(from("web1"), tcp(there, SYN), allow("service"))
    .then(to("web1"), answer(back, RST | ACK), flow("service"))
    .apply(&document("deny", DENY))
    .then(from("web1"), tcp(there, SYN), super::case::deny("no web"))
    .then(from("web1"), tcp(there, ACK), revoked(Action::Deny, Some("no web")))
    .apply(&policy())
    .then(from("web1"), tcp(there, SYN), allow("service"))
}

fn by_default(family: &str, there: &Network, back: &Network) -> Sequence {
    Sequence::new(format!("the default decides about flows as well ({family})"), &document("allow", ""))
        .then(from("web1"), tcp(there, SYN), default(Action::Allow))
        .then(to("web1"), answer(back, SYN | ACK), passes(Reason::Flow))
        .apply(&document("reject", ""))
        .then(to("web1"), answer(back, ACK), revoked(Action::Reject, None))
        .apply(&document("deny", ""))
        .then(from("web1"), tcp(there, ACK), revoked(Action::Deny, None))
        .apply(&document("allow", ""))
        .then(from("web1"), tcp(there, ACK), passes(Reason::Flow))
}

fn address_taken_away() -> Sequence {
    let second = |flags| link(&WEB1, &DB1).ipv4("10.0.0.111", DB1.v4).tcp(40001, 80).flags(flags).frame();
    let fresh = link(&WEB1, &DB1).ipv4("10.0.0.111", DB1.v4).tcp(40002, 80).frame();
    Sequence::new("a flow ends with the address that it was opened from", &policy())
        .then(from("web1"), second(SYN), allow("service"))
        .apply(&document_without("10.0.0.111", "deny", RULES))
        .then(from("web1"), second(ACK), revoked(Action::Deny, None))
        .then(from("web1"), fresh, denied(Reason::SpoofedIpv4))
        .apply(&policy())
        .then(from("web1"), second(ACK), flow("service"))
}

fn address_given_to_another() -> Sequence {
    let rules = "  { allow = \"udp/53\", from = \"probe\", to = \"any\", name = \"probe\" },\n";
    let without = document_without("10.0.0.111", "deny", rules);
    let frame = || link(&PROBE, &DB1).ipv4("10.0.0.111", DB1.v4).udp(1, 53).frame();
    Sequence::new("any address is any that nobody else owns now", &without)
        .then(from("probe"), frame(), allow("probe"))
        .apply(&document("deny", rules))
        .then(from("probe"), frame(), revoked(Action::Deny, None))
        .then(from("probe"), v4(&PROBE, &DB1).udp(1, 53).frame(), allow("probe"))
        .apply(&without)
        .then(from("probe"), frame(), flow("probe"))
}

fn opened_from_outside() -> Sequence {
    let rules = "  { allow = \"tcp\", from = \"web\", to = \"world\", name = \"out\" },\n";
    Sequence::new("a rule for the way back is none for a flow that was opened from outside", &policy())
        .then(to("web1"), v6(&WORLD, &WEB1).tcp(5000, 8080).frame(), allow("published"))
        .apply(&document("deny", rules))
        .then(from("web1"), v6(&WEB1, &WORLD).tcp(8080, 5000).flags(ACK).frame(), revoked(Action::Deny, None))
        .then(from("web1"), v6(&WEB1, &WORLD).tcp(8080, 5000).frame(), allow("out"))
        .then(to("web1"), v6(&WORLD, &WEB1).tcp(5000, 8080).flags(SYN | ACK).frame(), flow("out"))
}

fn group_member_leaves() -> Sequence {
    let without = policy().replacen("groups = [\"web\"]", "groups = [\"db\"]", 1);
    Sequence::new("who leaves a group loses what it opened as its member", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).tcp(40001, 80).frame(), allow("service"))
        .apply(&without)
        .then(from("web1"), v4(&WEB1, &DB1).tcp(40001, 80).flags(ACK).frame(), revoked(Action::Deny, None))
}
