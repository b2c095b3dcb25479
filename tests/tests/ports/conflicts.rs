//! Documents that do not fit the host: refused with the reason, and nothing changed.

use std::process::Command;

use netctl::fd::tap::NewTap;
use netctl::network::{Netlink, apply};

use super::document::{lab, lab_with_ports, network, plan_document};
use super::host::sh;
use super::namespace::isolated;

/// Set in the process that has no CAP_NET_ADMIN.
const UNPRIVILEGED: &str = "NETCTL_TEST_UNPRIVILEGED";

/// The messages for `config` on the host as it is.
async fn conflicts(netlink: &Netlink, config: &netctl::config::Config) -> Vec<String> {
    let conflicts = plan_document(netlink, config).await.unwrap_err();
    conflicts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_ports_name_that_is_taken_is_refused_with_what_holds_it() {
    isolated(async |netlink| {
        sh(
            "ip link add web1 type veth peer name web2; ip link add web3 type bridge; ip tuntap add web4 mode tap",
        );
        sh("ip link add other type veth peer name peer; ip link property add dev other altname web5");
        let found = conflicts(netlink, &lab_with_ports(5)).await;
        let refused = |name: &str, line: u32, what: &str| {
            format!(
                "line {line}: port `{name}` needs an interface `{name}`, but that name is taken: it is {what}, \
                 not netctl's; choose another name with `ifname`"
            )
        };
        assert_eq!(
            found,
            [
                refused("web1", 101, "of kind veth"),
                refused("web2", 102, "of kind veth"),
                refused("web3", 103, "a bridge"),
                refused("web4", 104, "a tap"),
                refused("web5", 105, "`other`, of kind veth"),
            ]
        );
    });
}

#[test]
fn a_networks_name_that_is_no_bridge_is_refused() {
    isolated(async |netlink| {
        sh("ip link add br-lab type veth peer name other");
        assert_eq!(
            conflicts(netlink, &lab()).await,
            ["line 10: network `lab` needs a bridge `br-lab`, but that name is taken: it is of kind veth; \
              choose another name with `interface`"]
        );
    });
}

#[test]
fn another_mtu_for_someone_elses_bridge_is_refused() {
    isolated(async |netlink| {
        sh("ip link add br-lab type bridge; ip link set br-lab up");
        let mut config = lab();
        config.networks.get_mut("lab").unwrap().mtu = Some(9000);
        assert_eq!(
            conflicts(netlink, &config).await,
            [
                "line 10: network `lab` has `mtu = 9000`, but its bridge `br-lab` is not netctl's and has 1500; \
              leave `mtu` out, or set it yourself: `ip link set br-lab mtu 9000`"
            ]
        );
    });
}

#[test]
fn a_bridge_of_someone_else_that_is_down_is_a_warning() {
    isolated(async |netlink| {
        sh("ip link add br-lab type bridge");
        let plan = plan_document(netlink, &lab()).await.unwrap();
        assert_eq!(
            plan.warnings,
            ["bridge `br-lab` of network `lab` is not netctl's and is down; `ip link set br-lab up`"]
        );
        assert!(plan.is_empty());
    });
}

#[test]
fn no_interface_is_two_things() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(2);
        config.networks.insert("dmz".to_owned(), network("web1", 2));
        config.ports.get_mut("web2").unwrap().interface = "br-lab".to_owned();
        assert_eq!(
            conflicts(netlink, &config).await,
            [
                "line 101: interface `web1` is wanted twice, by network `dmz` and by port `web1`; rename one of them",
                "line 102: interface `br-lab` is wanted twice, by network `lab` and by port `web2`; \
                 rename one of them"
            ]
        );
    });
}

#[test]
fn an_uplink_that_cannot_be_one_is_refused() {
    isolated(async |netlink| {
        sh(
            "ip link add br7 type bridge; ip link add eth1 type veth peer name p1; ip link set eth1 master br7",
        );
        sh("ip link add eth2 type veth peer name p2; ip addr add 192.0.2.5/24 dev eth2; ip link set eth2 up");
        sh("ip addr add 2001:db8::5/64 dev eth2 nodad");
        let mut config = lab();
        config.networks.get_mut("lab").unwrap().uplinks = ["eth1", "eth2", "eth9"].map(Into::into).to_vec();
        assert_eq!(
            conflicts(netlink, &config).await,
            [
                "line 10: uplink `eth1` of network `lab` is a port of `br7` already; release it with \
                 `ip link set eth1 nomaster`, or name `br7` as the network's `interface`",
                "line 10: uplink `eth2` of network `lab` has the address 192.0.2.5/24, 2001:db8::5/64, which stops \
                 working on a port of a bridge and may be the host's way out; move it to the network's `addresses`, \
                 or make a bridge that holds both and name it as the network's `interface`",
                "line 10: network `lab` has the uplink `eth9`, but there is no such interface; `ip link` lists them",
            ]
        );
    });
}

#[test]
fn without_the_capability_the_messages_say_what_is_missing() {
    if std::env::var_os(UNPRIVILEGED).is_some() {
        return report_what_is_refused();
    }
    isolated(async |_| {
        let test = "conflicts::without_the_capability_the_messages_say_what_is_missing";
        let output = Command::new("setpriv")
            .args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(UNPRIVILEGED, "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let bridge = "no interface was made: cannot make bridge `br-lab`: not permitted; \
                      run as root or with CAP_NET_ADMIN";
        let tap = "`web1`: not permitted; run as root, with CAP_NET_ADMIN, or as the port's `owner`";
        assert!(text.contains(bridge) && text.contains(tap), "{text}");
    });
}

fn report_what_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let netlink = Netlink::connect().unwrap();
        let plan = plan_document(&netlink, &lab()).await.unwrap();
        let error = apply::make(&netlink, &plan).await.unwrap_err();
        println!("{error}: {}", std::error::Error::source(&error).unwrap());
        println!("{}", NewTap::create("web1", false).unwrap_err());
    });
}
