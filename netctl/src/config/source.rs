//! The text of a document and where things are in it: bytes to lines and columns.
//! Nothing here knows TOML.

/// Bytes of the document, first included, last not. 32 bits hold every document that is read at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Offsets beyond 32 bits cannot come from a document below the size limit; they are cut.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let cut = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: cut(start), end: cut(end) }
    }
}

/// Where something is, as people count: from 1, columns and lengths in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// What lies on the first line, at least 1.
    pub(crate) length: u32,
}

/// A document's name and text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Offset of the first byte of each line.
    starts: Vec<u32>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| Span::new(at + 1, 0).start);
        let starts = std::iter::once(0).chain(after).collect();
        Self { name: name.to_owned(), text: text.to_owned(), starts }
    }

    /// Line of a byte, counted from 1.
    pub(crate) fn line_of(&self, offset: u32) -> u32 {
        let lines = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(lines).unwrap_or(u32::MAX)
    }

    /// Text of a line, counted from 1, without its end; empty beyond the last.
    pub(crate) fn line(&self, number: u32) -> &str {
        let index = (number as usize).wrapping_sub(1);
        let Some(start) = self.starts.get(index) else { return "" };
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| *next as usize);
        let line = self.text.get(*start as usize..end).unwrap_or("");
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        let line = self.line_of(span.start);
        let start = self.starts[line as usize - 1];
        let text = self.line(line);
        let within = |offset: u32| (offset.saturating_sub(start) as usize).min(text.len());
        let count = |from: usize, to: usize| {
            let chars = text.get(from..to).map_or(0, |part| part.chars().count());
            u32::try_from(chars).unwrap_or(u32::MAX)
        };
        let (first, last) = (within(span.start), within(span.end.max(span.start)));
        Place { line, column: count(0, first) + 1, length: count(first, last).max(1) }
    }

    /// All of a line but the white space around it.
    pub(crate) fn whole_line(&self, line: u32) -> Place {
        let text = self.line(line);
        let length = text.trim().chars().count();
        let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let cut = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line, column: if length == 0 { 1 } else { cut(column) }, length: cut(length).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters_and_spans_end_with_their_line() {
        let source = Source::new("d", "é = \"ü\"\r\nb = [\n1]\n");
        assert_eq!(source.place(Span { start: 5, end: 9 }), Place { line: 1, column: 5, length: 3 });
        assert_eq!(source.place(Span { start: 15, end: 19 }), Place { line: 2, column: 5, length: 1 });
        assert_eq!(source.line(1), "é = \"ü\"");
        assert_eq!(source.line(9), "");
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        let source = Source::new("d", "a = [");
        assert_eq!(source.place(Span { start: 5, end: 5 }), Place { line: 1, column: 6, length: 1 });
        assert_eq!(Source::new("d", "").place(Span::default()), Place { line: 1, column: 1, length: 1 });
    }

    #[test]
    fn a_whole_line_leaves_out_its_indentation() {
        let source = Source::new("d", "x\n  { allow }\n\n");
        assert_eq!(source.whole_line(2), Place { line: 2, column: 3, length: 9 });
        assert_eq!(source.whole_line(3), Place { line: 3, column: 1, length: 1 });
    }
}
