//! [`Tables`] in user space: the contents that a publication would have, and flows in a hash map.
//!
//! For questions about a document that does not run, and for the tests that compare the two hosts of the decision.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::net::IpAddr;

use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, FlowEntry, FlowKey, LearnedKey, LearnerEntry, LeaseBook,
    LeaseEntry, LeasePrefix, LimitsEntry, PairKey, PortEntry, PrefixKey, QuotaKey, RuleEntry, StationEntry,
    StationKey, VerdictKey, VlanSet, bucket_row, port_flags,
};
use netctl_common::classify::ServiceRow;
use netctl_common::decide::Tables;
use netctl_common::lease::FOREVER;
use netctl_common::limit::Buckets;
use netctl_common::verdict::{Direction, Reason};

use crate::compile::{Compiled, CompiledPort};
use crate::kernel::publish::{Publication, port_entries, root_of, station_entries, uplink_entries};

/// Bits of a prefix's key: zone and address.
const KEY_BITS: u32 = 8 * size_of::<PrefixKey>() as u32;

#[derive(Debug)]
pub struct HostTables<'a> {
    compiled: &'a Compiled,
    ports: HashMap<u32, PortEntry>,
    stations: HashMap<StationKey, StationEntry>,
    flows: RefCell<HashMap<(u32, FlowKey), FlowEntry>>,
    leases: RefCell<HashMap<AddressKey, LeaseEntry>>,
    /// By port id.
    books: RefCell<HashMap<u32, LeaseBook>>,
    /// By [`bucket_row`].
    buckets: RefCell<HashMap<u32, Buckets>>,
    quotas: RefCell<HashMap<QuotaKey, u32>>,
    /// In ticks, see [`netctl_common::flow::tick`]; stands still until it is set.
    pub now: Cell<u32>,
    /// Whether decisions leave flows behind.
    pub writes: bool,
}

impl<'a> HostTables<'a> {
    pub fn new(publication: &Publication<'a>, generation: u32) -> Self {
        let root = root_of(publication, 0, generation);
        Self {
            compiled: publication.compiled,
            ports: port_entries(publication, root).chain(uplink_entries(publication, root)).collect(),
            stations: station_entries(publication).collect(),
            flows: RefCell::default(),
            leases: RefCell::default(),
            books: RefCell::default(),
            buckets: RefCell::default(),
            quotas: RefCell::default(),
            now: Cell::new(1),
            writes: true,
        }
    }

    /// The flows, the buckets and what was learned of another generation's tables go on in these.
    pub fn take_flows(&self, before: &HostTables<'_>) {
        self.flows.replace(before.flows.take());
        self.buckets.replace(before.buckets.take());
        self.quotas.replace(before.quotas.take());
        let learners = &self.compiled.learners;
        let mut leases = before.leases.take();
        leases.retain(|key, lease| learners.get(&lease.port).is_some_and(|port| lease.is_of(port, key)));
        self.leases.replace(leases);
        let mut books = before.books.take();
        books.retain(|id, _| learners.contains_key(id));
        self.books.replace(books);
        self.now.set(before.now.get());
    }

    /// All flows, with the ids of their ports.
    pub fn flows(&self) -> Vec<((u32, FlowKey), FlowEntry)> {
        self.flows.borrow().iter().map(|(key, entry)| (*key, *entry)).collect()
    }

    /// As if a port that learns had been given an address by DHCP. Nothing for other ports.
    pub(crate) fn assume_learned(&self, port: &str, address: IpAddr) {
        let learns = |it: &&CompiledPort| it.name == port && it.flags & port_flags::LEARN != 0;
        let Some(port) = self.compiled.ports.iter().find(learns) else { return };
        let octets = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let lease =
            LeaseEntry { port: port.id, lifetime: FOREVER, mac: port.mac.0.into(), ..LeaseEntry::NONE };
        self.leases.borrow_mut().insert(AddressKey { zone: port.zone, address: octets.into() }, lease);
    }

    pub(crate) fn forget_learned(&self) {
        self.leases.borrow_mut().clear();
    }

    pub fn flow_count(&self) -> usize {
        self.flows.borrow().len()
    }
}

