//! Why a document does not fit the host ([`Conflict`]), and what went wrong on the way to the kernel
//! ([`NetworkError`]).

use std::io;

use super::adopt::Misfit;
use crate::config::Mac;
use crate::fd::FdError;

/// A request that the kernel did not carry out.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("cannot open a netlink socket")]
    Socket(#[source] io::Error),
    #[error("cannot {what}: not permitted; run as root or with CAP_NET_ADMIN")]
    NotPermitted { what: String },
    #[error("cannot {what}: there is no interface `{interface}` now; run `netctl apply` again")]
    Gone { what: String, interface: String },
    #[error("cannot {what}")]
    Refused { what: String, source: io::Error },
    #[error("cannot {what}: the kernel's answer is not understood")]
    Protocol { what: String, source: rtnetlink::Error },
    #[error("cannot {what}")]
    Tap { what: String, source: FdError },
    #[error("cannot turn IPv6 {} on `{interface}` (`{path}`)", if *.on { "on" } else { "off" })]
    Ipv6 { interface: String, path: String, on: bool, source: io::Error },
    #[error(
        "the link of `{interface}` is {}, so nobody can be asked whether the switch sends frames back",
        if *.up { "dead: plug it in" } else { "down: `netctl apply` sets it up" }
    )]
    NoLink { interface: String, up: bool },
    #[error("cannot ask whether the switch sends frames back")]
    Probe { source: FdError },
    #[error("cannot {what}")]
    Functions { what: String, source: io::Error },
    #[error(
        "cannot {what}: the function ({pci}) has no interface in this network namespace; no driver may have taken \
         it, see `ls -l /sys/bus/pci/devices/{pci}/driver`; load the driver, and run `netctl apply` again"
    )]
    NoVfInterface { what: String, pci: String },
    #[error("cannot {what}: the driver took the request, but has {found}")]
    VfUnlike { what: String, found: String },
    #[error("no interface was made{}", leftovers(.left))]
    HalfMade {
        #[source]
        cause: Box<NetworkError>,
        /// What could not be taken away again.
        left: Vec<NetworkError>,
    },
    #[error("{} of the changes failed: {}", .0.len(), joined(.0))]
    Several(Vec<NetworkError>),
}

fn leftovers(left: &[NetworkError]) -> String {
    if left.is_empty() {
        return String::new();
    }
    format!(", and not all of it could be taken away ({}); `netctl down` removes what is left", joined(left))
}

fn joined(errors: &[NetworkError]) -> String {
    let texts: Vec<_> = errors.iter().map(one_line).collect();
    texts.join("; ")
}

