//! Every map, and [`Tables`] on them. The only `unsafe` on maps.
//!
//! Tables of a generation are inner maps of two-slot outer maps; a `None` of an outer map is a table that is
//! missing, which denies. Inner maps of another size than the template need `BPF_F_INNER_MAP` on both sides.

use core::mem::offset_of;

use aya_ebpf::Global;
use aya_ebpf::bindings::{__sk_buff, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, bpf_spin_lock};
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{
    Array, ArrayOfMaps, HashMap, LpmTrie, LruHashMap, LruPerCpuHashMap, PerCpuArray, RingBuf,
};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_spin_lock, bpf_spin_unlock};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::TcContext;
use netctl_common::abi::{
    AddressEntry, AddressKey, Answer, BOOK_SIZE, BUCKET_ROWS, BUCKETS_SIZE, CAPTURE_SLOTS, CaptureEntry,
    CaptureState, Captured, ChainEntry, Classes, Counter, DOCUMENT_CHUNK, Event, EventBudget, FlowEntry,
    FlowKey, JOURNAL_LEN, LearnedKey, LearnerEntry, LeaseBook, LeaseEntry, LeasePrefix, LimitsEntry,
    LogBudget, MAX_LEASES, MAX_PORTS, NO_PORT, NO_RULE, PORT_COUNTERS, PairKey, PortEntry, PrefixKey,
    QuotaKey, RejectBudget, RuleEntry, SLOTS, StationEntry, StationKey, VerdictKey, VlanSet, bucket_row,
};
use netctl_common::classify::{SERVICE_ROW_LEN, ServiceRow};
use netctl_common::decide::{Facts, Judge, Step, Tables};
use netctl_common::flow::tick;
use netctl_common::frame::Frame;
use netctl_common::lease::MAX_PREFIXES;
use netctl_common::limit::Buckets;
use netctl_common::reject;
use netctl_common::verdict::{Direction, Reason, Verdict};

use crate::atomic::{exchange, fetch_add};
use crate::steps;

/// `BPF_F_INNER_MAP`: the inner array may have another size than the template.
const INNER: usize = 0x1000;
const SPARSE: usize = BPF_F_NO_PREALLOC as usize;
const SLOTS_LEN: usize = SLOTS as usize;
const PORTS_LEN: usize = MAX_PORTS as usize;
/// Pairs of a port and one that opened many flows to it lately.
const QUOTAS_LEN: usize = 16384;
/// `BPF_F_MMAPABLE`: readers map the memory.
const SHARED: usize = BPF_F_MMAPABLE as usize;
const JOURNAL_SIZE: usize = JOURNAL_LEN as usize;

