//! How large a document may be. Whatever is beyond is refused before it costs memory:
//! a document below these limits is read in at most a few hundred megabytes.

/// Bytes of a document; more is refused unread.
pub const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// Words and signs of TOML. The largest policy has about 45 a rule.
pub const MAX_TOKENS: usize = 8 << 20;

/// Tables of TOML, a rule being one: all rules, all ports and networks, and some.
pub const MAX_TABLES: usize = 160 << 10;

/// Brackets within brackets; a document needs three.
pub const MAX_DEPTH: u32 = 16;

/// Parts of dotted keys that are open at one place; they make tables within tables too.
pub const MAX_KEY_PARTS: usize = 64;

/// Rules of a policy.
pub const MAX_RULES: usize = 128 << 10;

/// Tests of a policy.
pub const MAX_TESTS: usize = 16 << 10;

/// Ports of a host.
pub const MAX_PORTS: usize = netctl_common::abi::MAX_PORTS as usize;

/// Networks of a host.
pub const MAX_NETWORKS: usize = 4096;

/// Entries of one list other than the rules.
pub const MAX_LIST: usize = 64 << 10;

/// Errors, and as many warnings, that are kept; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 100;
