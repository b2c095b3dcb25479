"""What is not hostile: if these were denied, the rest would show nothing."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RS
from scapy.layers.inet6 import ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6ExtHdrHopByHop, RouterAlert
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP, SCTPChunkInit

from corpus import *

ATTACK = "none"
ARP_OK, ND_OK = "allow arp", "allow neighbor-discovery"


def add():
    resolution()
    for family, ip in both():
        case(ATTACK, f"a datagram ({family})", sends(ALLOW, ip / udp()))
        case(ATTACK, f"a SYN ({family})", sends(ALLOW, ip / syn()))
        case(ATTACK, f"a SYN that asks for ECN ({family})", sends(ALLOW, ip / TCP(sport=fresh(), dport=80, flags="SEC")))
        case(ATTACK, f"SSH, which a rule denies ({family})", sends(NO_SSH, ip / syn(22)))
        init = SCTP(sport=fresh(), dport=80, tag=0) / SCTPChunkInit(init_tag=7, a_rwnd=65536)
        case(ATTACK, f"an SCTP association ({family})", sends(ALLOW, ip / init))
    conversations()
    echo = ip4() / ICMP(id=fresh())
    case(ATTACK, "an echo request (IPv4)", sends(ALLOW, echo))
    case(ATTACK, "an echo request (IPv6)", sends(ALLOW, ip6() / ICMPv6EchoRequest(id=fresh())))
    discover = Ether(src=WEB.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255")
    discover /= UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex("525400000011")) / DHCP(options=[("message-type", "discover"), "end"])
    case(ATTACK, "a DHCP client without an address", sends(ALLOW, discover))
    alert = ip4(options=[IPOption_Router_Alert()]) / udp()
    case(ATTACK, "router alert (IPv4)", sends(ALLOW, alert))
    case(ATTACK, "padding behind the packet", sends(ALLOW, raw(bytes(ip4() / udp()) + bytes(30))))


def resolution():
    every = Ether(src=WEB.mac, dst=BROADCAST)
    case(ATTACK, "an ARP request", sends(ARP_OK, every / ARP(op=1, hwsrc=WEB.mac, psrc=WEB.v4, pdst=DB.v4)))
    case(ATTACK, "an ARP probe", sends(ARP_OK, every / ARP(op=1, hwsrc=WEB.mac, psrc="0.0.0.0", pdst=WEB.v4)))
    case(ATTACK, "gratuitous ARP for the own address", sends(ARP_OK, every / ARP(op=1, hwsrc=WEB.mac, psrc=WEB.v4, pdst=WEB.v4)))
    case(ATTACK, "an ARP reply from outside", gets(ARP_OK, back() / ARP(op=2, hwsrc=WORLD.mac, psrc=WORLD.v4, hwdst=WEB.mac, pdst=WEB.v4)))
    asks = Ether(src=WEB.mac, dst="33:33:ff:00:00:21") / IPv6(src=WEB.v6, dst="ff02::1:ff00:21", hlim=255)
    case(ATTACK, "a solicitation", sends(ND_OK, asks / ICMPv6ND_NS(tgt=DB.v6) / ICMPv6NDOptSrcLLAddr(lladdr=WEB.mac)))
    detects = Ether(src=WEB.mac, dst="33:33:ff:00:00:11") / IPv6(src="::", dst="ff02::1:ff00:11", hlim=255)
    case(ATTACK, "duplicate address detection of the own address", sends(ND_OK, detects / ICMPv6ND_NS(tgt=WEB.v6)))
    tells = out() / IPv6(src=WEB.v6, dst=DB.v6, hlim=255) / ICMPv6ND_NA(tgt=WEB.v6, R=0, S=1)
    case(ATTACK, "an advertisement of the own address", sends(ND_OK, tells / ICMPv6NDOptDstLLAddr(lladdr=WEB.mac)))
    routers = Ether(src=WEB.mac, dst="33:33:00:00:00:02") / IPv6(src=WEB.link_local, dst="ff02::2", hlim=255)
    case(ATTACK, "a router solicitation", sends(ND_OK, routers / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=WEB.mac)))
    joins = Ether(src=WEB.mac, dst="33:33:00:00:00:16") / IPv6(src=WEB.link_local, dst="ff02::16", hlim=1)
    report = IPv6ExtHdrHopByHop(options=[RouterAlert()]) / ICMPv6MLReport2()
    case(ATTACK, "a listener's report behind a hop-by-hop header", sends(ND_OK, joins / report))


def conversations():
    """What belongs to a flow: the frames that attackers imitate."""
    for family, ip, reply in (("IPv4", ip4(WORLD), ip4_back()), ("IPv6", ip6(WORLD), ip6_back())):
        port = fresh()
        case(
            ATTACK,
            f"a datagram and its answer ({family})",
            sends(ALLOW, ip / UDP(sport=port, dport=53) / b"who?"),
            gets(FLOW, reply / UDP(sport=53, dport=port) / b"he"),
        )
        port = fresh()
        ours, theirs = dict(sport=port, dport=80, window=8192), dict(sport=80, dport=port, window=8192)
        case(
            ATTACK,
            f"a connection from SYN to FIN ({family})",
            sends(ALLOW, ip / TCP(**ours, flags="S", seq=1000)),
            gets(FLOW, reply / TCP(**theirs, flags="SA", seq=5000, ack=1001)),
            sends(FLOW, ip / TCP(**ours, flags="A", seq=1001, ack=5001)),
            sends(FLOW, ip / TCP(**ours, flags="PA", seq=1001, ack=5001) / b"GET /"),
            gets(FLOW, reply / TCP(**theirs, flags="PA", seq=5001, ack=1006) / b"200 OK"),
            gets(FLOW, reply / TCP(**theirs, flags="FA", seq=5007, ack=1006)),
            sends(FLOW, ip / TCP(**ours, flags="A", seq=1006, ack=5008)),
            sends(FLOW, ip / TCP(**ours, flags="FA", seq=1006, ack=5008)),
            gets(FLOW, reply / TCP(**theirs, flags="A", seq=5008, ack=1007)),
        )
