"""One end of TCP connections: sends pseudo-random bytes, receives to the end, and prints what it saw as a JSON object.

stream.py listen|connect HOST PORT BYTES first|last   BYTES out at once, or only behind the end of what comes in
stream.py swarm HOST PORT COUNT BYTES                 COUNT connections at once, each of which wants its bytes back
stream.py generate BYTES                              BYTES to standard output, the object to standard error
"""

import hashlib
import json
import random
import socket
import sys
import threading

PART = 1 << 20


def parts(total, seed=7):
    """Blocks that differ from one another, cheaply: one random block, each time from another offset."""
    block = random.Random(seed).randbytes(2 * PART)
    number = 0
    while total > 0:
        offset = number * 4099 % PART
        part = block[offset : offset + min(PART, total)]
        yield part
        total -= len(part)
        number += 1


def send(connection, total, seed=7):
    digest = hashlib.sha256()
    for part in parts(total, seed):
        digest.update(part)
        connection.sendall(part)
    connection.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def receive(connection):
    digest, total = hashlib.sha256(), 0
    while part := connection.recv(PART):
        digest.update(part)
        total += len(part)
    return total, digest.hexdigest()


def in_background(call, *arguments):
    result = []
    thread = threading.Thread(target=lambda: result.append(call(*arguments)))
    thread.start()

    def wait():
        thread.join()
        # Empty when the call raised, which the thread has shown.
        return result[0]

    return wait


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def exchange(role, host, port, total, when):
    if role == "listen":
        listener = socket.create_server((host, port), family=family(host))
        bound = listener.getsockname()
        print(f"[{bound[0]}]:{bound[1]}" if ":" in host else f"{bound[0]}:{bound[1]}", file=sys.stderr, flush=True)
        connection, _ = listener.accept()
    else:
        connection = socket.create_connection((host, port))
    if when == "first":
        sent = in_background(send, connection, total)
        received = receive(connection)
        hash_sent = sent()
    else:
        received = receive(connection)
        hash_sent = send(connection, total)
    print(json.dumps({"sent": hash_sent, "bytes": received[0], "received": received[1]}))


def swarm(host, port, count, total):
    connections = [socket.create_connection((host, port)) for _ in range(count)]
    sends = [in_background(send, connection, total + index, index) for index, connection in enumerate(connections)]
    same = sum(receive(connection)[1] == sent() for connection, sent in zip(connections, sends))
    print(json.dumps({"same": same}))


def generate(total):
    digest = hashlib.sha256()
    for part in parts(total):
        digest.update(part)
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    print(json.dumps({"sent": digest.hexdigest()}), file=sys.stderr)


match sys.argv[1:]:
    case ["listen" | "connect" as role, host, port, total, when]:
        exchange(role, host, int(port), int(total), when)
    case ["swarm", host, port, count, total]:
        swarm(host, int(port), int(count), int(total))
    case ["generate", total]:
        generate(int(total))
    case _:
        sys.exit(__doc__)
