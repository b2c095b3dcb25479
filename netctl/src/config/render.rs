//! Findings printed for people, with the lines of the document that they are about.
//! What the document says is escaped and cut here, so that no document can harm the terminal.

use std::io;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics, Related, Severity};
use super::escape;
use super::source::{Place, Source};

/// Characters of a line up to which the printer gets all of it (it shows what fits the terminal).
const WHOLE: usize = 2000;
/// Characters that are shown of longer lines, and how many of them before the place in question.
const WINDOW: usize = 120;
const LEAD: usize = 40;

impl Diagnostics {
    /// Prints every finding with its source line, and how many were left out.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn render(&self, w: &mut impl io::Write, color: bool) -> io::Result<()> {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        for diagnostic in self.iter() {
            writeln!(w, "{}\n", renderer.render(&[group(&self.source, diagnostic)]))?;
        }
        for (severity, word) in
            [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        {
            match self.omitted(severity) {
                0 => {}
                1 => writeln!(w, "and 1 more {word}")?,
                n => writeln!(w, "and {n} more {word}s")?,
            }
        }
        Ok(())
    }
}

fn group<'a>(source: &'a Source, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(escape::line(&diagnostic.message)));
    let path = escape::line(&source.name);
    let place = Place { line: diagnostic.line, column: diagnostic.column, length: diagnostic.length };
    let excerpt = Excerpt::new(source.line(place.line), place);
    // The printer counts columns in what it shows; it is told where it does not see the start of the
    // line, and where a document was not even read and has no lines.
    if excerpt.skipped > 0 || source.text.is_empty() {
        let origin = Origin::path(path.clone()).line(place.line as usize).char_column(place.column as usize);
        group = group.element(origin);
    }
    if !source.text.is_empty() {
        group = group.elements(snippets(source, excerpt, diagnostic, &path));
    }
    if diagnostic.help.is_empty() {
        return group;
    }
    group.element(Level::HELP.message(escape::line(&diagnostic.help)))
}

/// The line of the finding, then the lines of its related places.
fn snippets<'a>(
    source: &'a Source,
    excerpt: Excerpt,
    diagnostic: &'a Diagnostic,
    path: &str,
) -> Vec<Snippet<'a, Annotation<'a>>> {
    let mut own = vec![AnnotationKind::Primary.span(excerpt.bytes(diagnostic.column, diagnostic.length))];
    let mut others = Vec::new();
    for related in &diagnostic.related {
        if related.line == diagnostic.line && excerpt.shows(related.column) {
            own.push(labelled(&excerpt, related));
            continue;
        }
        let place = Place { line: related.line, column: related.column, length: related.length };
        let excerpt = Excerpt::new(source.line(related.line), place);
        let label = labelled(&excerpt, related);
        others.push(snippet(excerpt, related.line, path).annotation(label));
    }
    let mut all = vec![snippet(excerpt, diagnostic.line, path).annotations(own)];
    all.append(&mut others);
    all
}

fn snippet<'a>(excerpt: Excerpt, line: u32, path: &str) -> Snippet<'a, Annotation<'a>> {
    let snippet = Snippet::source(excerpt.text).line_start(line as usize);
    if excerpt.skipped == 0 { snippet.path(path.to_owned()) } else { snippet }
}

fn labelled(excerpt: &Excerpt, related: &Related) -> Annotation<'static> {
    let span = excerpt.bytes(related.column, related.length);
    AnnotationKind::Context.span(span).label(escape::line(&related.message))
}

/// A line, or the part of it around a place; one character for each character of the line.
struct Excerpt {
    text: String,
    /// Characters of the line that are left out at its start.
    skipped: usize,
    /// Byte in `text` of each character shown, and of the end.
    offsets: Vec<usize>,
}

impl Excerpt {
    fn new(line: &str, place: Place) -> Self {
        let long = line.chars().nth(WHOLE).is_some();
        let skipped = if long { (place.column as usize).saturating_sub(LEAD) } else { 0 };
        let mut text = String::from(if skipped == 0 { "" } else { "…" });
        let mut offsets = Vec::new();
        let mut chars = line.chars().skip(skipped);
        for c in chars.by_ref().take(if long { WINDOW } else { WHOLE }) {
            offsets.push(text.len());
            text.push(if c == '\t' || escape::is_plain(c) { c } else { char::REPLACEMENT_CHARACTER });
        }
        offsets.push(text.len());
        if chars.next().is_some() {
            text.push('…');
        }
        Self { text, skipped, offsets }
    }

