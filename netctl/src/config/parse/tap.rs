//! `tap = { … }` of a port.

use std::collections::BTreeSet;

use super::nearest::nearest;
use super::section::{Field, Section};
use crate::config::escape::quoted;
use crate::config::model::{Network, PortKind};
use crate::config::report::Report;
use crate::config::source::Span;
use crate::config::tap::{Header, Napi, Offload, TapOptions, VNET_HEADER_LEN};
use crate::config::tree::Value;

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "vnet-header", example: "vnet-header = true" },
    Field { name: "header-size", example: "header-size = 12" },
    Field { name: "offloads", example: "offloads = [\"csum\", \"tso4\"]" },
    Field { name: "sndbuf", example: "sndbuf = 1048576" },
    Field { name: "napi", example: "napi = true" },
    Field { name: "napi-frags", example: "napi-frags = true" },
];

/// One frame of 64 KiB with its headers, to what the kernel's `int` holds.
pub(in crate::config) const MIN_SNDBUF: u32 = 66_000;
pub(in crate::config) const MAX_SNDBUF: u32 = i32::MAX as u32;

pub(super) fn options(
    section: &Section<'_, '_>,
    network: Option<&Network>,
    report: &mut Report,
) -> TapOptions {
    let Some(entry) = section.entry("tap") else { return TapOptions::default() };
    let Some(tap) = Section::of(entry, FIELDS, "`tap`", report) else { return TapOptions::default() };
    let header = match tap.boolean("vnet-header", report) {
        Some(false) => Header::None,
        _ => Header::Virtio,
    };
    let options = TapOptions {
        header,
        header_bytes: header_bytes(&tap, report),
        offloads: offloads(&tap, report),
        sndbuf: sndbuf(&tap, report),
        napi: napi(&tap, network, report),
    };
    for key in ["header-size", "offloads"] {
        if let (Header::None, Some(node)) = (header, tap.node(key)) {
            let message = format!("`{key}` means nothing without a virtio header");
            report.error(node.span, message, "remove it, or `vnet-header = false`");
        }
    }
    options
}

fn header_bytes(tap: &Section<'_, '_>, report: &mut Report) -> u16 {
    let Some(node) = tap.node("header-size") else { return VNET_HEADER_LEN };
    match &node.value {
        Value::Integer(10) => 10,
        Value::Integer(12) => 12,
        Value::Integer(other) => {
            let message = format!("a virtio header has 10 or 12 bytes, not {other}");
            report.error(node.span, message, "write 12 for VMMs that speak virtio 1.0, else 10");
            VNET_HEADER_LEN
        }
        _ => tap.wrong("header-size", "10 or 12", node, report).unwrap_or(VNET_HEADER_LEN),
    }
}

fn offloads(tap: &Section<'_, '_>, report: &mut Report) -> BTreeSet<Offload> {
    let mut found: Vec<(Offload, Span)> = Vec::new();
    for text in tap.texts("offloads", report) {
        let known = Offload::ALL.map(Offload::name);
        match Offload::ALL.into_iter().find(|offload| offload.name() == text.text) {
            Some(offload) => found.push((offload, text.span)),
            None => {
                let help = match nearest(text.text, known.into_iter()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("there are {}", known.join(", ")),
                };
                report.error(text.span, format!("there is no offload {}", quoted(text.text)), help);
            }
        }
    }
    let all: BTreeSet<Offload> = found.iter().map(|(offload, _)| *offload).collect();
    for (offload, span) in found {
        if let Some(missing) = offload.lacks(&all) {
            let message = format!("the kernel takes \"{}\" only with {missing}", offload.name());
            report.error(span, message, format!("add {missing}"));
        }
    }
    all
}

fn sndbuf(tap: &Section<'_, '_>, report: &mut Report) -> Option<u32> {
    let node = tap.node("sndbuf")?;
    let Value::Integer(value) = &node.value else {
        return tap.wrong("sndbuf", "a number of bytes", node, report);
    };
    let fits = u32::try_from(*value).ok().filter(|value| (MIN_SNDBUF..=MAX_SNDBUF).contains(value));
    if fits.is_none() {
        let message = format!("`sndbuf` is {value}, outside {MIN_SNDBUF} to {MAX_SNDBUF} bytes");
        report.error(node.span, message, "a frame of 64 KiB has to fit; leave it out for no limit");
    }
    fits
}

fn napi(tap: &Section<'_, '_>, network: Option<&Network>, report: &mut Report) -> Napi {
    let [on, frags] = ["napi", "napi-frags"].map(|key| tap.boolean(key, report) == Some(true));
    let macvtap = network.is_some_and(|network| network.kind.port_kind() == PortKind::Macvtap);
    for key in ["napi", "napi-frags"] {
        if let (true, Some(node)) = (macvtap, tap.node(key)) {
            report.error(node.span, format!("a macvtap has no `{key}`: only taps do"), "remove it");
        }
    }
    match (on, frags) {
        (_, false) if on => Napi::On,
        (true, true) => Napi::Frags,
        (false, true) => {
            let place = tap.node("napi-frags").map_or(tap.span, |node| node.span);
            report.error(place, "the kernel takes `napi-frags` only with `napi`", "add `napi = true`");
            Napi::Frags
        }
        _ => Napi::Off,
    }
}
