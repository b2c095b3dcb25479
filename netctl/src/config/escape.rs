//! Text of a document made fit for a terminal: a document must not be able to move the cursor,
//! change colours, turn the reading direction or flood the screen.

/// Longest piece of a document that a message quotes, in characters.
const QUOTED_LEN: usize = 64;

/// Whether a character may be printed as it is.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Characters without a shape of their own: text direction (Unicode TR 36, 2.6.1), joiners, line separators.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text in backquotes; shortened, with everything else than plain characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// As [`quoted`], without the backquotes.
pub(crate) fn shortened(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    chars.by_ref().take(QUOTED_LEN).for_each(|c| push(&mut out, c));
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// The text as one line of any length.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

fn push(out: &mut String, c: char) {
    if is_plain(c) { out.push(c) } else { out.extend(c.escape_default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_direction_marks_are_escaped() {
        assert_eq!(quoted("\x1b[2Ja\u{9b}\u{202e}b\n"), r"`\u{1b}[2Ja\u{9b}\u{202e}b\n`");
        assert_eq!(line("a\tb"), r"a\tb");
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(quoted(&"x".repeat(1000)), format!("`{}…`", "x".repeat(64)));
        assert_eq!(quoted(&"é".repeat(64)), format!("`{}`", "é".repeat(64)));
    }
}
