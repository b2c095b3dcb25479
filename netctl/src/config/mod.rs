//! The document as values: validated, every name resolved, no text and no kernel ids.
//!
//! [`parse()`] makes a [`Config`] of text, or [`Diagnostics`]; [`print()`] makes text of it again;
//! [`schema()`] describes the text to editors. docs/document.md is the same for people.

mod compare;
mod derive;
mod diagnostic;
pub(crate) mod duration;
pub mod edit;
pub(crate) mod escape;
mod guarding;
mod limits;
mod model;
mod owner;
mod parse;
mod pick;
mod policy_test;
mod print;
mod rate;
mod render;
mod report;
mod schema;
mod source;
mod tap;
mod tree;
mod words;

pub use derive::{INTERFACE_LEN, Named, interface, mac};
pub use diagnostic::{Diagnostic, Diagnostics, Related, Severity};
pub use duration::print_seconds;
pub use guarding::{DirectionLimits, Guards, Limits, Rate, Vlans};
pub use limits::*;
pub use model::*;
pub use owner::{gid_of, uid_of};
pub(crate) use parse::device::is_uuid;
pub use parse::port::{MAX_QUEUES, UserLookup};
pub use parse::unused::unused;
pub use parse::{Lookups, Parsed, parse, parse_bytes, parse_tests, parse_with, parse_with_users};
pub use pick::{InterfaceKind, InterfaceLookup, Picked};
pub use policy_test::{Endpoint, PolicyTest};
pub use print::{print, print_guarding, print_rule_text, print_selector, print_service, print_trunk};
pub use rate::Amount;
pub use schema::schema;
pub use tap::{Header, Napi, Offload, TapOptions, VNET_HEADER_LEN};

/// One service, as in a rule.
///
/// # Errors
/// What is wrong with it, and the next step.
pub fn parse_service(text: &str) -> Result<Service, String> {
    parse::service::service(text).map_err(|complaint| format!("{}; {}", complaint.message, complaint.help))
}