macro_rules! maps {
    ($($(#[$doc:meta])* $symbol:ident = $name:literal: $type:ty,)+) => {
        $($(#[$doc])* #[btf_map(name = $name)] pub(crate) static $symbol: $type = <$type>::new();)+
    };
}

type Generation<T> = ArrayOfMaps<T, SLOTS_LEN>;

maps! {
    ROOT = "root": ArrayOfMaps<HashMap<u32, PortEntry, 1, SPARSE>, 1>,
    STATIONS = "stations": Generation<HashMap<StationKey, StationEntry, 1, SPARSE>>,
    TRUNKS = "trunks": Generation<HashMap<u32, VlanSet, 1, SPARSE>>,
    ADDRESSES = "addresses": Generation<HashMap<AddressKey, AddressEntry, 1, SPARSE>>,
    PREFIXES = "prefixes": Generation<LpmTrie<PrefixKey, AddressEntry, 1>>,
    LEARNERS = "learners": Generation<HashMap<u32, LearnerEntry, 1, SPARSE>>,
    LEARNED_CLASSES = "learned_classes": Generation<HashMap<LearnedKey, Classes, 1, SPARSE>>,
    LEASES = "leases": HashMap<AddressKey, LeaseEntry, { MAX_LEASES as usize }, SPARSE>,
    LEASE_BOOKS = "lease_books": HashMap<u32, SharedBook, PORTS_LEN, SPARSE>,
    SERVICES = "services": Generation<Array<[u16; SERVICE_ROW_LEN], 1, INNER>>,
    SERVICE_PAIRS = "service_pairs": Generation<Array<u32, 1, INNER>>,
    SOURCE_CHAINS = "source_chains": Generation<Array<ChainEntry, 1, INNER>>,
    DESTINATION_CHAINS = "dest_chains": Generation<Array<ChainEntry, 1, INNER>>,
    PAIR_CHAINS = "pair_chains": Generation<HashMap<PairKey, ChainEntry, 1, SPARSE>>,
    VERDICTS = "verdicts": Generation<HashMap<VerdictKey, u32, 1, SPARSE>>,
    RULES = "rules": Generation<Array<RuleEntry, 1, INNER>>,
    RULE_COUNTERS = "rule_counters": Generation<Array<Counter, 1, INNER>>,
    DOCUMENT = "document": Generation<Array<[u8; DOCUMENT_CHUNK], 1, INNER>>,
    LIMITS_OF = "limits": Generation<HashMap<u32, LimitsEntry, 1, SPARSE>>,
    BUCKETS = "buckets": Array<SharedBuckets, BUCKETS_LEN>,
    FLOWS = "flows": ArrayOfMaps<LruHashMap<FlowKey, FlowEntry, 64>, PORTS_LEN>,
    OPENINGS = "openings": ArrayOfMaps<LruHashMap<FlowKey, FlowEntry, 64>, PORTS_LEN>,
    QUOTAS = "quotas": LruHashMap<QuotaKey, u32, QUOTAS_LEN>,
    PORT_COUNTERS_OF = "port_counters": ArrayOfMaps<PerCpuArray<Counter, PORT_COUNTERS_LEN>, PORTS_LEN>,
    STRAY_COUNTERS = "stray_counters": PerCpuArray<Counter, PORT_COUNTERS_LEN>,
    JOURNAL = "journal": Array<Event, JOURNAL_SIZE, SHARED>,
    JOURNAL_END = "journal_end": Array<u64, 1, SHARED>,
    LOG_BUDGETS = "log_budgets": LruPerCpuHashMap<u64, LogBudget, LOG_BUDGETS_LEN>,
    CAPTURES = "captures": Array<CaptureEntry, { CAPTURE_SLOTS as usize }>,
    CAPTURE_STATES = "capture_states": PerCpuArray<CaptureState, { CAPTURE_SLOTS as usize }>,
    CAPTURE_RINGS = "capture_rings": ArrayOfMaps<RingBuf<Captured, 65536>, { CAPTURE_SLOTS as usize }>,
    CAPTURES_UNTIL = "captures_until": Array<u64, 1>,
    EVENT_BUDGET = "event_budget": PerCpuArray<EventBudget, { PORTS_LEN + 1 }>,
    REJECT_BUDGET = "reject_budget": PerCpuArray<RejectBudget, PORTS_LEN>,
    REJECT_ANSWER = "reject_answer": PerCpuArray<reject::Answer, 1>,
    ANSWER = "answer": Array<Answer, 1>,
    FACTS = "facts": PerCpuArray<Facts, 1>,
}

/// Rules with a rate of their own that caused events lately.
const LOG_BUDGETS_LEN: usize = 1024;
const PORT_COUNTERS_LEN: usize = PORT_COUNTERS as usize;
const BUCKETS_LEN: usize = BUCKET_ROWS as usize;

/// The buckets of one port and direction; every CPU takes from the same ones.
#[repr(C)]
pub(crate) struct SharedBuckets {
    /// Found by the kernel by its type's name.
    lock: bpf_spin_lock,
    reserved: u32,
    buckets: Buckets,
}

const _: () = assert!(size_of::<SharedBuckets>() == BUCKETS_SIZE as usize);

/// What one port has learned, under a lock as [`SharedBuckets`].
#[repr(C)]
pub(crate) struct SharedBook {
    lock: bpf_spin_lock,
    reserved: u32,
    book: LeaseBook,
}

const _: () = assert!(size_of::<SharedBook>() == BOOK_SIZE);

/// Set by the loader: this is `explain`'s twin, which answers into a map and leaves no other trace.
#[unsafe(no_mangle)]
static ANSWERS: Global<u8> = Global::new(0);

#[inline(always)]
pub(crate) fn answers() -> bool {
    ANSWERS.load() != 0
}

/// Set by the loader, beside [`ANSWERS`]: as if there were no flows.
#[unsafe(no_mangle)]
static AS_NEW: Global<u8> = Global::new(0);

/// Set by the loader: nothing is told. For the measurement of what telling costs.
#[unsafe(no_mangle)]
static QUIET: Global<u8> = Global::new(0);

#[inline(always)]
pub(crate) fn is_quiet() -> bool {
    QUIET.load() != 0
}

/// The maps as the decision about one frame sees them.
pub(crate) struct KernelTables {
    skb: *mut __sk_buff,
}

impl KernelTables {
    #[inline(always)]
    pub(crate) fn of(ctx: &TcContext) -> Self {
        Self { skb: ctx.skb.skb }
    }

    /// For look-ups beside the decision, which run no step apart.
    #[inline(always)]
    pub(crate) const fn of_no_frame() -> Self {
        Self { skb: core::ptr::null_mut() }
    }
}

/// A flow in its table. Other CPUs may write to it at the same time; see [`FlowEntry`].
pub(crate) struct FlowRef(*mut FlowEntry);

impl core::ops::Deref for FlowRef {
    type Target = FlowEntry;
    #[inline(always)]
    fn deref(&self) -> &FlowEntry {
        // SAFETY: the pointer came from a look-up in this program run, during which the kernel keeps the element.
        unsafe { &*self.0 }
    }
}

impl core::ops::DerefMut for FlowRef {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut FlowEntry {
        // SAFETY: as in `deref`; torn values cannot arise, all fields are words or smaller.
        unsafe { &mut *self.0 }
    }
}

/// Looks `key` up in a hash or trie of the generation. `Err` where the table itself is missing.
macro_rules! look_up {
    ($outer:ident, $slot:expr, $key:expr) => {{
        let table = $outer.get($slot).ok_or(Reason::Internal)?;
        table.get_ptr($key)
    }};
}

impl Tables for KernelTables {
    type Flow<'a> = FlowRef;

    #[inline(always)]
    fn port(&self, ifindex: u32) -> Result<&PortEntry, Reason> {
        let table = ROOT.get(0).ok_or(Reason::NoPolicy)?;
        // SAFETY: elements are written before they are reachable and freed after a grace period.
        unsafe { table.get(&ifindex) }.ok_or(Reason::UnknownPort)
    }

    #[inline(always)]
    fn station(&self, slot: u32, key: &StationKey) -> Option<&StationEntry> {
        // SAFETY: as in `port`.
        unsafe { STATIONS.get(slot)?.get(key) }
    }

    #[inline(always)]
    fn trunk(&self, slot: u32, port: u32) -> Option<&VlanSet> {
        // SAFETY: as in `port`.
        unsafe { TRUNKS.get(slot)?.get(&port) }
    }

    #[inline(always)]
    fn address(&self, slot: u32, key: &AddressKey) -> Result<Option<&AddressEntry>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(ADDRESSES, slot, key).map(|entry| unsafe { &*entry }))
    }

    #[inline(always)]
    fn prefix(&self, slot: u32, key: &PrefixKey) -> Result<Option<&AddressEntry>, Reason> {
        let table = PREFIXES.get(slot).ok_or(Reason::Internal)?;
        Ok(table.get(&Key::new(8 * size_of::<PrefixKey>() as u32, *key)))
    }

    #[inline(always)]
    fn learner(&self, slot: u32, port: u32) -> Result<Option<&LearnerEntry>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(LEARNERS, slot, &port).map(|entry| unsafe { &*entry }))
    }

    #[inline(always)]
    fn learned_classes(&self, slot: u32, key: &LearnedKey) -> Result<Option<Classes>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(LEARNED_CLASSES, slot, key).map(|entry| unsafe { *entry }))
    }

    #[inline(always)]
    fn lease(&self, key: &AddressKey) -> LeaseEntry {
        match LEASES.get_ptr(key) {
            // SAFETY: the kernel keeps the element during this program run. Another CPU may put a new one in its place, not
            // change it.
            Some(entry) => unsafe { *entry },
            None => LeaseEntry::NONE,
        }
    }

    #[inline(always)]
    fn lease_prefix(&self, port: u32, place: u32) -> LeasePrefix {
        let Some(shared) = LEASE_BOOKS.get_ptr(&port) else { return LeasePrefix::NONE };
        // SAFETY: as in `lease`. Read without the lock: what another CPU advertises meanwhile is as good as what was before.
        unsafe { (*shared).book.prefixes[core::hint::black_box(place) as usize % MAX_PREFIXES] }
    }

    #[inline(always)]
    fn holder(&self, slot: u32, key: &AddressKey) -> u32 {
        steps::lease_holder(key, slot)
    }

    #[inline(always)]
    fn classes_of(&self, slot: u32, port: u32, key: &AddressKey) -> u64 {
        steps::lease_classes(key, slot, port)
    }

    #[inline(always)]
    fn put_lease(&self, key: &AddressKey, entry: &LeaseEntry) -> bool {
        LEASES.insert(key, entry, 0).is_ok()
    }

    #[inline(always)]
    fn forget_lease(&self, key: &AddressKey) {
        // One that is gone already is forgotten.
        let _ = LEASES.remove(key);
    }

    #[inline(always)]
    fn with_book<R>(&self, port: u32, step: impl FnOnce(&mut LeaseBook) -> R) -> Option<R> {
        let shared = LEASE_BOOKS.get_ptr_mut(&port)?;
        // SAFETY: the kernel keeps the element during this program run; the lock keeps all other programs from its book.
        unsafe {
            bpf_spin_lock(&raw mut (*shared).lock);
            let result = step(&mut (*shared).book);
            bpf_spin_unlock(&raw mut (*shared).lock);
            Some(result)
        }
    }

    #[inline(always)]
    fn service(&self, slot: u32, row: ServiceRow, index: u16) -> Option<u16> {
        Some(SERVICES.get_value(slot, &(row as u32))?[usize::from(index)])
    }

    #[inline(always)]
    fn service_pair(&self, slot: u32, index: u32) -> Option<u32> {
        SERVICE_PAIRS.get_value(slot, &index).copied()
    }

    #[inline(always)]
    fn source_chain(&self, slot: u32, class: u32) -> Option<ChainEntry> {
        SOURCE_CHAINS.get_value(slot, &class).copied()
    }

    #[inline(always)]
    fn destination_chain(&self, slot: u32, class: u32) -> Option<ChainEntry> {
        DESTINATION_CHAINS.get_value(slot, &class).copied()
    }

    #[inline(always)]
    fn pair_chain(&self, slot: u32, key: &PairKey) -> Result<Option<ChainEntry>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(PAIR_CHAINS, slot, key).map(|entry| unsafe { *entry }))
    }

    #[inline(always)]
    fn verdict(&self, slot: u32, key: &VerdictKey) -> Result<Option<u32>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(VERDICTS, slot, key).map(|rule| unsafe { *rule }))
    }

    #[inline(always)]
    fn rule(&self, slot: u32, index: u32) -> Option<&RuleEntry> {
        RULES.get_value(slot, &index)
    }

    #[inline(always)]
    fn flow(&self, port: u32, key: &FlowKey) -> Result<Option<FlowRef>, Reason> {
        if AS_NEW.load() != 0 {
            return Ok(None);
        }
        let table = FLOWS.get(port).ok_or(Reason::Internal)?;
        if let Some(settled) = table.get_ptr_mut(key) {
            return Ok(Some(FlowRef(settled)));
        }
        let table = OPENINGS.get(port).ok_or(Reason::Internal)?;
        Ok(table.get_ptr_mut(key).map(FlowRef))
    }

    #[inline(always)]
    fn insert_flow(&self, port: u32, key: &FlowKey, entry: &FlowEntry) -> bool {
        let table = if entry.settled != 0 { FLOWS.get(port) } else { OPENINGS.get(port) };
        table.is_some_and(|table| table.insert(key, entry, 0).is_ok())
    }

    #[inline(always)]
    fn forget_opening(&self, port: u32, key: &FlowKey) {
        if let Some(table) = OPENINGS.get(port) {
            // It is as good as gone where it is not there.
            let _ = table.remove(key);
        }
    }

    #[inline(always)]
    fn quota(&self, key: &QuotaKey) -> Option<u32> {
        // SAFETY: a word, which may be another pair's by now; that is off by one bucket, once.
        unsafe { QUOTAS.get(key).copied() }
    }

    #[inline(always)]
    fn set_quota(&self, key: &QuotaKey, full_at: u32) {
        // Where it does not fit, nothing is taken.
        let _ = QUOTAS.insert(key, &full_at, 0);
    }

    #[inline(always)]
    fn limits(&self, slot: u32, port: u32) -> Result<Option<&LimitsEntry>, Reason> {
        // SAFETY: as in `port`.
        Ok(look_up!(LIMITS_OF, slot, &port).map(|entry| unsafe { &*entry }))
    }

    #[inline(always)]
    fn with_buckets<R>(
        &self,
        port: u32,
        direction: Direction,
        step: impl FnOnce(&mut Buckets) -> R,
    ) -> Option<R> {
        let shared = BUCKETS.get_ptr_mut(bucket_row(port, direction))?;
        // SAFETY: the element is the map's own and never freed; the lock keeps all other programs from its buckets.
        unsafe {
            bpf_spin_lock(&raw mut (*shared).lock);
            let result = step(&mut (*shared).buckets);
            bpf_spin_unlock(&raw mut (*shared).lock);
            Some(result)
        }
    }

    #[inline(always)]
    fn nanoseconds(&self) -> u64 {
        // SAFETY: the helper has no arguments.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper has no arguments. Coarse: it is finer than a tick, and costs a load.
        tick(unsafe { bpf_ktime_get_coarse_ns() })
    }

    #[inline(always)]
    fn apart<F: Frame + ?Sized>(&self, step: Step, judge: &Judge<'_, Self, F>, facts: &mut Facts) {
        steps::call(step, self.skb, judge.port(), facts, judge.direction());
    }

    #[inline(always)]
    fn writes(&self) -> bool {
        !answers()
    }
}

