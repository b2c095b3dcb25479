//! Who reaches whom, as a table of its own shape.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::{Serialize, Serializer};

use crate::compile::{Budget, PortIds, compile};
use crate::config::Config;
use crate::output::printable;
use crate::policy::matrix::{Group, Matrix};

/// Rows and columns that a page can be read with.
const MOST: usize = 60;

/// The reachability matrix of the running policy.
pub(super) enum Reach {
    Matrix(Matrix),
    /// Why there is none.
    None(String),
}

impl Reach {
    pub(super) fn of(config: &Config) -> Self {
        let ids = PortIds::assign(&BTreeMap::new(), config);
        let compiled = ids.and_then(|ids| compile(config, &ids, &Budget::default()));
        let matrix = compiled.map_err(|error| error.to_string());
        let matrix = matrix.and_then(|compiled| Matrix::of(config, &compiled).map_err(|it| it.to_string()));
        match matrix {
            Ok(matrix) => Self::Matrix(matrix),
            Err(words) => Self::None(words),
        }
    }

    pub(super) fn markup(&self) -> Markup {
        let matrix = match self {
            Self::None(words) => return html! { p.none { (printable(words)) } },
            Self::Matrix(matrix) if matrix.groups.len() > MOST => {
                let count = matrix.groups.len();
                return html! {
                    p.none { "It has " (count) " rows, too many for a page: " code { "netctl policy matrix" } " shows them." }
                };
            }
            Self::Matrix(matrix) => matrix,
        };
        let groups = &matrix.groups;
        html! {
            div.wide tabindex="0" {
                table.reach {
                    thead { tr { th scope="col" { "FROM \\ TO" } @for to in groups { th scope="col" { (printable(&to.label)) } } } }
                    tbody {
                        @for (row, from) in groups.iter().enumerate() {
                            tr {
                                th scope="row" { (printable(&from.label)) }
                                @for column in 0..groups.len() { (cell(matrix, row, column)) }
                            }
                        }
                    }
                }
            }
            @let joined: Vec<&Group> = groups.iter().filter(|group| group.describe() != group.label).collect();
            @if !joined.is_empty() {
                dl.members { @for group in joined { div { dt { (printable(&group.label)) } dd { (printable(&group.describe())) } } } }
            }
        }
    }
}

/// Nothing where no port of netctl's judges it, and from a port to itself.
fn cell(matrix: &Matrix, row: usize, column: usize) -> Markup {
    match matrix.cell(row, column) {
        None => html! { td.none {} },
        Some(cell) if cell.offers.is_empty() => html! { td.none { "-" } },
        Some(cell) => html! { td.reached { (printable(&cell.to_string())) } },
    }
}

impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Matrix(matrix) => matrix.all().serialize(to),
            Self::None(words) => to.collect_map([("none", words)]),
        }
    }
}
