//! Pools of virtual functions: who gets which, what is refused, and that every crash is healed.

#[path = "pools/model.rs"]
mod model;

use netctl::config::{Config, Device, NetworkKind, Pool, VfSettings};

use super::document::{lab, lines, network, port};
use model::{Host, device};

/// A network on a pool of `vfs` functions of `eth3`, without ports.
fn pool(vfs: u16) -> Config {
    let mut config = lab();
    config.networks.clear();
    add_network(&mut config, "direct", vfs, VfSettings::default());
    config
}

fn add_network(config: &mut Config, name: &str, vfs: u16, settings: VfSettings) {
    let mut direct = network("", 1);
    direct.kind = NetworkKind::Passthrough;
    direct.pool = Some(Pool { pf: "eth3".to_owned(), vfs, settings });
    config.networks.insert(name.to_owned(), direct);
}

/// `web<number>` for each number.
fn with_ports(mut config: Config, numbers: &[u8]) -> Config {
    for number in numbers {
        let mut port = port(*number);
        port.network = "direct".to_owned();
        config.ports.insert(format!("web{number}"), port);
    }
    config
}

fn tagged() -> VfSettings {
    VfSettings { vlan: Some(100), spoof_check: false, trust: true, rate: Some(500) }
}

/// Two networks, a port of each, and one that its guest drives itself.
fn everything(vfs: u16) -> Config {
    let mut config = with_ports(pool(vfs), &[1, 2, 3]);
    add_network(&mut config, "tagged", vfs, tagged());
    config.ports.get_mut("web2").unwrap().network = "tagged".to_owned();
    config.ports.get_mut("web3").unwrap().device = Device::Vfio;
    config
}

#[test]
fn functions_are_made_leased_and_set_in_this_order() {
    let host = Host::new(0);
    let plan = host.plan(&everything(3));
    assert_eq!(
        lines(&plan),
        [
            "+ pool eth3: 3 virtual functions",
            "+ vf eth3: VF 0 for port web1, MAC 52:54:00:00:00:01, spoof check on, trust off",
            "+ vf eth3: VF 1 for port web2, MAC 52:54:00:00:00:02, VLAN 100, spoof check off, trust on, 500 Mbit/s",
            "+ vf eth3: VF 2 for port web3, not filtered, MAC 52:54:00:00:00:03, spoof check on, trust off",
            "+ macvtap web1: port web1, passthru on VF 0 of eth3, MAC 52:54:00:00:00:01",
            "+ macvtap web2: port web2, passthru on VF 1 of eth3, MAC 52:54:00:00:00:02",
            "~ macvtap web1: up",
            "~ macvtap web2: up",
        ]
    );
}

#[test]
fn what_was_made_is_what_was_wanted_and_goes_again() {
    let mut host = Host::new(0);
    let before = host.clone();
    host.apply(&everything(3));
    assert_eq!(host.leases(), [(0, "web1".into()), (1, "web2".into()), (2, "web3".into())]);
    let state = host.vf(1).state;
    assert_eq!((state.vlan, state.spoof_check, state.trust, state.max_rate), (100, false, true, 500));
    assert!(host.observed().named("web3").is_none(), "a guest with VFIO has no interface");
    host.down();
    host.assert_like(&before, "after down");
}

/// Dies after every number of steps from one document to another, and applies the other again; or goes down.
fn survive_every_crash(host: &Host, from: &Config, to: &Config) {
    let mut begin = host.clone();
    begin.apply(from);
    let steps = begin.steps(to);
    assert!(steps.len() > 3, "{steps:?}");
    for count in 0..=steps.len() {
        let when = format!("after a crash behind {:?}", steps[..count].last());
        let mut crashed = begin.clone();
        crashed.run(&steps[..count]);
        let mut healed = crashed.clone();
        healed.apply(to);
        let leases = healed.leases();
        let numbers: std::collections::BTreeSet<_> = leases.iter().map(|(number, _)| number).collect();
        assert_eq!((numbers.len(), leases.len()), (to.ports.len(), to.ports.len()), "{when}: {leases:?}");
        healed.down();
        healed.assert_like(host, &when);
        crashed.down();
        crashed.assert_like(host, &when);
    }
}

#[test]
fn a_crash_while_functions_are_made_is_healed() {
    let mut down = Host::new(0);
    down.at("eth3").up = false;
    for host in [Host::new(0), down] {
        survive_every_crash(&host, &with_ports(pool(3), &[]), &everything(3));
        survive_every_crash(&host, &lab_without_networks(), &everything(3));
    }
}

#[test]
fn a_crash_on_functions_that_were_there_gives_them_their_settings_back() {
    let mut host = Host::new(3);
    host.vf(1).state.vlan = 7;
    host.vf(2).state.trust = true;
    host.own(2).up = true;
    survive_every_crash(&host, &lab_without_networks(), &everything(3));
    survive_every_crash(&host, &everything(3), &with_ports(pool(3), &[2, 3]));
}

