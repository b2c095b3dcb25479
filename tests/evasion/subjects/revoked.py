"""Connections that were allowed once. `closed` denies what `open` allows."""

from scapy.layers.inet import TCP, UDP

from corpus import *


def add():
    attack = "a flow that outlives its rule"
    steps = []
    later = []
    for ip, reply in ((ip4(WORLD), ip4_back()), (ip6(WORLD), ip6_back())):
        port = fresh()
        steps.append(sends(ALLOW, ip / UDP(sport=port, dport=53)))
        later.append(sends("deny revoked", ip / UDP(sport=port, dport=53)))
        later.append(gets("deny revoked", reply / UDP(sport=53, dport=port)))
        port = fresh()
        ours, theirs = dict(sport=port, dport=80), dict(sport=80, dport=port)
        steps.append(sends(ALLOW, ip / TCP(**ours, flags="S", seq=1000)))
        steps.append(gets(FLOW, reply / TCP(**theirs, flags="SA", seq=5000, ack=1001)))
        steps.append(sends(FLOW, ip / TCP(**ours, flags="A", seq=1001, ack=5001)))
        later.append(gets("deny revoked", reply / TCP(**theirs, flags="PA", seq=5001, ack=1001) / b"first of all, an answer"))
        later.append(sends("deny revoked", ip / TCP(**ours, flags="PA", seq=1001, ack=5001) / b"more"))
        later.append(gets("deny revoked", reply / TCP(**theirs, flags="R", seq=5001)))
    case(attack, "both ends of flows whose rule is gone", *steps, Apply("closed"), *later)
    for family, ip in both(WEB, WORLD):
        case(attack, f"a new flow under the closed policy ({family})", sends("deny default", ip / udp()))
        case(attack, f"the middle of a connection under the closed policy ({family})", sends("no-flow", ip / TCP(sport=fresh(), dport=80, flags="A")))
