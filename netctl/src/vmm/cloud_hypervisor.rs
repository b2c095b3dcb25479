//! cloud-hypervisor's syntax for a port: `--net` of `NetConfig::parse` and the rules of `NetConfig::validate`
//! (vmm/src/config.rs, commit ae44c2971c83).

use super::{OpenPort, RunPort, list};
use crate::config::Vhost;

/// `MIN_MTU` of virtio-devices/src/net.rs: what it tells a guest; a smaller one is refused.
const MIN_MTU: u32 = 1280;

/// Why it cannot use the port.
pub fn refusal(port: &RunPort) -> Option<String> {
    if port.vhost == Vhost::On {
        return Some(
            "it knows no vhost-net, and the port says `vhost = \"on\"`; `\"auto\"` does without".into(),
        );
    }
    let small = port.mtu.filter(|mtu| *mtu < MIN_MTU)?;
    Some(format!("its guests need an MTU of {MIN_MTU} bytes or more, and the port's is {small}"))
}

/// `num_queues` counts both directions. The MTU is left out: it reads the interface's and tells the guest; named, it would
/// set the interface's (`Net::from_tap_fds`), which takes CAP_NET_ADMIN.
pub fn arguments(open: &OpenPort<'_>) -> Vec<String> {
    let (fds, mac) = (list(&open.fds, ','), open.port.mac);
    vec!["--net".to_owned(), format!("fd=[{fds}],mac={mac},num_queues={}", 2 * open.fds.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::qemu::tests::port;
    use super::*;

    /// The grammar of option_parser/src/lib.rs of the commit above, as far as a value without quotes needs it: options
    /// are between the commas that are in no brackets, and known; a list is in brackets.
    fn parse(text: &str) -> HashMap<&str, &str> {
        const KNOWN: [&str; 22] = [
            "tap",
            "ip",
            "mask",
            "mac",
            "host_mac",
            "offload_tso",
            "offload_ufo",
            "offload_csum",
            "mtu",
            "queue_size",
            "num_queues",
            "vhost_user",
            "socket",
            "vhost_mode",
            "fd",
            "bw_size",
            "bw_one_time_burst",
            "bw_refill_time",
            "ops_size",
            "ops_one_time_burst",
            "ops_refill_time",
            "id",
        ];
        let mut depth = 0;
        let options = text.split(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            c == ',' && depth == 0
        });
        let pairs: HashMap<_, _> = options.map(|option| option.split_once('=').expect(option)).collect();
        assert!(pairs.keys().all(|key| KNOWN.contains(key)), "{text}");
        pairs
    }

    #[test]
    fn what_is_written_is_what_its_parser_and_its_checks_take() {
        for queues in [1, 4] {
            let port = port(queues, Some(9000));
            let fds: Vec<i32> = (3..3 + i32::from(queues)).collect();
            let open = OpenPort { port: &port, fds: fds.clone(), vhost_fds: Err("off".into()) };
            let [option, value] = arguments(&open).try_into().unwrap();
            assert_eq!(option, "--net");
            let parsed = parse(&value);
            // IntegerList: brackets, then numbers.
            let list = parsed["fd"].strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap();
            let numbers: Vec<i32> = list.split(',').map(|number| number.parse().unwrap()).collect();
            assert_eq!(numbers, fds);
            // VnetQueueFdMismatch
            assert_eq!(parsed["num_queues"].parse(), Ok(2 * numbers.len()));
            assert_eq!(parsed["mac"], "52:54:00:00:00:11");
            assert_eq!(parsed.len(), 3, "{value}");
        }
    }

    #[test]
    fn a_port_that_insists_on_vhost_or_has_a_small_mtu_is_refused() {
        assert_eq!(refusal(&port(2, Some(1280))), None);
        let refused = refusal(&port(1, Some(1279))).unwrap();
        assert!(refused.contains("1280 bytes or more, and the port's is 1279"), "{refused}");
        let insists = RunPort { vhost: Vhost::On, ..port(1, None) };
        assert!(refusal(&insists).unwrap().contains("vhost = \"on\""));
    }
}
