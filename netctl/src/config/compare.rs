//! Whether two documents say the same, wherever they say it.

use super::model::Config;

impl Config {
    /// The same without line numbers, so that `==` compares what is meant.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.networks.values_mut().for_each(|network| network.line = 0);
        self.ports.values_mut().for_each(|port| port.line = 0);
        self.policy.rules.iter_mut().for_each(|rule| rule.line = 0);
        self.tests.iter_mut().for_each(|test| test.line = 0);
        self
    }
}