#[test]
fn a_crash_while_functions_change_hands_is_healed() {
    for vfs in [0, 2] {
        survive_every_crash(&Host::new(vfs), &with_ports(pool(2), &[1, 2]), &with_ports(pool(2), &[2, 3]));
        survive_every_crash(&Host::new(vfs), &with_ports(pool(2), &[1, 2]), &with_ports(pool(2), &[3, 4]));
    }
}

#[test]
fn a_crash_while_going_down_is_healed() {
    for host in [Host::new(0), Host::new(3)] {
        let mut up = host.clone();
        up.apply(&everything(3));
        let steps = super::document::steps(&netctl::network::plan_down(&up.observed()));
        for count in 0..=steps.len() {
            let mut crashed = up.clone();
            crashed.run(&steps[..count]);
            crashed.down();
            crashed.assert_like(&host, &format!("after a crash behind {:?}", steps[..count].last()));
        }
    }
}

fn lab_without_networks() -> Config {
    let mut config = lab();
    config.networks.clear();
    config
}

#[test]
fn a_port_keeps_its_function_when_others_come_and_go() {
    let mut host = Host::new(0);
    host.apply(&with_ports(pool(3), &[2, 3]));
    assert_eq!(host.leases(), [(0, "web2".into()), (1, "web3".into())]);
    host.apply(&with_ports(pool(3), &[1, 3]));
    assert_eq!(host.leases(), [(1, "web3".into()), (2, "web1".into())]);
}

#[test]
fn a_changed_setting_changes_the_function_and_nothing_else() {
    let mut host = Host::new(0);
    let mut config = with_ports(pool(2), &[1]);
    host.apply(&config);
    config.networks.get_mut("direct").unwrap().pool.as_mut().unwrap().settings.vlan = Some(7);
    assert_eq!(lines(&host.plan(&config)), ["~ vf eth3: VF 0 for port web1, VLAN 7"]);
    config.networks.get_mut("direct").unwrap().pool.as_mut().unwrap().settings.vlan = None;
    host.vf(0).state.spoof_check = false;
    assert_eq!(lines(&host.plan(&config)), ["~ vf eth3: VF 0 for port web1, spoof check on"]);
}

#[test]
fn functions_that_someone_made_anew_are_set_again() {
    let mut host = Host::new(3);
    host.apply(&everything(3));
    let step = |count| netctl::network::Step::SetVfs { pf: "eth3".to_owned(), count };
    host.run(&[step(0), step(3)]);
    host.apply(&everything(3));
    assert_eq!(host.vf(1).state.vlan, 100);
}

#[test]
fn the_number_changes_only_while_nobody_uses_the_functions() {
    let mut host = Host::new(0);
    host.apply(&with_ports(pool(2), &[]));
    host.apply(&with_ports(pool(4), &[]));
    assert_eq!(host.vf(3).number, 3);
    host.apply(&with_ports(pool(4), &[1]));
    let found = host.conflicts(&with_ports(pool(2), &[1]));
    assert!(found[0].contains("wants 2 virtual functions of `eth3`, but there are 4"), "{found:?}");
    assert!(found[0].contains("(ports lease some of them)"), "{found:?}");
    let found = Host::new(4).conflicts(&with_ports(pool(2), &[1]));
    assert!(found[0].contains("write `vfs = 4`"), "{found:?}");
}

#[test]
fn a_nic_that_cannot_be_a_pool_is_refused_with_the_reason() {
    let mut host = Host::new(0);
    let config = with_ports(pool(8), &[1]);
    assert!(host.conflicts(&config)[0].contains("wants 8 virtual functions of `eth3`, which can have 7"));
    host.at("eth3").sriov = None;
    assert!(host.conflicts(&config)[0].contains("is a network device without SR-IOV"));
    host.at("eth3").is_vf = true;
    assert!(host.conflicts(&config)[0].contains("is itself a virtual function"));
    host.at("eth3").name = "eth9".to_owned();
    assert!(host.conflicts(&config)[0].contains("there is no such interface"));
}

#[test]
fn the_nic_of_the_default_route_may_be_a_pool() {
    let mut host = Host::new(0);
    host.at("eth3").default_route = true;
    host.apply(&with_ports(pool(2), &[1]));
}

#[test]
fn more_ports_than_functions_are_refused_with_numbers() {
    let mut config = with_ports(pool(2), &[1, 2, 3]);
    assert!(Host::new(0).conflicts(&config)[0].contains("3 ports share the 2 virtual functions of `eth3`"));
    add_network(&mut config, "tagged", 2, tagged());
    config.ports.get_mut("web1").unwrap().network = "tagged".to_owned();
    assert!(Host::new(0).conflicts(&config)[0].contains("3 ports share the 2"));
}

