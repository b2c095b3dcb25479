"""TCP and SCTP: flags that no stack sends, and segments that belong to no connection or do not fit theirs."""

from scapy.layers.inet import TCP
from scapy.layers.sctp import SCTP, SCTPChunkAbort, SCTPChunkData, SCTPChunkInit, SCTPChunkInitAck

from corpus import *

STATE = "tcp-state"
FAMILIES = (("IPv4", ip4(WORLD), ip4_back()), ("IPv6", ip6(WORLD), ip6_back()))


def add():
    flags()
    without_flow()
    for family, ip, reply in FAMILIES:
        resets(family, ip, reply)
        handshakes(family, ip, reply)
        windows(family, ip, reply)
    sctp()


def flags():
    attack = "TCP flags"
    nonsense = {"none": "", "xmas": "FPU", "FIN alone": "F", "SYN and FIN": "SF", "SYN and RST": "SR", "FIN and RST": "FR", "PSH alone": "P", "URG alone": "U", "SYN, FIN and ACK": "SFA", "SYN, RST and ACK": "SRA", "all": "FSRPAUEC"}
    for what, bits in nonsense.items():
        for family, ip, reply in FAMILIES:
            segment = TCP(sport=fresh(), dport=80, flags=bits)
            case(attack, f"flags: {what} ({family})", sends("bad-tcp-flags", ip / segment))
            case(attack, f"flags: {what}, from outside ({family})", gets("bad-tcp-flags", reply / segment))


def without_flow():
    attack = "TCP without a connection"
    for what, bits in (("SYN and ACK", "SA"), ("RST", "R"), ("RST and ACK", "RA")):
        for family, ip, reply in FAMILIES:
            segment = TCP(sport=fresh(), dport=80, flags=bits)
            case(attack, f"{what} to no connection ({family})", sends("no-flow", ip / segment))
            case(attack, f"{what} to no connection, from outside ({family})", gets("no-flow", reply / segment))
    for family, ip, reply in FAMILIES:
        for what, bits in (("ACK", "A"), ("data", "PA"), ("FIN and ACK", "FA")):
            segment = TCP(sport=fresh(), dport=22, flags=bits)
            case(attack, f"{what} for SSH without a connection ({family})", sends(NO_SSH, ip / segment))
            case(attack, f"{what} for SSH without a connection, from outside ({family})", gets(NO_SSH, reply / segment))


class Connection:
    """Steps of one connection that `web1` opens to the world; sequence numbers from 1000 and 5000."""

    def __init__(self, ip, reply):
        port = fresh()
        self.ip, self.reply = ip, reply
        self.ours, self.theirs = dict(sport=port, dport=80, window=8192), dict(sport=80, dport=port, window=8192)

    def we(self, verdict, flags, seq, ack=0, data=b""):
        return sends(verdict, self.ip / TCP(**self.ours, flags=flags, seq=seq, ack=ack) / data)

    def they(self, verdict, flags, seq, ack=0, data=b""):
        return gets(verdict, self.reply / TCP(**self.theirs, flags=flags, seq=seq, ack=ack) / data)

    def open(self):
        return [self.we(ALLOW, "S", 1000), self.they(FLOW, "SA", 5000, 1001), self.we(FLOW, "A", 1001, 5001)]


def resets(family, ip, reply):
    """RFC 5961: who does not see a connection must not be able to end it."""
    attack = "blind reset"
    far = 5001 + 0x40000000
    for what, flags, ack in (("RST", "R", 0), ("RST with ACK", "RA", 1001)):
        one = Connection(ip, reply)
        case(attack, f"{what} far from the window ({family})", *one.open(), one.they(STATE, flags, far, ack), one.we(FLOW, "PA", 1001, 5001, b"still here"))
    one = Connection(ip, reply)
    case(attack, f"RST just before the window ({family})", *one.open(), one.they(STATE, "R", 4000), one.we(FLOW, "PA", 1001, 5001, b"still here"))
    one = Connection(ip, reply)
    case("none", f"RST at the next number ends a connection ({family})", *one.open(), one.they(FLOW, "R", 5001))
    one = Connection(ip, reply)
    case(attack, f"a guest's RST far from the window ({family})", *one.open(), one.we(STATE, "R", 1001 + 0x40000000), one.they(FLOW, "PA", 5001, 1001, b"still here"))
    one = Connection(ip, reply)
    case(attack, f"RST to a SYN that it does not acknowledge ({family})", one.we(ALLOW, "S", 1000), one.they(STATE, "RA", 0, 77), one.they(FLOW, "SA", 5000, 1001))
    one = Connection(ip, reply)
    case("none", f"RST refuses a connection ({family})", one.we(ALLOW, "S", 1000), one.they(FLOW, "RA", 0, 1001))


def handshakes(family, ip, reply):
    attack = "forged handshake"
    one = Connection(ip, reply)
    case(attack, f"SYN and ACK that acknowledges something else ({family})", one.we(ALLOW, "S", 1000), one.they(STATE, "SA", 5000, 77), one.they(FLOW, "SA", 5000, 1001))
    one = Connection(ip, reply)
    case(attack, f"SYN and ACK from who opened ({family})", one.we(ALLOW, "S", 1000), one.we(STATE, "SA", 1000, 5001))
    one = Connection(ip, reply)
    case(attack, f"SYN and ACK into a connection ({family})", *one.open(), one.they(STATE, "SA", 90000000, 77))
    one = Connection(ip, reply)
    case("none", f"SYN again ({family})", one.we(ALLOW, "S", 1000), one.we(FLOW, "S", 1000))


def windows(family, ip, reply):
    attack = "reuse of a connection that a rule denies"
    port = fresh()
    back_to_ssh = reply / TCP(sport=port, dport=22, flags="S", seq=1)
    case(attack, f"SYN for SSH from the side that was called ({family})", sends(ALLOW, ip / TCP(sport=22, dport=port, flags="S", seq=1000)), gets("deny rule", back_to_ssh))


def sctp():
    attack = "SCTP"
    for family, ip, reply in FAMILIES:
        for what, chunk in (("INIT", SCTPChunkInit(init_tag=7)), ("data", SCTPChunkData(data=b"x")), ("INIT-ACK", SCTPChunkInitAck(init_tag=7)), ("ABORT", SCTPChunkAbort())):
            packet = SCTP(sport=fresh(), dport=22, tag=0 if what == "INIT" else 7) / chunk
            case(attack, f"SCTP {what} for a port that a rule denies ({family})", sends("no-flow" if what in ("INIT-ACK", "ABORT") else NO_SSH, ip / packet))
        case(attack, f"SCTP {what} for a denied port, from outside ({family})", gets(NO_SSH, reply / SCTP(sport=fresh(), dport=22, tag=0) / SCTPChunkInit()))
