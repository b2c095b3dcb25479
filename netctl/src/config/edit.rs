//! The text of a document with a section more or less: ports that come and go by a command, networks that were picked.
//! What else stands there, comments and order included, stays as it was written.
//!
//! A section can be written as a table, with dotted keys or in braces; toml_edit, which Cargo edits its own files with,
//! knows them all. The result is read by the parser of every document afterwards, so nothing is decided here.

use toml_edit::visit_mut::{VisitMut, visit_table_mut};
use toml_edit::{Array, DocumentMut, Item, Key, Table, Value, value};

/// Why a document cannot be edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("the document cannot be edited")]
    Syntax(#[from] toml_edit::TomlError),
    #[error("`{0}` of the document is no table")]
    NoTable(&'static str),
}

/// The keys of a new section, as they are to be written.
#[derive(Clone, Debug, Default)]
pub struct NewSection {
    keys: Vec<(&'static str, Value)>,
}

impl NewSection {
    pub fn text(&mut self, key: &'static str, text: impl ToString) {
        self.keys.push((key, Value::from(text.to_string())));
    }

    pub fn texts(&mut self, key: &'static str, texts: &[String]) {
        self.keys.push((key, Value::Array(texts.iter().collect::<Array>())));
    }

    pub fn number(&mut self, key: &'static str, number: u32) {
        self.keys.push((key, Value::from(i64::from(number))));
    }

    pub fn yes(&mut self, key: &'static str) {
        self.keys.push((key, Value::from(true)));
    }

    pub(super) fn pool(&mut self, key: &'static str, pf: &str, vfs: u16) {
        let pool = [("pf", Value::from(pf)), ("vfs", Value::from(i64::from(vfs)))];
        self.keys.push((key, Value::InlineTable(pool.into_iter().collect())));
    }

    fn table(&self) -> Table {
        self.keys.iter().map(|(key, of)| (*key, value(of.clone()))).collect()
    }
}

/// With a section for the port at the end: the lines above keep their numbers.
///
/// # Errors
/// [`EditError`]
pub fn add_port(text: &str, name: &str, port: &NewSection) -> Result<String, EditError> {
    add_section(text, ("ports", name), port, "")
}

/// With a section `[of.name]` at the end, and a comment above it. Where the others stand in braces, so does it.
pub(super) fn add_section(
    text: &str,
    (of, name): (&'static str, &str),
    section: &NewSection,
    comment: &str,
) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let table = section.table();
    match document.get_mut(of) {
        Some(Item::Value(Value::InlineTable(others))) => {
            others.insert(name, Value::InlineTable(table.into_inline_table()));
            return Ok(document.to_string());
        }
        Some(Item::Table(_)) | None => {}
        Some(_) => return Err(EditError::NoTable(of)),
    }
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    Ok(format!("{text}{gap}{comment}[{of}.{}]\n{table}", Key::new(name)))
}

/// Without the section of the port, nor the port in `[groups]`. `None` if there is no such port.
///
/// # Errors
/// [`EditError`]
pub fn remove_port(text: &str, name: &str) -> Result<Option<String>, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let Some(ports) = document.get_mut("ports") else { return Ok(None) };
    let removed = ports.as_table_like_mut().ok_or(EditError::NoTable("ports"))?.remove(name);
    match removed {
        None => return Ok(None),
        Some(Item::Table(table)) => keep_comment(&mut document, &table),
        Some(_) => {}
    }
    if let Some(groups) = document.get_mut("groups").and_then(Item::as_table_like_mut) {
        let members = groups.iter_mut().filter_map(|(_, members)| members.as_array_mut());
        members.for_each(|members| members.retain(|member| member.as_str() != Some(name)));
    }
    Ok(Some(document.to_string()))
}

/// A comment right above a section goes with it. One that a blank line parts from it is not about it, and moves to
/// what follows.
fn keep_comment(document: &mut DocumentMut, removed: &Table) {
    let Some(above) = removed.decor().prefix().and_then(|prefix| prefix.as_str()) else { return };
    let Some(end) = above.rfind("\n\n").filter(|end| above[..*end].contains('#')) else { return };
    let kept = &above[..=end];
    let mut following = Following { after: removed.position(), first: None };
    following.visit_table_mut(document.as_table_mut());
    let Some(position) = following.first else {
        let trailing = document.trailing().as_str().unwrap_or_default();
        let trailing = format!("{kept}{trailing}");
        return document.set_trailing(trailing);
    };
    Prefixed { at: position, with: kept }.visit_table_mut(document.as_table_mut());
}

/// Finds the next section of the text.
struct Following {
    after: Option<isize>,
    first: Option<isize>,
}

impl VisitMut for Following {
    fn visit_table_mut(&mut self, table: &mut Table) {
        let later = table.position().filter(|at| Some(*at) > self.after && !table.is_implicit());
        self.first = [later, self.first].into_iter().flatten().min();
        visit_table_mut(self, table);
    }
}

/// Puts a comment above a section.
struct Prefixed<'a> {
    at: isize,
    with: &'a str,
}

