//! The keys of a port that say what its guest's NIC is plugged into: `uplink`, `adopt`, `vfio`, `vdpa`,
//! `filter`, `owner`.

use super::port::{Around, VDPA};
use super::section::Section;
use crate::config::escape::quoted;
use crate::config::model::{Device, Network, NetworkKind, PortKind};
use crate::config::report::{Finding, Report};

/// Whether the policy is enforced at the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Policy,
    None,
}

const FILTER_WORDS: [(&str, Filter); 2] = [("policy", Filter::Policy), ("none", Filter::None)];

/// The NIC of the network's `uplinks` that the port gets.
pub(super) fn uplink(
    section: &Section<'_, '_>,
    network: Option<&Network>,
    report: &mut Report,
) -> Option<String> {
    let text = section.text("uplink", report)?;
    let network = network?;
    if !matches!(network.kind, NetworkKind::Passthrough) || network.pool.is_some() {
        let message = "only a port of a passthrough network with `uplinks` chooses one";
        report.error(text.span, message, "remove it");
    } else if !network.uplinks.iter().any(|uplink| uplink == text.text) {
        let message = format!("{} is no uplink of the port's network", quoted(text.text));
        let help = format!("write one of {}", network.uplinks.join(", "));
        report.error(text.span, message, help);
    }
    Some(text.text.to_owned())
}

pub(super) fn device(
    section: &Section<'_, '_>,
    network: Option<&Network>,
    (around, report): (&mut Around<'_, '_>, &mut Report),
) -> Device {
    let adopt = section.boolean("adopt", report) == Some(true);
    let vfio = section.boolean("vfio", report) == Some(true);
    let filter = section.word("filter", &FILTER_WORDS, report).unwrap_or(Filter::Policy);
    if section.entry("vdpa").is_some() {
        return vdpa(section, filter, network, (around, report)).map_or(Device::Made, Device::Vdpa);
    }
    if vfio {
        check_vfio(section, filter, network, report);
    } else if filter == Filter::None
        && let Some(node) = section.node("filter")
    {
        let message =
            "only a port with `vfio` or `vdpa`, which cannot be filtered, may be without the policy";
        report.error(node.span, message, "remove it; a rule can allow everything from and to the port");
    }
    match (adopt, vfio) {
        (true, true) => {
            let message = "a port with `vfio = true` has no interface that could be adopted";
            report.error(section.span, message, "remove one of `adopt` and `vfio`");
            Device::Vfio
        }
        (true, false) => {
            check_adopted(section, report);
            Device::Adopted
        }
        (false, true) => Device::Vfio,
        (false, false) => Device::Made,
    }
}

/// The mark of libvirt's hook, which takes such a port out again.
pub(super) fn domain(section: &Section<'_, '_>, device: Device, report: &mut Report) -> Option<String> {
    let text = section.text("domain", report)?;
    if !is_uuid(text.text) {
        let message = format!("{} is no UUID of a libvirt domain", quoted(text.text));
        report.error(text.span, message, "remove it; `netctl libvirt-hook` writes it");
    } else if device != Device::Adopted {
        let message = "only an adopted port is a libvirt domain's";
        report.error(text.span, message, "remove it; `netctl libvirt-hook` writes it");
    }
    Some(text.text.to_owned())
}

