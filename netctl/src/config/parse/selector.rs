//! Selectors: the text of `from` and `to`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address;
use super::name::{Kind, Names};
use crate::config::escape::quoted;
use crate::config::model::Selector;
use crate::config::report::Complaint;
use crate::config::words::SELECTOR_WORDS;

/// Which end of a flow is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

/// One selector. Whether to look for the name that was meant is `propose`.
pub(super) fn selector(
    text: &str,
    side: Side,
    names: &Names<'_>,
    propose: bool,
) -> Result<Selector, Complaint> {
    let selector = match text {
        "any" => Selector::Any,
        "host" => Selector::Host,
        "world" => Selector::World,
        "multicast" => Selector::Multicast,
        "broadcast" => Selector::Broadcast,
        _ => match names.kind(text) {
            Some(Kind::Port) => Selector::Port(text.to_owned()),
            Some(Kind::Group) => Selector::Group(text.to_owned()),
            Some(Kind::Set) => Selector::Set(text.to_owned()),
            None if is_address(text) => Selector::Prefix(address::prefix(text)?),
            None => return Err(unknown(text, names, propose)),
        },
    };
    if side == Side::From && is_group_address(&selector) {
        let message = format!("nobody sends from {}", quoted(text));
        return Err(Complaint::new(message, "name it in `to`; `from` is who opens the flow"));
    }
    Ok(selector)
}

/// Whether the text is meant as an address or prefix, well or badly written. No name has `:` or `/`.
fn is_address(text: &str) -> bool {
    let numeric = text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    numeric || text.contains([':', '/'])
}

fn is_group_address(selector: &Selector) -> bool {
    match selector {
        Selector::Multicast | Selector::Broadcast => true,
        Selector::Prefix(IpNet::V4(net)) => {
            (net.prefix_len() >= 4 && net.addr().is_multicast()) || net.addr().is_broadcast()
        }
        Selector::Prefix(IpNet::V6(net)) => net.prefix_len() >= 8 && IpAddr::V6(net.addr()).is_multicast(),
        _ => false,
    }
}

fn unknown(text: &str, names: &Names<'_>, propose: bool) -> Complaint {
    let near = if propose { names.nearest(text, SELECTOR_WORDS) } else { None };
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "name a port, a group or a set, write an address, or one of {}",
            SELECTOR_WORDS.join(", ")
        ),
    };
    Complaint::new(format!("there is no port, group or set {}", quoted(text)), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, side: Side, message: &str) {
        let complaint = selector(text, side, &Names::default(), true).unwrap_err();
        assert_eq!(complaint.message, message);
    }

    #[test]
    fn words_and_prefixes_need_no_names() {
        let names = Names::default();
        let read = |text| selector(text, Side::To, &names, true).unwrap();
        assert_eq!(read("any"), Selector::Any);
        assert_eq!(read("multicast"), Selector::Multicast);
        assert_eq!(read("10.0.0.0/8"), Selector::Prefix("10.0.0.0/8".parse().unwrap()));
        assert_eq!(read("fd00::1"), Selector::Prefix("fd00::1/128".parse().unwrap()));
        assert_eq!(read("224.0.0.251"), Selector::Prefix("224.0.0.251/32".parse().unwrap()));
    }

    #[test]
    fn group_addresses_send_nothing() {
        for text in ["multicast", "broadcast", "224.0.0.0/4", "239.1.2.3", "ff02::/16", "255.255.255.255"] {
            refused(text, Side::From, &format!("nobody sends from `{text}`"));
        }
        for text in ["0.0.0.0/0", "::/0", "192.0.0.0/2"] {
            assert!(
                selector(text, Side::From, &Names::default(), true).is_ok(),
                "{text} has unicast addresses"
            );
        }
    }

    #[test]
    fn what_looks_like_an_address_is_reported_as_one() {
        refused("10.0.0", Side::To, "`10.0.0` is no IP address");
        refused("fd00::g", Side::To, "`fd00::g` is no IP address");
        refused("web/24", Side::To, "`web` is no IP address");
        refused("web", Side::To, "there is no port, group or set `web`");
    }

    #[test]
    fn a_slip_in_a_word_is_proposed_only_where_it_is_wanted() {
        let propose = |wanted| selector("wrold", Side::To, &Names::default(), wanted).unwrap_err().help;
        assert_eq!(propose(true), "did you mean `world`?");
        assert!(propose(false).starts_with("name a port"));
    }
}
