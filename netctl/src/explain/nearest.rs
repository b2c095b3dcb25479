//! The rule that would have decided otherwise and differs in the least, and the line to change.

use netctl_common::abi::NO_RULE;
use netctl_common::verdict::Action;
use serde::Serialize;

use crate::compile::reference::{Identity, Owner, Party, Query, Wanted, takes_service, takes_source_port};
use crate::config::{Config, Rule, Selector, print_selector, print_service};
use crate::names::{self, Names, RuleName};

/// How many selectors or services of a rule are written out.
const SHOWN: usize = 4;

/// A rule that almost decided.
#[derive(Clone, Debug, Serialize)]
pub struct Nearest {
    pub rule: RuleName,
    /// What it says, in short: `allows tcp/5432 from web to db`.
    pub says: String,
    /// What keeps it from matching; nothing where another rule comes first.
    pub differs: Vec<Difference>,
    /// The rule before it that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// What to change for it to decide.
    pub change: String,
}

/// A field of a rule, and why it does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// As in the document: `from`, `to`, `service`, `source-ports`.
    pub field: &'static str,
    pub text: String,
}

/// The nearest rule of another action than the one that was decided; `decided` is the rule that did. Nearest: fewest fields
/// differ; of those, one for the same service, and then the first. Audited rules decide nothing.
pub(super) fn nearest(
    config: &Config,
    names: &Names,
    query: &Query,
    (action, decided): (Action, u32),
) -> Option<Nearest> {
    let asked = Asked {
        config,
        query,
        source: Identity::of(config, &query.source),
        destination: Identity::of(config, &query.destination),
    };
    let is_other = |rule: &Rule| (rule.action == Action::Allow) != (action == Action::Allow) && !rule.audit;
    let rules = (0u32..).zip(&config.policy.rules).filter(|(_, rule)| is_other(rule));
    // A rule for the service that only lacks an end is nearer than one of its ends for another service, to which the service
    // would be opened for all of them.
    let scored =
        rules.map(|(index, rule)| ((asked.count(rule), asked.is_of_other_service(rule)), index, rule));
    let ((count, _), index, rule) = scored.min_by_key(|(score, index, _)| (*score, *index))?;
    // A rule of which nothing holds is near nothing.
    if count > 0 && count >= restricted(rule) {
        return None;
    }
    let differs = asked.differences(rule);
    let behind = (differs.is_empty() && decided != NO_RULE && decided < index).then(|| decided + 1);
    let name = names.rule(index)?.clone();
    let change = asked.change((&name, rule), &differs, behind.and(names.rule(decided)));
    Some(Nearest { rule: name, says: says(rule), differs, behind, change })
}

/// The rule that allows what was asked and nothing else.
pub(super) fn new_rule(config: &Config, query: &Query) -> String {
    let (from, to) = (selector_of(config, &query.source), selector_of(config, &query.destination));
    format!("{{ allow = \"{}\", from = \"{from}\", to = \"{to}\" }}", wanted(query.service))
}

/// Fields by which a rule chooses.
fn restricted(rule: &Rule) -> usize {
    let is_any = |selectors: &[Selector]| selectors.contains(&Selector::Any);
    let service = !rule.services.contains(&crate::config::Service::Any);
    [!is_any(&rule.from), !is_any(&rule.to), service, !rule.source_ports.is_empty()]
        .into_iter()
        .filter(|chooses| *chooses)
        .count()
}

struct Asked<'a> {
    config: &'a Config,
    query: &'a Query,
    source: Identity<'a>,
    destination: Identity<'a>,
}

