"""IPv6 neighbor discovery (RFC 4861): claims, routers, options, and ways to hide them."""

from scapy.layers.inet6 import ICMPv6MLDone, ICMPv6MLReport, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS
from scapy.layers.inet6 import ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU, ICMPv6NDOptPrefixInfo
from scapy.layers.inet6 import ICMPv6NDOptRDNSS, ICMPv6NDOptSrcLLAddr, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.inet6 import IPv6ExtHdrHopByHop

from corpus import *

SPOOFED, ROUTER = "spoofed-neighbor", "rogue-router"


def to(station=DB, source=WEB.v6, hops=255):
    return out(station) / IPv6(src=source, dst=station.v6, hlim=hops)


def to_all(source=WEB.v6, hops=255, nh=58):
    return Ether(src=WEB.mac, dst="33:33:00:00:00:01") / IPv6(src=source, dst="ff02::1", hlim=hops, nh=nh)


def add():
    claims()
    options()
    routers()
    hidden()
    from_outside()


def claims():
    attack = "neighbor advertisement for another"
    for whose, address in (("the other guest's", DB.v6), ("the other guest's link-local", DB.link_local), ("the router's", "fe80::1"), ("a group's", "ff02::1"), ("the world's", WORLD.v6)):
        tells = ICMPv6ND_NA(tgt=address, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=WEB.mac)
        case(attack, f"an advertisement of {whose} address to all", sends(SPOOFED, to_all() / tells))
        case(attack, f"an advertisement of {whose} address to the other guest", sends(SPOOFED, to() / tells))
    case(attack, "an advertisement of another's address without options", sends(SPOOFED, to() / ICMPv6ND_NA(tgt=DB.v6, R=0, S=1)))
    from_other = to(source=DB.v6) / ICMPv6ND_NA(tgt=DB.v6) / ICMPv6NDOptDstLLAddr(lladdr=WEB.mac)
    case(attack, "an advertisement in the other guest's name", sends("spoofed-ipv6", from_other))
    attack = "neighbor solicitation in another's name"
    asks = Ether(src=WEB.mac, dst="33:33:ff:00:00:21")
    detects = asks / IPv6(src="::", dst="ff02::1:ff00:21", hlim=255) / ICMPv6ND_NS(tgt=DB.v6)
    case(attack, "duplicate address detection that claims the other guest's address", sends(SPOOFED, detects))
    from_other = asks / IPv6(src=DB.v6, dst="ff02::1:ff00:21", hlim=255) / ICMPv6ND_NS(tgt=NOBODY.v6)
    case(attack, "a solicitation in the other guest's name", sends("spoofed-ipv6", from_other / ICMPv6NDOptSrcLLAddr(lladdr=WEB.mac)))
    case(attack, "a listener's report in the other guest's name", sends("spoofed-ipv6", to_all(source=DB.link_local, hops=1) / ICMPv6MLReport(mladdr="ff02::fb")))
    case(attack, "a listener's done in the other guest's name", sends("spoofed-ipv6", to_all(source=DB.link_local, hops=1) / ICMPv6MLDone(mladdr="ff02::fb")))


def options():
    attack = "foreign MAC in a discovery option"
    asks, tells = ICMPv6ND_NS(tgt=DB.v6), ICMPv6ND_NA(tgt=WEB.v6, R=0)
    own, other = ICMPv6NDOptSrcLLAddr(lladdr=WEB.mac), ICMPv6NDOptSrcLLAddr(lladdr=DB.mac)
    case(attack, "a solicitation with another MAC", sends(SPOOFED, to() / asks / other))
    case(attack, "a solicitation with its own MAC and another", sends(SPOOFED, to() / asks / own / other))
    case(attack, "a solicitation with another MAC behind other options", sends(SPOOFED, to() / asks / ICMPv6NDOptMTU() / ICMPv6NDOptMTU() / other))
    case(attack, "an advertisement with another MAC", sends(SPOOFED, to() / tells / ICMPv6NDOptDstLLAddr(lladdr=DB.mac)))
    case(attack, "an advertisement with everyone's MAC", sends(SPOOFED, to() / tells / ICMPv6NDOptDstLLAddr(lladdr=BROADCAST)))
    case(attack, "an advertisement with another MAC as source", sends(SPOOFED, to() / tells / other))
    asks_routers = Ether(src=WEB.mac, dst="33:33:00:00:00:02") / IPv6(src=WEB.link_local, dst="ff02::2", hlim=255) / ICMPv6ND_RS()
    case(attack, "a router solicitation with another MAC", sends(SPOOFED, asks_routers / other))
    case(attack, "a MAC address of two units", sends(SPOOFED, to() / asks / raw(b"\x01\x02" + bytes.fromhex("525400000011") + bytes(8))))
    attack = "malformed discovery"
    case(attack, "a discovery option of no length", sends("bad-header", to() / asks / raw(b"\x01\x00" + bytes(6))))
    case(attack, "a discovery option longer than the packet", sends("truncated", to() / asks / raw(b"\x0e\x05" + bytes(6))))
    case(attack, "more discovery options than are walked", sends("bad-header", to() / asks / ICMPv6NDOptMTU() / ICMPv6NDOptMTU() / ICMPv6NDOptMTU() / ICMPv6NDOptMTU() / other))
    case(attack, "a solicitation that ends in its target", sends("truncated", out() / IPv6(src=WEB.v6, dst=DB.v6, hlim=255, nh=58) / raw(bytes(asks)[:16])))


