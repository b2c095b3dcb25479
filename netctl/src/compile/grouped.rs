//! Lists of numbers, end to end in memory: one allocation where a policy has 100,000 lists of one number.

/// See [`Self::of`].
pub(super) struct Grouped {
    /// Index: group. Where it begins; one more than there are groups.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Grouped {
    /// From (group, number); the order of the numbers of a group stays.
    pub(super) fn new(groups: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0u32; groups + 1];
        for (group, _) in pairs {
            starts[*group as usize + 1] += 1;
        }
        for group in 0..groups {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut items = vec![0; pairs.len()];
        for (group, item) in pairs {
            let at = &mut next[*group as usize];
            items[*at as usize] = *item;
            *at += 1;
        }
        Self { starts, items }
    }

    /// Of all groups.
    pub(super) fn items(&self) -> &[u32] {
        &self.items
    }

    pub(super) fn groups(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    pub(super) fn of(&self, group: u32) -> &[u32] {
        let group = group as usize;
        &self.items[self.starts[group] as usize..self.starts[group + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_keeps_the_order_of_its_numbers() {
        let grouped = Grouped::new(4, &[(2, 9), (0, 1), (2, 3), (3, 7), (2, 5)]);
        let groups: Vec<&[u32]> = (0..4).map(|group| grouped.of(group)).collect();
        assert_eq!(groups, [&[1][..], &[], &[9, 3, 5], &[7]]);
    }
}
