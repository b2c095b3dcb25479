//! crosvm's syntax for a port: `--net` of `crosvm run` (`NetParameters` in devices/src/virtio/net.rs, commit f1e797a68dad).

use super::{OpenPort, RunPort, list};
use crate::config::Vhost;

/// Why it cannot use the port. It takes one descriptor, and would open further queues by the interface's name
/// (`into_mq_taps` in net_util/src/sys/linux/tap.rs).
pub fn refusal(port: &RunPort) -> Option<String> {
    if port.queues > 1 {
        return Some(format!("it takes one descriptor for a NIC, and the port has {} queues", port.queues));
    }
    let reason =
        "it takes no descriptor of vhost-net, and the port says `vhost = \"on\"`; `\"auto\"` does without";
    (port.vhost == Vhost::On).then(|| reason.to_owned())
}

/// The MAC address is in quotes of crosvm's own: without them, its type is guessed from its first characters. crosvm reads
/// the MTU from the interface.
pub fn arguments(open: &OpenPort<'_>) -> Vec<String> {
    vec!["--net".to_owned(), format!("tap-fd={},mac=\"{}\"", list(&open.fds, ','), open.port.mac)]
}

#[cfg(test)]
mod tests {
    use super::super::qemu::tests::port;
    use super::*;

    #[test]
    fn what_is_written_is_in_the_form_of_its_own_tests() {
        // params_from_key_values() of the file above has `tap-fd=12,mac="3d:70:eb:61:1a:91"`.
        let port = port(1, Some(9000));
        let open = OpenPort { port: &port, fds: vec![12], vhost_fds: Err("off".into()) };
        assert_eq!(arguments(&open), ["--net", "tap-fd=12,mac=\"52:54:00:00:00:11\""]);
    }

    #[test]
    fn a_port_of_two_queues_or_one_that_insists_on_vhost_is_refused() {
        assert_eq!(refusal(&port(1, None)), None);
        assert!(refusal(&port(2, None)).unwrap().contains("the port has 2 queues"));
        let insists = RunPort { vhost: Vhost::On, ..port(1, None) };
        assert!(refusal(&insists).unwrap().contains("vhost = \"on\""));
    }
}
