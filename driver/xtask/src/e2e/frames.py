"""Sends Ethernet frames made by hand to a UDP port of another host, and says what is to become of each.

A frame's payload names its case; what is printed, one a line, is the name and lent, lost or passed: indicated, counted as
lost, or none of the socket's business.
"""

import socket
import struct
import sys

INTERFACE, MAC, SOURCE4, TO4, SOURCE6, TO6, PORT = sys.argv[1:]
PORT = int(PORT)
HERE = bytes.fromhex(MAC.replace(":", ""))

link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((INTERFACE, 0))
OURS = link.getsockname()[4]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def packed(host):
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def udp(source, to, payload, port=PORT, wrong=False, left_out=False, length=None):
    length = 8 + len(payload) if length is None else length
    pseudo = packed(source) + packed(to) + struct.pack("!BBH", 0, 17, 8 + len(payload))
    header = struct.pack("!HHH", 5140, port, length)
    value = checksum(pseudo + header + b"\0\0" + payload) or 0xFFFF
    value = 0 if left_out else value ^ (0x0101 if wrong else 0)
    return header + struct.pack("!H", value) + payload


def v4(payload, to=TO4, options=b"", wrong_header=False, length=None, **more):
    data = udp(SOURCE4, to, payload, **more)
    total = 20 + len(options) + len(data) if length is None else length
    first = 0x45 + len(options) // 4
    header = struct.pack("!BBHHHBBH", first, 0xB8, total, 7, 0, 33, 17, 0) + packed(SOURCE4) + packed(to)
    value = checksum(header + options) ^ (0x0101 if wrong_header else 0)
    return 0x0800, header[:10] + struct.pack("!H", value) + header[12:] + options + data


def v6(payload, before=b"", first=17, **more):
    data = before + udp(SOURCE6, TO6, payload, **more)
    return 0x86DD, struct.pack("!IHBB", 0x6B800000, len(data), first, 33) + packed(SOURCE6) + packed(TO6) + data


def ethernet(packet, tags=b"", to=HERE):
    kind, data = packet
    return to + OURS + tags + struct.pack("!H", kind) + data


def tag(number):
    return struct.pack("!HH", 0x8100, 0x6000 | number)


PADDING = bytes([17, 0, 1, 4, 0, 0, 0, 0])
TWICE = bytes([60, 0, 1, 4, 0, 0, 0, 0]) + PADDING
ATOMIC = bytes([17, 0, 0, 0, 0, 0, 0, 9])

CASES = [
    ("plain4", "lent", lambda p: ethernet(v4(p))),
    ("plain6", "lent", lambda p: ethernet(v6(p))),
    ("padded", "lent", lambda p: ethernet(v4(p)) + bytes(20)),
    ("options4", "lent", lambda p: ethernet(v4(p, options=bytes([1] * 8)))),
    ("hopbyhop6", "lent", lambda p: ethernet(v6(p, before=PADDING, first=0))),
    ("destination6", "lent", lambda p: ethernet(v6(p, before=PADDING, first=60))),
    ("twoheaders6", "lent", lambda p: ethernet(v6(p, before=TWICE, first=0))),
    ("atomic6", "lent", lambda p: ethernet(v6(p, before=ATOMIC, first=44))),
    ("leftout4", "lent", lambda p: ethernet(v4(p, left_out=True))),
    ("priority4", "lent", lambda p: ethernet(v4(p), tags=tag(0))),
    ("priority6", "lent", lambda p: ethernet(v6(p), tags=tag(0))),
    ("checksum4", "lost", lambda p: ethernet(v4(p, wrong=True))),
    ("checksum6", "lost", lambda p: ethernet(v6(p, wrong=True))),
    ("leftout6", "lost", lambda p: ethernet(v6(p, left_out=True))),
    ("header4", "lost", lambda p: ethernet(v4(p, wrong_header=True))),
    ("long4", "lost", lambda p: ethernet(v4(p, **{"length": 1400}))),
    ("vlan4", "passed", lambda p: ethernet(v4(p), tags=tag(5))),
    ("port4", "passed", lambda p: ethernet(v4(p, port=PORT ^ 1))),
    ("transit4", "passed", lambda p: ethernet(v4(p, to="198.51.100.1"))),
    ("otherhost", "passed", lambda p: ethernet(v4(p), to=bytes.fromhex("020000000099"))),
]

for name, fate, make in CASES:
    link.send(make(name.encode()))
    print(name, fate)