impl VisitMut for Prefixed<'_> {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if table.position() == Some(self.at) && !table.is_implicit() {
            let own = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let prefix = format!("{}{own}", self.with);
            table.decor_mut().set_prefix(prefix);
        }
        visit_table_mut(self, table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# rack 7\n\n# the network\n[networks.lab]\nkind = \"bridge\"\n\n# about hosts below\n\n\
        # the web server\n[ports.web1] # first\nnetwork = \"lab\"\n\n[ports.db1]\nnetwork   = \"lab\"\n\n\
        [groups]\nall = [\"web1\", \"db1\"] # both\n\n# the end\n[policy]\ndefault = \"deny\" # yes\n";

    fn port() -> NewSection {
        let mut port = NewSection::default();
        port.text("network", "lab");
        port.texts("addresses", &["10.0.0.1".to_owned(), "fd00::1".to_owned()]);
        port.number("queues", 2);
        port.yes("adopt");
        port
    }

    #[test]
    fn a_port_is_added_below_everything_that_was_there() {
        let added = "[ports.\"web.2\"]\nnetwork = \"lab\"\naddresses = [\"10.0.0.1\", \"fd00::1\"]\nqueues = 2\nadopt = true\n";
        let of = |text: &str| add_port(text, "web.2", &port()).unwrap();
        assert_eq!(of(DOCUMENT), format!("{DOCUMENT}\n{added}"));
        assert_eq!(of("a = 1"), format!("a = 1\n\n{added}"));
        assert_eq!(of(""), added);
    }

    #[test]
    fn a_port_is_added_between_the_braces_of_the_others() {
        let text = "ports = { web1 = { network = \"lab\" } } # all\n";
        let mut one = NewSection::default();
        one.text("network", "lab");
        let added = add_port(text, "web2", &one).unwrap();
        assert_eq!(added, "ports = { web1 = { network = \"lab\" } , web2 = { network = \"lab\" } } # all\n");
    }

    #[test]
    fn a_port_goes_with_its_own_comment_and_from_the_groups_and_nothing_else_changes() {
        let left = remove_port(DOCUMENT, "web1").unwrap().unwrap();
        let expected = DOCUMENT
            .replace("# the web server\n[ports.web1] # first\nnetwork = \"lab\"\n\n", "")
            .replace("[\"web1\", \"db1\"]", "[ \"db1\"]");
        assert_eq!(left, expected);
        assert_eq!(remove_port(DOCUMENT, "web3").unwrap(), None);
        assert_eq!(remove_port("", "web3").unwrap(), None);
    }

    #[test]
    fn what_stood_above_the_last_section_is_kept_too() {
        let text = "[networks.lab]\nkind = \"bridge\"\n\n# to do: more\n\n[ports.a]\nnetwork = \"lab\"\n";
        let left = remove_port(text, "a").unwrap().unwrap();
        assert_eq!(left, "[networks.lab]\nkind = \"bridge\"\n\n# to do: more\n");
    }

    #[test]
    fn what_was_added_can_be_taken_out_again_however_it_is_written() {
        for text in [
            DOCUMENT,
            "ports.a.network = \"lab\" # dotted\nports.b.network = \"lab\"\n",
            "[ports]\na = { network = \"lab\" } # braces\n",
            "[ports]\na.network = \"lab\"\n\n[ports.b]\nnetwork = \"lab\"\n",
        ] {
            let added = add_port(text, "new", &port()).unwrap();
            let left = remove_port(&added, "new").unwrap().unwrap();
            assert_eq!(left.trim_end(), text.trim_end());
        }
    }
}