/// This CPU's room for what is found out about one frame, as new. A program is not interrupted by another frame's
/// (softirqs do not nest), and the next hook of the same frame starts anew.
#[inline(always)]
pub(crate) fn facts() -> Option<&'static mut Facts> {
    let facts = FACTS.get_ptr_mut(0)?;
    // SAFETY: per CPU, and only one program of netctl runs on a CPU at a time. Zeros are a value of every field.
    // Volatile words, because a memset of this size becomes a call that writes byte by byte; the last one may reach
    // into `key`, which is written before it is read.
    let facts = unsafe {
        for word in 0..offset_of!(Facts, key).div_ceil(8) {
            facts.cast::<u64>().add(word).write_volatile(0);
        }
        &mut *facts
    };
    facts.port = NO_PORT;
    facts.audited = NO_RULE;
    facts.verdict = Verdict::deny(Reason::Internal);
    Some(facts)
}

/// This CPU's room for one answer to a rejected frame, with what was there before, and its budget for those of a port.
#[inline(always)]
pub(crate) fn reject_answer(port: u32) -> Option<(&'static mut reject::Answer, &'static mut RejectBudget)> {
    // SAFETY: per CPU, as in `facts`; every bit pattern is a value of both.
    unsafe { Some((&mut *REJECT_ANSWER.get_ptr_mut(0)?, &mut *REJECT_BUDGET.get_ptr_mut(port)?)) }
}

