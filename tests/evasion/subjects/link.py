"""Framing: VLAN tags, 802.3 lengths, control frames of switches, ethertypes."""

from scapy.layers.l2 import ARP, LLC, SNAP, STP, Dot1AD, Dot1Q, Dot3

from corpus import *

TAG = "vlan-tag"


def add():
    vlans()
    llc()
    link_control()
    ethertypes()


def vlans():
    attack = "VLAN hopping"
    inside = IP(src=WEB.v4, dst=DB.v4)
    for vid in (1, 10, 4094, 4095):
        case(attack, f"802.1Q tag {vid}", sends(TAG, out() / Dot1Q(vlan=vid) / inside / udp()))
    case(attack, "802.1Q tag with drop eligible and priority", sends(TAG, out() / Dot1Q(vlan=10, prio=7, id=1) / inside / udp()))
    case(attack, "802.1ad tag", sends(TAG, out() / Dot1AD(vlan=10) / inside / udp()))
    case(attack, "802.1ad and 802.1Q", sends(TAG, out() / Dot1AD(vlan=10) / Dot1Q(vlan=20) / inside / udp()))
    case(attack, "double 802.1Q", sends(TAG, out() / Dot1Q(vlan=10) / Dot1Q(vlan=20) / inside / udp()))
    case(attack, "double 802.1ad", sends(TAG, out() / Dot1AD(vlan=10) / Dot1AD(vlan=20) / inside / udp()))
    case(attack, "a tag behind a priority tag", sends(TAG, out() / Dot1Q(vlan=0) / Dot1Q(vlan=20) / inside / udp()))
    case(attack, "three tags", sends(TAG, out() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / inside / udp()))
    case(attack, "tagged SSH", sends(TAG, out() / Dot1Q(vlan=10) / inside / syn(22)))
    case(attack, "tagged ARP in the other guest's name", sends(TAG, Ether(src=WEB.mac, dst=BROADCAST) / Dot1Q(vlan=10) / ARP(op=1, hwsrc=WEB.mac, psrc=DB.v4, pdst=DB.v4)))
    case(attack, "tagged IPv6", sends(TAG, out() / Dot1Q(vlan=10) / IPv6(src=WEB.v6, dst=DB.v6) / udp()))
    for old in (0x9100, 0x9200, 0x9300):
        tagged = Ether(src=WEB.mac, dst=DB.mac, type=old) / bytes(Dot1Q(vlan=10) / inside / udp())
        case(attack, f"an older tag, {old:#06x}", sends(TAG if old == 0x9100 else "unknown-ethertype", tagged))
    for vid in (10, 4094):
        frame = back() / Dot1Q(vlan=vid) / IP(src=WORLD.v4, dst=WEB.v4) / udp()
        case(attack, f"802.1Q tag {vid} from outside", gets(TAG, frame))
    frame = back() / Dot1AD(vlan=10) / Dot1Q(vlan=20) / IP(src=WORLD.v4, dst=WEB.v4) / udp()
    case(attack, "802.1ad and 802.1Q from outside", gets(TAG, frame))


def llc():
    attack = "802.3 length instead of an ethertype"
    link = Dot3(src=WEB.mac, dst=DB.mac)
    snap = link / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
    case(attack, "IPv4 in SNAP", sends("llc-frame", snap / SNAP(OUI=0, code=0x0800) / IP(src=DB.v4, dst=DB.v4) / udp()))
    case(attack, "IPv6 in SNAP", sends("llc-frame", snap / SNAP(OUI=0, code=0x86DD) / IPv6(src=DB.v6, dst=DB.v6) / udp()))
    case(attack, "ARP in SNAP", sends("llc-frame", snap / SNAP(OUI=0, code=0x0806) / ARP(op=2, psrc=DB.v4)))
    case(attack, "a tag in SNAP", sends("llc-frame", snap / SNAP(OUI=0, code=0x8100) / Dot1Q(vlan=10)))
    case(attack, "802.1H, SNAP with a bridge's OUI", sends("llc-frame", snap / SNAP(OUI=0xF8, code=0x0800) / IP(src=DB.v4, dst=DB.v4)))
    case(attack, "NetBIOS", sends("llc-frame", link / LLC(dsap=0xF0, ssap=0xF0, ctrl=3) / bytes(40)))
    case(attack, "IPX without LLC", sends("llc-frame", link / raw(b"\xff\xff" + bytes(40))))
    for length in (0, 46, 1500, 1501, 1535):
        frame = with_word(out() / IP(src=WEB.v4, dst=DB.v4) / udp(), 12, length)
        case(attack, f"IPv4 behind a length of {length}", sends("llc-frame", frame))
    frame = with_word(back() / IP(src=WORLD.v4, dst=WEB.v4) / udp(), 12, 46)
    case(attack, "IPv4 behind a length, from outside", gets("llc-frame", frame))


