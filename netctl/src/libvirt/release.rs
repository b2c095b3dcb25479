//! Which ports end with a domain. Those, too, whose interface is gone while nobody was told of it: libvirt's daemon may
//! have been down when the guest ended, and a port without an interface would stand in the way of every later change.

use super::Edit;
use crate::config::Config;
use crate::network::Observed;

/// Takes out the ports that the hook adopted for the domain with this UUID. Ports of others stay, also with its interfaces.
pub fn release(domain: &str, config: &Config, observed: &Observed) -> Edit {
    let ended = |of: &String| of == domain;
    let ports = config.ports.iter().filter(|(_, port)| {
        port.domain.as_ref().is_some_and(|of| ended(of) || observed.named(&port.interface).is_none())
    });
    Edit { remove: ports.map(|(name, _)| name.clone()).collect(), ..Edit::default() }
}
