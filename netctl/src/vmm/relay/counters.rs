//! What a relay has moved and lost, and why it ended.

use std::fmt;

/// Frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    pub moved: u64,
    /// Shorter than an Ethernet header.
    pub too_short: u64,
    /// Longer than any frame.
    pub too_long: u64,
    /// Not taken by the other side: the interface is down, or there is no room for the datagram.
    pub refused: u64,
}

/// Of a relay's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub from_guest: Frames,
    pub to_guest: Frames,
    /// Frames to the guest while no VMM was connected.
    pub without_peer: u64,
    /// Connections that were closed at once, because one was being served.
    pub turned_away: u64,
    /// Connections that were closed for what was sent on them.
    pub broken: u64,
}

/// Why a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The other end of the socket was closed.
    Closed,
    /// It was told to.
    Stopped,
    /// The peer announced a frame that is longer than any: where the next one begins is not known.
    Broken,
    /// The interface is gone.
    PortGone,
    /// poll(2) or the socket failed, with this error number.
    Failed(i32),
}

impl End {
    /// Whether all went as it should.
    pub const fn is_regular(self) -> bool {
        matches!(self, Self::Closed | Self::Stopped)
    }
}

impl Counters {
    /// Frames that should have been moved, and were not.
    pub const fn lost(&self) -> u64 {
        self.from_guest.lost() + self.to_guest.lost()
    }
}

impl Frames {
    const fn lost(&self) -> u64 {
        self.too_short + self.too_long + self.refused
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.moved)?;
        for (count, what) in
            [(self.too_short, "too short"), (self.too_long, "too long"), (self.refused, "not taken")]
        {
            if count > 0 {
                write!(f, " ({count} {what})")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frames from the guest {}, to the guest {}", self.from_guest, self.to_guest)?;
        for (count, what) in [
            (self.without_peer, "frames to nobody"),
            (self.turned_away, "connections turned away"),
            (self.broken, "connections broken off"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other end was closed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Broken => f.write_str("the other end announced a frame that is longer than any"),
            Self::PortGone => f.write_str("the port is gone"),
            Self::Failed(number) => write!(f, "{}", std::io::Error::from_raw_os_error(*number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_lost_is_told_beside_what_was_moved() {
        let mut counters = Counters::default();
        assert_eq!(counters.to_string(), "frames from the guest 0, to the guest 0");
        counters.from_guest = Frames { moved: 7, too_short: 1, too_long: 0, refused: 2 };
        counters.turned_away = 3;
        assert_eq!(
            counters.to_string(),
            "frames from the guest 7 (1 too short) (2 not taken), to the guest 0, 3 connections turned away"
        );
        assert_eq!(counters.lost(), 3);
    }
}
