"""Addresses that are not the sender's own, that no frame on a wire has, or that are not the receiver's."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_RelayReply, DHCP6_Reply
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.l2 import ARP

from corpus import *


def add():
    macs()
    ipv4_sources()
    ipv6_sources()
    dhcp_servers()
    destinations()
    groups()
    origins()


def macs():
    attack = "MAC address of another"
    stations = {
        "the other guest's": DB.mac,
        "the world's": WORLD.mac,
        "nobody's": NOBODY.mac,
        "a group's": "53:54:00:00:00:11",
        "everyone's": BROADCAST,
        "an empty": "00:00:00:00:00:00",
    }
    for whose, mac in stations.items():
        link = Ether(src=mac, dst=DB.mac)
        case(attack, f"IPv4 from {whose} MAC", sends("spoofed-mac", link / IP(src=WEB.v4, dst=DB.v4) / udp()))
        case(attack, f"IPv6 from {whose} MAC", sends("spoofed-mac", link / IPv6(src=WEB.v6, dst=DB.v6) / udp()))
        arp = Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=WEB.mac, psrc=WEB.v4, pdst=DB.v4)
        case(attack, f"ARP from {whose} MAC", sends("spoofed-mac", arp))
    case(attack, "no IP from another MAC", sends("spoofed-mac", Ether(src=DB.mac, dst=DB.mac, type=0x88B5) / b"local experiment"))
    last = Ether(src="52:54:00:00:00:10", dst=DB.mac)
    case(attack, "one bit of the MAC is another", sends("spoofed-mac", last / IP(src=WEB.v4, dst=DB.v4) / udp()))


IPV4 = {
    "the other guest's": DB.v4,
    "the world's": WORLD.v4,
    "nobody's": NOBODY.v4,
    "the subnet's broadcast": "10.0.0.255",
    "the subnet's": "10.0.0.0",
    "a link-local": "169.254.1.1",
}


def ipv4_sources():
    attack = "IPv4 source of another"
    for whose, address in IPV4.items():
        for what, packet in (("UDP", udp()), ("TCP", syn()), ("ICMP", ICMP(id=fresh()))):
            frame = out() / IP(src=address, dst=DB.v4) / packet
            case(attack, f"{what} from {whose} IPv4 address", sends("spoofed-ipv4", frame))
    frame = out() / IP(src="0.0.0.0", dst=DB.v4) / udp()
    case(attack, "no IPv4 source, and no DHCP, to a guest", sends("martian-address", frame))
    frame = out() / IP(src="0.0.0.0", dst=DB.v4) / TCP(sport=68, dport=67, flags="S")
    case(attack, "no IPv4 source, and TCP on DHCP's ports", sends("martian-address", frame))
    group = Ether(src=WEB.mac, dst="01:00:5e:00:00:fb") / IP(src=DB.v4, dst="224.0.0.251") / udp(5353)
    case(attack, "multicast from the other guest's IPv4 address", sends("spoofed-ipv4", group))
    every = Ether(src=WEB.mac, dst=BROADCAST) / IP(src=DB.v4, dst="255.255.255.255") / udp(9)
    case(attack, "broadcast from the other guest's IPv4 address", sends("spoofed-ipv4", every))
    attack = "martian address"
    for address in ("127.0.0.1", "127.255.255.254", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "0.0.0.0"):
        frame = out() / IP(src=address, dst=DB.v4) / udp()
        case(attack, f"a guest sends from {address}", sends("martian-address", frame))
        frame = back() / IP(src=address, dst=WEB.v4) / udp()
        case(attack, f"the world sends from {address}", gets("martian-address", frame))
    for address in ("127.0.0.1", "0.0.0.0", "240.0.0.1"):
        case(attack, f"a guest sends to {address}", sends("martian-address", out() / IP(src=WEB.v4, dst=address) / udp()))


IPV6 = {
    "the other guest's": DB.v6,
    "the other guest's link-local": DB.link_local,
    "the world's": WORLD.v6,
    "nobody's": NOBODY.v6,
    "nobody's link-local": "fe80::1",
    "the own, but for one bit": "fd00::10",
    "a site-local": "fec0::11",
    "a 6to4": "2002:a00:b::1",
}


def ipv6_sources():
    attack = "IPv6 source of another"
    for whose, address in IPV6.items():
        for what, packet in (("UDP", udp()), ("TCP", syn()), ("ICMPv6", ICMPv6EchoRequest(id=fresh()))):
            frame = out() / IPv6(src=address, dst=DB.v6) / packet
            case(attack, f"{what} from {whose} IPv6 address", sends("spoofed-ipv6", frame))
    case(attack, "no IPv6 source, and no discovery", sends("martian-address", out() / IPv6(src="::", dst=DB.v6) / udp()))
    group = Ether(src=WEB.mac, dst="33:33:00:00:00:fb") / IPv6(src=DB.v6, dst="ff02::fb") / udp(5353)
    case(attack, "multicast from the other guest's IPv6 address", sends("spoofed-ipv6", group))
    attack = "martian address"
    for address in ("::1", "ff02::1", "ff05::2", "::10.0.0.11"):
        case(attack, f"a guest sends from {address}", sends("martian-address", out() / IPv6(src=address, dst=DB.v6) / udp()))
        case(attack, f"the world sends from {address}", gets("martian-address", back() / IPv6(src=address, dst=WEB.v6) / udp()))
    for address in ("::1", "::"):
        case(attack, f"a guest sends to {address}", sends("martian-address", out() / IPv6(src=WEB.v6, dst=address) / udp()))
    case(attack, "the world sends TCP from ::", gets("martian-address", back() / IPv6(src="::", dst=WEB.v6) / syn()))
    attack = "IPv4 in an IPv6 header"
    mapped = "::ffff:10.0.0.11"
    case(attack, "a mapped source that is the own", sends("martian-address", out() / IPv6(src=mapped, dst=DB.v6) / udp()))
    case(attack, "a mapped source of another", sends("martian-address", out() / IPv6(src="::ffff:10.0.0.21", dst=DB.v6) / udp()))
    case(attack, "a mapped destination", sends("martian-address", out() / IPv6(src=WEB.v6, dst="::ffff:10.0.0.21") / udp()))
    case(attack, "mapped on both ends, for SSH", sends("martian-address", out() / IPv6(src=mapped, dst="::ffff:10.0.0.21") / syn(22)))
    case(attack, "a mapped source from the world", gets("martian-address", back() / IPv6(src="::ffff:198.51.100.7", dst=WEB.v6) / udp()))
    case(attack, "a mapped destination from the world", gets("martian-address", back() / IPv6(src=WORLD.v6, dst=mapped) / udp()))


def dhcp_servers():
    attack = "rogue DHCP server"
    chaddr = bytes.fromhex("525400000021")
    every = Ether(src=WEB.mac, dst=BROADCAST) / IP(src=WEB.v4, dst="255.255.255.255")
    for kind in ("offer", "ack", "nak"):
        answer = BOOTP(op=2, yiaddr="10.0.0.66", chaddr=chaddr) / DHCP(options=[("message-type", kind), ("router", WEB.v4), "end"])
        case(attack, f"DHCP {kind} to all", sends("rogue-dhcp", every / UDP(sport=67, dport=68) / answer))
        case(attack, f"DHCP {kind} to the other guest", sends("rogue-dhcp", ip4() / UDP(sport=67, dport=68) / answer))
    answer = BOOTP(op=2, yiaddr="10.0.0.66", chaddr=chaddr) / DHCP(options=[("message-type", "offer"), "end"])
    case(attack, "a DHCP offer that is cut behind its ports", sends("rogue-dhcp", ip4() / UDP(sport=67, dport=68)))
    for what, address, group in (("the other guest", DB.v6, DB.mac), ("all", "ff02::1", "33:33:00:00:00:01")):
        link = Ether(src=WEB.mac, dst=group) / IPv6(src=WEB.link_local, dst=address)
        case(attack, f"DHCPv6 advertise to {what}", sends("rogue-dhcp", link / UDP(sport=547, dport=546) / DHCP6_Advertise(trid=1)))
        case(attack, f"DHCPv6 reply to {what}", sends("rogue-dhcp", link / UDP(sport=547, dport=546) / DHCP6_Reply(trid=1)))
    relayed = ip4(options=[b"\x94\x04\x00\x00"]) / UDP(sport=67, dport=68) / answer
    case(attack, "a DHCP offer behind router alert", sends("rogue-dhcp", relayed))


def destinations():
    attack = "not the receiver's address"
    for family, ip in (("IPv4", IP(src=WORLD.v4, dst=DB.v4)), ("IPv6", IPv6(src=WORLD.v6, dst=DB.v6))):
        case(attack, f"the other guest's address in this one's frame ({family})", gets("wrong-destination", back() / ip / udp()))
    for family, ip in (("IPv4", IP(src=WORLD.v4, dst=NOBODY.v4)), ("IPv6", IPv6(src=WORLD.v6, dst=NOBODY.v6))):
        case(attack, f"nobody's address in this one's frame ({family})", gets("wrong-destination", back() / ip / udp()))
    for family, ip in (("IPv4", IP(src=WORLD.v4, dst=WEB.v4)), ("IPv6", IPv6(src=WORLD.v6, dst=WEB.v6))):
        for whose, mac in (("the other guest's", DB.mac), ("nobody's", NOBODY.mac)):
            frame = Ether(src=WORLD.mac, dst=mac) / ip / udp()
            case(attack, f"this guest's address in {whose} frame ({family})", gets("wrong-destination", frame))
    other = back() / ARP(op=2, hwsrc=WORLD.mac, psrc=WORLD.v4, hwdst=WEB.mac, pdst=WEB.v4)
    other.dst = NOBODY.mac
    case(attack, "an ARP reply in nobody's frame", gets("wrong-destination", other))
    case(attack, "the subnet's broadcast address in unicast", gets("wrong-destination", back() / IP(src=WORLD.v4, dst="10.0.0.255") / udp()))


def groups():
    """Unicast in a frame to all gets round rules about the receiver: on wireless networks, Hole 196."""
    attack = "unicast in a group frame"
    for where, mac in (("broadcast", BROADCAST), ("an IPv4 group", "01:00:5e:00:00:01"), ("an IPv6 group", "33:33:00:00:00:01")):
        for family, ip in (("IPv4", IP(src=WEB.v4, dst=DB.v4)), ("IPv6", IPv6(src=WEB.v6, dst=DB.v6))):
            frame = Ether(src=WEB.mac, dst=mac) / ip / udp(22)
            case(attack, f"a guest's datagram for the other guest in {where} ({family})", sends("wrong-destination", frame))
        for family, ip in (("IPv4", IP(src=WORLD.v4, dst=WEB.v4)), ("IPv6", IPv6(src=WORLD.v6, dst=WEB.v6))):
            frame = Ether(src=WORLD.mac, dst=mac) / ip / udp(22)
            case(attack, f"the world's datagram for the guest in {where} ({family})", gets("wrong-destination", frame))
    syn_to_all = Ether(src=WEB.mac, dst=BROADCAST) / IP(src=WEB.v4, dst=DB.v4) / syn(22)
    case(attack, "a SYN for the other guest in broadcast", sends("wrong-destination", syn_to_all))
    for name, address, mac in (("an IPv4 group", "224.0.0.251", DB.mac), ("255.255.255.255", "255.255.255.255", DB.mac)):
        frame = Ether(src=WEB.mac, dst=mac) / IP(src=WEB.v4, dst=address) / udp(22)
        case(attack, f"SSH's port at {name} in a unicast frame", sends(NO_SSH, frame))


def origins():
    attack = "a local port's address from the uplink"
    known = ("bridge", "macvlan")
    for family, ip in (("IPv4", IP(src=DB.v4, dst=WEB.v4)), ("IPv6", IPv6(src=DB.v6, dst=WEB.v6))):
        case(attack, f"the other guest's IP address and the world's MAC ({family})", gets("spoofed-origin", back() / ip / udp()), kinds=known)
        case(attack, f"the other guest's IP and MAC address ({family})", gets("spoofed-origin", back(DB) / ip / udp()), kinds=known)
    for family, ip in (("IPv4", IP(src=WEB.v4, dst=WEB.v4)), ("IPv6", IPv6(src=WEB.v6, dst=WEB.v6))):
        case(attack, f"the receiver's own IP address ({family})", gets("spoofed-origin", back() / ip / udp()), kinds=known)
        case(attack, f"LAND: the receiver's own address and port ({family})", gets("spoofed-origin", back() / ip / TCP(sport=80, dport=80, flags="S")), kinds=known)
    arp = back() / ARP(op=2, hwsrc=WORLD.mac, psrc=DB.v4, hwdst=WEB.mac, pdst=WEB.v4)
    case(attack, "an ARP reply in the other guest's name", gets("spoofed-arp", arp))
    arp = back() / ARP(op=2, hwsrc=DB.mac, psrc=DB.v4, hwdst=WEB.mac, pdst=WEB.v4)
    case(attack, "an ARP reply in the other guest's name, with its MAC address", gets("spoofed-origin", arp), kinds=known)
    for what, packet in (("LAND from the guest", TCP(sport=80, dport=80, flags="S")), ("a datagram from the guest to itself", udp())):
        frame = back() / IP(src=WEB.v4, dst=DB.v4) / packet
        case("IPv4 source of another", f"{what}, at the other one", gets("spoofed-origin", frame), kinds=known)
        case("IPv4 source of another", f"{what}, at the other one, by the switch", gets("wrong-destination", frame), kinds=("vepa", "passthrough"))
