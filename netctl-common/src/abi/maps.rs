//! Names of the maps, which are also their names in the pin directory.

/// One slot that points at the running generation's table of ports.
pub const ROOT: &str = "root";
pub const RULES: &str = "rules";
pub const RULE_COUNTERS: &str = "rule_counters";
/// Per generation; each has [`super::SLOTS`] slots.
pub const GENERATION: [&str; 16] = [
    "stations",
    "trunks",
    "addresses",
    "prefixes",
    LEARNERS,
    LEARNED_CLASSES,
    "services",
    "service_pairs",
    "source_chains",
    "dest_chains",
    "pair_chains",
    "verdicts",
    LIMITS,
    RULES,
    RULE_COUNTERS,
    DOCUMENT,
];
pub const LEARNERS: &str = "learners";
pub const LEARNED_CLASSES: &str = "learned_classes";
/// Addresses that ports have learned; outlive generations.
pub const LEASES: &str = "leases";
pub const LEASE_BOOKS: &str = "lease_books";
/// Per port.
pub const FLOWS: &str = "flows";
pub const OPENINGS: &str = "openings";
pub const PORT_COUNTERS: &str = "port_counters";
/// The text that the generation was compiled from, in chunks of [`super::DOCUMENT_CHUNK`] bytes.
pub const DOCUMENT: &str = "document";
pub const LIMITS: &str = "limits";
/// Of the limits, for each port and direction; they outlive generations.
pub const BUCKETS: &str = "buckets";
/// How many flows each port may still have settle at another: [`super::QuotaKey`].
pub const QUOTAS: &str = "quotas";
/// The last [`super::JOURNAL_LEN`] events, and how many there ever were.
pub const JOURNAL: &str = "journal";
pub const JOURNAL_END: &str = "journal_end";
/// What is captured, what is left out, and where it goes.
pub const CAPTURES: &str = "captures";
pub const CAPTURE_STATES: &str = "capture_states";
pub const CAPTURE_RINGS: &str = "capture_rings";
/// When the last capture is over; 0 = nobody captures.
pub const CAPTURES_UNTIL: &str = "captures_until";
/// Of rules that may cause so many events only; key: [`super::RuleEntry::identity`].
pub const LOG_BUDGETS: &str = "log_budgets";
pub const EVENT_BUDGET: &str = "event_budget";
pub const REJECT_BUDGET: &str = "reject_budget";
/// Frames at interfaces that are no ports of the running policy; laid out like `port_counters`.
pub const STRAY_COUNTERS: &str = "stray_counters";
pub const ANSWER: &str = "answer";
