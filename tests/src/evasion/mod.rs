//! Frames of attackers, built without netctl's parser (`tests/evasion/generate.py`), and what has to come of them.
//! Run on the host, in the kernel and on real ports by `tests/tests/evasion`; the fuzzers start from them.

mod corpus;
mod pcap;
mod pending;

pub use corpus::{Case, Step, Verdict, cases};
pub use pending::PENDING;

/// Rules under which next to everything passes, so that it is a guard that stops an attack, not the lack of a rule.
pub const OPEN: &[&str] = &[
    r#"{ deny = ["tcp/22", "udp/22", "sctp/22"], from = "any", to = "any", name = "no ssh" }"#,
    r#"{ deny = ["ip/ipip", "ip/41", "ip/gre"], from = "any", to = "any", name = "no tunnels" }"#,
    r#"{ allow = "any", from = "any", to = "any", name = "open" }"#,
];

/// What [`Step::Apply`] of `closed` stands for.
pub const CLOSED: &[&str] = &[];

/// The port that sends and gets the frames of the corpus.
pub const PORT: &str = "web1";