    /// Whether a column, counted from 1, is in the text.
    fn shows(&self, column: u32) -> bool {
        (self.skipped + 1..self.skipped + self.offsets.len()).contains(&(column as usize))
    }

    fn bytes(&self, column: u32, length: u32) -> Range<usize> {
        let last = self.offsets.len() - 1;
        let first = (column as usize).saturating_sub(self.skipped + 1).min(last);
        self.offsets[first]..self.offsets[first.saturating_add(length as usize).min(last)]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn rendered(name: &str, text: &str, findings: &[Diagnostic]) -> String {
        let mut all = Diagnostics::new(Arc::new(Source::new(name, text)));
        findings.iter().for_each(|finding| all.push(finding.clone()));
        let mut out = Vec::new();
        all.render(&mut out, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn at(line: u32, column: u32, length: u32) -> Diagnostic {
        let mut finding = Diagnostic::on_line(Severity::Error, line, "it is wrong", "make it right");
        (finding.column, finding.length) = (column, length);
        finding
    }

    #[test]
    fn a_finding_shows_its_line_the_related_line_and_the_next_step() {
        let text = "a = 1\nb = 2\nc = 3\n";
        let expected = "\
error: it is wrong
 --> host.toml:3:5
  |
3 | c = 3
  |     ^
  |
 ::: host.toml:1:1
  |
1 | a = 1
  | ----- first used here
  |
  = help: make it right

";
        assert_eq!(rendered("host.toml", text, &[at(3, 5, 1).and_line(1, "first used here")]), expected);
    }

    #[test]
    fn two_places_on_one_line_are_shown_in_one_line() {
        let mut finding = at(1, 10, 3);
        finding.related.push(Related { line: 1, column: 1, length: 3, message: "the other".into() });
        let out = rendered("host.toml", "abc = 1, abc = 2\n", &[finding]);
        assert!(out.contains("  | ---      ^^^\n  | |\n  | the other\n"), "{out}");
    }

    #[test]
    fn colours_are_printed_only_where_they_are_asked_for() {
        let mut all = Diagnostics::new(Arc::new(Source::new("host.toml", "a = 1\n")));
        all.push(at(1, 1, 1));
        let escapes = |color| {
            let mut out = Vec::new();
            all.render(&mut out, color).unwrap();
            out.iter().filter(|byte| **byte == 0x1b).count()
        };
        assert_eq!(escapes(false), 0);
        assert!(escapes(true) > 0);
    }

    #[test]
    fn a_document_cannot_print_escape_sequences() {
        let mut finding = at(1, 2, 3);
        finding.message = "bad \x1b[31m".into();
        let out = rendered("a\x1b.toml", "x\x1b[2J\u{9b}\u{202e}y\n", &[finding]);
        assert!(!out.contains(['\x1b', '\u{9b}', '\u{202e}']), "{out:?}");
        assert!(out.contains("x\u{fffd}[2J\u{fffd}\u{fffd}y"), "{out}");
    }

    #[test]
    fn a_line_of_megabytes_is_cut_around_the_place() {
        let text = format!("{}HERE{}\n", "a".repeat(1 << 20), "b".repeat(1 << 20));
        let out = rendered("host.toml", &text, &[at(1, (1 << 20) + 1, 4)]);
        assert!(out.contains(" --> host.toml:1:1048577\n"), "{out}");
        assert!(out.contains("…aaaa") && out.contains("bbbb…"), "{out}");
        assert!(out.len() < 1000, "{} bytes", out.len());
        let lines: Vec<&str> = out.lines().collect();
        let chars = |s: &str, needle: &str| s.find(needle).map(|at| s[..at].chars().count());
        assert_eq!(chars(lines[3], "HERE"), chars(lines[4], "^^^^"));
    }

    #[test]
    fn findings_that_were_not_kept_are_counted_at_the_end() {
        let out = rendered("host.toml", "a\n", &vec![at(1, 1, 1); 103]);
        assert_eq!(out.matches("error: it is wrong").count(), 100);
        assert!(out.ends_with("and 3 more errors\n"));
    }
}
