//! Numbers and columns as text, in few characters.

/// `0`, `7.5`, `950`, `12K`, `1.2M`: at most four digits and a unit, decimal.
pub(super) fn short(number: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")];
    let (size, unit) = UNITS.into_iter().find(|(size, _)| number >= *size).unwrap_or((1.0, ""));
    let scaled = number / size;
    if scaled < 9.95 && scaled.fract() > 0.05 {
        format!("{scaled:.1}{unit}")
    } else {
        format!("{scaled:.0}{unit}")
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub head: &'static str,
    /// Numbers stand at the right.
    pub is_number: bool,
    /// Is left out first where there is little room: the highest number.
    pub gives_way: u8,
}

pub(super) const fn words(head: &'static str, gives_way: u8) -> Column {
    Column { head, is_number: false, gives_way }
}

pub(super) const fn number(head: &'static str, gives_way: u8) -> Column {
    Column { head, is_number: true, gives_way }
}

/// What is left of the last column before others give way for it.
const CUT: usize = 16;

/// Lines of at most `width` characters, heads first. The last column takes what is left, and is cut off.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([column.head.len()]).max().unwrap_or(0)
        })
        .collect();
    let last = columns.len().saturating_sub(1);
    let room = |at: usize| if at == last { widths[at].min(CUT) } else { widths[at] };
    let needed = |kept: &[usize]| kept.iter().map(|at| room(*at) + 2).sum::<usize>().saturating_sub(2);
    while needed(&kept) > width {
        let Some(out) = kept.iter().copied().max_by_key(|at| columns[*at].gives_way) else { break };
        if columns[out].gives_way == 0 {
            break;
        }
        kept.retain(|at| *at != out);
    }
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    std::iter::once(&heads).chain(rows).map(|row| line(row, &kept, (columns, &widths), width)).collect()
}

fn line(row: &[String], kept: &[usize], (columns, widths): (&[Column], &[usize]), width: usize) -> String {
    let mut text = String::new();
    for at in kept {
        let (cell, room) = (row.get(*at).map_or("", String::as_str), widths[*at]);
        text += &if columns[*at].is_number { format!("{cell:>room$}  ") } else { format!("{cell:<room$}  ") };
    }
    text.truncate(text.trim_end().len());
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases =
            [0.0, 0.3, 7.0, 7.54, 9.97, 950.4, 1000.0, 1234.0, 12_345.0, 999_999.0, 1_250_000.0, 3e9, 2e12];
        let words = ["0", "0.3", "7", "7.5", "10", "950", "1K", "1.2K", "12K", "1000K", "1.2M", "3G", "2T"];
        assert_eq!(cases.map(short), words);
    }

    #[test]
    fn columns_give_way_in_order_and_names_stay() {
        let columns = [words("PORT", 0), number("BITS", 1), number("PACKETS", 2)];
        let rows = vec![vec!["web1".to_owned(), "1.2M".to_owned(), "5".to_owned()]];
        assert_eq!(table(&columns, &rows, 80), ["PORT  BITS  PACKETS", "web1  1.2M        5"]);
        assert_eq!(table(&columns, &rows, 12), ["PORT  BITS", "web1  1.2M"]);
        assert_eq!(table(&columns, &rows, 6), ["PORT", "web1"]);
        assert_eq!(table(&columns, &rows, 2), ["PO", "we"]);
        let rows = vec![vec!["7".to_owned(), "a text of more than sixteen characters".to_owned()]];
        assert_eq!(
            table(&[words("LINE", 1), words("TEXT", 0)], &rows, 24),
            ["LINE  TEXT", "7     a text of more tha"]
        );
    }
}
