//! Rows to text: an aligned table, or JSON with the same facts. Everything goes to a writer, so that tests read it.

mod stream;

use std::io::{self, Write};

use serde::Serialize;

pub use stream::RowStream;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
}

impl Format {
    pub const fn json_if(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}

/// A row of a listing.
pub trait Row: Serialize {
    /// Column heads, in the order of [`Row::cells`].
    const HEADS: &'static [&'static str];
    fn cells(&self) -> Vec<String>;
}

/// Writes rows; a JSON listing is one array.
pub fn write_rows<R: Row>(to: &mut impl Write, rows: &[R], format: Format) -> io::Result<()> {
    match format {
        Format::Json => write_json(to, &rows),
        Format::Table => {
            let heads: Vec<String> = R::HEADS.iter().map(|head| (*head).to_owned()).collect();
            let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows.iter().map(Row::cells)).collect();
            write_aligned(to, &lines)
        }
    }
}

/// Pretty-printed, with a line end.
pub fn write_json(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, value)?;
    writeln!(to)
}

/// Columns of equal width; the last one is not padded.
pub fn write_aligned(to: &mut impl Write, lines: &[Vec<String>]) -> io::Result<()> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for line in lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&printable(cell));
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        writeln!(to, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Names come from documents: none of them may move the cursor.
pub fn printable(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Example {
        name: &'static str,
        count: u32,
    }

    impl Row for Example {
        const HEADS: &'static [&'static str] = &["NAME", "COUNT"];
        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), self.count.to_string()]
        }
    }

    fn written(format: Format) -> String {
        let rows = [Example { name: "long-name", count: 1 }, Example { name: "a\u{1b}", count: 22 }];
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &rows, format).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_shows_no_control_characters() {
        assert_eq!(written(Format::Table), "NAME       COUNT\nlong-name  1\na\u{fffd}         22\n");
    }

    #[test]
    fn json_has_the_same_facts() {
        let value: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(value[0]["name"], "long-name");
        assert_eq!(value[1]["count"], 22);
    }
}