def link_control():
    attack = "control frames of switches"
    control = "link-control"

    def to(last):
        return Ether(src=WEB.mac, dst=f"01:80:c2:00:00:{last:02x}")

    for last in range(16):
        frame = to(last) / IP(src=WEB.v4, dst="224.0.0.251") / udp(5353)
        case(attack, f"IPv4 to 01:80:c2:00:00:{last:02x}", sends(control, frame))
    root = Dot3(src=WEB.mac, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(rootid=0, rootmac=WEB.mac)
    case(attack, "STP that claims to be the root", sends(control, root))
    case(attack, "LACP", sends(control, Ether(src=WEB.mac, dst="01:80:c2:00:00:02", type=0x8809) / b"\x01\x01" / bytes(108)))
    for last in (0x0E, 0x03, 0x00):
        lldp = Ether(src=WEB.mac, dst=f"01:80:c2:00:00:{last:02x}", type=0x88CC)
        case(attack, f"LLDP to 01:80:c2:00:00:{last:02x}", sends(control, lldp / b"\x02\x07\x04\x02\x00\x00\x00\x00\x11" / bytes(8)))
    case(attack, "pause", sends(control, Ether(src=WEB.mac, dst="01:80:c2:00:00:01", type=0x8808) / b"\x00\x01\xff\xff" / bytes(42)))
    case(attack, "priority flow control", sends(control, Ether(src=WEB.mac, dst="01:80:c2:00:00:01", type=0x8808) / b"\x01\x01\x00\xff" / bytes(b"\xff" * 16) / bytes(26)))
    case(attack, "802.1X", sends(control, Ether(src=WEB.mac, dst="01:80:c2:00:00:03", type=0x888E) / b"\x01\x01\x00\x00" / bytes(42)))
    case(attack, "PTP for peers", sends(control, Ether(src=WEB.mac, dst="01:80:c2:00:00:0e", type=0x88F7) / bytes(46)))
    tagged = Ether(src=WEB.mac, dst="01:80:c2:00:00:00") / Dot1Q(vlan=10) / bytes(46)
    case(attack, "a tagged control frame", sends(TAG, tagged))
    attack = "control frames of vendors"
    cdp = Dot3(src=WEB.mac, dst="01:00:0c:cc:cc:cc") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x0C, code=0x2000) / bytes(30)
    case(attack, "CDP", sends("llc-frame", cdp))
    pvst = Dot3(src=WEB.mac, dst="01:00:0c:cc:cc:cd") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x0C, code=0x010B) / STP()
    case(attack, "per-VLAN spanning tree", sends("llc-frame", pvst))
    case(attack, "pause to a unicast address", sends("link-control", Ether(src=WEB.mac, dst=DB.mac, type=0x8808) / b"\x00\x01\xff\xff" / bytes(42)))


def ethertypes():
    attack = "ethertypes that no rule allows"
    kinds = {
        "MPLS": 0x8847,
        "MPLS multicast": 0x8848,
        "PPPoE discovery": 0x8863,
        "PPPoE session": 0x8864,
        "MACsec": 0x88E5,
        "Ethernet in Ethernet (802.1ah)": 0x88E7,
        "802.1ah's reserved neighbour": 0x88E6,
        "ATA over Ethernet": 0x88A2,
        "FCoE": 0x8906,
        "RoCE": 0x8915,
        "TRILL": 0x22F3,
        "NSH": 0x894F,
        "ProfiNet": 0x8892,
        "the least ethertype": 0x0600,
        "the greatest ethertype": 0xFFFF,
        "IPv4 with its bytes swapped": 0x0008,
    }
    for what, number in kinds.items():
        reason = "llc-frame" if number < 0x600 else "unknown-ethertype"
        inside = bytes(IP(src=DB.v4, dst=DB.v4) / udp())
        case(attack, what, sends(reason, Ether(src=WEB.mac, dst=DB.mac, type=number) / inside))
