//! A captured frame in words: as an event, and as the comment of a packet.

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{BY_DEFAULT, Event, NO_RULE, event_flags, event_kind};
use netctl_common::frame::{Frame as Parsed, Layer, Packet, Tag};
use serde::Serialize;

use crate::kernel::capture::Frame;
use crate::output::printable;
use crate::state::State;
use crate::told::{FrameRow, Told};

/// Behind the MAC addresses.
const TAG_AT: usize = 12;

/// What `netctl capture --json` says of a frame.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureRow {
    #[serde(flatten)]
    told: Told,
    /// Bytes of payload in each segment that the frame is to be cut into (TSO, USO).
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u16>,
}

impl CaptureRow {
    /// `number`: among those of the capture, from 1.
    pub fn new(frame: &Frame, number: u64, state: &State) -> Self {
        let segment = (frame.facts.segment != 0).then_some(frame.facts.segment);
        Self { told: Told::of(&event(frame, number), state), segment }
    }

    /// For people, as `netctl events` shows it.
    pub fn line(&self) -> String {
        let segment = self.segment.map_or_else(String::new, |size| format!("  segments of {size}"));
        printable(&format!("{}{segment}", self.told.line()))
    }

    /// For Wireshark's filters: words with values.
    pub fn comment(&self) -> String {
        self.told.frame().map_or_else(String::new, |row| printable(&comment(row, self.segment)))
    }
}

fn comment(row: &FrameRow, segment: Option<u16>) -> String {
    let mut text = format!("verdict={} reason={} direction={}", row.action, row.reason, row.direction);
    let mut add = |name: &str, value: &dyn std::fmt::Display| text.push_str(&format!(" {name}={value}"));
    if let Some(would) = row.would {
        add("would", &would);
    }
    add("generation", &row.generation);
    if let Some(vlan) = row.vlan {
        add("vlan", &vlan);
    }
    if let Some(segment) = segment {
        add("segment", &segment);
    }
    if let Some(number) = row.former_rule {
        add("former-rule", &number);
    }
    if let Some(rule) = &row.rule {
        add("rule", &rule.number);
        add("line", &rule.line);
        if let Some(name) = &rule.name {
            add("name", &format_args!("{name:?}"));
        }
        // Last, as it goes on to the end.
        add("text", &rule.text);
    }
    text
}

/// As the journal would tell of it.
fn event(frame: &Frame, number: u64) -> Event {
    let facts = &frame.facts;
    let mut packet = Packet::default();
    // A frame is told as far as it was understood.
    let _ = packet.parse(&Whole(frame), 0);
    let (rule, audit) = match facts.audited {
        NO_RULE => (facts.rule, 0),
        BY_DEFAULT => (NO_RULE, event_flags::AUDIT),
        audited => (audited, event_flags::AUDIT),
    };
    let addresses = if packet.layer == Layer::Other { 0 } else { event_flags::ADDRESSES };
    Event {
        number,
        time: facts.time,
        ifindex: facts.ifindex,
        port: facts.port,
        generation: facts.generation,
        rule,
        length: facts.length,
        source_port: packet.tuple.source_port,
        destination_port: packet.tuple.destination_port,
        source: packet.tuple.source,
        destination: packet.tuple.destination,
        source_mac: packet.link.source,
        destination_mac: packet.link.destination,
        ethertype: packet.ethertype,
        protocol: packet.tuple.protocol,
        direction: facts.direction,
        action: facts.action,
        reason: facts.reason,
        flags: audit | addresses,
        kind: event_kind::FRAME,
        vlan: facts.vlan,
        ..Event::zeroed()
    }
}

/// A frame of which the end may not have been captured, without its tags.
struct Whole<'a>(&'a Frame);

impl Parsed for Whole<'_> {
    fn len(&self) -> u32 {
        self.0.facts.length
    }

    fn read<T: Pod>(&self, at: u32) -> Option<T> {
        let at = at as usize;
        let bytes = self.0.bytes.get(at..at.checked_add(size_of::<T>())?)?;
        Some(bytemuck::pod_read_unaligned(bytes))
    }

    fn read_near<const AT: u32, T: Pod>(&self) -> Option<T> {
        self.read(AT)
    }

    fn tag(&self) -> Option<Tag> {
        None
    }

    fn has_vlan_metadata(&self) -> bool {
        false
    }
}

/// The bytes of a frame's tags, as they stand behind its MAC addresses.
pub(super) fn tags(frame: &Frame) -> Vec<u8> {
    let tags = frame.facts.tags.into_iter().filter_map(Tag::unpacked);
    tags.flat_map(|tag| [tag.protocol.to_be_bytes(), tag.control.to_be_bytes()].concat()).collect()
}

/// What was captured of a frame, with its tags.
pub(super) fn bytes(frame: &Frame) -> Vec<u8> {
    let (addresses, rest) = frame.bytes.split_at(frame.bytes.len().min(TAG_AT));
    [addresses, &tags(frame), rest].concat()
}
