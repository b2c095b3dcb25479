//! QEMU's syntax for a port (`qemu-system-x86_64 -help`, net/tap.c of QEMU 7.2 to 10).

use super::socket::SocketKind;
use super::{OpenPort, RunPort, list};

/// The arguments that give a guest its NIC: a tap backend and a virtio device.
pub fn arguments(open: &OpenPort<'_>, id: &str) -> Vec<String> {
    vec!["-netdev".to_owned(), netdev(open, id), "-device".to_owned(), device(open.port, id)]
}

/// Likewise, by a socket (net/stream.c and net/dgram.c, from QEMU 7.2 on), which has one queue.
pub fn socket_arguments(open: &OpenPort<'_>, id: &str, kind: SocketKind) -> Vec<String> {
    let fd = list(&open.fds, ':');
    let netdev = match kind {
        SocketKind::Stream => format!("stream,id={id},addr.type=fd,addr.str={fd}"),
        SocketKind::Messages => format!("dgram,id={id},local.type=fd,local.str={fd}"),
    };
    let port = RunPort { queues: 1, ..open.port.clone() };
    vec!["-netdev".to_owned(), netdev, "-device".to_owned(), device(&port, id)]
}

/// `fds` also for one queue. vhost needs as many descriptors as there are queues; without it the option is
/// left out, which is off.
fn netdev(open: &OpenPort<'_>, id: &str) -> String {
    if let (Some(_), Ok(fds)) = (open.port.vdpa, &open.vhost_fds) {
        return format!("vhost-vdpa,id={id},vhostfd={}", list(fds, ':'));
    }
    let vhost = match &open.vhost_fds {
        Ok(fds) => format!(",vhost=on,vhostfds={}", list(fds, ':')),
        Err(_) => String::new(),
    };
    format!("tap,id={id},fds={}{vhost}", list(&open.fds, ':'))
}

fn device(port: &RunPort, id: &str) -> String {
    let mut device = format!("virtio-net-pci,netdev={id},id={id}-nic,mac={}", port.mac);
    if port.queues > 1 {
        // One vector for each direction of each queue, one for the configuration, one for the control queue.
        let vectors = 2 * u32::from(port.queues) + 2;
        device += &format!(",mq=on,vectors={vectors}");
    }
    if let Some(mtu) = port.mtu {
        device += &format!(",host_mtu={mtu}");
    }
    device
}

/// An id for each name, in the same order: a letter, then letters, digits, `-`, `.`, `_` (id_wellformed() in
/// util/id.c); other characters become `_`. No two are the same, and as none holds a comma, nothing has to
/// be doubled where they stand.
pub fn ids<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for name in names {
        let base = id(name);
        let numbered = (2..).map(|n| format!("{base}.{n}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|id| !ids.contains(id));
        ids.extend(free);
    }
    ids
}

fn id(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let id: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if id.starts_with(|c: char| c.is_ascii_alphabetic()) { id } else { format!("port{id}") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::RunPort;
    use super::*;
    use crate::config::{Mac, PortKind, TapOptions, Vhost};

    pub(in super::super) fn port(queues: u16, mtu: Option<u32>) -> RunPort {
        RunPort {
            name: "web1".into(),
            interface: "web1".into(),
            mac: Mac([0x52, 0x54, 0, 0, 0, 0x11]),
            kind: PortKind::Tap,
            queues,
            vhost: Vhost::Auto,
            tap: TapOptions::default(),
            vdpa: None,
            mtu,
        }
    }

    #[test]
    fn one_queue_without_vhost_is_the_short_form() {
        let port = port(1, None);
        let open = OpenPort { port: &port, fds: vec![3], vhost_fds: Err("off".into()) };
        assert_eq!(
            arguments(&open, "web1"),
            [
                "-netdev",
                "tap,id=web1,fds=3",
                "-device",
                "virtio-net-pci,netdev=web1,id=web1-nic,mac=52:54:00:00:00:11"
            ]
        );
    }

    #[test]
    fn several_queues_get_vhost_descriptors_and_vectors_for_all_of_them() {
        let port = port(2, Some(9000));
        let open = OpenPort { port: &port, fds: vec![3, 4], vhost_fds: Ok(vec![5, 6]) };
        assert_eq!(
            arguments(&open, "a"),
            [
                "-netdev",
                "tap,id=a,fds=3:4,vhost=on,vhostfds=5:6",
                "-device",
                "virtio-net-pci,netdev=a,id=a-nic,mac=52:54:00:00:00:11,mq=on,vectors=6,host_mtu=9000"
            ]
        );
    }

    #[test]
    fn sockets_have_one_queue() {
        let port = port(4, None);
        let open = OpenPort { port: &port, fds: vec![3], vhost_fds: Err("a socket".into()) };
        let device = "virtio-net-pci,netdev=a,id=a-nic,mac=52:54:00:00:00:11";
        assert_eq!(
            socket_arguments(&open, "a", SocketKind::Stream),
            ["-netdev", "stream,id=a,addr.type=fd,addr.str=3", "-device", device]
        );
        assert_eq!(
            socket_arguments(&open, "a", SocketKind::Messages)[1],
            "dgram,id=a,local.type=fd,local.str=3"
        );
    }

    #[test]
    fn a_vdpa_device_is_a_backend_of_its_own() {
        let port = RunPort { vdpa: Some(0), ..port(1, None) };
        let open = OpenPort { port: &port, fds: Vec::new(), vhost_fds: Ok(vec![7]) };
        let wanted = "virtio-net-pci,netdev=a,id=a-nic,mac=52:54:00:00:00:11";
        assert_eq!(arguments(&open, "a"), ["-netdev", "vhost-vdpa,id=a,vhostfd=7", "-device", wanted]);
    }

    #[test]
    fn ids_are_well_formed_and_different() {
        assert_eq!(
            ids(["web1", "9p", "a,b", "a_b", "ü", "a_b.2"]),
            ["web1", "port9p", "a_b", "a_b.2", "port_", "a_b.2.2"]
        );
    }
}
