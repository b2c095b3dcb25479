//! The tables `[[test]]`.

use std::fmt;

use super::{ServiceText, quote};
use crate::config::policy_test::PolicyTest;

pub(super) fn print(f: &mut fmt::Formatter<'_>, test: &PolicyTest) -> fmt::Result {
    writeln!(f, "\n[[test]]")?;
    if let Some(name) = &test.name {
        writeln!(f, "name = {}", quote(name))?;
    }
    writeln!(f, "from = {}\nto = {}", quote(&test.from), quote(&test.to))?;
    writeln!(f, "service = {}", quote(ServiceText(&test.service)))?;
    if let Some(port) = test.source_port {
        writeln!(f, "source-port = {port}")?;
    }
    writeln!(f, "expect = \"{}\"", test.expect.name())
}
