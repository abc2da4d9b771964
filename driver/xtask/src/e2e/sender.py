"""Sends UDP datagrams and writes down each one that a socket took: source, destination, payload in hexadecimal."""

import argparse
import hashlib
import socket
import sys
import time

# Linux's socket option that cuts one buffer into datagrams of the given size; the socket module has no name for it.
UDP_SEGMENT = 103


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def written(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def opened(source, interface):
    sender = socket.socket(family(source[0]), socket.SOCK_DGRAM)
    sender.bind(source)
    if interface is not None:
        index = socket.if_nametoindex(interface)
        if sender.family == socket.AF_INET6:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            # struct ip_mreqn: group, address, index.
            request = bytes(8) + index.to_bytes(4, sys.byteorder)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
    return sender, written(*sender.getsockname()[:2])


def batches(datagrams, options):
    """What each call of a socket takes: one datagram, or as many of one size as the system is asked to cut it into."""
    for number in range(0, len(datagrams), options.segments):
        yield number, datagrams[number : number + options.segments]


def payload(number, size):
    """Different for each number once there is room for 8 bytes of it."""
    start = number.to_bytes(8, "big")[:size]
    return start + hashlib.shake_128(start).digest(size - len(start))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=address, action="append", required=True)
    parser.add_argument("--from", type=address, action="append", required=True, dest="sources")
    parser.add_argument("--size", type=int, action="append", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--segments", type=int, default=1)
    parser.add_argument("--interface")
    parser.add_argument("--manifest", required=True)
    options = parser.parse_args()

    senders = {}
    for source in options.sources:
        senders.setdefault(family(source[0]), []).append(opened(source, options.interface))
    # Made before the first is sent, so that the rate is the socket's and not the generator's.
    datagrams = [payload(number, options.size[number % len(options.size)]) for number in range(options.count)]
    sent = []
    start = time.monotonic()
    for number, batch in batches(datagrams, options):
        if options.rate:
            ahead = start + number / options.rate - time.monotonic()
            if ahead > 0.001:
                time.sleep(ahead)
        turn = number // len(options.size)
        to = options.to[turn % len(options.to)]
        choices = senders[family(to[0])]
        sender, source = choices[turn // len(options.to) % len(choices)]
        if len(batch) > 1:
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(batch[0]))
        sender.sendto(b"".join(batch), to)
        sent.extend((source, to, data) for data in batch)

    with open(options.manifest, "w", encoding="ascii") as manifest:
        for source, to, data in sent:
            manifest.write(f"{source} {written(*to)} {data.hex()}\n")


main()
