//! The marks of pools and leases: alternative names of the physical function (IFLA_ALT_IFNAME, at most 127 bytes).
//!
//! They hold what has to be restored, so they are written before anything is changed. The number of functions and
//! their settings are the physical function's, which is there as long as they are.

use std::fmt;

use super::link::Interface;
use super::vf::VfState;
use crate::config::Mac;

/// What the mark of a lease begins with.
pub(super) const LEASE_PREFIX: &str = "netctl-vf-";

/// netctl has set the number of virtual functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolTag {
    /// Index of the physical function.
    pub index: u32,
    /// How many there were before.
    pub before: u16,
}

/// A virtual function is a port's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Index of the physical function.
    pub index: u32,
    /// Number of the virtual function.
    pub number: u16,
    /// What to restore.
    pub before: VfState,
    /// What to restore of its interface; `None` if it had none.
    pub own: Option<OwnState>,
    /// Interface name of the port: the port's own name may be too long for a mark.
    pub port: String,
}

/// Settings of the interface of a virtual function, which its driver makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnState {
    pub mac: Mac,
    pub up: bool,
    pub all_multicast: bool,
    /// The host speaks IPv6 on it.
    pub ipv6: bool,
}

impl OwnState {
    /// `None` for an interface without an Ethernet address.
    pub(super) fn of(own: &Interface) -> Option<Self> {
        let ipv6 = own.ipv6.unwrap_or_default();
        Some(Self { mac: own.mac?, up: own.up, all_multicast: own.all_multicast, ipv6 })
    }
}

impl PoolTag {
    /// `None` for any other name, and for a mark that another interface carried.
    pub(super) fn read(name: &str, index: u32) -> Option<Self> {
        let (own_index, before) = name.strip_prefix("netctl-pool-")?.split_once('-')?;
        let before = before.parse().ok()?;
        (own_index.parse() == Ok(index)).then_some(Self { index, before })
    }
}

impl fmt::Display for PoolTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "netctl-pool-{}-{}", self.index, self.before)
    }
}

/// Bits of the mark.
const SERVICE_TAG: u8 = 1;
const SPOOF_CHECK: u8 = 2;
const TRUST: u8 = 4;
const HAS_INTERFACE: u8 = 8;
const UP: u8 = 16;
const ALL_MULTICAST: u8 = 32;
const IPV6: u8 = 64;

impl Lease {
    /// `None` for any other name, and for a mark that another interface carried.
    pub(super) fn read(name: &str, index: u32) -> Option<Self> {
        let mut parts = name.strip_prefix(LEASE_PREFIX)?.splitn(4, '-');
        let (own_index, number) = (parts.next()?, parts.next()?.parse().ok()?);
        let (settings, port) = (parts.next()?, parts.next()?.to_owned());
        let fields: Vec<u64> =
            settings.split('.').map(|field| u64::from_str_radix(field, 16).ok()).collect::<Option<_>>()?;
        let &[mac, vlan, qos, bits, min_rate, max_rate, own] = fields.as_slice() else { return None };
        let bits = u8::try_from(bits).ok()?;
        let has = |bit: u8| bits & bit != 0;
        let before = VfState {
            mac: mac_of(mac),
            vlan: u16::try_from(vlan).ok()?,
            qos: u8::try_from(qos).ok()?,
            service_tag: has(SERVICE_TAG),
            spoof_check: has(SPOOF_CHECK),
            trust: has(TRUST),
            min_rate: u32::try_from(min_rate).ok()?,
            max_rate: u32::try_from(max_rate).ok()?,
        };
        let own =
            OwnState { mac: mac_of(own), up: has(UP), all_multicast: has(ALL_MULTICAST), ipv6: has(IPV6) };
        let own = has(HAS_INTERFACE).then_some(own);
        (own_index.parse() == Ok(index)).then_some(Self { index, number, before, own, port })
    }

    /// Bits of the mark.
    fn bits(&self) -> u8 {
        let own = self.own.as_ref();
        let facts = [
            (self.before.service_tag, SERVICE_TAG),
            (self.before.spoof_check, SPOOF_CHECK),
            (self.before.trust, TRUST),
            (own.is_some(), HAS_INTERFACE),
            (own.is_some_and(|own| own.up), UP),
            (own.is_some_and(|own| own.all_multicast), ALL_MULTICAST),
            (own.is_some_and(|own| own.ipv6), IPV6),
        ];
        facts.into_iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum()
    }
}

impl fmt::Display for Lease {
    /// The mark.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, own) = (&self.before, self.own.map_or(Mac([0; 6]), |own| own.mac));
        write!(f, "{LEASE_PREFIX}{}-{}-{:012x}.", self.index, self.number, number_of(state.mac))?;
        write!(f, "{:x}.{:x}.{:x}.", state.vlan, state.qos, self.bits())?;
        write!(f, "{:x}.{:x}.{:012x}-{}", state.min_rate, state.max_rate, number_of(own), self.port)
    }
}

fn number_of(mac: Mac) -> u64 {
    mac.0.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The lower 48 bits.
fn mac_of(number: u64) -> Mac {
    let [_, _, mac @ ..] = number.to_be_bytes();
    Mac(mac)
}

impl Interface {
    /// Leases of this physical function's virtual functions.
    pub fn leases(&self) -> Vec<Lease> {
        self.alternative_names.iter().filter_map(|name| Lease::read(name, self.index)).collect()
    }

    /// Whether netctl has set the number of virtual functions.
    pub(super) fn pool_tag(&self) -> Option<PoolTag> {
        self.alternative_names.iter().find_map(|name| PoolTag::read(name, self.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease {
            index: u32::MAX,
            number: 255,
            before: VfState {
                mac: Mac([0x02, 0, 0, 0, 0, 0xff]),
                vlan: 4094,
                qos: 7,
                service_tag: true,
                spoof_check: true,
                trust: false,
                min_rate: u32::MAX,
                max_rate: u32::MAX,
            },
            own: Some(OwnState {
                mac: Mac([0xfe, 1, 2, 3, 4, 5]),
                up: true,
                all_multicast: false,
                ipv6: true,
            }),
            port: "fifteen-bytes-x".to_owned(),
        }
    }

    #[test]
    fn a_lease_reads_as_it_is_written_and_only_on_its_own_interface() {
        let plain = Lease { index: 3, number: 0, before: VfState::default(), own: None, port: "a-b".into() };
        for lease in [lease(), plain] {
            let name = lease.to_string();
            assert_eq!(Lease::read(&name, lease.index), Some(lease.clone()), "{name}");
            assert_eq!(Lease::read(&name, 7), None);
        }
    }

    #[test]
    fn the_longest_lease_fits_into_an_alternative_name() {
        assert!(lease().to_string().len() <= 127, "{}", lease());
    }

    #[test]
    fn other_peoples_names_are_no_marks() {
        for name in ["", "eth0", "netctl-vf-3-0--x", "netctl-vf-3-0-1.2.3-x", "netctl-vf-3-0-g.0.0.0.0.0.0-x"]
        {
            assert_eq!(Lease::read(name, 3), None, "{name}");
        }
        assert_eq!(PoolTag::read("netctl-pool-3-0", 3), Some(PoolTag { index: 3, before: 0 }));
        assert_eq!(PoolTag::read("netctl-pool-4-0", 3), None);
        assert_eq!(PoolTag::read("netctl-pool-3-x", 3), None);
    }
}