/// With its sources, which nobody prints for an error inside a list.
fn one_line(error: &NetworkError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

/// The document cannot be applied to this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Conflict {
    /// In the document, counted from 1.
    pub line: u32,
    pub problem: Problem,
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "port `{port}` needs an interface `{interface}`, but that name is taken: it is {what}, \
         not netctl's; choose another name with `ifname`"
    )]
    PortNameTaken { port: String, interface: String, what: String },
    #[error(
        "network `{network}` needs a bridge `{interface}`, but that name is taken: it is {what}; \
         choose another name with `interface`"
    )]
    NetworkNameTaken { network: String, interface: String, what: String },
    #[error("interface `{interface}` is wanted twice, by {first} and by {second}; rename one of them")]
    WantedTwice { interface: String, first: String, second: String },
    #[error(
        "network `{network}` has `mtu = {wanted}`, but its bridge `{interface}` is not netctl's and has {found}; \
         leave `mtu` out, or set it yourself: `ip link set {interface} mtu {wanted}`"
    )]
    ForeignMtu { network: String, interface: String, wanted: u32, found: u32 },
    #[error(
        "network `{network}` has the uplink `{uplink}`, but there is no such interface; `ip link` lists them"
    )]
    UplinkMissing { network: String, uplink: String },
    #[error(
        "uplink `{uplink}` of network `{network}` is a port of `{master}` already; \
         release it with `ip link set {uplink} nomaster`, or name `{master}` as the network's `interface`"
    )]
    UplinkTaken { network: String, uplink: String, master: String },
    #[error(
        "uplink `{uplink}` of network `{network}` is a port of `{master}`, which takes all its frames; \
         release it with `ip link set {uplink} nomaster`, or make the network one of kind \"bridge\""
    )]
    LowerTaken { network: String, uplink: String, master: String },
    #[error(
        "uplink `{uplink}` of network `{network}` is in use by `{other}`, which is not netctl's; \
         remove it (`ip link del {other}`), or take another NIC"
    )]
    LowerInUse { network: String, uplink: String, other: String },
    #[error(
        "network `{network}` has IPv6 addresses for its uplink `{uplink}`, which does not speak IPv6; \
         turn it on with `sysctl net.ipv6.conf.{uplink}.disable_ipv6=0`, or leave them out"
    )]
    UplinkWithoutIpv6 { network: String, uplink: String },
    #[error(
        "uplink `{uplink}` of network `{network}` is {what}; macvtaps need a NIC, a VLAN or a bond below"
    )]
    NoNic { network: String, uplink: String, what: String },
    #[error(
        "uplink `{uplink}` of network `{network}` holds the host's default route, and a passthrough guest takes \
         the whole NIC: the host may be cut off; say `--yes` if that is meant"
    )]
    CutsHostOff { network: String, uplink: String },
    #[error(
        "port `{port}` has no uplink: network `{network}` has {uplinks} for {guests} guests, one for each; \
         add a NIC to its `uplinks`"
    )]
    NoUplinkLeft { port: String, network: String, guests: usize, uplinks: usize },
    #[error(
        "port `{port}` has MTU {mtu}, but its uplink `{uplink}` {of_uplink}; \
         `ip link set {uplink} mtu {mtu}`, if the switch takes that"
    )]
    LargerThanUplink { port: String, mtu: u32, uplink: String, of_uplink: u32 },
    #[error("port `{port}` has the MAC address {mac} of its uplink `{uplink}`; give it another `mac`")]
    MacOfUplink { port: String, mac: Mac, uplink: String },
    #[error(
        "uplink `{uplink}` of network `{network}` has the address {addresses}, which stops working on a port \
         of a bridge and may be the host's way out; move it to the network's `addresses`, or make a bridge \
         that holds both and name it as the network's `interface`"
    )]
    UplinkAddresses { network: String, uplink: String, addresses: String },
    #[error(
        "uplink `{uplink}` of network `{network}` is {what}; an uplink is a NIC that netctl did not make"
    )]
    UplinkOurs { network: String, uplink: String, what: String },
    #[error(
        "port `{port}` adopts the interface `{interface}`, but there is no such interface now; start what makes it, \
         or give it up with `netctl port release {port}`"
    )]
    AdoptMissing { port: String, interface: String },
    #[error("port `{port}` cannot adopt the interface `{interface}`: {why}")]
    Adopt { port: String, interface: String, why: Misfit },
    #[error(
        "network `{network}` has the pool of `{pf}`, but there is no such interface; `ip link` lists them"
    )]
    PfMissing { network: String, pf: String },
    #[error(
        "network `{network}` has the pool of `{pf}`, but that is itself a virtual function, which has none; \
         name its physical function, or use it as one of the network's `uplinks`"
    )]
    PfIsVf { network: String, pf: String },
    #[error(
        "network `{network}` has the pool of `{pf}`, which is {what} without SR-IOV; take another NIC, or give the \
         network `uplinks` (the firmware may also have turned SR-IOV off)"
    )]
    NoSriov { network: String, pf: String, what: String },
    #[error(
        "network `{network}` wants {wanted} virtual functions of `{pf}`, which can have {total}; \
         write `vfs = {total}` or less"
    )]
    TooFewVfs { network: String, pf: String, wanted: u16, total: u16 },
    #[error(
        "network `{network}` wants {wanted} virtual functions of `{pf}`, but there are {there}, and the kernel changes \
         their number only by taking all away{}; write `vfs = {there}`, or free them all: \
         `echo 0 > /sys/class/net/{pf}/device/sriov_numvfs`",
        listed(.users)
    )]
    OtherNumberOfVfs { network: String, pf: String, wanted: u16, there: u16, users: Vec<String> },
    #[error("{guests} ports share the {vfs} virtual functions of `{pf}`, one for each; write a larger `vfs`")]
    TooManyGuests { pf: String, guests: usize, vfs: u16 },
    #[error(
        "port `{port}` of network `{network}` gets none of the {vfs} virtual functions of `{pf}`{}; \
         free one, or write a larger `vfs`",
        listed(.reasons)
    )]
    NoVfLeft { port: String, network: String, pf: String, vfs: usize, reasons: Vec<String> },
    #[error(
        "port `{port}` has VF {number} of `{pf}`, which is bound to vfio-pci: a guest that drives it cannot be filtered; \
         bind {pci} to its network driver, or say `vfio = true` and `filter = \"none\"`"
    )]
    VfWithGuest { port: String, pf: String, number: u16, pci: String },
    #[error("port `{port}` has a virtual function of `{pf}` that is not free: {reason}")]
    VfUnusable { port: String, pf: String, reason: String },
}

/// ` (a, b)`, or nothing.
fn listed(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}
