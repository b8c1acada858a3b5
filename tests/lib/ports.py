"""A port for a server that does not know port 0."""
import pathlib
import random
import socket

TRIES = 100
LOWEST = 10240
RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port():
    """Free now, and outside of the range that outgoing connections get their ports from: none of them takes it before the
    server does, or while the server is down for a test."""
    highest = max(int(RANGE.read_text().split()[0]), LOWEST + 1000)
    for _ in range(TRIES):
        port = random.SystemRandom().randrange(LOWEST, highest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port between {LOWEST} and {highest}")
