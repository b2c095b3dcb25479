//! The same document on every kind of network: only the network's own lines differ, and who reaches whom is the same.
//! Macvtaps need a wire: NICs (veth) on a switch, which reflects for vepa.

use std::thread;

use anyhow::{Result, anyhow};

use super::DOCUMENT;
use super::matrix::{Cell, Matrix};
use super::screen::Screen;
use crate::lab::Lab;
use crate::sandbox::Sandbox;
use crate::switch::Switch;

/// A kind besides the bridge that [`DOCUMENT`] has.
struct Kind {
    name: &'static str,
    /// The network's keys.
    network: &'static str,
    nics: &'static [&'static str],
    /// Whether the switch sends frames back where they came from.
    reflects: bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "macvlan",
        network: "kind = \"macvlan\"\nuplinks = [\"nic0\"]\n",
        nics: &["nic0"],
        reflects: false,
    },
    Kind {
        name: "passthrough",
        network: "kind = \"passthrough\"\nuplinks = [\"nic0\", \"nic1\", \"nic2\"]\n",
        nics: &["nic0", "nic1", "nic2"],
        reflects: false,
    },
    Kind {
        name: "vepa",
        network: "kind = \"vepa\"\nuplinks = [\"nic0\"]\n",
        nics: &["nic0"],
        reflects: true,
    },
];

/// The lines of a document behind a table's header, up to the next table.
const NETWORK: &str = "[networks.lab]\n";

/// Whether every kind does as the bridge did.
///
/// # Errors
/// If a kind cannot be set up.
pub(super) fn compare(bridge: &Matrix, screen: &Screen) -> Result<bool> {
    screen.step("The same policy on every kind of network: who reaches whom (real connections, IPv4/IPv6)");
    let matrices: Result<Vec<Matrix>> = thread::scope(|scope| {
        let kinds: Vec<_> = KINDS.iter().map(|kind| scope.spawn(|| measure(kind))).collect();
        kinds.into_iter().map(|kind| kind.join().map_err(|_| anyhow!("a kind's guests failed"))?).collect()
    });
    let matrices = matrices?;
    let names: String = KINDS.iter().map(|kind| format!("{:<13}", kind.name)).collect();
    screen.line(format!("{:<7}{:<7}{:<10}{:<13}{names}", "from", "to", "service", "bridge").trim_end());
    let mut equal = true;
    for (pair, cells) in bridge.cells().chunks(2).enumerate() {
        let others = matrices.iter().map(|matrix| matrix.cells().chunks(2).nth(pair).unwrap_or_default());
        let columns: Vec<String> = std::iter::once(cells).chain(others).map(seen).collect();
        let Cell { from, to, service, .. } = &cells[0];
        let text: String = columns.iter().map(|column| format!("{column:<13}")).collect();
        let line = format!("{from:<7}{to:<7}{:<10}{text}", service.to_string());
        if columns.windows(2).all(|two| two[0] == two[1]) {
            screen.line(line.trim_end());
        } else {
            equal = false;
            screen.alarm(line.trim_end());
        }
    }
    let wrong: Vec<_> = matrices.iter().flat_map(Matrix::mismatches).collect();
    for cell in &wrong {
        screen.alarm(&cell.to_string());
    }
    Ok(equal && wrong.is_empty())
}

/// Both families of a service.
fn seen(cells: &[Cell]) -> String {
    let words: Vec<_> = cells.iter().map(|cell| if cell.seen { "yes" } else { "no" }).collect();
    words.join("/")
}

fn measure(kind: &Kind) -> Result<Matrix> {
    let sandbox = Sandbox::new()?;
    sandbox.enter(|| {
        let switch = Switch::new(&sandbox, "switch")?;
        for nic in kind.nics {
            switch.nic(nic)?;
            switch.reflect(nic, kind.reflects)?;
        }
        let lab = Lab::up(&sandbox, &document(kind))?;
        super::serve(&lab);
        Matrix::measure(&lab)
    })
}

fn document(kind: &Kind) -> String {
    let (before, rest) = DOCUMENT.split_once(NETWORK).unwrap_or((DOCUMENT, ""));
    let (_, behind) = rest.split_once("\n[").unwrap_or_default();
    format!("{before}{NETWORK}{}\n[{behind}", kind.network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_networks_own_lines_differ() {
        for kind in &KINDS {
            let text = document(kind);
            assert!(text.starts_with("[networks.lab]\nkind = \"") && text.contains(kind.network), "{text}");
            let same = |text: &str| text.split_once("[ports.").map(|(_, ports)| ports.to_owned());
            assert_eq!(same(&text), same(DOCUMENT));
        }
    }
}
