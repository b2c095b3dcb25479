"""Packets in packets: what is inside is not looked at, so the protocol outside is what rules decide about."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import GRE

from corpus import *


def add():
    attack = "tunnels"
    inner4, inner6 = IP(src=DB.v4, dst=DB.v4) / syn(22), IPv6(src=DB.v6, dst=DB.v6) / syn(22)
    tunnels = {
        "IPv4 in IPv4": ip4(proto=4) / inner4,
        "IPv6 in IPv4": ip4(proto=41) / inner6,
        "IPv4 in IPv6": ip6(nh=4) / inner4,
        "IPv6 in IPv6": ip6(nh=41) / inner6,
        "GRE in IPv4": ip4() / GRE(proto=0x0800) / inner4,
        "GRE in IPv6": ip6() / GRE(proto=0x86DD) / inner6,
        "Ethernet in GRE": ip4() / GRE(proto=0x6558) / Ether(src=DB.mac, dst=DB.mac) / inner4,
        "IPv4 in IPv4 in IPv4": ip4(proto=4) / IP(src=WEB.v4, dst=DB.v4, proto=4) / inner4,
        "IPv4 in IPv4 to a group": Ether(src=WEB.mac, dst="01:00:5e:00:00:05") / IP(src=WEB.v4, dst="224.0.0.5", proto=4) / inner4,
    }
    for what, frame in tunnels.items():
        case(attack, what, sends("deny rule", frame))
    case(attack, "IPv4 in IPv4 from outside", gets("deny rule", ip4_back(proto=4) / IP(src=DB.v4, dst=WEB.v4) / udp()))
    case(attack, "a spoofed source outside of a tunnel", sends("spoofed-ipv4", out() / IP(src=DB.v4, dst=DB.v4, proto=4) / inner4))
    fragment = ip4(proto=4, flags="MF", id=fresh()) / raw(bytes(inner4)[:24])
    case(attack, "a tunnel's first fragment", sends("deny rule", fragment))
    attack = "one family's ICMP in the other"
    case(attack, "ICMPv6 in IPv4", sends("bad-header", ip4(proto=58) / raw(b"\x80\x00\x00\x00" + bytes(8))))
    case(attack, "ICMP in IPv6", sends("bad-header", ip6(nh=1) / raw(bytes(ICMP()))))
    case(attack, "a router advertisement in IPv4", sends("bad-header", ip4(proto=58) / raw(b"\x86\x00\x00\x00" + bytes(12))))
    attack = "one family in the other's ethertype"
    v4, v6 = bytes(IP(src=WEB.v4, dst=DB.v4) / udp()), bytes(IPv6(src=WEB.v6, dst=DB.v6) / udp())
    case(attack, "IPv6 behind IPv4's ethertype", sends("bad-header", Ether(src=WEB.mac, dst=DB.mac, type=0x0800) / v6))
    case(attack, "IPv4 behind IPv6's ethertype", sends("bad-header", Ether(src=WEB.mac, dst=DB.mac, type=0x86DD) / v4 / bytes(20)))
    for version in (0, 5, 7, 15):
        frame = with_byte(ip4() / udp(), 14, version << 4 | 5)
        case(attack, f"version {version} behind IPv4's ethertype", sends("bad-header", frame))
        frame = with_byte(ip6() / udp(), 14, version << 4)
        case(attack, f"version {version} behind IPv6's ethertype", sends("bad-header", frame))
    attack = "wrong checksums"
    # The receiver's affair: a guest with offloads leaves them to it. They decide nothing here.
    case(attack, "a wrong checksum of IPv4", sends(ALLOW, ip4(chksum=0xBAD) / udp()))
    case(attack, "a wrong checksum of TCP", sends(ALLOW, ip4() / TCP(sport=fresh(), dport=80, flags="S", chksum=0xBAD)))
    case(attack, "a wrong checksum of UDP in SSH's way", sends(NO_SSH, ip4() / UDP(sport=fresh(), dport=22, chksum=0xBAD)))
