//! Which flows a command is about.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netctl_common::abi::{FlowEntry, FlowKey};
use netctl_common::flow::state_name;
use netctl_common::frame::number;
use netctl_common::verdict::{Action, Direction};

use crate::cli::{FlowFilterArgs, FlowState, FlowVerdict};
use crate::config::{self, Addresses, Config, IcmpMatch, PortRange, Service};
use crate::error::{Error, nearest};
use crate::kernel::running::RunningPort;
use crate::names;
use crate::state::State;

/// [`FlowFilterArgs`], with every name resolved against the document that runs.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    args: FlowFilterArgs,
    peer: Option<Peer>,
    service: Option<Service>,
    /// Indexes of rules in the generation `generation`.
    rules: Option<HashSet<u32>>,
    generation: u32,
}

#[derive(Clone, Debug)]
enum Peer {
    Net(IpNet),
    /// With the numbers of the zones that they are in.
    Addresses(HashSet<(u32, IpAddr)>),
}

impl Filter {
    /// # Errors
    /// A port, rule or service that is not there, with the nearest one.
    pub(super) fn new(state: &State, args: &FlowFilterArgs) -> Result<Self, Error> {
        state.ports_named(args.port.as_deref())?;
        Ok(Self {
            args: args.clone(),
            peer: args.peer.as_deref().map(|peer| Peer::of(state, peer)).transpose()?,
            service: args.service.as_deref().map(service).transpose()?,
            rules: args.rule.as_deref().map(|rule| rules(&state.config, rule)).transpose()?,
            generation: state.root.generation,
        })
    }

    /// The same for what runs now.
    ///
    /// # Errors
    /// As [`Self::new`]: the document may have lost a name.
    pub(super) fn renewed(&self, state: &State) -> Result<Self, Error> {
        Self::new(state, &self.args)
    }

    /// The ports whose tables are asked.
    pub(super) fn ports<'a>(&self, state: &'a State) -> Result<Vec<&'a RunningPort>, Error> {
        state.ports_named(self.args.port.as_deref())
    }

    pub(super) fn takes(&self, port: &RunningPort, key: &FlowKey, entry: &FlowEntry) -> bool {
        self.takes_state(key, entry)
            && self.takes_rule(entry)
            && self.takes_service(key, entry)
            && self.peer.as_ref().is_none_or(|peer| peer.has(port.entry.zone, names::address(key.remote)))
    }

    fn takes_state(&self, key: &FlowKey, entry: &FlowEntry) -> bool {
        let allows = Action::decode(u32::from(entry.action)) == Action::Allow;
        let verdict = match self.args.verdict {
            None => true,
            Some(FlowVerdict::Allow) => allows,
            Some(FlowVerdict::Deny) => !allows,
        };
        let is = |word| state_name(key.protocol, entry.seen) == word;
        verdict
            && match self.args.state {
                None => true,
                Some(FlowState::New) => is("opening") || is("unanswered"),
                Some(FlowState::Opening) => is("opening"),
                Some(FlowState::Established) => is("established"),
                Some(FlowState::Closing) => is("closing"),
                Some(FlowState::Closed) => is("closed"),
                Some(FlowState::Reset) => is("reset"),
                Some(FlowState::Unanswered) => is("unanswered"),
                Some(FlowState::Answered) => is("answered"),
                Some(FlowState::Denied) => !allows,
                Some(FlowState::Killed) => is("killed"),
            }
    }

    /// A rule's number in an older generation means another one.
    fn takes_rule(&self, entry: &FlowEntry) -> bool {
        self.rules
            .as_ref()
            .is_none_or(|rules| entry.generation == self.generation && rules.contains(&entry.rule))
    }

    fn takes_service(&self, key: &FlowKey, entry: &FlowEntry) -> bool {
        let Some(service) = &self.service else { return true };
        let port = key.opening(Direction::decode(entry.opener)).destination_port;
        let within = |protocol, range: &PortRange| {
            key.protocol == protocol && (range.first..=range.last).contains(&port)
        };
        let icmp = |protocol, matched: &IcmpMatch| {
            let [kind, code] = port.to_be_bytes();
            key.protocol == protocol
                && match *matched {
                    IcmpMatch::All => true,
                    IcmpMatch::Type(wanted) => kind == wanted,
                    IcmpMatch::Code(wanted, with) => (kind, code) == (wanted, with),
                }
        };
        match service {
            Service::Any => true,
            Service::Tcp(range) => within(number::TCP, range),
            Service::Udp(range) => within(number::UDP, range),
            Service::Sctp(range) => within(number::SCTP, range),
            Service::Icmp(matched) => icmp(number::ICMP, matched),
            Service::Icmp6(matched) => icmp(number::ICMP6, matched),
            Service::Protocol(protocol) => key.protocol == *protocol,
            // Frames without IP have no flows.
            Service::Ethertype(_) => false,
        }
    }
}

