//! Flags of tun queues in the words of linux/if_tun.h.

/// Bit and word, in the order in which they are said. `IFF_TUN_EXCL` and `IFF_ATTACH_QUEUE` are requests, never answers;
/// `IFF_NOFILTER` has the bit of `IFF_NO_PI`.
const FLAGS: [(libc::c_int, &str); 11] = [
    (libc::IFF_TAP, "tap"),
    (libc::IFF_TUN, "tun"),
    (libc::IFF_NO_PI, "no_pi"),
    (libc::IFF_VNET_HDR, "vnet_hdr"),
    (libc::IFF_MULTI_QUEUE, "multi_queue"),
    (libc::IFF_NAPI, "napi"),
    (libc::IFF_NAPI_FRAGS, "napi_frags"),
    (libc::IFF_NO_CARRIER, "no_carrier"),
    (libc::IFF_PERSIST, "persist"),
    (libc::IFF_ONE_QUEUE, "one_queue"),
    (libc::IFF_DETACH_QUEUE, "detached"),
];

pub(super) fn flags(bits: libc::c_int) -> Vec<&'static str> {
    FLAGS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect()
}

#[cfg(test)]
mod tests {
    use super::flags;

    #[test]
    fn the_flags_of_a_queue_of_qemu_are_said_in_words() {
        assert_eq!(flags(0x5902), ["tap", "no_pi", "vnet_hdr", "multi_queue", "persist"]);
        assert_eq!(flags(0), [""; 0]);
    }
}
