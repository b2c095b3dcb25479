//! The inside of a guest: smoltcp's interface and sockets, and the echo services. One call of [`Stack::work`]
//! does all that can be done now; whoever holds the lock may call it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use super::device::{NicDevice, Refusal};
use crate::frame::Mac;
use crate::nic::Nic;

/// Listening sockets that a TCP service keeps, so that connections can come at the same time.
const BACKLOG: usize = 4;
/// Frames taken in before answers go out.
const INGRESS_BATCH: usize = 64;
/// A connection that a test has let go of may still say goodbye for so long, by the guest's clock.
const FAREWELL: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(20);
/// A guest's clock runs so many times faster than the host's: smoltcp asks for one neighbor per second and
/// retransmits after one, which would make up most of the time of every test.
const HASTE: u32 = 10;
const FIRST_EPHEMERAL_PORT: u16 = 49152;

pub(super) struct Stack {
    pub(super) interface: Interface,
    pub(super) sockets: SocketSet<'static>,
    device: NicDevice,
    tcp_services: Vec<TcpService>,
    udp_services: Vec<SocketHandle>,
    leaving: Vec<(SocketHandle, Instant)>,
    next_port: u16,
    next_ident: u16,
    stopped: bool,
    started: std::time::Instant,
}

struct TcpService {
    port: u16,
    sockets: Vec<SocketHandle>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("addresses", &self.interface.ip_addrs()).finish_non_exhaustive()
    }
}

impl Stack {
    pub(super) fn new(nic: Arc<dyn Nic>, mac: Mac, addresses: &[IpCidr]) -> Result<Self> {
        let mut device = NicDevice::new(nic);
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        config.random_seed = u64::from_be_bytes([0, 0, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]]);
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        let mut full = None;
        interface.update_ip_addrs(|list| full = addresses.iter().find_map(|a| list.push(*a).err()));
        if let Some(address) = full {
            return Err(anyhow!("no room for {address}: a guest has at most 7 addresses of its own"));
        }
        Ok(Self {
            interface,
            sockets: SocketSet::new(Vec::new()),
            device,
            tcp_services: Vec::new(),
            udp_services: Vec::new(),
            leaving: Vec::new(),
            next_port: FIRST_EPHEMERAL_PORT,
            next_ident: 1,
            stopped: false,
            started: std::time::Instant::now(),
        })
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn frames_received(&self) -> u64 {
        self.device.received
    }

    pub(super) fn default_route(&mut self, router: IpAddr) {
        let routes = self.interface.routes_mut();
        // The table has room: there is one default route per family.
        let _ = match router {
            IpAddr::V4(v4) => routes.add_default_ipv4_route(v4),
            IpAddr::V6(v6) => routes.add_default_ipv6_route(v6),
        };
    }

    /// By the guest's clock.
    fn now(&self) -> Instant {
        Instant::ZERO + smoltcp::time::Duration::from(self.started.elapsed() * HASTE)
    }

    /// Ports 49152 to 65535, in turn.
    pub(super) fn ephemeral_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL_PORT);
        port
    }

    pub(super) fn ident(&mut self) -> u16 {
        self.next_ident = self.next_ident.wrapping_add(1);
        self.next_ident
    }

    pub(super) fn serve_tcp(&mut self, port: u16) {
        self.tcp_services.push(TcpService { port, sockets: Vec::new() });
        self.refill_services();
    }

    pub(super) fn serve_udp(&mut self, socket: SocketHandle) {
        self.udp_services.push(socket);
    }

    /// The code of the first "unreachable" about this flow since it was last asked for.
    pub(super) fn take_refusal(&mut self, wanted: impl Fn(&Refusal) -> bool) -> Option<u8> {
        let found = self.device.refusals.iter().position(wanted)?;
        Some(self.device.refusals.remove(found).code)
    }

    /// Lets a TCP socket say goodbye before it is removed.
    pub(super) fn retire(&mut self, handle: SocketHandle) {
        self.sockets.get_mut::<tcp::Socket<'_>>(handle).close();
        self.leaving.push((handle, self.now() + FAREWELL));
    }

    /// Takes in what has arrived, serves it, and sends what is due.
    pub(super) fn work(&mut self) {
        let now = self.now();
        self.interface.poll_maintenance(now);
        for _ in 0..INGRESS_BATCH {
            let result = self.interface.poll_ingress_single(now, &mut self.device, &mut self.sockets);
            if matches!(result, PollIngressSingleResult::None) {
                break;
            }
        }
        self.echo();
        while self.interface.poll_egress(now, &mut self.device, &mut self.sockets) != PollResult::None {}
        // After sending, so that a goodbye or a reset is out before its socket is removed.
        self.sweep(now);
        self.stopped |= self.device.gone;
    }

    /// How long [`Self::work`] has nothing to do, unless a frame arrives.
    pub(super) fn delay(&mut self) -> Duration {
        const AT_MOST: Duration = Duration::from_secs(1);
        let delay = self.interface.poll_delay(self.now(), &self.sockets);
        delay.map_or(AT_MOST, |delay| (Duration::from(delay) / HASTE).min(AT_MOST))
    }

    fn echo(&mut self) {
        for service in &self.tcp_services {
            for handle in &service.sockets {
                echo_stream(self.sockets.get_mut(*handle));
            }
        }
        for handle in &self.udp_services {
            echo_datagrams(self.sockets.get_mut(*handle));
        }
    }

    fn sweep(&mut self, now: Instant) {
        use tcp::State::{Closed, TimeWait};
        let sockets = &mut self.sockets;
        self.leaving.retain(|(handle, until)| {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(*handle);
            if matches!(socket.state(), Closed | TimeWait) {
                sockets.remove(*handle);
                return false;
            }
            if now >= *until {
                socket.abort();
            }
            true
        });
        for service in &mut self.tcp_services {
            service.sockets.retain(|handle| {
                let done = matches!(sockets.get::<tcp::Socket<'_>>(*handle).state(), Closed | TimeWait);
                if done {
                    sockets.remove(*handle);
                }
                !done
            });
        }
        self.refill_services();
    }

    fn refill_services(&mut self) {
        for service in &mut self.tcp_services {
            let sockets = &mut self.sockets;
            let listens = |handle: &&SocketHandle| sockets.get::<tcp::Socket<'_>>(**handle).is_listening();
            let listening = service.sockets.iter().filter(listens).count();
            for _ in listening..BACKLOG {
                let mut socket = new_tcp_socket();
                // A fresh socket listens on any port but 0, which `tcp_listen` refuses.
                let _ = socket.listen(service.port);
                service.sockets.push(self.sockets.add(socket));
            }
        }
    }
}

pub(super) fn new_tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 16384]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    // Small exchanges with bounded waits: nothing is gained by holding back data or acknowledgements.
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket
}

fn echo_stream(socket: &mut tcp::Socket<'_>) {
    while socket.can_recv() && socket.can_send() {
        let room = socket.send_capacity() - socket.send_queue();
        let Ok(data) = socket.recv(|data| {
            let len = data.len().min(room);
            (len, data[..len].to_vec())
        }) else {
            break;
        };
        if data.is_empty() || socket.send_slice(&data).is_err() {
            break;
        }
    }
    if socket.state() == tcp::State::CloseWait && !socket.can_recv() {
        socket.close();
    }
}

fn echo_datagrams(socket: &mut udp::Socket<'_>) {
    while socket.can_recv() && socket.can_send() {
        let Ok((data, from)) = socket.recv() else { break };
        let data = data.to_vec();
        if socket.send_slice(&data, from).is_err() {
            break;
        }
    }
}
