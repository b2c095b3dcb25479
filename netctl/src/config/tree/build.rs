//! The events of toml_parser to a tree. Tolerant of any order of events: after a mistake in the text
//! the tree is thrown away, but it is still built.

use std::borrow::Cow;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::Token;
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Raw};

use super::section::{self, Key};
use super::syntax::{Reading, Syntax};
use super::{Made, Node, Table, Value};
use crate::config::limits::{MAX_DEPTH, MAX_KEY_PARTS, MAX_TABLES, MAX_TOKENS};
use crate::config::source::Span;

/// Reads all of the text, whatever is wrong with it.
pub(in crate::config) fn read(text: &str) -> Reading<'_> {
    let source = toml_parser::Source::new(text);
    let mut builder = Builder::new(text);
    let mut tokens: Vec<Token> = Vec::with_capacity((text.len() / 2).min(MAX_TOKENS));
    tokens.extend(source.lex().take(MAX_TOKENS + 1));
    if let [.., last] = tokens.as_slice()
        && tokens.len() > MAX_TOKENS
    {
        builder.syntax.too_long = Some(span(last.span()));
        return builder.finish();
    }
    let mut structure = std::mem::take(&mut builder.syntax.structure);
    let mut checked = ValidateWhitespace::new(&mut builder, source);
    parse_document(&tokens, &mut RecursionGuard::new(&mut checked, MAX_DEPTH), &mut structure);
    builder.syntax.structure = structure;
    builder.finish()
}

fn span(of: toml_parser::Span) -> Span {
    Span::new(of.start(), of.end())
}

struct Builder<'t> {
    text: &'t str,
    root: Table<'t>,
    /// The way to the table of the last header; `None` after a header that is a mistake.
    section: Option<Vec<usize>>,
    /// Parts of keys whose values are still to come; those of outer tables first.
    keys: Vec<Key<'t>>,
    open: Vec<Open<'t>>,
    /// First byte of the header that is being read.
    header: usize,
    tables: usize,
    syntax: Syntax,
}

/// A list or table in brackets that is not closed yet.
struct Open<'t> {
    start: usize,
    what: What<'t>,
}

enum What<'t> {
    Array(Vec<Node<'t>>),
    /// With how many parts of [`Builder::keys`] belong to tables further out.
    Inline(Box<Table<'t>>, usize),
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            root: Table::default(),
            section: Some(Vec::new()),
            keys: Vec::new(),
            open: Vec::new(),
            header: 0,
            tables: 0,
            syntax: Syntax::default(),
        }
    }

    fn finish(self) -> Reading<'t> {
        Reading { root: self.root, syntax: self.syntax }
    }

    fn raw(&self, at: toml_parser::Span, encoding: Option<Encoding>) -> Raw<'t> {
        Raw::new_unchecked(self.text.get(at.start()..at.end()).unwrap_or(""), encoding, at)
    }

    /// Whether another table may be made; beyond the limit nothing is, and that is an error.
    fn may_add_table(&mut self, at: toml_parser::Span) -> bool {
        self.tables += 1;
        if self.tables > MAX_TABLES {
            self.syntax.too_many_tables.get_or_insert(span(at));
        }
        self.tables <= MAX_TABLES
    }

    /// A value is complete: it belongs to the list or the key that waits for it.
    fn deliver(&mut self, node: Node<'t>) {
        if self.syntax.too_many_tables.is_some() {
            return self.keys.clear();
        }
        let taken = match self.open.last_mut() {
            Some(Open { what: What::Array(items), .. }) => {
                items.push(node);
                return;
            }
            Some(Open { what: What::Inline(table, outer), .. }) => {
                section::put(table, self.keys.drain((*outer).min(self.keys.len())..), node)
            }
            None => {
                let section = self.section.as_deref().and_then(|way| section::at(&mut self.root, way));
                match section {
                    Some(table) => section::put(table, self.keys.drain(..), node),
                    None => return self.keys.clear(),
                }
            }
        };
        if let Err(taken) = taken {
            self.syntax.taken.push(taken);
        }
    }

    fn open_header(&mut self, close: toml_parser::Span, is_list: bool) {
        let at = Span::new(self.header, close.end());
        if !self.may_add_table(close) {
            self.section = None;
            return self.keys.clear();
        }
        let keys = self.keys.drain(..);
        let way = if is_list {
            section::open_next(&mut self.root, keys, at)
        } else {
            section::open(&mut self.root, keys, at)
        };
        self.section = way.map_err(|taken| self.syntax.taken.push(taken)).ok();
    }

    /// Closes the innermost bracket, if it is of this sort.
    fn close(&mut self, end: usize, is_table: bool) {
        let Some(open) = self.open.pop_if(|open| matches!(open.what, What::Inline(..)) == is_table) else {
            return;
        };
        let value = match open.what {
            What::Array(items) => Value::Array(items),
            What::Inline(table, outer) => {
                self.keys.truncate(outer);
                Value::Table(table)
            }
        };
        self.deliver(Node { value, span: Span::new(open.start, end) });
    }

    fn value(&mut self, at: toml_parser::Span, encoding: Option<Encoding>) -> Value<'t> {
        let mut text = Cow::Borrowed("");
        let before = self.syntax.values.count();
        let kind = self.raw(at, encoding).decode_scalar(&mut text, &mut self.syntax.values);
        if self.syntax.values.count() > before {
            return Value::Invalid;
        }
        match kind {
            ScalarKind::String => Value::String(text),
            ScalarKind::Boolean(value) => Value::Boolean(value),
            ScalarKind::Float => Value::Other("a float"),
            ScalarKind::DateTime => Value::Other("a date"),
            ScalarKind::Integer(radix) => match i64::from_str_radix(&text, radix.value()) {
                Ok(value) => Value::Integer(value),
                Err(_) => {
                    let error = ParseError::new("the integer does not fit into 64 bits").with_unexpected(at);
                    self.syntax.values.push(error);
                    Value::Invalid
                }
            },
        }
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.header = at.start();
        self.section = None;
        self.keys.clear();
        self.open.clear();
    }

    fn std_table_close(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.open_header(at, false);
    }

    fn array_table_open(&mut self, at: toml_parser::Span, error: &mut dyn ErrorSink) {
        self.std_table_open(at, error);
    }

    fn array_table_close(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.open_header(at, true);
    }

    fn inline_table_open(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) -> bool {
        let table = Box::new(Table::new(Made::Inline));
        self.open.push(Open { start: at.start(), what: What::Inline(table, self.keys.len()) });
        self.may_add_table(at)
    }

    fn inline_table_close(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close(at.end(), true);
    }

    fn array_open(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) -> bool {
        self.open.push(Open { start: at.start(), what: What::Array(Vec::new()) });
        true
    }

    fn array_close(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close(at.end(), false);
    }

    fn simple_key(&mut self, at: toml_parser::Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        self.raw(at, encoding).decode_key(&mut text, &mut self.syntax.values);
        if self.keys.len() < MAX_KEY_PARTS {
            self.keys.push(Key { text, span: span(at) });
        } else {
            self.syntax.too_many_parts.get_or_insert(span(at));
        }
    }

    fn key_sep(&mut self, at: toml_parser::Span, _: &mut dyn ErrorSink) {
        // Each dot of a key may make a table.
        self.may_add_table(at);
    }

    fn scalar(&mut self, at: toml_parser::Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        let node = Node { value: self.value(at, encoding), span: span(at) };
        self.deliver(node);
    }
}
