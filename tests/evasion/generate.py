#!/usr/bin/env python3
"""Writes hostile.pcap and expected.toml beside itself: frames of attacks, and what has to come of each.

Nothing of netctl is used: the frames are scapy's, the expectations are written down by hand.

    python3 -m venv /tmp/scapy && /tmp/scapy/bin/pip install scapy==2.6.1
    /tmp/scapy/bin/python tests/evasion/generate.py

Both files are checked in; tests read them and need no Python. `--check` says whether they are up to date.
"""

import filecmp
import pathlib
import sys
import tempfile

import scapy

import corpus
from subjects import answers, controls, discovery, errors, extensions, fragments, lengths, link, options
from subjects import resolution, revoked, sources, tcp, tunnels

SCAPY = "2.6.1"
FILES = ("hostile.pcap", "expected.toml")


def main():
    if scapy.__version__ != SCAPY:
        sys.exit(f"scapy {SCAPY} makes the files that are checked in; this is {scapy.__version__}")
    for subject in (controls, sources, resolution, discovery, link, tunnels, options, extensions, fragments):
        subject.add()
    for subject in (lengths, tcp, errors, answers, revoked):
        subject.add()
    here = pathlib.Path(__file__).parent
    if sys.argv[1:] != ["--check"]:
        corpus.write(*(here / name for name in FILES))
        print(f"{len(corpus.CASES)} cases")
        return
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        corpus.write(*(made / name for name in FILES))
        old = [name for name in FILES if not filecmp.cmp(here / name, made / name, shallow=False)]
    if old:
        sys.exit(f"not what generate.py makes: {', '.join(old)}; run it without --check")


main()
