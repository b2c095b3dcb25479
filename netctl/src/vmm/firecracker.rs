//! Firecracker's configuration of a port. It takes no descriptor: it opens a tap by its name, single-queue and with a
//! virtio header (`Tap::open_named` in src/vmm/src/devices/virtio/net/tap.rs, commit 81b38b9dad60).

use serde::Serialize;

use super::RunPort;
use crate::config::{PortKind, Vhost};

/// An element of `network-interfaces` of its configuration file, and the body of `PUT /network-interfaces/ID`
/// (`NetworkInterfaceConfig` in src/vmm/src/vmm_config/net.rs).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stanza {
    /// Letters, digits and `_`.
    pub iface_id: String,
    pub host_dev_name: String,
    pub guest_mac: String,
    /// Bytes; releases before it was known refuse it, so it is there only where the document sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}

impl Stanza {
    /// For a port that [`refusal`] has no reason against.
    pub fn new(port: &RunPort) -> Self {
        // checked_id() in src/firecracker/src/api_server/parsed_request.rs
        let id = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        Self {
            iface_id: port.name.chars().map(id).collect(),
            host_dev_name: port.interface.clone(),
            guest_mac: port.mac.to_string(),
            mtu: port.mtu,
        }
    }
}

/// Why it cannot use the port.
pub fn refusal(port: &RunPort) -> Option<String> {
    if port.kind == PortKind::Macvtap {
        return Some(
            "it opens taps only, by their names, and the port is a macvtap; a bridge's ports are taps".into(),
        );
    }
    if port.queues > 1 {
        return Some(format!("it has one queue for a NIC, and the port has {}", port.queues));
    }
    let reason = "it knows no vhost-net, and the port says `vhost = \"on\"`; `\"auto\"` does without";
    (port.vhost == Vhost::On).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::qemu::tests::port;
    use super::*;

    /// `NetworkInterfaceConfig` of the commit above, without its rate limiters.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        iface_id: String,
        host_dev_name: String,
        guest_mac: Option<String>,
        mtu: Option<u16>,
    }

    #[test]
    fn the_stanza_is_what_its_configuration_takes() {
        let port = RunPort { name: "web-1.a".into(), ..port(1, Some(9000)) };
        let text = serde_json::to_string(&Stanza::new(&port)).unwrap();
        let config: Config = serde_json::from_str(&text).unwrap();
        assert_eq!((config.iface_id.as_str(), config.host_dev_name.as_str()), ("web_1_a", "web1"));
        assert_eq!((config.guest_mac.as_deref(), config.mtu), (Some("52:54:00:00:00:11"), Some(9000)));
        let unset = serde_json::to_string(&Stanza::new(&RunPort { mtu: None, ..port })).unwrap();
        assert!(!unset.contains("mtu"), "{unset}");
    }

    #[test]
    fn a_macvtap_a_port_of_two_queues_and_one_that_insists_on_vhost_are_refused() {
        assert_eq!(refusal(&port(1, None)), None);
        for (port, wanted) in [
            (RunPort { kind: PortKind::Macvtap, ..port(1, None) }, "the port is a macvtap"),
            (port(2, None), "it has one queue for a NIC, and the port has 2"),
            (RunPort { vhost: Vhost::On, ..port(1, None) }, "vhost = \"on\""),
        ] {
            assert!(refusal(&port).unwrap().contains(wanted), "{wanted}");
        }
    }
}
