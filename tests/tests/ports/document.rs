//! Documents as values, and what `netctl apply` and `netctl down` do with them.

use std::collections::{BTreeMap, BTreeSet};

use netctl::config::{
    Addresses, Config, Device, Guards, Limits, Mac, Network, NetworkKind, Policy, Port, TapOptions, Vhost,
    Vlans,
};
use netctl::network::{Conflict, Consent, Netlink, Plan, Step, apply, observe, plan, plan_down};

/// A document with one network, `lab`, on bridge `br-lab`.
pub(crate) fn lab() -> Config {
    Config {
        networks: BTreeMap::from([("lab".to_owned(), network("br-lab", 1))]),
        ports: BTreeMap::new(),
        sets: BTreeMap::new(),
        groups: BTreeMap::new(),
        policy: Policy::default(),
        tests: Vec::new(),
    }
}

/// With `count` ports `web1`, `web2`, … of one queue each.
pub(crate) fn lab_with_ports(count: u8) -> Config {
    let mut config = lab();
    for number in 1..=count {
        config.ports.insert(format!("web{number}"), port(number));
    }
    config
}

pub(crate) fn network(interface: &str, number: u8) -> Network {
    Network {
        kind: NetworkKind::Bridge,
        zone: "host".to_owned(),
        interface: interface.to_owned(),
        uplinks: Vec::new(),
        pool: None,
        host_access: false,
        addresses: Vec::new(),
        mtu: None,
        mac: Mac([0x02, 0, 0, 0, 0xff, number]),
        line: 10 * u32::from(number),
    }
}

/// Port number `number` of network `lab`, tap `web<number>`.
pub(crate) fn port(number: u8) -> Port {
    Port {
        network: "lab".to_owned(),
        mac: guest_mac(number),
        addresses: Addresses::Any,
        groups: BTreeSet::new(),
        interface: format!("web{number}"),
        queues: 1,
        owner: None,
        owner_group: None,
        tap: TapOptions::default(),
        mtu: None,
        vhost: Vhost::Auto,
        uplink: None,
        device: Device::Made,
        domain: None,
        guards: Guards::default(),
        vlans: Vlans::default(),
        limits: Limits::default(),
        audit: false,
        line: 100 + u32::from(number),
    }
}

pub(crate) fn guest_mac(number: u8) -> Mac {
    Mac([0x52, 0x54, 0, 0, 0, number])
}

/// What `netctl apply` does to interfaces.
pub(crate) async fn apply_document(netlink: &Netlink, config: &Config) -> Plan {
    let plan = plan_document(netlink, config).await.unwrap();
    carry_out(netlink, &plan).await;
    plan
}

pub(crate) async fn plan_document(netlink: &Netlink, config: &Config) -> Result<Plan, Vec<Conflict>> {
    plan(config, &observe(netlink).await.unwrap(), Consent::NotGiven)
}

/// What `netctl down` does to interfaces.
pub(crate) async fn down(netlink: &Netlink) -> Plan {
    let plan = plan_down(&observe(netlink).await.unwrap());
    carry_out(netlink, &plan).await;
    plan
}

async fn carry_out(netlink: &Netlink, plan: &Plan) {
    let _made = apply::make(netlink, plan).await.unwrap();
    apply::start(netlink, plan).await.unwrap();
    apply::remove(netlink, plan).await.unwrap();
}

pub(crate) fn steps(plan: &Plan) -> Vec<Step> {
    plan.changes().flat_map(|change| change.steps().to_vec()).collect()
}

pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.changes().map(ToString::to_string).collect()
}
