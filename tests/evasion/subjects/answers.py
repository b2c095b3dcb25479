"""What `reject` answers, from who is not netctl. Its own answers carry a mark, which is no part of a frame."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach

from corpus import *


def add():
    attack = "forged answers to rejected frames"
    for family in ("IPv4", "IPv6"):
        four = family == "IPv4"
        prohibited = ICMP(type=3, code=13) if four else ICMPv6DestUnreach(code=1)
        packet = (lambda source, to: IP(src=source.v4, dst=to.v4)) if four else (lambda source, to: IPv6(src=source.v6, dst=to.v6))

        def reset():
            return TCP(sport=80, dport=fresh(), flags="RA", seq=0, ack=1001)

        def refusal(about, whom):
            return prohibited / raw(bytes(packet(whom, about) / UDP(sport=fresh(), dport=53) / b"who?")[: 28 if four else 48])

        spoofed = "spoofed-ipv4" if four else "spoofed-ipv6"
        for what, source, mac, verdicts in (
            ("a guest's own name", WEB, WEB.mac, ("no-flow", "unrelated-error")),
            ("another's name", WORLD, WEB.mac, (spoofed, spoofed)),
            ("another's name and MAC address", WORLD, WORLD.mac, ("spoofed-mac", "spoofed-mac")),
        ):
            ip = Ether(src=mac, dst=DB.mac) / packet(source, DB)
            case(attack, f"a reset in {what} ({family})", sends(verdicts[0], ip / reset()))
            case(attack, f"administratively prohibited in {what} ({family})", sends(verdicts[1], ip / refusal(source, DB)))
        ip = Ether(src=WORLD.mac, dst=WEB.mac) / packet(WORLD, WEB)
        case(attack, f"a reset from the wire ({family})", gets("no-flow", ip / reset()))
        case(attack, f"administratively prohibited from the wire ({family})", gets("unrelated-error", ip / refusal(WORLD, WEB)))