/// As libvirt writes them: 32 lower-case hexadecimal digits, with hyphens after 8, 12, 16 and 20 (virUUIDFormat()).
pub(crate) fn is_uuid(text: &str) -> bool {
    let is_hyphen = |at| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| match byte {
        b'-' => is_hyphen(at),
        b'0'..=b'9' | b'a'..=b'f' => !is_hyphen(at),
        _ => false,
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// What the interface is, is its owner's business; whose frames come out of it, only the document can say.
fn check_adopted(section: &Section<'_, '_>, report: &mut Report) {
    if section.entry("ifname").is_none() {
        let message = "an adopted port needs the name of its interface";
        report.error(section.span, message, "add `ifname = \"vnet0\"`");
    }
    if section.entry("mac").is_none() {
        let message = "an adopted port needs the MAC address of its guest's NIC";
        report.error(section.span, message, "add `mac = \"52:54:00:00:00:11\"`, as the guest has it");
    }
    for key in ["queues", "owner", "owner-group", "tap", "mtu", "vhost", "uplink"] {
        if let Some(node) = section.node(key) {
            let message = format!("an adopted port has no `{key}`: its interface is as its owner made it");
            report.error(node.span, message, "remove it");
        }
    }
}

/// The host does not see the frames of a function that the guest drives itself.
fn check_vfio(section: &Section<'_, '_>, filter: Filter, network: Option<&Network>, report: &mut Report) {
    let place = section.node("vfio").map_or(section.span, |node| node.span);
    if network.is_some_and(|network| network.pool.is_none()) {
        let message = "only a port of a passthrough network with a pool can be handed over by VFIO";
        report.error(place, message, "give the network a `pool`");
    }
    if let Some(node) = section.node("tap") {
        report.error(node.span, "a port with `vfio = true` has no queues on the host", "remove it");
    }
    if filter == Filter::None {
        let message = "no policy is enforced at this port: its guest drives the function itself";
        let help = "without `vfio` and `filter` the guest gets a macvtap on the function, which is filtered";
        report.add(Finding::warning(place, message, help));
    } else {
        let message =
            "a function that the guest drives itself has no interface on the host and cannot be filtered";
        let help = "remove `vfio` for a macvtap on the function, or add `filter = \"none\"` to do without the policy";
        report.error(place, message, help);
    }
}

/// The number of the device. The host does not see the frames of a vDPA device, whichever network it is on.
fn vdpa(
    section: &Section<'_, '_>,
    filter: Filter,
    network: Option<&Network>,
    (around, report): (&mut Around<'_, '_>, &mut Report),
) -> Option<u32> {
    let path = section.text("vdpa", report)?;
    if network.is_some_and(|network| matches!(network.kind, NetworkKind::Passthrough)) {
        let message = "a vDPA device is no port of a passthrough network: it takes no uplink and no function";
        report.error(path.span, message, "name the bridge, macvlan or vepa network that its frames are on");
    }
    for key in ["ifname", "queues", "owner", "owner-group", "tap", "vhost", "uplink", "adopt", "vfio"] {
        if let Some(node) = section.node(key) {
            let message = format!("a port with `vdpa` has no `{key}`: the guest drives the device itself");
            report.error(node.span, message, "remove it");
        }
    }
    if filter == Filter::None {
        let message =
            "no policy is enforced at this port: its vDPA device moves the guest's frames past the host";
        let help = "without `vdpa` and `filter` the guest gets a tap or macvtap, which is filtered";
        report.add(Finding::warning(path.span, message, help));
    } else {
        let message = "the frames of a vDPA device cross no interface of the host and cannot be filtered";
        let help =
            "remove `vdpa` for a port that is filtered, or add `filter = \"none\"` to do without the policy";
        report.error(path.span, message, help);
    }
    let digits = path.text.strip_prefix(VDPA).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    // drivers/vhost/vdpa.c, VHOST_VDPA_DEV_MAX: minor numbers have 20 bits. One spelling for each.
    let number = digits
        .and_then(|digits| digits.parse().ok().filter(|n: &u32| n.to_string() == digits && *n < 1 << 20));
    let Some(number) = number else {
        let message = format!("{} is no vhost-vdpa device", quoted(path.text));
        report.error(path.span, message, format!("write it like `{VDPA}0`; `vdpa dev show` lists devices"));
        return None;
    };
    match around.vdpa.get(&number) {
        Some(first) => {
            let message = format!("{VDPA}{number} is another port's already");
            let finding = Finding::error(path.span, message, "a device has one guest: name another");
            report.add(finding.relate(*first, "first used here"));
        }
        None => drop(around.vdpa.insert(number, path.span)),
    }
    Some(number)
}

/// TUNSETOWNER is for taps; a macvtap is opened by its device node.
pub(super) fn check_owner(section: &Section<'_, '_>, network: Option<&Network>, report: &mut Report) {
    for (key, noun) in [("owner", "owner"), ("owner-group", "group of owners")] {
        if let (Some(node), Some(network)) = (section.node(key), network)
            && network.kind.port_kind() == PortKind::Macvtap
        {
            let message = format!("a port of a {} network has no {noun}: it is no tap", network.kind.name());
            report.error(node.span, message, "remove it; `netctl run` opens the port and hands it over");
        }
    }
}