#[test]
fn functions_that_others_use_are_left_alone() {
    let mut host = Host::new(6);
    host.own(0).addresses = vec![netctl::network::Address {
        net: "192.0.2.1/24".parse().unwrap(),
        protocol: 0,
        secondary: false,
    }];
    host.own(1).master = Some(2);
    host.vf(2).driver = Some("vfio-pci".to_owned());
    host.vf(2).interface = None;
    host.vf(3).driver = None;
    host.vf(3).interface = None;
    host.vf(4).interface = None;
    host.interfaces.retain(|i| i.name != "eth3v4");
    let config = with_ports(pool(6), &[1]);
    assert!(lines(&host.plan(&config))[0].contains("VF 5 for port web1"));
    let found = host.conflicts(&with_ports(pool(6), &[1, 2]));
    for reason in [
        "gets none of the 6 virtual functions of `eth3`",
        "VF 0 (0000:01:10.0) has the address 192.0.2.1/24",
        "VF 1 (0000:01:10.1) is a port of `eth0`",
        "VF 2 (0000:01:10.2) is bound to vfio-pci",
        "VF 3 (0000:01:10.3) has no driver",
        "VF 4 (0000:01:10.4) is driven by igbvf, but has no interface in this network namespace",
    ] {
        assert!(found[0].contains(reason), "{reason}: {found:?}");
    }
}

#[test]
fn a_function_below_someones_interface_is_left_alone() {
    let mut host = Host::new(1);
    let lower = host.own(0).index;
    let kind = netctl::network::Kind::Other("vlan".to_owned());
    host.interfaces.push(netctl::network::Interface { lower: Some(lower), kind, ..device("vlan7", 99) });
    assert!(host.conflicts(&with_ports(pool(1), &[1]))[0].contains("VF 0 (0000:01:10.0) is below `vlan7`"));
}

#[test]
fn a_leased_function_that_was_bound_to_vfio_is_refused_to_a_filtered_port() {
    let mut host = Host::new(1);
    let mut config = with_ports(pool(1), &[1]);
    host.apply(&config);
    let index = host.own(0).index;
    host.interfaces.retain(|i| i.index != index && i.lower != Some(index));
    host.vf(0).driver = Some("vfio-pci".to_owned());
    host.vf(0).interface = None;
    let found = host.conflicts(&config);
    assert!(
        found[0].contains("is bound to vfio-pci: a guest that drives it cannot be filtered"),
        "{found:?}"
    );
    config.ports.get_mut("web1").unwrap().device = Device::Vfio;
    host.apply(&config);
}

#[test]
fn a_guest_with_vfio_gets_the_function_that_is_bound_to_it() {
    let mut host = Host::new(3);
    let index = host.own(2).index;
    host.interfaces.retain(|i| i.index != index);
    host.vf(2).driver = Some("vfio-pci".to_owned());
    host.vf(2).interface = None;
    host.apply(&everything(3));
    assert_eq!(host.leases(), [(0, "web1".into()), (1, "web2".into()), (2, "web3".into())]);
}

#[test]
fn a_port_that_turns_to_vfio_loses_its_macvtap_and_keeps_its_function() {
    let host = Host::new(2);
    let filtered = with_ports(pool(2), &[1, 2]);
    let mut unfiltered = filtered.clone();
    unfiltered.ports.get_mut("web1").unwrap().device = Device::Vfio;
    let mut up = host.clone();
    up.apply(&filtered);
    assert_eq!(lines(&up.plan(&unfiltered)), ["- macvtap web1: port web1"]);
    survive_every_crash(&host, &unfiltered, &filtered);
    let mut back = host.clone();
    back.apply(&unfiltered);
    back.apply(&filtered);
    back.apply(&unfiltered);
    back.down();
    back.assert_like(&host, "after turning twice");
}

#[test]
fn functions_in_use_stay_when_all_else_goes_and_the_plan_says_so() {
    let mut host = Host::new(0);
    host.apply(&everything(3));
    let index = host.own(2).index;
    host.interfaces.retain(|i| i.index != index);
    host.vf(2).driver = Some("vfio-pci".to_owned());
    host.vf(2).interface = None;
    let plan = netctl::network::plan_down(&host.observed());
    assert!(plan.warnings[0].contains("VF 2 (0000:01:10.2) is bound to vfio-pci"), "{:?}", plan.warnings);
    host.down();
    assert_eq!(host.leases(), []);
    host.vf(2).driver = None;
    host.down();
    assert_eq!(host.at("eth3").alternative_names, [""; 0]);
    assert_eq!(host.at("eth3").sriov.as_ref().unwrap().vfs, []);
}
