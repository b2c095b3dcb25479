//! What rules counted.

use netctl_common::abi::{Counter, RuleEntry, rule_flags};
use netctl_common::verdict::Action;

use super::family::{Family, Kind, Labels};
use crate::error::Error;
use crate::state::State;

/// In place of a number: all rules that have no series of their own.
const REST: &str = "rest";

pub(super) fn families(state: &State, most: usize) -> Result<Vec<Family>, Error> {
    let mut packets = Family::new(
        Kind::Counter,
        "netctl_rule_packets",
        "Frames that a rule decided itself, not those of flows that it opened; at every port that judges.",
    );
    let mut bytes = Family::new(Kind::Counter, "netctl_rule_bytes", "Bytes of those frames, without FCS.")
        .with_unit("bytes");
    let rules = state.kernel.rules(&state.root)?;
    let listed = (0..).zip(&rules).take(most).map(|(index, (entry, counter))| {
        let name = state.names.rule(index).and_then(|rule| rule.name.clone()).unwrap_or_default();
        (labels((index + 1).to_string(), name, entry), *counter)
    });
    for (labels, counter) in listed.chain(rest(rules.get(most..).unwrap_or_default())) {
        packets.add(labels.clone(), counter.packets);
        bytes.add(labels, counter.bytes);
    }
    Ok(vec![packets, bytes])
}

/// One series for each action that the others have, so that sums stay right.
fn rest(rules: &[(RuleEntry, Counter)]) -> Vec<(Labels, Counter)> {
    let mut sums: Vec<(Labels, Counter)> = Vec::new();
    for (entry, counter) in rules {
        let labels = labels(REST.to_owned(), String::new(), entry);
        match sums.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, sum)) => {
                sum.packets = sum.packets.wrapping_add(counter.packets);
                sum.bytes = sum.bytes.wrapping_add(counter.bytes);
            }
            None => sums.push((labels, *counter)),
        }
    }
    sums
}

fn labels(rule: String, name: String, entry: &RuleEntry) -> Labels {
    let audit = entry.flags & rule_flags::AUDIT != 0;
    let action = Action::decode(entry.action).name().to_owned();
    vec![("rule", rule), ("name", name), ("action", action), ("audit", audit.to_string())]
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    fn rule(action: Action, packets: u64) -> (RuleEntry, Counter) {
        let entry = RuleEntry { action: action as u32, ..RuleEntry::zeroed() };
        (entry, Counter { packets, bytes: packets * 100 })
    }

    #[test]
    fn rules_without_series_of_their_own_are_summed_up_by_what_they_do() {
        let rules = [rule(Action::Allow, 1), rule(Action::Deny, 2), rule(Action::Allow, 4)];
        let sums = rest(&rules);
        let told: Vec<(&str, &str, u64)> = sums
            .iter()
            .map(|(labels, sum)| (labels[0].1.as_str(), labels[2].1.as_str(), sum.packets))
            .collect();
        assert_eq!(told, [("rest", "allow", 5), ("rest", "deny", 2)]);
        assert_eq!(sums[0].1.bytes, 500);
    }
}