impl Tables for HostTables<'_> {
    type Flow<'b>
        = RefMut<'b, FlowEntry>
    where
        Self: 'b;

    fn port(&self, ifindex: u32) -> Result<&PortEntry, Reason> {
        self.ports.get(&ifindex).ok_or(Reason::UnknownPort)
    }

    fn station(&self, _slot: u32, key: &StationKey) -> Option<&StationEntry> {
        self.stations.get(key)
    }

    fn trunk(&self, _slot: u32, port: u32) -> Option<&VlanSet> {
        self.compiled.trunks.get(&port)
    }

    fn address(&self, _slot: u32, key: &AddressKey) -> Result<Option<&AddressEntry>, Reason> {
        Ok(self.compiled.addresses.get(key))
    }

    fn prefix(&self, _slot: u32, key: &PrefixKey) -> Result<Option<&AddressEntry>, Reason> {
        let longest_first = (0..=KEY_BITS).rev();
        Ok(longest_first.filter_map(|bits| self.compiled.prefixes.get(&(bits, cut(key, bits)))).next())
    }

    fn learner(&self, _slot: u32, port: u32) -> Result<Option<&LearnerEntry>, Reason> {
        Ok(self.compiled.learners.get(&port))
    }

    fn learned_classes(&self, _slot: u32, key: &LearnedKey) -> Result<Option<Classes>, Reason> {
        Ok(self.compiled.learned_classes.get(key).copied())
    }

    fn lease(&self, key: &AddressKey) -> LeaseEntry {
        self.leases.borrow().get(key).copied().unwrap_or(LeaseEntry::NONE)
    }

    fn lease_prefix(&self, port: u32, place: u32) -> LeasePrefix {
        let books = self.books.borrow();
        let prefix = books.get(&port).and_then(|book| book.prefixes.get(place as usize));
        prefix.copied().unwrap_or(LeasePrefix::NONE)
    }

    fn put_lease(&self, key: &AddressKey, entry: &LeaseEntry) -> bool {
        self.leases.borrow_mut().insert(*key, *entry);
        true
    }

    fn forget_lease(&self, key: &AddressKey) {
        self.leases.borrow_mut().remove(key);
    }

    fn with_book<R>(&self, port: u32, step: impl FnOnce(&mut LeaseBook) -> R) -> Option<R> {
        Some(step(self.books.borrow_mut().entry(port).or_default()))
    }

    fn service(&self, _slot: u32, row: ServiceRow, index: u16) -> Option<u16> {
        self.compiled.services.get(row as usize)?.get(usize::from(index)).copied()
    }

    fn service_pair(&self, _slot: u32, index: u32) -> Option<u32> {
        self.compiled.service_pairs.get(index as usize).copied()
    }

    fn source_chain(&self, _slot: u32, class: u32) -> Option<ChainEntry> {
        self.compiled.source_chains.get(class as usize).copied()
    }

    fn destination_chain(&self, _slot: u32, class: u32) -> Option<ChainEntry> {
        self.compiled.destination_chains.get(class as usize).copied()
    }

    fn pair_chain(&self, _slot: u32, key: &PairKey) -> Result<Option<ChainEntry>, Reason> {
        Ok(self.compiled.pair_chains.get(key).copied())
    }

    fn verdict(&self, _slot: u32, key: &VerdictKey) -> Result<Option<u32>, Reason> {
        Ok(self.compiled.verdicts.get(key).copied())
    }

    fn rule(&self, _slot: u32, index: u32) -> Option<&RuleEntry> {
        self.compiled.rules.get(index as usize)
    }

    fn flow(&self, port: u32, key: &FlowKey) -> Result<Option<Self::Flow<'_>>, Reason> {
        Ok(RefMut::filter_map(self.flows.borrow_mut(), |flows| flows.get_mut(&(port, *key))).ok())
    }

    fn insert_flow(&self, port: u32, key: &FlowKey, entry: &FlowEntry) -> bool {
        self.flows.borrow_mut().insert((port, *key), *entry);
        true
    }

    /// One table has both kinds.
    fn forget_opening(&self, _port: u32, _key: &FlowKey) {}

    fn quota(&self, key: &QuotaKey) -> Option<u32> {
        self.quotas.borrow().get(key).copied()
    }

    fn set_quota(&self, key: &QuotaKey, full_at: u32) {
        self.quotas.borrow_mut().insert(*key, full_at);
    }

    fn limits(&self, _slot: u32, port: u32) -> Result<Option<&LimitsEntry>, Reason> {
        Ok(self.compiled.ports.iter().find(|it| it.id == port).and_then(|it| it.limits.as_ref()))
    }

    fn with_buckets<R>(
        &self,
        port: u32,
        direction: Direction,
        step: impl FnOnce(&mut Buckets) -> R,
    ) -> Option<R> {
        Some(step(self.buckets.borrow_mut().entry(bucket_row(port, direction)).or_default()))
    }

    /// As coarse as [`Self::now`].
    fn nanoseconds(&self) -> u64 {
        u64::from(self.now.get()) << 24
    }

    fn now(&self) -> u32 {
        self.now.get()
    }

    fn writes(&self) -> bool {
        self.writes
    }
}

/// The first `bits` of a key, the rest zero.
fn cut(key: &PrefixKey, bits: u32) -> PrefixKey {
    let mut cut = *key;
    for (index, byte) in bytemuck::bytes_of_mut(&mut cut).iter_mut().enumerate() {
        let kept = bits.saturating_sub(8 * index as u32).min(8);
        *byte &= !(0xff_u16 >> kept) as u8;
    }
    cut
}
