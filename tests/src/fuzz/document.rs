//! The document: no input makes the parser panic, and what is printed means the same.

use netctl::config::{Config, print};
use netctl::document::check;

/// # Panics
/// If a document that is accepted is printed as another one.
pub fn document(bytes: &[u8]) {
    let Ok(read) = check("fuzzed.toml", bytes.to_vec()) else { return };
    let printed = print(&read.config);
    let again = check("printed.toml", printed.clone().into_bytes());
    let again = again.unwrap_or_else(|errors| panic!("what was printed is refused: {errors}\n{printed}"));
    assert_eq!(print(&again.config), printed, "printing changes it again");
    assert_eq!(meaning(again.config), meaning(read.config), "{printed}");
}

/// Lines are where it was written, not what it says.
fn meaning(mut config: Config) -> Config {
    config.networks.values_mut().for_each(|network| network.line = 0);
    config.ports.values_mut().for_each(|port| port.line = 0);
    config.policy.rules.iter_mut().for_each(|rule| rule.line = 0);
    config.tests.iter_mut().for_each(|test| test.line = 0);
    config
}