impl Asked<'_> {
    /// Whether each field fails: from, to, service, source-ports.
    fn fails(&self, rule: &Rule) -> [bool; 4] {
        let holds = |end: &Identity<'_>, selectors: &[Selector]| {
            selectors.iter().any(|selector| end.is(self.config, selector))
        };
        [
            !holds(&self.source, &rule.from),
            !holds(&self.destination, &rule.to),
            !takes_service(rule, self.query.service),
            !takes_source_port(rule, self.query.service),
        ]
    }

    fn is_of_other_service(&self, rule: &Rule) -> bool {
        !takes_service(rule, self.query.service)
    }

    fn count(&self, rule: &Rule) -> usize {
        self.fails(rule).into_iter().filter(|fails| *fails).count()
    }

    fn differences(&self, rule: &Rule) -> Vec<Difference> {
        let [from, to, service, source_port] = self.fails(rule);
        let end = |field, what: &str, party: &Party, selectors: &[Selector]| Difference {
            field,
            text: format!("the {what}, {}, is not in {}", told(self.config, party), quoted(selectors)),
        };
        let services = || rule.services.iter().map(print_service);
        let mut all = Vec::new();
        all.extend(from.then(|| end("from", "source", &self.query.source, &rule.from)));
        all.extend(to.then(|| end("to", "destination", &self.query.destination, &rule.to)));
        all.extend(service.then(|| Difference {
            field: "service",
            text: format!("the service, {}, is not {}", wanted(self.query.service), some(services())),
        }));
        all.extend(source_port.then(|| Difference {
            field: "source-ports",
            text: match self.query.service {
                Wanted::Ip { protocol: 6 | 17 | 132, source_port, .. } => {
                    format!("the source port, {source_port}, is not in its `source-ports`")
                }
                _ => "the service has no source port, and the rule asks for one".to_owned(),
            },
        }));
        all
    }

    /// One sentence for each difference.
    fn change(
        &self,
        (name, rule): (&RuleName, &Rule),
        differs: &[Difference],
        first: Option<&RuleName>,
    ) -> String {
        let line = name.line;
        if differs.is_empty() {
            return match first {
                Some(first) => format!("move line {line} before line {}, or change that one", first.line),
                None => format!("see line {line}"),
            };
        }
        let one = |difference: &Difference| match difference.field {
            "from" => self.admit(&self.query.source, ("from", &rule.from)),
            "to" => self.admit(&self.query.destination, ("to", &rule.to)),
            "service" => format!("add {} to `{}`", wanted(self.query.service), rule.action.name()),
            _ => "widen `source-ports`".to_owned(),
        };
        let all: Vec<String> = differs.iter().map(one).collect();
        format!("in line {line}, {}", all.join(", and "))
    }

    /// What makes a party one of the selectors.
    fn admit(&self, party: &Party, (field, selectors): (&str, &[Selector])) -> String {
        let identity = Identity::of(self.config, party);
        let Owner::Port(port) = identity.owner else {
            return format!("add {} to `{field}`", selector_of(self.config, party));
        };
        let group = selectors.iter().find_map(|it| match it {
            Selector::Group(group) => Some(group),
            _ => None,
        });
        let at = self.config.ports.get(port).map_or(0, |port| port.line);
        match group {
            Some(group) => {
                format!(
                    "add {port} to `{field}`, or put it into group {group} (`groups` of the port, line {at})"
                )
            }
            None => format!("add {port} to `{field}`"),
        }
    }
}

/// The selector that means just this party.
fn selector_of(config: &Config, party: &Party) -> String {
    let identity = Identity::of(config, party);
    match (identity.owner, identity.address) {
        (Owner::Port(port), _) => port.to_owned(),
        (Owner::Host, _) => "host".to_owned(),
        (_, Some(address)) => address.to_string(),
        (Owner::World, None) => "world".to_owned(),
        (Owner::Multicast, None) => "multicast".to_owned(),
        (Owner::Broadcast, None) => "broadcast".to_owned(),
    }
}

/// Its address, or who it is.
fn told(config: &Config, party: &Party) -> String {
    match party {
        Party::Address { ip, .. } | Party::Learned { ip, .. } => ip.to_string(),
        Party::Port(port) => format!("port {port}"),
        Party::Host | Party::World | Party::Multicast | Party::Broadcast => selector_of(config, party),
    }
}

/// The service of a question, as a rule writes it.
fn wanted(wanted: Wanted) -> String {
    match wanted {
        Wanted::Ip { protocol, number, .. } => names::service(protocol, number),
        Wanted::Ethertype(number) => format!("ether/{number:#06x}"),
    }
}

/// `allows tcp/5432 from web to db`.
fn says(rule: &Rule) -> String {
    let verb = match rule.action {
        Action::Allow => "allows",
        Action::Deny => "denies",
        Action::Reject => "rejects",
    };
    let services = some(rule.services.iter().map(print_service));
    let (from, to) = (some(rule.from.iter().map(print_selector)), some(rule.to.iter().map(print_selector)));
    let ports = if rule.source_ports.is_empty() { "" } else { " from certain source ports" };
    format!("{verb} {services} from {from} to {to}{ports}")
}

fn quoted(selectors: &[Selector]) -> String {
    some(selectors.iter().map(|selector| format!("`{}`", print_selector(selector))))
}

/// The first few, and how many more there are.
fn some(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(SHOWN);
    let shown: Vec<String> = words.take(SHOWN).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}
