"""What a case is, the stations of the world, and the files that come out."""

import itertools
import struct
from dataclasses import dataclass, field

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw


@dataclass(frozen=True)
class Station:
    mac: str
    v4: str
    v6: str
    link_local: str


# The same as in tests/tests/kinds/kind.rs.
WEB = Station("52:54:00:00:00:11", "10.0.0.11", "fd00::11", "fe80::5054:ff:fe00:11")
DB = Station("52:54:00:00:00:21", "10.0.0.21", "fd00::21", "fe80::5054:ff:fe00:21")
WORLD = Station("52:54:00:00:00:fe", "198.51.100.7", "2001:470::7", "fe80::5054:ff:fe00:fe")
NOBODY = Station("52:54:00:00:00:77", "10.0.0.99", "fd00::99", "fe80::5054:ff:fe00:77")
BROADCAST = "ff:ff:ff:ff:ff:ff"

SYN, RST, FIN, ACK, PSH, URG = "S", "R", "F", "A", "P", "U"
NO_SSH = "deny rule"
ALLOW = "allow rule"
FLOW = "allow flow"


@dataclass(frozen=True)
class Step:
    direction: str
    verdict: str
    frame: bytes


@dataclass(frozen=True)
class Apply:
    policy: str


@dataclass
class Case:
    attack: str
    name: str
    steps: list
    kinds: list = field(default_factory=list)


CASES: list[Case] = []
_ports = itertools.count(20000)


def case(attack, name, *steps, kinds=()):
    """`kinds`: the networks on which this is known; elsewhere the frame is like any other, and is not run."""
    if any(case.name == name for case in CASES):
        raise ValueError(f"two cases are called {name!r}")
    CASES.append(Case(attack, name, list(steps), list(kinds)))


def sends(verdict, frame):
    """The guest `web1` sends it."""
    return Step("from-guest", _verdict(verdict), bytes(frame))


def gets(verdict, frame):
    """It comes to the guest `web1` from the uplink."""
    return Step("to-guest", _verdict(verdict), bytes(frame))


def _verdict(verdict):
    return verdict if " " in verdict else f"deny {verdict}"


def fresh():
    """A port or identifier that no other case has: cases share flow tables."""
    return next(_ports)


def out(to=DB):
    return Ether(src=WEB.mac, dst=to.mac)


def back(source=WORLD):
    return Ether(src=source.mac, dst=WEB.mac)


def ip4(to=DB, **fields):
    return out(to) / IP(src=WEB.v4, dst=to.v4, **fields)


def ip6(to=DB, **fields):
    return out(to) / IPv6(src=WEB.v6, dst=to.v6, **fields)


def ip4_back(source=WORLD, **fields):
    return back(source) / IP(src=source.v4, dst=WEB.v4, **fields)


def ip6_back(source=WORLD, **fields):
    return back(source) / IPv6(src=source.v6, dst=WEB.v6, **fields)


def both(source=WEB, destination=DB):
    """A packet between two stations, in each family."""
    link = Ether(src=source.mac, dst=destination.mac)
    yield "IPv4", link / IP(src=source.v4, dst=destination.v4)
    yield "IPv6", link / IPv6(src=source.v6, dst=destination.v6)


def udp(port=53, source=None):
    return UDP(sport=source or fresh(), dport=port) / b"data"


def syn(port=80, source=None):
    return TCP(sport=source or fresh(), dport=port, flags=SYN, seq=1000)


def raw(frame):
    return Raw(bytes(frame))


def with_byte(frame, at, value):
    """The frame with one byte changed: what a packet library repairs or refuses."""
    data = bytearray(bytes(frame))
    data[at] = value
    return Raw(bytes(data))


def with_word(frame, at, value):
    data = bytearray(bytes(frame))
    data[at : at + 2] = struct.pack("!H", value)
    return Raw(bytes(data))


def cut(frame, length):
    return Raw(bytes(frame)[:length])


def write(pcap, table):
    _write_pcap(pcap)
    _write_table(table)


def _frames():
    return [step.frame for case in CASES for step in case.steps if isinstance(step, Step)]


def _write_pcap(path):
    """Classic pcap of Ethernet; the times count the frames, so that the file is the same each time."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number, frame in enumerate(_frames()):
            file.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)


def _write_table(path):
    number = itertools.count(1)
    with open(path, "w") as file:
        file.write("# Made by generate.py; the frames are in hostile.pcap, by number.\n")
        for case in CASES:
            file.write(f'\n[[case]]\nname = "{case.name}"\nattack = "{case.attack}"\n')
            if case.kinds:
                file.write("kinds = [" + ", ".join(f'"{kind}"' for kind in case.kinds) + "]\n")
            file.write("steps = [\n")
            for step in case.steps:
                if isinstance(step, Apply):
                    file.write(f'  {{ apply = "{step.policy}" }},\n')
                    continue
                frame, (action, reason) = next(number), step.verdict.split()
                file.write(
                    f'  {{ frame = {frame}, direction = "{step.direction}", '
                    f'action = "{action}", reason = "{reason}" }},\n'
                )
            file.write("]\n")


__all__ = [name for name in globals() if not name.startswith("_")] + ["Packet"]
