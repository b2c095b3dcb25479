//! Rows of a listing that may be too long to be held: written as they come.

use std::io::{self, Write};

use super::{Format, Row, printable};

/// Rows by which the widths of columns are found; a wider cell behind them widens its column from there on.
const MEASURED: usize = 1000;

/// A listing, row by row. JSON is one array, with a row on each line.
#[derive(Debug)]
pub struct RowStream<W> {
    to: W,
    format: Format,
    heads: &'static [&'static str],
    widths: Vec<usize>,
    /// Rows of a table that are not written yet; `None` once the widths are known.
    waiting: Option<Vec<Vec<String>>>,
    rows: u64,
    /// One line.
    line: String,
}

impl<W: Write> RowStream<W> {
    /// For rows of one type.
    pub fn new<R: Row>(to: W, format: Format) -> Self {
        let widths = R::HEADS.iter().map(|head| head.len()).collect();
        Self { to, format, heads: R::HEADS, widths, waiting: Some(Vec::new()), rows: 0, line: String::new() }
    }

    /// # Errors
    /// The writer's.
    pub fn push<R: Row>(&mut self, row: &R) -> io::Result<()> {
        self.rows += 1;
        if self.format == Format::Json {
            self.to.write_all(if self.rows == 1 { b"[\n  " } else { b",\n  " })?;
            return Ok(serde_json::to_writer(&mut self.to, row)?);
        }
        let cells = row.cells();
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(if cell.is_ascii() { cell.len() } else { cell.chars().count() });
        }
        match &mut self.waiting {
            Some(waiting) => {
                waiting.push(cells);
                if waiting.len() < MEASURED { Ok(()) } else { self.begin() }
            }
            None => self.write(&cells),
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<()> {
        match (self.format, self.rows) {
            (Format::Json, 0) => writeln!(self.to, "[]"),
            (Format::Json, _) => writeln!(self.to, "\n]"),
            (Format::Table, _) => self.begin(),
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        self.write(&heads)?;
        waiting.iter().try_for_each(|cells| self.write(cells))
    }

    fn write(&mut self, cells: &[String]) -> io::Result<()> {
        self.line.clear();
        for (cell, width) in cells.iter().zip(&self.widths) {
            // Nearly all are, and there may be millions.
            let is_plain = cell.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            let used = if is_plain { cell.len() } else { cell.chars().count() };
            if is_plain {
                self.line.push_str(cell);
            } else {
                self.line.push_str(&printable(cell));
            }
            self.line.extend(std::iter::repeat_n(' ', width.saturating_sub(used) + 2));
        }
        self.line.truncate(self.line.trim_end().len());
        self.line.push('\n');
        self.to.write_all(self.line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::output::write_rows;

    #[derive(Serialize)]
    struct Example {
        name: String,
        count: usize,
    }

    impl Row for Example {
        const HEADS: &'static [&'static str] = &["NAME", "COUNT"];
        fn cells(&self) -> Vec<String> {
            vec![self.name.clone(), self.count.to_string()]
        }
    }

    fn rows(count: usize) -> Vec<Example> {
        (0..count).map(|count| Example { name: "ä".repeat(count % 7), count }).collect()
    }

    fn streamed(rows: &[Example], format: Format) -> String {
        let mut bytes = Vec::new();
        let mut stream = RowStream::new::<Example>(&mut bytes, format);
        rows.iter().try_for_each(|row| stream.push(row)).unwrap();
        stream.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_stream_is_the_same_as_a_listing() {
        for count in [0, 1, MEASURED - 1, MEASURED, MEASURED + 50] {
            let rows = rows(count);
            let mut listing = Vec::new();
            write_rows(&mut listing, &rows, Format::Table).unwrap();
            assert_eq!(streamed(&rows, Format::Table), String::from_utf8(listing).unwrap(), "{count}");
            let json: serde_json::Value = serde_json::from_str(&streamed(&rows, Format::Json)).unwrap();
            assert_eq!(json, serde_json::to_value(&rows).unwrap(), "{count}");
        }
    }

    #[test]
    fn a_wider_cell_behind_the_first_rows_widens_its_column() {
        let mut rows = rows(MEASURED);
        rows.push(Example { name: "a-long-name".to_owned(), count: 1 });
        rows.push(Example { name: "b".to_owned(), count: 2 });
        let text = streamed(&rows, Format::Table);
        assert!(text.ends_with("\na-long-name  1\nb            2\n"), "{text}");
    }
}
