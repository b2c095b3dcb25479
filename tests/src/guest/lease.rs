//! DHCP of a guest.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::socket::dhcpv4;
use smoltcp::wire::IpCidr;

use super::Guest;

impl Guest {
    /// Asks for an address until a server gives one, and uses it; `None` after `limit`.
    pub fn dhcp(&self, limit: Duration) -> Option<Ipv4Addr> {
        let handle = self.shared.lock().sockets.add(dhcpv4::Socket::new());
        self.shared.wait(limit, |stack| {
            let socket = stack.sockets.get_mut::<dhcpv4::Socket<'_>>(handle);
            let Some(dhcpv4::Event::Configured(given)) = socket.poll() else { return None };
            let address = given.address;
            stack.interface.update_ip_addrs(|list| {
                // Seven are more than a test wants.
                let _ = list.push(IpCidr::Ipv4(address));
            });
            Some(address.address())
        })
    }
}
