//! The page. Everything on it that a document or a guest could have written goes through maud, which escapes it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content;
use super::facts::{Facts, IDLE};
use crate::output::{Row, printable};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(facts: &Facts) -> String {
    let sections = sections(facts);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content::policy(STYLE));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { "netctl on " (printable(&facts.host)) }
                // The style is netctl's own, and its hash is that of these bytes.
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "netctl on " (printable(&facts.host)) }
                    (summary(facts))
                    nav { @for section in &sections { a href={ "#" (section.id) } { (section.title) } } }
                }
                main { @for section in &sections { (section.markup()) } }
            }
        }
    }
    .into_string()
}

struct Section {
    id: &'static str,
    title: &'static str,
    note: String,
    /// `None`: there is nothing.
    body: Option<Markup>,
}

impl Section {
    fn markup(&self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.title) }
                @if !self.note.is_empty() { p.note { (self.note) } }
                @match &self.body {
                    Some(body) => { (body) },
                    None => { p.none { "none" } },
                }
            }
        }
    }
}

fn sections(facts: &Facts) -> Vec<Section> {
    let section = |id, title, note: &str, body| Section { id, title, note: note.to_owned(), body };
    vec![
        section("attention", "Attention", "", list(&facts.attention)),
        section("networks", "Networks", "", table(&facts.networks, |row| state(&row.state))),
        section("ports", "Ports", "", table(&facts.ports, |row| state(&row.state))),
        section(
            "reach",
            "Who reaches whom",
            "Connections that one may open towards the other, by the rules that are enforced, at both ports.",
            Some(facts.reach.markup()),
        ),
        section(
            "rules",
            "Rules",
            &format!(
                "The first one that matches decides, else the default: {}. Counted is what a rule decided itself, not the \
                 flows that it opened.",
                facts.default
            ),
            table(&facts.rules, |row| if row.unused { "unused" } else { "" }),
        ),
        section(
            "counters",
            "Counters",
            "Frames by port and reason, since the port exists; directions are seen from the guest.",
            table(&facts.counters, |_| ""),
        ),
        section("limits", "Limits", "", table(&facts.limits, |_| "")),
        section(
            "flows",
            "Flows",
            "Connections that are not over, and entries of the tables with what is over until its place is needed.",
            table(&facts.flows, |_| ""),
        ),
        section(
            "denies",
            "Denied last",
            "Newest first, as the journal has them; netctl events shows more.",
            table(&facts.denies, |_| ""),
        ),
        section(
            "findings",
            "Doubtful in the document",
            "As netctl check warns.",
            table(&facts.findings, |_| "bad"),
        ),
    ]
}

fn summary(facts: &Facts) -> Markup {
    let since = facts.since.map_or_else(|| "not known any more".to_owned(), local);
    let rows = [
        ("Read", local(facts.at)),
        ("Generation", facts.generation.to_string()),
        ("Since", since),
        ("Default", facts.default.to_owned()),
        ("netctl", facts.netctl.to_owned()),
        ("Document (SHA-256)", facts.document_sha256.clone()),
    ];
    html! { dl { @for (name, value) in &rows { div { dt { (name) } dd { (value) } } } } }
}

fn list(lines: &[String]) -> Option<Markup> {
    (!lines.is_empty()).then(|| html! { ul { @for line in lines { li.bad { (printable(line)) } } } })
}

/// Longer cells get room for a few words in a line, shorter ones are not broken.
const SHORT: usize = 24;

/// In a box of its own, which scrolls where the page is too narrow.
fn table<R: Row>(rows: &[R], class: impl Fn(&R) -> &'static str) -> Option<Markup> {
    let lines: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    let is_number = |cell: &String| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let column = |at: usize| lines.iter().filter_map(move |line| line.get(at));
    let kinds: Vec<&str> = (0..R::HEADS.len())
        .map(|at| match () {
            () if column(at).any(is_number) => "number",
            () if column(at).any(|cell| cell.chars().count() > SHORT) => "words",
            () => "short",
        })
        .collect();
    (!rows.is_empty()).then(|| {
        html! {
            div.wide tabindex="0" {
                table {
                    thead { tr { @for (head, kind) in R::HEADS.iter().zip(&kinds) { th scope="col" class=(kind) { (head) } } } }
                    tbody {
                        @for (row, line) in rows.iter().zip(&lines) {
                            tr class=(class(row)) {
                                @for (cell, kind) in line.iter().zip(&kinds) { td class=(kind) { (printable(cell)) } }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// A port without a guest is as it should be.
fn state(words: &str) -> &'static str {
    match words {
        "up" => "",
        IDLE => "idle",
        _ => "bad",
    }
}

fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
