//! `limits` of a port.

use schemars::JsonSchema;

/// Rates that a port may not exceed; what is over them is dropped.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Limits {
    /// Of what the guest sends.
    from_guest: Option<DirectionLimits>,
    /// Of what the guest gets.
    to_guest: Option<DirectionLimits>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct DirectionLimits {
    /// Bits per second of whole frames without FCS.
    bits: Option<Rate>,
    /// Packets per second, as they are on a wire.
    packets: Option<Rate>,
    /// Broadcast packets per second.
    broadcast: Option<Rate>,
    /// Multicast packets per second.
    multicast: Option<Rate>,
    /// Packets per second to MAC addresses that no port and not the host has, and that have not answered.
    unknown_unicast: Option<Rate>,
    /// Connections opened per second.
    new_flows: Option<Rate>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Rate {
    Number(#[schemars(range(min = 1))] u64),
    Text(Amount),
    Bucket(Bucket),
}

/// Per second, and what may come at once.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Bucket {
    /// Per second.
    rate: Number,
    /// What may come at once; of bits, in bytes. Default: chosen for the rate.
    burst: Option<Number>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Number {
    Number(#[schemars(range(min = 1))] u64),
    Text(Amount),
}

/// A number with a decimal unit, such as `100M` or `2.5G`.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Amount(#[schemars(regex(pattern = r"^[0-9]+(\.[0-9]{1,9})?[KMG]?$"))] String);