/// This CPU's counter of a reason at a port, or of an interface that is none.
#[inline(always)]
pub(crate) fn port_counter(port: u32, index: u32) -> Option<*mut Counter> {
    PORT_COUNTERS_OF.get_value_ptr_mut(port, &index).or_else(|| STRAY_COUNTERS.get_ptr_mut(index))
}

/// This CPU's counter of a rule. Each CPU has a row of `rules` elements of its own.
#[inline(always)]
pub(crate) fn rule_counter(slot: u32, rules: u32, rule: u32, cpu: u32) -> Option<*mut Counter> {
    RULE_COUNTERS.get_value_ptr_mut(slot, &(cpu * rules + rule))
}

/// When the last capture is over (`CLOCK_MONOTONIC`); 0 = nobody captures.
#[inline(always)]
pub(crate) fn captures_until() -> u64 {
    // SAFETY: a word, which its writers write at once.
    CAPTURES_UNTIL.get_ptr(0).map_or(0, |until| unsafe { until.read_volatile() })
}

/// A reader that begins at this moment moves the time on within a second.
#[inline(always)]
pub(crate) fn end_captures() {
    let _ = CAPTURES_UNTIL.set(0, 0, 0);
}

/// Writes an event into the journal, which numbers it.
#[inline(always)]
pub(crate) fn journal(event: &Event) -> Option<()> {
    let end = JOURNAL_END.get_ptr_mut(0)?;
    // SAFETY: the element is aligned and never freed, and no program accesses it but by atomic operations.
    let before = unsafe { fetch_add(end, 1) };
    let entry = JOURNAL.get_ptr_mut(before as u32 % JOURNAL_LEN)?;
    // SAFETY: the element is never freed, and as large as `event`. It is this program's until others have written a whole journal
    // more; a reader that meets it half written sees that by its number, which is 0 until the rest is there (atomic exchanges are
    // full barriers: Documentation/bpf/standardization/instruction-set.rst).
    unsafe {
        exchange(&raw mut (*entry).number, 0);
        let (from, to) = (core::ptr::from_ref(event).cast::<u64>(), entry.cast::<u64>());
        for word in 1..size_of::<Event>() / size_of::<u64>() {
            to.add(word).write_volatile(from.add(word).read());
        }
        exchange(&raw mut (*entry).number, before + 1);
    }
    Some(())
}
