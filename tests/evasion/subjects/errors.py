"""ICMP: errors about packets that nobody sent, and messages by which routers direct hosts."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded

from corpus import *

UNRELATED = "unrelated-error"
RELATED = "allow related"


def inner4(port, to=WORLD.v4, source=WEB.v4, service=53):
    return raw(bytes(IP(src=source, dst=to) / UDP(sport=port, dport=service) / b"who?"))


def inner6(port, to=WORLD.v6, source=WEB.v6, service=53):
    return raw(bytes(IPv6(src=source, dst=to) / UDP(sport=port, dport=service) / b"who?"))


def add():
    unrelated()
    foreign()
    malformed()
    routers()


def unrelated():
    attack = "ICMP errors about nothing"
    four = {
        "unreachable": ICMP(type=3, code=3),
        "fragmentation needed": ICMP(type=3, code=4, nexthopmtu=68),
        "time exceeded": ICMP(type=11),
        "parameter problem": ICMP(type=12),
    }
    six = {
        "unreachable": ICMPv6DestUnreach(code=4),
        "packet too big": ICMPv6PacketTooBig(mtu=1280),
        "time exceeded": ICMPv6TimeExceeded(),
        "parameter problem": ICMPv6ParamProblem(),
    }
    for what, error in four.items():
        case(attack, f"{what} about no flow (IPv4)", gets(UNRELATED, ip4_back() / error / inner4(fresh())))
        case(attack, f"{what} about no flow, from a guest (IPv4)", sends(UNRELATED, ip4(WORLD) / error / inner4(fresh(), WEB.v4, WORLD.v4)))
    for what, error in six.items():
        case(attack, f"{what} about no flow (IPv6)", gets(UNRELATED, ip6_back() / error / inner6(fresh())))
        case(attack, f"{what} about no flow, from a guest (IPv6)", sends(UNRELATED, ip6(WORLD) / error / inner6(fresh(), WEB.v6, WORLD.v6)))
    group = Ether(src=WORLD.mac, dst="01:00:5e:00:00:01") / IP(src=WORLD.v4, dst="224.0.0.1") / ICMP(type=3, code=3) / inner4(fresh())
    case(attack, "unreachable to a group", gets(UNRELATED, group))


def foreign():
    """The flow exists; what the error shows is not of it, or goes the wrong way."""
    attack = "ICMP errors about another's packet"
    for family, ip, reply, error, inner, db in (
        ("IPv4", ip4(WORLD), ip4_back(), ICMP(type=3, code=3), inner4, DB.v4),
        ("IPv6", ip6(WORLD), ip6_back(), ICMPv6DestUnreach(code=4), inner6, DB.v6),
    ):
        port = fresh()
        opened = sends(ALLOW, ip / UDP(sport=port, dport=53) / b"who?")
        case("none", f"an error about a flow ({family})", opened, gets(RELATED, reply / error / inner(port)))
        router = Ether(src=NOBODY.mac, dst=WEB.mac) / (IP(src="203.0.113.1", dst=WEB.v4) if family == "IPv4" else IPv6(src="2001:db8::1", dst=WEB.v6))
        port = fresh()
        opened = sends(ALLOW, ip / UDP(sport=port, dport=53) / b"who?")
        case("none", f"a router's error about a flow ({family})", opened, gets(RELATED, router / error / inner(port)))
        world = WORLD.v4 if family == "IPv4" else WORLD.v6
        variants = {
            "the other guest as its sender": lambda port: inner(port, source=db),
            "another port": lambda port: inner(port, service=54),
            "another receiver": lambda port: inner(port, to=db),
            "the answer instead": lambda port: inner(53, to=WEB.v4 if family == "IPv4" else WEB.v6, source=world, service=port),
        }
        for what, make in variants.items():
            port = fresh()
            opened = sends(ALLOW, ip / UDP(sport=port, dport=53) / b"who?")
            case(attack, f"an error about a flow with {what} ({family})", opened, gets(UNRELATED, reply / error / make(port)))
        port = fresh()
        segment = IP(src=WEB.v4, dst=WORLD.v4) if family == "IPv4" else IPv6(src=WEB.v6, dst=WORLD.v6)
        opened = sends(ALLOW, ip / UDP(sport=port, dport=53) / b"who?")
        case(attack, f"an error about a flow with another protocol ({family})", opened, gets(UNRELATED, reply / error / raw(bytes(segment / TCP(sport=port, dport=53)))))


def malformed():
    attack = "malformed ICMP errors"
    port = fresh()
    whole = bytes(inner4(port))
    for keep in (0, 8, 19, 20, 23):
        case(attack, f"an error that shows {keep} bytes (IPv4)", gets("truncated", ip4_back() / ICMP(type=3, code=3) / raw(whole[:keep])))
    whole = bytes(inner6(port))
    for keep in (0, 20, 39, 40, 43):
        case(attack, f"an error that shows {keep} bytes (IPv6)", gets("truncated", ip6_back() / ICMPv6DestUnreach(code=4) / raw(whole[:keep])))
    in_error = IP(src=WEB.v4, dst=WORLD.v4) / ICMP(type=3, code=3) / inner4(port)
    case("ICMP errors about nothing", "an error about an error (IPv4)", gets(UNRELATED, ip4_back() / ICMP(type=3, code=3) / raw(bytes(in_error))))
    in_error = IPv6(src=WEB.v6, dst=WORLD.v6) / ICMPv6DestUnreach(code=4) / inner6(port)
    case("ICMP errors about nothing", "an error about an error (IPv6)", gets(UNRELATED, ip6_back() / ICMPv6DestUnreach(code=4) / raw(bytes(in_error))))
    for what, message in (("echo reply", ICMP(type=0, id=fresh())),):
        case("ICMP answers to no question", f"{what} to no request", gets("no-flow", ip4_back() / message))
        case("ICMP answers to no question", f"{what} to no request, from a guest", sends("no-flow", ip4() / message))


def routers():
    attack = "rogue router"
    for code in range(4):
        case(attack, f"an ICMP redirect with code {code}", sends("rogue-router", ip4() / ICMP(type=5, code=code, gw=WEB.v4) / inner4(fresh(), source=DB.v4)))
    case(attack, "an ICMP router advertisement", sends("rogue-router", ip4() / ICMP(type=9) / bytes(8)))
    group = Ether(src=WEB.mac, dst="01:00:5e:00:00:01") / IP(src=WEB.v4, dst="224.0.0.1") / ICMP(type=9) / bytes(8)
    case(attack, "an ICMP router advertisement to all", sends("rogue-router", group))