def routers():
    attack = "rogue router"
    advertises = to_all(source=WEB.link_local)
    variants = {
        "a router advertisement": ICMPv6ND_RA(),
        "a router advertisement that ends a router's life": ICMPv6ND_RA(routerlifetime=0),
        "a router advertisement with a prefix": ICMPv6ND_RA() / ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64),
        "a router advertisement with a resolver": ICMPv6ND_RA() / ICMPv6NDOptRDNSS(dns=[WEB.v6]),
        "a router advertisement of high preference": ICMPv6ND_RA(prf=1) / ICMPv6NDOptSrcLLAddr(lladdr=WEB.mac),
    }
    for what, advertisement in variants.items():
        case(attack, what, sends(ROUTER, advertises / advertisement))
    unicast = out() / IPv6(src=WEB.link_local, dst=DB.link_local, hlim=255) / ICMPv6ND_RA()
    case(attack, "a router advertisement to the other guest", sends(ROUTER, unicast))
    redirect = ICMPv6ND_Redirect(tgt=WEB.link_local, dst=WORLD.v6)
    case(attack, "an ICMPv6 redirect", sends(ROUTER, out() / IPv6(src=WEB.link_local, dst=DB.v6, hlim=255) / redirect))
    spoofed = to_all(source="fe80::1") / ICMPv6ND_RA()
    case(attack, "a router advertisement in the router's name", sends("spoofed-ipv6", spoofed))


def hidden():
    """RFC 7113: guards that look only at the first next header see nothing of these."""
    attack = "discovery behind extension headers"
    chains = {
        "a hop-by-hop header": IPv6ExtHdrHopByHop(),
        "destination options": IPv6ExtHdrDestOpt(),
        "hop-by-hop and destination options": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(),
        "three headers of destination options": IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt(),
    }
    for what, chain in chains.items():
        first = 0 if what.startswith("a hop") or what.startswith("hop") else 60
        all_nodes = to_all(source=WEB.link_local, nh=first)
        case(attack, f"a router advertisement behind {what}", sends("extension-chain", all_nodes / chain / ICMPv6ND_RA()))
        tells = chain / ICMPv6ND_NA(tgt=DB.v6) / ICMPv6NDOptDstLLAddr(lladdr=WEB.mac)
        case(attack, f"an advertisement of the other guest's address behind {what}", sends("extension-chain", to() / tells))
    attack = "discovery in fragments"
    atomic = IPv6ExtHdrFragment(nh=58, offset=0, m=0, id=fresh()) / bytes(ICMPv6ND_RA(cksum=0))
    case(attack, "a router advertisement in an atomic fragment", sends("extension-chain", to_all(source=WEB.link_local, nh=44) / atomic))
    split = IPv6ExtHdrFragment(nh=60, offset=0, m=1, id=fresh()) / raw(b"\x3a\x00\x01\x04\x00\x00\x00\x00")
    case(attack, "a router advertisement behind the first fragment", sends("tiny-fragment", to_all(source=WEB.link_local, nh=44) / split))
    first = IPv6ExtHdrFragment(nh=58, offset=0, m=1, id=fresh()) / raw(bytes(ICMPv6ND_NA(tgt=DB.v6, cksum=0)))
    case(attack, "an advertisement in a first fragment", sends("fragment", to_all(nh=44) / first))


def from_outside():
    attack = "not the receiver's address"
    other = back() / IPv6(src=WORLD.link_local, dst=DB.v6, hlim=255)
    case(attack, "an advertisement for the other guest in this one's frame", gets("wrong-destination", other / ICMPv6ND_NA(tgt=WORLD.link_local)))
    case(attack, "a router advertisement for the other guest in this one's frame", gets("wrong-destination", other / ICMPv6ND_RA()))
    attack = "malformed discovery"
    for hops in (254, 64, 1):
        frame = to(hops=hops) / ICMPv6ND_NA(tgt=WEB.v6)
        case(attack, f"an advertisement with a hop limit of {hops}", sends("bad-header", frame))
        frame = back() / IPv6(src=WORLD.link_local, dst=WEB.v6, hlim=hops) / ICMPv6ND_NS(tgt=WEB.v6)
        case(attack, f"a solicitation from outside with a hop limit of {hops}", gets("bad-header", frame))
    case(attack, "an advertisement with a code", sends("bad-header", to() / ICMPv6ND_NA(tgt=WEB.v6, code=1)))
    case(attack, "a router advertisement from outside with a code", gets("bad-header", back() / IPv6(src=WORLD.link_local, dst=WEB.v6, hlim=255) / ICMPv6ND_RA(code=1)))
