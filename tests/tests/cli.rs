//! The command line as an operator meets it: examples and documents that can be followed word by word, listings,
//! exit codes, and what happens when something is wrong. Needs root, and QEMU for the examples of `run`.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "cli/audit.rs"]
mod audit;
#[path = "cli/bad_documents.rs"]
mod bad_documents;
#[path = "cli/bad_hosts.rs"]
mod bad_hosts;
#[path = "cli/bad_uplinks.rs"]
mod bad_uplinks;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/examples.rs"]
mod examples;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/flows.rs"]
mod flows;
#[path = "cli/generated.rs"]
mod generated;
#[path = "cli/handover.rs"]
mod handover;
#[path = "cli/lab.rs"]
mod lab;
#[path = "cli/listings.rs"]
mod listings;
#[path = "cli/maps.rs"]
mod maps;
#[path = "cli/metrics.rs"]
mod metrics;
#[path = "cli/metrics_served.rs"]
mod metrics_served;
#[path = "cli/notes.rs"]
mod notes;
#[path = "cli/policy_diff.rs"]
mod policy_diff;
#[path = "cli/policy_matrix.rs"]
mod policy_matrix;
#[path = "cli/policy_tests.rs"]
mod policy_tests;
#[path = "cli/prometheus.rs"]
mod prometheus;
#[path = "cli/refused_calls.rs"]
mod refused_calls;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/status.rs"]
mod status;
#[path = "cli/told.rs"]
mod told;
#[path = "cli/vmms.rs"]
mod vmms;
