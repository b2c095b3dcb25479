//! A matrix as a picture that needs nothing else: fonts of the system, light and dark, whole texts where the pointer rests.

use std::fmt::{self, Display, Write};

use super::{Cell, Kind, Shown};

/// Pixels.
const ROW: usize = 28;
const MARGIN: usize = 12;
/// Of a character of the font, with room to spare.
const CHARACTER: usize = 8;
/// Characters of a cell or label; the rest is in its title.
const LONGEST: usize = 28;

const STYLE: &str = "text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#1c2128}\
.head{font-weight:600}\
rect{fill:#fff;stroke:#d0d7de}rect.none{fill:#f6f8fa}rect.some{fill:#ddf4ff}rect.any{fill:#ffe3c2}\
rect.void{fill:#eaeef2}rect.page{stroke:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#0d1117;stroke:#30363d}rect.none{fill:#161b22}\
rect.some{fill:#12395c}rect.any{fill:#6b3c0a}rect.void{fill:#21262d}}";

impl Shown<'_> {
    /// An SVG document; rows are who opens, columns towards whom.
    pub fn svg(&self) -> String {
        let groups = &self.matrix.groups;
        let label = |at: usize| short(&groups[at].label);
        let width =
            |texts: &mut dyn Iterator<Item = usize>| CHARACTER * texts.max().unwrap_or(0) + 2 * MARGIN;
        let first = width(&mut self.rows.iter().map(|row| count(&label(*row))).chain([count(CORNER)]));
        let of_column = |column: &usize| {
            let cells = self.rows.iter().map(|row| count(&text(self.matrix.cell(*row, *column))));
            width(&mut cells.chain([count(&label(*column))]))
        };
        let widths: Vec<usize> = self.columns.iter().map(of_column).collect();
        let (all_width, all_height) =
            (first + widths.iter().sum::<usize>() + 2 * MARGIN, ROW * (self.rows.len() + 1) + 2 * MARGIN);
        let mut svg = Svg::new(all_width, all_height);
        let mut at = Place { x: MARGIN, y: MARGIN, width: first };
        svg.cell(at, "none", "head", (CORNER, "rows: who opens; columns: towards whom"));
        for (column, width) in self.columns.iter().zip(&widths) {
            at = at.right(*width);
            svg.cell(at, "none", "head", (&label(*column), &groups[*column].describe()));
        }
        for (row, number) in self.rows.iter().zip(1..) {
            at = Place { x: MARGIN, y: MARGIN + ROW * number, width: first };
            svg.cell(at, "none", "head", (&label(*row), &groups[*row].describe()));
            for ((column, cell), width) in self.cells(*row).zip(&widths) {
                at = at.right(*width);
                let flow = format!("{} > {}", groups[*row].label, groups[column].label);
                let whole =
                    cell.map_or_else(|| format!("{flow}: not judged"), |cell| format!("{flow}: {cell}"));
                svg.cell(at, class(cell), "", (&text(cell), &whole));
            }
        }
        svg.finish()
    }
}

const CORNER: &str = "from \\ to";

fn class(cell: Option<&Cell>) -> &'static str {
    match cell {
        None => "void",
        Some(cell) if cell.offers.is_empty() => "none",
        Some(cell) if cell.offers.iter().any(|offer| offer.entry.kind == Kind::Any) => "any",
        Some(_) => "some",
    }
}

fn text(cell: Option<&Cell>) -> String {
    cell.map_or_else(String::new, |cell| cell.shortened(LONGEST))
}

fn short(text: &str) -> String {
    if count(text) <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn count(text: &str) -> usize {
    text.chars().count()
}

#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

impl Place {
    const fn right(self, width: usize) -> Self {
        Self { x: self.x + self.width, width, ..self }
    }
}

struct Svg(String);

impl Svg {
    fn new(width: usize, height: usize) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"who reaches whom\">\n\
             <style>{STYLE}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
        ))
    }

    fn cell(&mut self, place: Place, class: &str, text_class: &str, (text, title): (&str, &str)) {
        let Place { x, y, width } = place;
        let (text, title) = (Escaped(text), Escaped(title));
        let (text_x, text_y) = (x + MARGIN, y + ROW * 2 / 3);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.0,
            "<g><title>{title}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{ROW}\"/>\
             <text class=\"{text_class}\" x=\"{text_x}\" y=\"{text_y}\">{text}</text></g>"
        );
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// Text of XML 1.0, which has no control characters.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c if c.is_control() => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_taken_for_xml() {
        let escaped = Escaped("<a b=\"c\">&'\u{1b}").to_string();
        assert_eq!(escaped, "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}");
    }
}
