//! TOML text to a tree of values that know where they stand. Every word of TOML is read by toml_parser;
//! here are only the tables that its events make up, because the ready-made ones take several times the
//! memory and time of a whole `apply`, without a bound, and forget where a key was first used.
//! Nothing here knows what a document of netctl means.

mod build;
mod section;
mod syntax;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::source::Span;

pub(super) use build::read;
pub(super) use table::{Entry, Table};

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) value: Value<'t>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Value<'t> {
    String(Cow<'t, str>),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node<'t>>),
    Table(Box<Table<'t>>),
    /// `[[name]]`: tables, never empty.
    Tables(Vec<Node<'t>>),
    /// What no document has: a float, a date.
    Other(&'static str),
    /// Not readable, and reported.
    Invalid,
}

impl Value<'_> {
    /// What it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Tables(_) => "a list of tables",
            Self::Other(kind) => kind,
            Self::Invalid => "unreadable",
        }
    }
}

/// How a table came to be, which says who may still add to it (TOML 1.1, "Table" and "Dotted keys").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Made {
    /// On the way to a deeper header: its own header may follow.
    #[default]
    Implicit,
    /// By dotted keys: only they and deeper headers add to it.
    Dotted,
    /// By its header.
    Header,
    /// By braces: complete.
    Inline,
}
