"""ARP (RFC 826): claims in another's name, and ARP that is none."""

from scapy.layers.l2 import ARP

from corpus import *

EVERY = Ether(src=WEB.mac, dst=BROADCAST)


def add():
    claims()
    malformed()


def claims():
    attack = "ARP in another's name"
    spoofed = "spoofed-arp"
    for whose, address in (("the other guest's", DB.v4), ("the router's", "10.0.0.254"), ("the world's", WORLD.v4), ("a group's", "224.0.0.1"), ("everyone's", "255.255.255.255"), ("a loopback", "127.0.0.1")):
        case(attack, f"an ARP request from {whose} address", sends(spoofed, EVERY / ARP(op=1, hwsrc=WEB.mac, psrc=address, pdst=DB.v4)))
        case(attack, f"an ARP reply for {whose} address", sends(spoofed, out() / ARP(op=2, hwsrc=WEB.mac, psrc=address, hwdst=DB.mac, pdst=DB.v4)))
    attack = "gratuitous ARP"
    for whose, address in (("the other guest's", DB.v4), ("the router's", "10.0.0.254")):
        for what, op in (("a request", 1), ("a reply", 2)):
            frame = EVERY / ARP(op=op, hwsrc=WEB.mac, psrc=address, hwdst=BROADCAST, pdst=address)
            case(attack, f"gratuitous ARP as {what} for {whose} address", sends(spoofed, frame))
    attack = "ARP in another's name"
    inner = {"the other guest's": DB.mac, "nobody's": NOBODY.mac, "everyone's": BROADCAST, "an empty": "00:00:00:00:00:00"}
    for whose, mac in inner.items():
        case(attack, f"an ARP reply with {whose} MAC inside", sends(spoofed, out() / ARP(op=2, hwsrc=mac, psrc=WEB.v4, hwdst=DB.mac, pdst=DB.v4)))
    case(attack, "an ARP probe with the other guest's MAC inside", sends(spoofed, EVERY / ARP(op=1, hwsrc=DB.mac, psrc="0.0.0.0", pdst=WEB.v4)))


def malformed():
    attack = "malformed ARP"
    right = dict(hwsrc=WEB.mac, psrc=WEB.v4, hwdst=DB.mac, pdst=DB.v4)
    broken = {
        "reverse ARP's operation": ARP(op=3, **right),
        "inverse ARP's operation": ARP(op=8, **right),
        "operation 0": ARP(op=0, **right),
        "operation 258, whose low byte is a reply": ARP(op=258, **right),
    }
    for what, arp in broken.items():
        case(attack, f"ARP with {what}", sends("bad-header", out() / arp))
        case(attack, f"ARP with {what}, from outside", gets("bad-header", back() / arp))
    request = bytes(out() / ARP(op=1, **right))
    for what, at, value in (("hardware type", 14, 6), ("protocol", 16, 0x86DD), ("lengths", 18, 0x0604 + 12), ("a hardware length of 8", 18, 0x0804)):
        case(attack, f"ARP with another {what}", sends("bad-header", with_word(raw(request), at, value)))
    for length in (15, 22, 28, 41):
        case(attack, f"ARP that ends after {length} bytes", sends("truncated", cut(raw(request), length)))
    case(attack, "reverse ARP", sends("unknown-ethertype", Ether(src=WEB.mac, dst=BROADCAST, type=0x8035) / bytes(ARP(op=3, **right))))
