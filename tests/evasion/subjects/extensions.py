"""IPv6 extension headers (RFC 8200): routes, chains that hide the ports, chains that do not end."""

from scapy.layers.inet6 import HBHOptUnknown, ICMPv6EchoRequest, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.inet6 import IPv6ExtHdrRouting, Jumbo, PadN

from corpus import *


def chain(count, transport):
    packet = ip6(nh=60)
    for number in range(count):
        packet /= raw(bytes([60 if number + 1 < count else transport_number(transport), 0, 1, 4, 0, 0, 0, 0]))
    return packet / raw(bytes(ip6() / transport)[54:])


def transport_number(transport):
    return bytes(ip6() / transport)[20]


def header(number, body):
    """An IPv6 packet whose next header is this one."""
    return ip6(nh=number) / raw(body)


def segment(port=80):
    return bytes(ip6() / syn(port))[54:]


def add():
    routing()
    order()
    lengths()
    others()


def routing():
    attack = "IPv6 routing header"
    for kind in (0, 1, 2, 3, 4, 255):
        body = bytes([6, 2, kind, 1, 0, 0, 0, 0]) + bytes(16) + segment()
        case(attack, f"routing header type {kind}", sends("routing-header", header(43, body)))
    case(attack, "a routing header without segments left", sends("routing-header", header(43, bytes([6, 2, 0, 0]) + bytes(20) + segment())))
    behind = bytes([43, 0, 1, 4, 0, 0, 0, 0]) + bytes([6, 2, 0, 1]) + bytes(20) + segment()
    case(attack, "a routing header behind destination options", sends("routing-header", header(60, behind)))
    case(attack, "a routing header behind hop-by-hop", sends("routing-header", header(0, behind)))
    case(attack, "a routing header that ends at once", sends("routing-header", header(43, b"\x06\x00")))
    routed = ip6_back(nh=43) / raw(bytes([6, 2, 0, 1]) + bytes(20) + segment())
    case(attack, "routing header type 0 from outside", gets("routing-header", routed))
    case(attack, "a routing header in another's name", sends("routing-header", out() / IPv6(src=DB.v6, dst=DB.v6) / IPv6ExtHdrRouting(addresses=[WORLD.v6]) / syn()))


def order():
    attack = "IPv6 extension chain"
    pad = lambda following: bytes([following, 0, 1, 4, 0, 0, 0, 0])
    case("none", "six headers of destination options", sends(ALLOW, chain(6, syn())))
    for count in (7, 8, 20, 100):
        case(attack, f"{count} headers of destination options", sends("extension-chain", chain(count, syn())))
    case(attack, "hop-by-hop behind destination options", sends("extension-chain", header(60, pad(0) + pad(6) + segment())))
    case(attack, "hop-by-hop twice", sends("extension-chain", header(0, pad(0) + pad(6) + segment())))
    case(attack, "hop-by-hop last of six", sends("extension-chain", header(60, pad(60) * 4 + pad(0) + pad(6) + segment())))
    attack = "ports moved out of sight by extension headers"
    for count in (1, 3, 6):
        case(attack, f"SSH behind {count} headers", sends(NO_SSH, chain(count, syn(22))))
    long = bytes([6, 31]) + b"\x01\xfc" + bytes(252) + segment(22)
    case(attack, "SSH behind a header of 256 bytes", sends(NO_SSH, header(60, long)))
    case(attack, "SSH behind hop-by-hop", sends(NO_SSH, ip6() / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / syn(22)))
    fake = bytes([6, 0]) + b"\x00\x50\x00\x50\x00\x00"
    case(attack, "SSH behind a header that looks like port 80", sends(NO_SSH, header(60, fake + segment(22))))


def lengths():
    attack = "IPv6 lengths that lie"
    case(attack, "an extension header longer than the packet", sends("truncated", header(60, bytes([6, 255, 1, 4, 0, 0, 0, 0]) + segment())))
    case(attack, "an extension header that ends at once", sends("truncated", header(60, b"\x06\x00")))
    case(attack, "an extension header and nothing behind", sends("truncated", header(60, bytes([6, 0, 1, 4, 0, 0, 0, 0]))))
    jumbo = ip6(nh=0, plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70000)]) / syn(22)
    case(attack, "a jumbogram", sends("truncated", jumbo))
    inside = ip6(plen=28) / IPv6ExtHdrDestOpt() / syn(22)
    case(attack, "a payload length that ends before the transport header does", sends("truncated", with_word(inside, 18, 20)))
    case(attack, "a payload longer than the frame", sends("truncated", with_word(ip6() / udp(), 18, 100)))
    case(attack, "an empty payload with a transport header behind it", sends("truncated", with_word(ip6() / syn(22), 18, 0)))
    case(attack, "a payload longer than the frame, from outside", gets("truncated", with_word(ip6_back() / udp(), 18, 100)))


def others():
    attack = "protocols without ports"
    # No rule of the corpus denies them; what matters is that nothing inside is taken for ports.
    for what, number in (("no next header", 59), ("mobility", 135), ("host identity", 139), ("shim6", 140), ("an experiment", 253), ("ESP", 50), ("AH", 51), ("255", 255)):
        case(attack, f"IPv6: {what}", sends(ALLOW, header(number, segment(22))))
    case(attack, "an unknown option with the highest action", sends(ALLOW, ip6() / IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0xC2, optdata=b"1234")]) / ICMPv6EchoRequest(id=fresh())))
