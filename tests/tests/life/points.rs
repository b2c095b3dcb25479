//! At which points commands are killed: some of them by default, as each takes a world or an apply of its own; all of them with
//! `NETCTL_EVERY_POINT=1`, for a quiet machine.

/// One of so many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneOf(u32);

/// Of a walk whose points share a world.
pub(crate) const FEW: OneOf = OneOf(3);
/// Of a walk with two applies and an upgrade for each.
pub(crate) const FEWER: OneOf = OneOf(9);

impl OneOf {
    /// The points from `first` on. Walks of different `turn` take different ones.
    pub(crate) fn points(self, first: u32, turn: u32) -> impl Iterator<Item = u32> {
        let apart = self.apart();
        if apart > 1 {
            println!("one of {apart} points from {first} on; NETCTL_EVERY_POINT=1 walks all");
        }
        (first + turn % apart..).step_by(apart as usize)
    }

    /// What is expected of as many points as these are.
    pub(crate) fn share(self, of_all: u32) -> u32 {
        of_all / self.apart()
    }

    fn apart(self) -> u32 {
        if std::env::var_os("NETCTL_EVERY_POINT").is_some() { 1 } else { self.0 }
    }
}
