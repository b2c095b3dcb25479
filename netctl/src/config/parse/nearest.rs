//! The known word that an unknown one was probably meant to be.

/// Candidates that are looked at; more would cost time that no operator sees a use of.
const MAX_CANDIDATES: usize = 4096;
/// Longer words are no slips of the pen.
const MAX_WORD: usize = 64;

/// The candidate with the fewest slips, if a third of the word or less is wrong. Upper case is no slip.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = word.chars().count().max(3) / 3;
    let distance = |candidate: &'a str| {
        if candidate.len().abs_diff(word.len()) > 2 * allowed {
            return None;
        }
        let slips = strsim::osa_distance(&word, &candidate.to_lowercase());
        (slips <= allowed).then_some((slips, candidate))
    };
    candidates.take(MAX_CANDIDATES).filter_map(distance).min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        let words = ["addresses", "groups", "queues", "mac", "owner"];
        assert_eq!(nearest(word, words.into_iter()), expected);
    }

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        check("adresses", Some("addresses"));
        check("gruops", Some("groups"));
        check("MAC", Some("mac"));
        check("mca", Some("mac"));
    }

    #[test]
    fn a_word_that_is_like_no_other_finds_none() {
        check("bandwidth", None);
        check("", None);
        check(&"addresses".repeat(100), None);
    }
}
