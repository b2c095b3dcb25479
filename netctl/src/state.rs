//! What runs on this host, read back from the kernel: for every command that shows something.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use netctl_common::abi::{AddressKey, LeaseEntry, Root};

use crate::config::{self, Addresses, Config, Device, PortKind};
use crate::error::Error;
use crate::fd::{FdError, interface};
use crate::kernel::Kernel;
use crate::kernel::attach::AttachPort;
use crate::kernel::running::RunningPort;
use crate::names::{self, Names};
use crate::vmm::RunPort;
use crate::vmm::open::OpenError;

/// One generation, as it was when it was read.
#[derive(Debug)]
pub struct State {
    pub kernel: Kernel,
    pub root: Root,
    /// Sorted by name.
    pub ports: Vec<RunningPort>,
    pub document: String,
    pub config: Config,
    pub names: Names,
    /// Addresses that ports have learned, or claimed; see [`Kernel::live_leases`].
    pub leases: Vec<(AddressKey, LeaseEntry)>,
}

impl State {
    pub fn read(bpffs: &Path) -> Result<Self, Error> {
        Self::read_with(Kernel::open(bpffs)?)
    }

    pub fn read_with(kernel: Kernel) -> Result<Self, Error> {
        let root = kernel.running()?;
        let ports = kernel.ports()?;
        let document = kernel.document(&root)?;
        let config = config::parse("running document", &document).map_err(|_| Error::RunningDocument)?.config;
        let leases = kernel.live_leases(&root)?;
        let names = Names::new(&ports, &config, &document).with_learned(&leases);
        Ok(Self { kernel, root, ports, document, config, names, leases })
    }

    /// What a port has learned, sorted by address.
    pub fn leases_of(&self, port: &str) -> impl Iterator<Item = &(AddressKey, LeaseEntry)> {
        let id = self.ports.iter().find(|running| running.name() == port).map(|running| running.entry.id);
        self.leases.iter().filter(move |(_, lease)| Some(lease.port) == id)
    }

    /// The document with what ports have learned in place of `"learn"`, where they have: for questions about them.
    pub fn config_as_learned(&self) -> Config {
        let mut config = self.config.clone();
        for (name, port) in &mut config.ports {
            let learned: BTreeSet<IpAddr> =
                self.leases_of(name).map(|(key, _)| names::address(key.address)).collect();
            if port.addresses == Addresses::Learned && !learned.is_empty() {
                port.addresses = Addresses::Listed(learned);
            }
        }
        config
    }

    /// All ports, or the one with this name.
    pub fn ports_named(&self, name: Option<&str>) -> Result<Vec<&RunningPort>, Error> {
        let Some(name) = name else { return Ok(self.ports.iter().collect()) };
        let found: Vec<_> = self.ports.iter().filter(|port| port.name() == name).collect();
        match self.config.ports.get(name) {
            _ if !found.is_empty() => Ok(found),
            Some(port) if !port.device.is_filtered() => Err(Error::NotFiltered { name: name.to_owned() }),
            _ => Err(Error::no_port(name, &self.config)),
        }
    }

    /// [`Self::run_port`] of several, none of them twice.
    ///
    /// # Errors
    /// As there.
    pub fn run_ports(&self, names: &[String]) -> Result<Vec<RunPort>, Error> {
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(Error::Question(format!("port `{name}` is named twice; a guest opens a port once")));
        }
        names.iter().map(|name| self.run_port(name)).collect()
    }

    /// That every frame of these ports crosses the programs: they are on the interface that runs, and it is still there.
    ///
    /// # Errors
    /// [`Error::NotEnforced`], or that there is no such interface.
    pub fn ensure_enforced(&self, names: &[String]) -> Result<(), Error> {
        names.iter().try_for_each(|name| self.enforced(name))
    }

    fn enforced(&self, name: &str) -> Result<(), Error> {
        let port = self.config.ports.get(name).ok_or_else(|| Error::no_port(name, &self.config))?;
        if !port.device.is_filtered() {
            return Ok(());
        }
        let interface = port.interface.as_str();
        let index = interface::index(interface).ok_or_else(|| {
            let source = FdError::Missing { interface: interface.to_owned() };
            OpenError::Fd { port: name.to_owned(), source }
        })?;
        let running = self.ports.iter().find(|running| running.name() == name);
        if let (Some(RunningPort { ifindex, entry }), Some(network)) =
            (running, self.config.networks.get(&port.network))
        {
            let (id, ifindex, kind) = (entry.id, *ifindex, network.kind.port_kind());
            let attached = AttachPort { name, id, interface, ifindex, kind };
            if index == ifindex && self.kernel.enforces(&attached)? {
                return Ok(());
            }
        }
        Err(Error::NotEnforced { name: name.to_owned(), interface: interface.to_owned() })
    }

    /// What has to be known of a port to open it for a guest.
    ///
    /// # Errors
    /// A port that does not run, is not filtered, or whose interface is someone else's.
    pub fn run_port(&self, name: &str) -> Result<RunPort, Error> {
        let port = self.config.ports.get(name).ok_or_else(|| Error::no_port(name, &self.config))?;
        let vdpa = match port.device {
            Device::Vdpa(number) => Some(number),
            _ => self.ports_named(Some(name)).map(|_| None)?,
        };
        if port.device == Device::Adopted {
            return Err(Error::Edit(format!(
                "port `{name}` is adopted: whoever made `{}` opens it and hands it to the guest",
                port.interface
            )));
        }
        self.enforced(name)?;
        let network = self.config.networks.get(&port.network);
        Ok(RunPort {
            name: name.to_owned(),
            interface: port.interface.clone(),
            kind: network.map_or(PortKind::Tap, |network| network.kind.port_kind()),
            mac: port.mac,
            queues: port.queues,
            vhost: port.vhost,
            tap: port.tap.clone(),
            vdpa,
            mtu: port.mtu.or_else(|| network.and_then(|network| network.mtu)),
        })
    }
}
