"""IPv4 options (RFC 791): routes that the sender chooses, and options that move the ports."""

from corpus import *


def packet(options, transport=None, **fields):
    """Options as bytes, padded to words; scapy would order and check them."""
    padded = options + bytes(-len(options) % 4)
    transport = bytes(IP(src=WEB.v4, dst=DB.v4) / (transport or udp()))
    header = bytes(IP(src=WEB.v4, dst=DB.v4, proto=transport[9], ihl=5 + len(padded) // 4, len=len(transport) + len(padded), **fields))
    return out() / raw(header + padded + transport[20:])


def ether(data):
    return Raw(bytes(Ether(src=WEB.mac, dst=DB.mac, type=0x0800)) + bytes(data)[14:])


def add():
    hop = bytes([10, 0, 0, 99])
    attack = "source routing"
    routes = {
        "loose source route": b"\x83\x07\x04" + hop,
        "strict source route": b"\x89\x07\x04" + hop,
        "loose source route of nine hops": b"\x83\x27\x04" + hop * 9,
        "a route that is used up": b"\x83\x07\x08" + hop,
        "loose source route behind padding": b"\x01\x01\x01\x01\x83\x07\x04" + hop,
        "loose source route behind router alert": b"\x94\x04\x00\x00\x83\x07\x04" + hop,
        "two source routes": b"\x83\x07\x04" + hop + b"\x89\x07\x04" + hop,
        "a route whose pointer is outside": b"\x83\x07\xff" + hop,
    }
    for what, option in routes.items():
        case(attack, what, sends("ipv4-options", ether(packet(option))))
    back_route = bytes(back() / IP(src=WORLD.v4, dst=WEB.v4))[:14]
    udp_back = bytes(IP(src=WORLD.v4, dst=WEB.v4) / udp())
    header = bytes(IP(src=WORLD.v4, dst=WEB.v4, proto=17, ihl=7, len=len(udp_back) + 8))
    case(attack, "loose source route from outside", gets("ipv4-options", raw(back_route + header + b"\x83\x07\x04" + hop + b"\x00" + udp_back[20:])))
    attack = "IPv4 options"
    others = {
        "record route": b"\x07\x07\x04" + bytes(4),
        "timestamp": b"\x44\x0c\x05\x00" + bytes(8),
        "timestamps of named hops": b"\x44\x0c\x05\x03" + hop + bytes(4),
        "security (RFC 1108)": b"\x82\x0b" + bytes(9),
        "a label (CIPSO)": b"\x86\x06\x00\x00\x00\x01",
        "traceroute (RFC 1393)": b"\x52\x0c" + bytes(10),
        "quick start (RFC 4782)": b"\x19\x08\x00\x00" + bytes(4),
        "an unknown option": b"\x9e\x04\x00\x00",
        "an option of no length": b"\x83\x00\x00\x00",
        "an option of one byte that needs two": b"\x83\x01\x00\x00",
        "an option longer than the header": b"\x83\xff\x04\x00",
        "router alert with a value": b"\x94\x04\x00\x01",
    }
    for what, option in others.items():
        case(attack, f"IPv4: {what}", sends("ipv4-options", ether(packet(option))))
    harmless = {
        "nothing but no-operation": b"\x01\x01\x01\x01",
        "nothing but the end": b"\x00\x00\x00\x00",
        "router alert twice": b"\x94\x04\x00\x00\x94\x04\x00\x00",
        "as much padding as fits": b"\x01" * 40,
    }
    for what, option in harmless.items():
        case("none", f"IPv4: {what}", sends(ALLOW, ether(packet(option))))
    attack = "ports moved out of sight by options"
    case(attack, "SSH behind router alert", sends(NO_SSH, ether(packet(b"\x94\x04\x00\x00", syn(22)))))
    fake = b"\x01" * 2 + b"\x00\x50" + b"\x01" * 4
    case(attack, "SSH behind options that look like port 80", sends("ipv4-options", ether(packet(fake, syn(22)))))
    case(attack, "SSH behind forty bytes of padding", sends(NO_SSH, ether(packet(b"\x01" * 40, syn(22)))))
    frame = bytes(ip4() / syn(22))
    for ihl in (0, 1, 4):
        case("malformed IPv4", f"a header of {ihl} words", sends("bad-header", with_byte(raw(frame), 14, 0x40 | ihl)))
    case("malformed IPv4", "a header longer than the packet", sends("bad-header", with_byte(with_word(raw(frame), 16, 40), 14, 0x4F)))
