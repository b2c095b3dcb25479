//! What a decision tells `explain`: its facts, the flow that it found, and what the rules were asked.
//!
//! Only for hosts that leave nothing else behind. The look-ups are made once more and by the same functions, so that the
//! decision itself has nothing to keep.

use bytemuck::Zeroable;

use super::{Facts, Tables};
use crate::abi::{Answer, NO_CLASS, NO_RULE, Root};
use crate::classify;

impl Answer {
    /// [`Self::tell`], for hosts that have room for it on the stack.
    pub fn of<T: Tables>(facts: &Facts, ifindex: u32, tables: &T) -> Self {
        let mut answer = Self::zeroed();
        answer.tell(facts, ifindex, tables);
        answer
    }

    /// Fills in everything. The look-ups of rules are those of the last question to them: without the audited ones, if
    /// one of these came first.
    #[inline(always)]
    pub fn tell<T: Tables>(&mut self, facts: &Facts, ifindex: u32, tables: &T) {
        self.tell_verdict(facts);
        self.tell_packet(facts);
        self.now = tables.now();
        (self.source_class, self.destination_class, self.service_class) = (NO_CLASS, NO_CLASS, NO_CLASS);
        self.chains = [NO_RULE; 3];
        if let Ok(port) = tables.port(ifindex) {
            self.tell_flow(facts, tables);
            if facts.rules_asked {
                self.tell_rules(facts, &port.root, tables);
            }
        }
        self.answered = 1;
    }

    #[inline(always)]
    const fn tell_verdict(&mut self, facts: &Facts) {
        self.action = facts.verdict.action as u32;
        self.reason = facts.verdict.reason as u32;
        self.rule = facts.verdict.rule;
        self.generation = facts.generation;
        self.redirect = facts.redirect;
        self.audited = facts.audited;
        self.host_copy = facts.host_copy;
        self.port_flags = facts.port_flags;
    }

    #[inline(always)]
    const fn tell_packet(&mut self, facts: &Facts) {
        let packet = &facts.packet;
        self.source = packet.tuple.source;
        self.destination = packet.tuple.destination;
        self.source_mac = packet.link.source;
        self.destination_mac = packet.link.destination;
        self.source_port = packet.tuple.source_port;
        self.destination_port = packet.tuple.destination_port;
        self.ethertype = packet.ethertype;
        self.vlan = packet.vlan;
        self.tag = facts.tag;
        self.protocol = packet.tuple.protocol;
        self.layer = packet.layer as u8;
    }

    #[inline(always)]
    fn tell_flow<T: Tables>(&mut self, facts: &Facts, tables: &T) {
        // On the stack: see `Judge::flow_apart`.
        let key = facts.key;
        self.key = key;
        self.flow.generation = 0;
        if let Ok(Some(entry)) = tables.flow(facts.port, &key) {
            self.flow = *entry;
        }
    }

    #[inline(always)]
    fn tell_rules<T: Tables>(&mut self, facts: &Facts, root: &Root, tables: &T) {
        let asked = &facts.asked;
        let classes = (asked.source, asked.destination);
        if let Ok(class) = classify::found(tables, root, classes, asked.service, &mut self.chains) {
            self.service_class = class;
        }
        // The first time they were asked with the classes of the addresses themselves.
        let shift = match tables.rule(root.slot, asked.audited) {
            Some(rule) if asked.audited != NO_RULE => rule.enforced,
            _ => 0,
        };
        self.source_class = asked.source.wrapping_sub(shift);
        self.destination_class = asked.destination.wrapping_sub(shift);
    }
}
