#!/usr/bin/env python3
"""Writes small databases in MaxMind's format, for tests: `mmdb.py FILE` reads {"networks": {"1.2.3.0/24": {...}}} from
standard input; "type", "record_size" (24, 28 or 32) and "ip_version" may stand beside it."""
import ipaddress
import json
import pathlib
import struct
import sys

TEXT, DOUBLE, UINT16, UINT32, MAP, UINT64, LIST, BOOL = 2, 3, 5, 6, 7, 9, 11, 14


def head(kind, size):
    """The control bytes of a value: its kind, and its size in one to three bytes."""
    low, more = (size, b"") if size < 29 else (29, bytes([size - 29])) if size < 285 else (30, (size - 285).to_bytes(2, "big"))
    return (bytes([kind << 5 | low]) if kind < 8 else bytes([low, kind - 7])) + more


def whole(kind, number):
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return head(kind, len(digits)) + digits


def encode(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return head(BOOL, int(value))
    if isinstance(value, str):
        return head(TEXT, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return head(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        return whole(UINT32 if value < 1 << 32 else UINT64, value)
    if isinstance(value, dict):
        return head(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return head(LIST, len(value)) + b"".join(encode(v) for v in value)
    raise TypeError(f"{value!r} has no form in the format")


def bits_of(network, version):
    network = ipaddress.ip_network(network)
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[:network.prefixlen]
    return "0" * 96 + bits if version == 6 and network.version == 4 else bits


def build(networks, type="Test", record_size=24, ip_version=6):
    """The file's bytes."""
    data, nodes = bytearray(), [[None, None]]
    for network, record in networks.items():
        at = len(data)
        data += encode(record)
        bits, node = bits_of(network, ip_version), 0
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes.append([None, None])
                nodes[node][int(bit)] = len(nodes) - 1
            node = nodes[node][int(bit)]
        nodes[node][int(bits[-1])] = ("data", at)
    tree = bytearray()
    for pair in nodes:
        left, right = (len(nodes) if side is None else len(nodes) + 16 + side[1] if isinstance(side, tuple) else side for side in pair)
        if record_size == 28:
            tree += (left & 0xFFFFFF).to_bytes(3, "big") + bytes([left >> 24 << 4 | right >> 24]) + (right & 0xFFFFFF).to_bytes(3, "big")
        else:
            tree += left.to_bytes(record_size // 8, "big") + right.to_bytes(record_size // 8, "big")
    about = {"node_count": len(nodes), "record_size": whole(UINT16, record_size), "ip_version": whole(UINT16, ip_version),
             "database_type": type, "languages": ["en"], "binary_format_major_version": whole(UINT16, 2),
             "binary_format_minor_version": whole(UINT16, 0), "build_epoch": whole(UINT64, 1760000000), "description": {"en": "a test"}}
    return bytes(tree) + bytes(16) + bytes(data) + b"\xab\xcd\xefMaxMind.com" + encode(about)


def main():
    pathlib.Path(sys.argv[1]).write_bytes(build(**json.load(sys.stdin)))


if __name__ == "__main__":
    main()
