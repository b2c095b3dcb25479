//! The kernels of the lab: where Debian has them, and what they bring that this machine may lack.

/// A series of kernels; the newest release that Debian has of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Series {
    /// The oldest that netctl supports; clsact, no tcx.
    #[value(name = "6.1")]
    V6_1,
    /// tcx; with QEMU's igb, an SR-IOV NIC of 7 VFs.
    #[value(name = "6.12")]
    V6_12,
    /// The newest.
    #[value(name = "7")]
    V7,
}

/// What a job may need beside taps, bridges and macvtap, which all of them have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// An SR-IOV NIC with 7 VFs.
    Igb,
    VhostNet,
}

impl Series {
    pub(crate) const ALL: [Self; 3] = [Self::V6_12, Self::V6_1, Self::V7];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V7 => "7",
        }
    }

    /// The suite of Debian whose `linux-image-amd64` is of this series.
    pub(crate) const fn suite(self) -> &'static str {
        match self {
            Self::V6_1 => "bookworm",
            Self::V6_12 => "bookworm-backports",
            Self::V7 => "trixie-backports",
        }
    }

    pub(crate) const fn features(self) -> &'static [Feature] {
        match self {
            Self::V6_1 | Self::V7 => &[Feature::VhostNet],
            Self::V6_12 => &[Feature::VhostNet, Feature::Igb],
        }
    }

    /// Whether a release, for example `6.1.0-50-amd64`, is of this series.
    pub(crate) fn has(self, release: &str) -> bool {
        release.strip_prefix(self.name()).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl Feature {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Igb => "igb",
            Self::VhostNet => "vhost-net",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn a_release_belongs_to_one_series() {
        let of = |release| Series::ALL.into_iter().filter(|s| s.has(release)).collect::<Vec<_>>();
        assert_eq!(of("6.1.0-50-amd64"), [Series::V6_1]);
        assert_eq!(of("6.12.95+deb12-amd64"), [Series::V6_12]);
        assert_eq!(of("7.3.4+deb13-amd64"), [Series::V7]);
        assert_eq!(of("5.10.0-30-amd64"), []);
    }
}
