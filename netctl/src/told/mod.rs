//! Events of the journal in the document's words.

pub mod filter;

use std::net::IpAddr;

use jiff::Timestamp;
use netctl_common::abi::{BY_DEFAULT, Change, Event, NO_RULE, event_flags, event_kind};
use netctl_common::verdict::{Action, Direction, Reason};
use serde::Serialize;

use crate::kernel::running::monotonic_now;
use crate::names::{self, RuleName};
use crate::state::State;
use crate::would::Would;

/// One event.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Told {
    /// A frame that was denied, or that a rule asks to be told of.
    Frame(FrameRow),
    /// The frame with which a flow ended.
    End(FrameRow),
    /// What netctl changed.
    Change(ChangeRow),
}

/// When something was told.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct When {
    /// In the order of the journal, from 1.
    pub number: u64,
    /// Seconds since boot.
    pub time: f64,
    /// By the host's clock, as it is set now.
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct ChangeRow {
    #[serde(flatten)]
    pub when: When,
    pub change: &'static str,
    pub generation: u32,
    /// That changed it.
    pub process: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct FrameRow {
    #[serde(flatten)]
    pub when: When,
    pub port: String,
    pub direction: &'static str,
    pub action: &'static str,
    pub reason: &'static str,
    /// But for audit mode, by the rule, or by the default without one: `allow`, `deny` or `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// Place, from 1, of a rule that a former generation had; its text is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_rule: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    pub service: String,
    /// On the network; absent without a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    pub source_mac: String,
    pub destination_mac: String,
    pub length: u32,
    pub ifindex: u32,
    pub generation: u32,
    /// Of a flow that an earlier event told of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// Events of the port that could not be told before this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl When {
    fn of(event: &Event) -> Self {
        let ago = i64::try_from(monotonic_now().saturating_sub(event.time)).unwrap_or(i64::MAX);
        let now = Timestamp::now();
        let at = now.checked_sub(jiff::SignedDuration::from_nanos(ago)).unwrap_or(now);
        // No finer than two looks at the same event agree.
        let at = at.round(jiff::Unit::Millisecond).unwrap_or(at);
        Self { number: event.number, time: event.time as f64 / 1e9, at }
    }

    /// The time of day, in the host's time zone.
    pub fn local_time(&self) -> String {
        self.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
    }

    /// For people, in the host's time zone.
    pub fn local(&self) -> String {
        self.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%b %d %H:%M:%S%.3f").to_string()
    }
}

impl Told {
    /// In the words of the generation that `state` was read from.
    pub fn of(event: &Event, state: &State) -> Self {
        let when = When::of(event);
        match event.kind {
            event_kind::CHANGE => Self::Change(ChangeRow {
                when,
                change: Change::decode(event.action).map_or("changed", Change::name),
                generation: event.generation,
                process: event.length,
            }),
            event_kind::END => Self::End(FrameRow::new(when, event, state)),
            _ => Self::Frame(FrameRow::new(when, event, state)),
        }
    }

    pub const fn frame(&self) -> Option<&FrameRow> {
        match self {
            Self::Frame(row) | Self::End(row) => Some(row),
            Self::Change(_) => None,
        }
    }

    pub fn line(&self) -> String {
        match self {
            Self::Frame(row) => row.line(row.action),
            Self::End(row) => row.line("end"),
            Self::Change(row) => row.line(),
        }
    }
}

impl ChangeRow {
    fn line(&self) -> String {
        let (at, generation) = (self.when.local(), self.generation);
        let what = match self.change {
            "published" => format!("generation {generation} decides now"),
            "upgraded" => "another build's programs decide now".to_owned(),
            _ => format!("changed, generation {generation}"),
        };
        format!("{at}  policy {what} (process {})", self.process)
    }
}

impl FrameRow {
    fn new(when: When, event: &Event, State { names, config, root, .. }: &State) -> Self {
        let is_former = event.generation != root.generation;
        let audited = match event.rule {
            _ if is_former || event.flags & event_flags::AUDIT == 0 => NO_RULE,
            NO_RULE => BY_DEFAULT,
            rule => rule,
        };
        let has_addresses = event.flags & event_flags::ADDRESSES != 0;
        let address = |bytes| has_addresses.then(|| names::address(bytes));
        Self {
            when,
            port: names.port(event.port),
            direction: Direction::decode(event.direction).name(),
            action: Action::decode(u32::from(event.action)).name(),
            reason: Reason::decode(event.reason).map_or("unknown", Reason::name),
            would: Would::of(audited, config, names).map(|would| would.action),
            rule: if is_former { None } else { names.rule(event.rule).cloned() },
            former_rule: (is_former && event.rule != NO_RULE).then(|| event.rule.saturating_add(1)),
            source: address(event.source),
            destination: address(event.destination),
            source_port: (event.source_port != 0).then_some(event.source_port),
            service: service(event),
            vlan: (event.vlan != 0).then_some(event.vlan),
            source_mac: names::mac(event.source_mac),
            destination_mac: names::mac(event.destination_mac),
            length: event.length,
            ifindex: event.ifindex,
            generation: event.generation,
            continues: event.flags & event_flags::CONTINUES != 0,
            untold: event.untold,
        }
    }

    fn line(&self, first: &str) -> String {
        let end = |address: Option<IpAddr>, mac: &String| {
            address.map_or_else(|| mac.clone(), |address| address.to_string())
        };
        let vlan = self.vlan.map_or_else(String::new, |vlan| format!("  vlan {vlan}"));
        let would = self.would.map_or_else(String::new, |action| format!(", would {action}"));
        let untold = match self.untold {
            0 => String::new(),
            count => format!("  (and {count} before it that were not told)"),
        };
        format!(
            "{}  {first:<6} {:<10} {:<12} {} > {}  {}{vlan}  {}{would}{}{untold}",
            self.when.local(),
            self.direction,
            self.port,
            end(self.source, &self.source_mac),
            end(self.destination, &self.destination_mac),
            self.service,
            self.reason,
            self.rule_text(),
        )
    }

    fn rule_text(&self) -> String {
        match (&self.rule, self.former_rule) {
            (Some(rule), _) => format!("  {rule}: {}", rule.text),
            (None, Some(number)) => format!("  rule {number} of generation {}", self.generation),
            (None, None) => String::new(),
        }
    }
}

fn service(event: &Event) -> String {
    match event.ethertype {
        0x0800 | 0x86dd => names::service(event.protocol, event.destination_port),
        0x0806 => "arp".to_owned(),
        other => format!("ether/{other:#06x}"),
    }
}
