//! `tap = { … }` of a port: what differs from the default.

use crate::config::tap::{Header, Napi, Offload, TapOptions};

/// `None` for the default.
pub(super) fn text(options: &TapOptions) -> Option<String> {
    let default = TapOptions::default();
    let mut parts = Vec::new();
    if options.header == Header::None {
        parts.push("vnet-header = false".to_owned());
    }
    if options.header_bytes != default.header_bytes {
        parts.push(format!("header-size = {}", options.header_bytes));
    }
    if !options.offloads.is_empty() {
        let names: Vec<_> = options.offloads.iter().map(|it| format!("\"{}\"", Offload::name(*it))).collect();
        parts.push(format!("offloads = [{}]", names.join(", ")));
    }
    if let Some(bytes) = options.sndbuf {
        parts.push(format!("sndbuf = {bytes}"));
    }
    if options.napi != Napi::Off {
        parts.push("napi = true".to_owned());
    }
    if options.napi == Napi::Frags {
        parts.push("napi-frags = true".to_owned());
    }
    (!parts.is_empty()).then(|| format!("{{ {} }}", parts.join(", ")))
}
