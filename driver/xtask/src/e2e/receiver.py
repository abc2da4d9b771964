"""Receives UDP datagrams and counts them by length. Prints its address, then at the end one JSON object."""

import collections
import json
import socket
import sys

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
receiver.bind(("127.0.0.1", 0))
print("%s:%d" % receiver.getsockname(), flush=True)
expected = int(sys.argv[1])
lengths = collections.Counter()
sources = set()
payloads = set()
# A datagram that does not come within this time was lost.
receiver.settimeout(5)
try:
    while lengths.total() < expected:
        payload, source = receiver.recvfrom(65536)
        lengths[len(payload)] += 1
        sources.add(source)
        payloads.add(payload)
except TimeoutError:
    pass
print(json.dumps({"lengths": lengths, "sources": len(sources), "payloads": len(payloads)}))