fn service(text: &str) -> Result<Service, Error> {
    match config::parse_service(text).map_err(Error::Question)? {
        Service::Ethertype(_) => {
            Err(Error::Question(format!("`{text}` is no service of flows: frames without IP have none")))
        }
        service => Ok(service),
    }
}

/// By number, or all of a name.
fn rules(config: &Config, rule: &str) -> Result<HashSet<u32>, Error> {
    let all = &config.policy.rules;
    let named = (0..).zip(all).filter(|(_, other)| other.name.as_deref() == Some(rule));
    let named: HashSet<u32> = named.map(|(index, _)| index).collect();
    match rule.parse::<u32>() {
        _ if !named.is_empty() => Ok(named),
        Ok(number) if (1..=all.len() as u32).contains(&number) => Ok([number - 1].into()),
        Ok(_) => Err(Error::Question(format!(
            "no rule {rule} in the running document, which has {}; `netctl stats` shows them",
            all.len()
        ))),
        Err(_) => {
            let near = nearest(rule, all.iter().filter_map(|rule| rule.name.as_deref()));
            let hint = near.map_or_else(
                || "; `netctl stats` shows them".to_owned(),
                |near| format!("; did you mean `{near}`?"),
            );
            Err(Error::Question(format!("no rule `{rule}` in the running document{hint}")))
        }
    }
}

impl Peer {
    fn of(state: &State, text: &str) -> Result<Self, Error> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.to_canonical().into()));
        }
        if text == "host" {
            return Ok(Self::Addresses(of_host(state)));
        }
        let config = &state.config;
        let port = config.ports.get(text).ok_or_else(|| Error::no_port(text, config))?;
        if port.addresses == Addresses::Any {
            let text = format!("port `{text}` may use any address; name the one that is meant");
            return Err(Error::Question(text));
        }
        let mut addresses: HashSet<IpAddr> = match &port.addresses {
            Addresses::Listed(addresses) => addresses.iter().copied().collect(),
            Addresses::Any | Addresses::Learned => HashSet::new(),
        };
        addresses.insert(IpAddr::V6(port.mac.link_local()));
        addresses.extend(state.leases_of(text).map(|(key, _)| names::address(key.address)));
        let zone = zone_of(state, &port.network);
        Ok(Self::Addresses(addresses.into_iter().filter_map(|address| Some((zone?, address))).collect()))
    }

    fn has(&self, zone: u32, address: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&address),
            Self::Addresses(addresses) => addresses.contains(&(zone, address)),
        }
    }
}

fn of_host(state: &State) -> HashSet<(u32, IpAddr)> {
    let networks = state.config.networks.iter().filter_map(|(name, network)| {
        let zone = zone_of(state, name)?;
        let link_local = IpAddr::V6(network.mac.link_local());
        Some(network.addresses.iter().map(|a| a.addr()).chain([link_local]).map(move |a| (zone, a)))
    });
    networks.flatten().collect()
}

/// The number of a network's zone, by a port that is in it; `None` where no port runs in it, and none has flows there.
fn zone_of(state: &State, network: &str) -> Option<u32> {
    let networks = &state.config.networks;
    let zone = &networks.get(network)?.zone;
    let is_in = |port: &&RunningPort| {
        let port = state.config.ports.get(&port.name());
        port.and_then(|port| networks.get(&port.network)).is_some_and(|network| network.zone == *zone)
    };
    state.ports.iter().find(is_in).map(|port| port.entry.zone)
}
