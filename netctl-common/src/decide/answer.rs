//! netctl's own answers to rejected frames, at the second hook of the port that rejected them.

use super::judge::Judge;
use super::{Facts, Tables};
use crate::frame::Frame;
use crate::verdict::{Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// Nobody but netctl could have marked it (see [`crate::mark`]), so there is nothing to judge; and what is not judged is
    /// not rejected, so that no answer is answered. One that leaves the port goes where the rejected frame came from.
    #[inline(always)]
    pub(super) fn answer(&self, facts: &mut Facts) -> Verdict {
        if self.is_from_guest() {
            facts.redirect = self.next_hop(&facts.packet);
        }
        Verdict::allow(Reason::Answer)
    }
}
