//! Reading what libvirt writes to a hook, within bounds: parts of a domain's XML are anybody's text.

use std::io::Read;

use roxmltree::{Document, Node, ParsingOptions};

use super::error::HookError;

/// Largest XML that is read. A domain with 100 devices has some 30 KiB.
pub const MAX_BYTES: u64 = 1 << 20;

/// Most elements, attributes aside. A node takes some 100 bytes.
const MAX_NODES: u32 = 1 << 16;

/// Most attributes of an element: the parser compares each with all others.
const MAX_ATTRIBUTES: usize = 2048;

/// Reads a hook's standard input to its end.
///
/// # Errors
/// [`HookError::Input`], also for what is no UTF-8; [`HookError::TooLarge`].
pub fn read(from: impl Read) -> Result<String, HookError> {
    let mut text = String::new();
    from.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(HookError::Input)?;
    if text.len() as u64 > MAX_BYTES { Err(HookError::TooLarge) } else { Ok(text) }
}

/// The parser goes into depth without recursion, and a document type, with which entities could be defined, is refused.
pub(super) fn parse(text: &str) -> Result<Document<'_>, HookError> {
    // No tag holds a second `<`, and each attribute has a `=`.
    let crowded = |piece: &str| piece.bytes().filter(|byte| *byte == b'=').count() > MAX_ATTRIBUTES;
    if text.split('<').any(crowded) {
        return Err(HookError::Crowded);
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Ok(Document::parse_with_options(text, options)?)
}

/// The first child element of that name, in no namespace.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

/// All child elements of that name, in no namespace.
pub(super) fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// Attribute of the first child element of that name.
pub(super) fn attribute<'a>(node: Node<'a, '_>, name: &str, attribute: &str) -> Option<&'a str> {
    child(node, name)?.attribute(attribute)
}

/// Text of the first child element of that name.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}
