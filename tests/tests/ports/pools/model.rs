//! A host with one SR-IOV NIC, as values: what the planner's steps do to it. There is no such NIC on the machine that runs
//! the tests; `sriov.rs` has the real one.

use std::collections::BTreeSet;

use netctl::config::{Config, Mac};
use netctl::network::{
    Consent, Interface, Kind, Lease, Lower, MacvtapFacts, Mode, Observed, OwnState, Plan, Sriov, Step, Vf,
    VfAction, VfState, plan, plan_down,
};

/// The mark of a half-made macvtap (IFLA_GROUP).
const HALF_MADE: u32 = 0x6e63_746c;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    pub interfaces: Vec<Interface>,
    next: u32,
}

impl Host {
    /// `eth3` can have seven functions, and has `vfs`; `eth0` is an ordinary NIC.
    pub(crate) fn new(vfs: u16) -> Self {
        let mut host = Self { interfaces: vec![device("eth0", 2), device("eth3", 3)], next: 10 };
        host.at("eth3").sriov = Some(Sriov { total: 7, vfs: Vec::new() });
        if vfs > 0 {
            host.set_vfs("eth3", vfs);
        }
        host
    }

    pub(crate) fn observed(&self) -> Observed {
        Observed::new(self.interfaces.clone())
    }

    pub(crate) fn at(&mut self, name: &str) -> &mut Interface {
        self.interfaces.iter_mut().find(|i| i.name == name).unwrap_or_else(|| panic!("no interface {name}"))
    }

    pub(crate) fn vf(&mut self, number: u16) -> &mut Vf {
        let sriov = self.at("eth3").sriov.as_mut().unwrap();
        sriov.vfs.iter_mut().find(|vf| vf.number == number).unwrap_or_else(|| panic!("no VF {number}"))
    }

    /// Interface of a function.
    pub(crate) fn own(&mut self, number: u16) -> &mut Interface {
        let index = self.vf(number).interface.unwrap();
        self.interfaces.iter_mut().find(|i| i.index == index).unwrap()
    }

    pub(crate) fn plan(&self, config: &Config) -> Plan {
        plan(config, &self.observed(), Consent::NotGiven).unwrap()
    }

    pub(crate) fn conflicts(&self, config: &Config) -> Vec<String> {
        let conflicts = plan(config, &self.observed(), Consent::NotGiven).unwrap_err();
        conflicts.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn steps(&self, config: &Config) -> Vec<Step> {
        super::super::document::steps(&self.plan(config))
    }

    pub(crate) fn apply(&mut self, config: &Config) {
        self.run(&self.steps(config));
        let left = self.steps(config);
        assert!(left.is_empty(), "one apply is not enough: {left:?}");
    }

    pub(crate) fn down(&mut self) {
        let steps = super::super::document::steps(&plan_down(&self.observed()));
        self.run(&steps);
    }

    pub(crate) fn run(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(step));
    }

