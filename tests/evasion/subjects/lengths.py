"""Frames that end too early, and lengths that lie."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.sctp import SCTP

from corpus import *


def add():
    attack = "truncation"
    link = 14
    packets = {
        "UDP": lambda: UDP(sport=fresh(), dport=53),
        "TCP": lambda: syn(),
        "SCTP": lambda: SCTP(sport=fresh(), dport=80, tag=0),
    }
    for family, ip in both():
        header = 20 if family == "IPv4" else 40
        frame = bytes(ip / udp())
        for at in (link + 1, link + header // 2, link + header - 1):
            case(attack, f"{family} that ends after {at} bytes", sends("truncated", cut(raw(frame), at)))
        for what, make in packets.items():
            whole = bytes(ip / make())
            need = {"UDP": 8, "TCP": 20, "SCTP": 12}[what]
            for keep in (0, 2, 4, need - 1):
                at, place = link + header + keep, 16 if family == "IPv4" else 18
                told = header + keep if family == "IPv4" else keep
                honest = with_word(cut(raw(whole), at), place, told)
                case(attack, f"{family} with {keep} bytes of {what}", sends("truncated", honest))
            case(attack, f"{family} with {what} that announces more than the frame has", sends("truncated", cut(raw(whole), link + header + 2)))
    for family, ip, message in (("IPv4", ip4(), ICMP(id=fresh())), ("IPv6", ip6(), ICMPv6EchoRequest(id=fresh()))):
        whole = bytes(ip / message)
        header, place = (20, 16) if family == "IPv4" else (40, 18)
        for keep in (0, 4, 7):
            told = header + keep if family == "IPv4" else keep
            honest = with_word(cut(raw(whole), link + header + keep), place, told)
            case(attack, f"{family} with {keep} bytes of ICMP", sends("truncated", honest))
    lies()
    jumbo()
    from_outside()


def lies():
    attack = "lengths that lie"
    frame = ip4() / udp()
    for what, total, reason in (("0", 0, "bad-header"), ("19", 19, "bad-header"), ("20", 20, "truncated"), ("65535", 65535, "truncated"), ("one more than there is", 33, "truncated")):
        case(attack, f"an IPv4 length of {what}", sends(reason, with_word(frame, 16, total)))
    for family, ip in both():
        at = 34 if family == "IPv4" else 54
        frame = ip / udp()
        for told in (0, 7, 13, 65535):
            case(attack, f"a UDP length of {told} ({family})", sends("bad-header", with_word(frame, at + 4, told)))
        for words in (0, 4, 6, 15):
            lie = with_byte(ip / TCP(sport=fresh(), dport=80, flags="S"), at + 12, words << 4)
            case(attack, f"a TCP header of {words} words ({family})", sends("bad-header", lie))


def jumbo():
    attack = "jumbo frames"
    case(attack, "SSH in 3000 bytes", sends(NO_SSH, ip4() / UDP(sport=fresh(), dport=22) / bytes(3000)))
    case(attack, "a spoofed source in 3000 bytes", sends("spoofed-ipv4", out() / IP(src=DB.v4, dst=DB.v4) / UDP(sport=fresh(), dport=53) / bytes(3000)))
    case(attack, "a spoofed source in 9000 bytes", sends("spoofed-ipv4", out() / IP(src=DB.v4, dst=DB.v4) / UDP(sport=fresh(), dport=53) / bytes(9000)))
    case(attack, "a spoofed source in 60000 bytes", sends("spoofed-ipv4", out() / IP(src=DB.v4, dst=DB.v4) / UDP(sport=fresh(), dport=53) / bytes(60000)))


def from_outside():
    attack = "truncation"
    for family, ip in both(WORLD, WEB):
        header, place = (20, 16) if family == "IPv4" else (40, 18)
        for what, transport in (("TCP", syn()), ("UDP", UDP(sport=fresh(), dport=53))):
            told = header + 4 if family == "IPv4" else 4
            honest = with_word(cut(raw(bytes(ip / transport)), 14 + header + 4), place, told)
            case(attack, f"{family} with 4 bytes of {what}, from outside", gets("truncated", honest))
    case("lengths that lie", "a UDP length of 7 from outside", gets("bad-header", with_word(ip4_back() / udp(), 38, 7)))
