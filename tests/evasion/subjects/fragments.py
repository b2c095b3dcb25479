"""Fragments (RFC 791, RFC 1858, RFC 3128, RFC 5722, RFC 7112): only a first one that shows its ports opens anything."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import IPv6ExtHdrFragment

from corpus import *

TINY, OVER, STRAY = "tiny-fragment", "overlapping-fragment", "stray-fragment"
UDP_LEN, TCP_LEN = 8, 20


def four(ident, offset, more, payload, proto=17, source=WEB.v4, flags=0):
    """`offset` in bytes."""
    bits = flags | (1 if more else 0)
    return out() / IP(src=source, dst=DB.v4, proto=proto, id=ident & 0xFFFF, flags=bits, frag=offset // 8) / raw(payload)


def six(ident, offset, more, payload, proto=17, source=WEB.v6):
    fragment = IPv6ExtHdrFragment(nh=proto, offset=offset // 8, m=int(more), id=ident)
    return out() / IPv6(src=source, dst=DB.v6, nh=44) / fragment / raw(payload)


def datagram(port=53, size=1400):
    return bytes(UDP(sport=fresh(), dport=port, len=UDP_LEN + size, chksum=1)) + bytes(size)


def segment(port=80, flags="S", size=100):
    return bytes(TCP(sport=fresh(), dport=port, flags=flags, chksum=1)) + bytes(size)


FAMILIES = (("IPv4", four), ("IPv6", six))


def add():
    for family, make in FAMILIES:
        follow(family, make)
        tiny(family, make)
        overlapping(family, make)
        stray(family, make)
        sizes(family, make)
    special()


def follow(family, make):
    data, ident = datagram(), fresh()
    case(
        "none",
        f"a datagram in three fragments ({family})",
        sends(ALLOW, make(ident, 0, True, data[:480])),
        sends(FLOW, make(ident, 480, True, data[480:960])),
        sends(FLOW, make(ident, 960, False, data[960:])),
    )
    attack = "fragments of what a rule denies"
    data, ident = datagram(22), fresh()
    case(
        attack,
        f"SSH's port in fragments ({family})",
        sends(NO_SSH, make(ident, 0, True, data[:480])),
        sends(STRAY, make(ident, 480, True, data[480:960])),
        sends(STRAY, make(ident, 960, False, data[960:])),
    )
    data, ident = segment(22), fresh()
    case(attack, f"a SYN for SSH in a first fragment ({family})", sends(NO_SSH, make(ident, 0, True, data[:64], proto=6)), sends(STRAY, make(ident, 64, False, data[64:], proto=6)))
    source = DB.v4 if make is four else DB.v6
    reason = "spoofed-ipv4" if make is four else "spoofed-ipv6"
    case("fragments of what a rule denies", f"a first fragment from the other guest's address ({family})", sends(reason, make(fresh(), 0, True, datagram()[:480], source=source)))
    case("fragments of what a rule denies", f"a later fragment from the other guest's address ({family})", sends(STRAY, make(fresh(), 480, True, bytes(480), source=source)))


def tiny(family, make):
    attack = "tiny fragment"
    case(attack, f"a first fragment of 8 bytes of TCP ({family})", sends(TINY, make(fresh(), 0, True, segment()[:8], proto=6)))
    case(attack, f"a first fragment of 16 bytes of TCP ({family})", sends(TINY, make(fresh(), 0, True, segment()[:16], proto=6)))
    options = bytes(TCP(sport=fresh(), dport=80, flags="S", dataofs=15, chksum=1)) + bytes(40)
    case(attack, f"a first fragment that ends in TCP's options ({family})", sends(TINY, make(fresh(), 0, True, options[:24], proto=6)))
    case(attack, f"a first fragment of 4 bytes ({family})", sends("bad-header", make(fresh(), 0, True, segment()[:4], proto=6)))
    case(attack, f"a first fragment of nothing ({family})", sends("bad-header", make(fresh(), 0, True, b"", proto=6)))
    case(attack, f"a first fragment of 4 bytes of UDP ({family})", sends("bad-header", make(fresh(), 0, True, datagram()[:4])))
    ident, data = fresh(), segment(22)
    case(attack, f"a SYN for SSH in pieces of 8 bytes ({family})", *(sends(TINY if at == 0 else STRAY, make(ident, at, True, data[at : at + 8], proto=6)) for at in range(0, 32, 8)))


def overlapping(family, make):
    attack = "overlapping fragments"
    for at in (8, 16):
        ident, data = fresh(), segment()
        case(
            attack,
            f"the flags of TCP overwritten at {at} ({family})",
            sends(ALLOW, make(ident, 0, True, data[:64], proto=6)),
            sends(OVER, make(ident, at, False, segment(22)[at:64], proto=6)),
        )
    ident = fresh()
    case(attack, f"a second first fragment with another port ({family})", sends(ALLOW, make(ident, 0, True, datagram()[:480])), sends(NO_SSH, make(ident, 0, True, datagram(22)[:480])))
    case(attack, f"a fragment at 8 without a first one ({family})", sends(STRAY, make(fresh(), 8, False, segment()[8:], proto=6)))


def stray(family, make):
    attack = "fragments without a first one"
    case(attack, f"a middle fragment ({family})", sends(STRAY, make(fresh(), 480, True, bytes(480))))
    case(attack, f"a last fragment ({family})", sends(STRAY, make(fresh(), 1440, False, bytes(100))))
    case(attack, f"a last fragment of TCP ({family})", sends(STRAY, make(fresh(), 64, False, bytes(100), proto=6)))
    ident, data = fresh(), datagram()
    case(
        attack,
        f"the last fragment before the first ({family})",
        sends(STRAY, make(ident, 960, False, data[960:])),
        sends(ALLOW, make(ident, 0, True, data[:480])),
    )
    ident = fresh()
    case(
        attack,
        f"another datagram's number ({family})",
        sends(ALLOW, make(ident, 0, True, datagram()[:480])),
        sends(STRAY, make(ident ^ 1, 480, False, bytes(480))),
    )
    ident = fresh()
    case(
        attack,
        f"another protocol than the first one's ({family})",
        sends(ALLOW, make(ident, 0, True, datagram()[:480])),
        sends(STRAY, make(ident, 480, False, bytes(480), proto=6)),
    )


def sizes(family, make):
    attack = "oversized fragments"
    case(attack, f"a fragment that ends behind 65535 ({family})", sends("bad-header", make(fresh(), 65528, False, bytes(480))))
    case(attack, f"a last fragment of ICMP behind 65535: ping of death ({family})", sends("bad-header", make(fresh(), 65120, False, bytes(1000), proto=1 if make is four else 58)))
    case(attack, f"a fragment that is no multiple of 8 but not the last ({family})", sends("bad-header", make(fresh(), 480, True, bytes(481))))


def special():
    case("none", "a first fragment of what must not be fragmented", sends(ALLOW, four(fresh(), 0, True, datagram()[:480], flags=2)))
    attack = "tiny fragment"
    chain = raw(bytes([6, 0, 1, 4, 0, 0, 0, 0]))
    first = out() / IPv6(src=WEB.v6, dst=DB.v6, nh=44) / IPv6ExtHdrFragment(nh=60, m=1, id=fresh()) / chain
    case(attack, "a first fragment that ends in the extension headers", sends(TINY, first))
    twice = out() / IPv6(src=WEB.v6, dst=DB.v6, nh=44) / IPv6ExtHdrFragment(nh=44, m=0, id=fresh()) / raw(bytes([6, 0, 0, 0, 0, 0, 0, 1])) / raw(segment(22))
    case("IPv6 extension chain", "a fragment header in a fragment", sends("extension-chain", twice))
    atomic = six(fresh(), 0, False, datagram(), proto=17)
    case("none", "an atomic fragment", sends(ALLOW, atomic))
    case("fragments of what a rule denies", "an atomic fragment for SSH", sends(NO_SSH, six(fresh(), 0, False, segment(22), proto=6)))
    attack = "fragments without a first one"
    group = Ether(src=WEB.mac, dst="01:00:5e:00:00:fb") / IP(src=WEB.v4, dst="224.0.0.251", proto=17, id=fresh(), frag=60) / raw(bytes(100))
    case(attack, "a later fragment to a group", sends(STRAY, group))
    from_world = back() / IP(src=WORLD.v4, dst=WEB.v4, proto=17, id=fresh(), frag=60, flags=1) / raw(bytes(480))
    case(attack, "a later fragment from outside (IPv4)", gets(STRAY, from_world))
    from_world = back() / IPv6(src=WORLD.v6, dst=WEB.v6, nh=44) / IPv6ExtHdrFragment(nh=17, offset=60, m=1, id=fresh()) / raw(bytes(480))
    case(attack, "a later fragment from outside (IPv6)", gets(STRAY, from_world))
    echo = bytes(ICMP(id=fresh(), chksum=1)) + bytes(1000)
    ident = fresh()
    case("none", "an echo request in two fragments", sends(ALLOW, four(ident, 0, True, echo[:480], proto=1)), sends(FLOW, four(ident, 480, False, echo[480:], proto=1)))
    case("rogue router", "an ICMP redirect in a first fragment", sends("rogue-router", four(fresh(), 0, True, b"\x05\x01\x00\x01" + bytes(60), proto=1)))