    /// Interface names of the ports, by the function that they lease.
    pub(crate) fn leases(&mut self) -> Vec<(u16, String)> {
        let mut leases: Vec<_> =
            self.at("eth3").leases().into_iter().map(|lease| (lease.number, lease.port)).collect();
        leases.sort();
        leases
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::AddName { interface, name } => {
                assert!(name.len() <= 127, "{name}");
                self.at(interface).alternative_names.push(name.clone());
            }
            Step::DeleteName { interface, name } => {
                let names = &mut self.at(interface).alternative_names;
                let before = names.len();
                names.retain(|other| other != name);
                assert_eq!(names.len() + 1, before, "there was no {name}");
            }
            Step::Up { interface } => self.at(interface).up = true,
            Step::Down { interface } => self.at(interface).up = false,
            Step::SetVfs { pf, count } => self.set_vfs(pf, *count),
            Step::Vf { pf, number, action } => self.act(pf, *number, action),
            Step::CreateMacvtap(spec) => self.create(spec),
            Step::Set { interface, settings } => {
                let found = self.at(interface);
                found.alias = settings.alias.clone().or(found.alias.take());
                found.mac = settings.mac.or(found.mac);
                found.group = if settings.clear_group { 0 } else { found.group };
            }
            Step::Ipv6 { interface, on } => self.at(interface).ipv6 = Some(*on),
            Step::AllMulticast { interface } => self.at(interface).all_multicast = true,
            Step::AddGroup { interface, group } => {
                self.at(interface).multicast.insert(*group);
            }
            Step::DeleteGroup { interface, group } => {
                self.at(interface).multicast.remove(group);
            }
            Step::Delete { index, .. } => self.delete(*index),
            other => panic!("not a step for a pool: {other:?}"),
        }
    }

    fn act(&mut self, pf: &str, number: u16, action: &VfAction) {
        match action {
            VfAction::Lease { port, vfio } => {
                let before = self.vf(number).state;
                let own = (!vfio).then(|| self.own(number)).map(|own| OwnState {
                    mac: own.mac.unwrap(),
                    up: own.up,
                    all_multicast: own.all_multicast,
                    ipv6: own.ipv6 == Some(true),
                });
                let index = self.at(pf).index;
                let lease = Lease { index, number, before, own, port: port.clone() };
                self.at(pf).alternative_names.push(lease.to_string());
            }
            VfAction::Set(state) => self.vf(number).state = *state,
            VfAction::FreeMac => self.vf(number).state.mac = Mac::default(),
            VfAction::Mac(mac) => self.own(number).mac = Some(*mac),
            VfAction::AllMulticast(on) => self.own(number).all_multicast = *on,
            VfAction::Ipv6(on) => self.own(number).ipv6 = Some(*on),
            VfAction::Up => self.own(number).up = true,
            VfAction::Down => self.own(number).up = false,
        }
    }

    fn set_vfs(&mut self, pf: &str, count: u16) {
        let there = self.at(pf).sriov.clone().unwrap().vfs;
        assert!(count == 0 || there.is_empty(), "the kernel says EBUSY");
        there.iter().filter_map(|vf| vf.interface).for_each(|index| self.delete(index));
        let vfs = (0..count).map(|number| self.make_vf(number)).collect();
        self.at(pf).sriov.as_mut().unwrap().vfs = vfs;
    }

    fn make_vf(&mut self, number: u16) -> Vf {
        let index = self.take_index();
        let mac = Mac([0x02, 0xbb, 0, 0, 0, number as u8]);
        let own =
            Interface { mac: Some(mac), is_vf: true, up: false, ..device(&format!("eth3v{number}"), index) };
        self.interfaces.push(own);
        Vf {
            number,
            pci: format!("0000:01:10.{number}"),
            driver: Some("igbvf".to_owned()),
            interface: Some(index),
            state: VfState { mac, spoof_check: true, ..VfState::default() },
        }
    }

    fn create(&mut self, spec: &netctl::network::MacvtapSpec) {
        let lower = match &spec.lower {
            Lower::Vf { number, .. } => self.own(*number).clone(),
            Lower::Interface(name) => self.at(name).clone(),
        };
        let busy = self.interfaces.iter().any(|other| other.lower == Some(lower.index));
        assert!(!busy && spec.mode == Mode::Passthru, "the kernel says EINVAL");
        assert!(self.interfaces.iter().all(|other| other.name != spec.interface), "the kernel says EEXIST");
        let index = self.take_index();
        self.interfaces.push(Interface {
            kind: Kind::Macvtap(MacvtapFacts { mode: spec.mode }),
            lower: Some(lower.index),
            mac: lower.mac,
            group: HALF_MADE,
            ipv6: Some(true),
            up: false,
            ..device(&spec.interface, index)
        });
    }

    /// With what is on it.
    fn delete(&mut self, index: u32) {
        assert!(self.interfaces.iter().any(|i| i.index == index), "the kernel says ENODEV");
        self.interfaces.retain(|i| i.index != index && i.lower != Some(index));
    }

    fn take_index(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Without the counter of indexes.
    #[track_caller]
    pub(crate) fn assert_like(&self, other: &Self, when: &str) {
        assert_eq!(self.interfaces, other.interfaces, "{when}");
    }
}

pub(crate) fn device(name: &str, index: u32) -> Interface {
    Interface {
        name: name.to_owned(),
        index,
        mac: Some(Mac([0x02, 0xaa, 0, 0, 0, index as u8])),
        mtu: 1500,
        up: true,
        carrier: true,
        kind: Kind::Device,
        alias: None,
        group: 0,
        alternative_names: Vec::new(),
        lower: None,
        all_multicast: false,
        xdp: None,
        default_route: false,
        master: None,
        bridge_port: None,
        static_fdb: BTreeSet::new(),
        multicast: BTreeSet::new(),
        addresses: Vec::new(),
        sriov: None,
        is_vf: false,
        ipv6: Some(true),
    }
}
