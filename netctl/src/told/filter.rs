//! Which events are wanted.

use std::net::IpAddr;

use ipnet::IpNet;
use netctl_common::verdict::{Action, Reason};

use super::{FrameRow, Told};
use crate::cli::EventsArgs;
use crate::config::Config;
use crate::error::{Error, nearest};
use crate::state::State;

/// What was asked for; nothing = everything.
#[derive(Debug, Default)]
pub struct Filter {
    port: Option<String>,
    peer: Option<Peer>,
    reason: Option<&'static str>,
    verdict: Option<&'static str>,
    rule: Option<String>,
}

#[derive(Debug)]
enum Peer {
    Port(String),
    Net(IpNet),
}

impl Filter {
    /// # Errors
    /// A word that nothing here is named by, with the nearest one.
    pub fn new(args: &EventsArgs, state: &State) -> Result<Self, Error> {
        state.ports_named(args.port.as_deref())?;
        Ok(Self {
            port: args.port.clone(),
            peer: args.peer.as_deref().map(|word| Peer::new(word, &state.config)).transpose()?,
            reason: args.reason.as_deref().map(reason).transpose()?,
            verdict: args.verdict.as_deref().map(verdict).transpose()?,
            rule: args.rule.as_deref().map(|word| rule(word, &state.config)).transpose()?,
        })
    }

    /// What netctl changed concerns everyone.
    pub fn takes(&self, told: &Told, state: &State) -> bool {
        told.frame().is_none_or(|row| self.takes_frame(row, state))
    }

    fn takes_frame(&self, row: &FrameRow, state: &State) -> bool {
        let of_rule = |wanted: &String| {
            row.rule.as_ref().is_some_and(|rule| {
                rule.number.to_string() == *wanted || rule.name.as_ref().is_some_and(|name| name == wanted)
            })
        };
        self.port.as_ref().is_none_or(|port| *port == row.port)
            && self.reason.is_none_or(|reason| reason == row.reason)
            && self.verdict.is_none_or(|verdict| verdict == row.action)
            && self.rule.as_ref().is_none_or(of_rule)
            && self.peer.as_ref().is_none_or(|peer| {
                [row.source, row.destination].into_iter().flatten().any(|end| peer.is(end, state))
            })
    }
}

impl Peer {
    fn new(word: &str, config: &Config) -> Result<Self, Error> {
        if config.ports.contains_key(word) || word == "host" {
            return Ok(Self::Port(word.to_owned()));
        }
        if let Ok(address) = word.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        word.parse().map(Self::Net).map_err(|_| {
            let ports = config.ports.keys().map(String::as_str);
            unknown("port, address or prefix", word, ports.collect(), "`netctl port list` shows the ports")
        })
    }

    fn is(&self, end: IpAddr, state: &State) -> bool {
        match self {
            Self::Port(name) => state.names.owner(end) == Some(name),
            Self::Net(net) => net.contains(&end),
        }
    }
}

fn reason(word: &str) -> Result<&'static str, Error> {
    let known: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    known.iter().find(|name| **name == word).copied().ok_or_else(|| {
        let all = format!("there are {}", known.join(", "));
        unknown("reason", word, known, &all)
    })
}

fn verdict(word: &str) -> Result<&'static str, Error> {
    let known: Vec<_> = [Action::Allow, Action::Deny, Action::Reject].map(Action::name).to_vec();
    known.iter().find(|name| **name == word).copied().ok_or_else(|| {
        let all = format!("there are {}", known.join(", "));
        unknown("verdict", word, known, &all)
    })
}

fn rule(word: &str, config: &Config) -> Result<String, Error> {
    let rules = &config.policy.rules;
    let names: Vec<&str> = rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
    let is_number = word.parse().is_ok_and(|number| (1..=rules.len()).contains(&number));
    if is_number || names.contains(&word) {
        return Ok(word.to_owned());
    }
    let there = format!("the running document has {} rules; `netctl stats` shows them", rules.len());
    Err(unknown("rule", word, names, &there))
}

fn unknown(what: &str, word: &str, known: Vec<&str>, otherwise: &str) -> Error {
    let hint = nearest(word, known)
        .map_or_else(|| otherwise.to_owned(), |nearest| format!("did you mean `{nearest}`?"));
    Error::Question(format!("no {what} `{word}`; {hint}"))
}
