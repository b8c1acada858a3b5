"""Packs records as the Kinesis Producer Library does (its "Aggregated Record Format")."""
import hashlib

MAGIC = b"\xf3\x89\x9a\xc2"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def chunk(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def packed(pairs):
    """[(key, data)] -> the bytes of one record."""
    keys = list(dict.fromkeys(key for key, _ in pairs))
    message = b"".join(chunk(1, key.encode()) for key in keys)
    for key, data in pairs:
        message += chunk(3, varint(1 << 3) + varint(keys.index(key)) + chunk(3, data))
    return MAGIC + message + hashlib.md5(message).digest()
