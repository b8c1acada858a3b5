#!/usr/bin/env python3
"""Whatever a client sends: an answer or a closed connection, never a crash, and the next client is served."""
import random
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.http import Closed, encode
from tests.lib.tap import check, equal, main, test

LIMITS = {"server": {"max_body_bytes": "64KiB", "max_header_bytes": "8KiB", "request_timeout": "1s", "idle_timeout": "1s"}}


def ask(server, data):
    """The status of the answer to raw bytes; 'closed' where there was none."""
    with server.connect() as connection:
        try:
            connection.send(data)
            return connection.read_answer().status
        except (Closed, OSError, ValueError):
            return "closed"


def alive(server, ingest):
    equal(server.children().get("ingest"), ingest, "ingest was restarted")
    equal(server.hit("alive").status, 200)


@test("a body that is too large by its Content-Length is 413")
def _(t):
    server = t.server(config=LIMITS)
    equal(ask(server, b"POST /matomo.php HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000), 413)
    equal(server.post("/matomo.php?idsite=1&rec=1", b"x" * 60000).status, 200)


@test("a chunked body that grows too large is 413 or closed")
def _(t):
    server = t.server(config=LIMITS)
    check(ask(server, encode("POST", "/matomo.php", body=b"x" * 300000, chunked=True)) in (413, "closed"), "taken")
    alive(server, server.child("ingest"))


@test("a gzip bomb is 413, broken gzip 400, another encoding 415")
def _(t):
    server = t.server(config=LIMITS)
    gz = [("Content-Encoding", "gzip")]
    equal(server.post("/matomo.php", http.gzipped(b"0" * 5000000), gz).status, 413)
    equal(server.post("/matomo.php", b"not gzip at all", gz).status, 400)
    equal(server.post("/matomo.php", http.gzipped(b"x" * 1000)[:-20], gz).status, 400)
    equal(server.post("/matomo.php", b"xx", [("Content-Encoding", "br")]).status, 415)


@test("a long URL is 414, long headers are 431, or the connection is closed")
def _(t):
    server = t.server(config=LIMITS)
    ingest = server.child("ingest")
    check(ask(server, encode("GET", "/matomo.php?x=" + "a" * 40000)) in (414, 431, "closed"), "taken")
    check(ask(server, encode("GET", http.hit("a"), [("X-Long", "b" * 40000)])) in (431, "closed"), "taken")
    check(ask(server, encode("GET", http.hit("a"), [(f"X-{i}", "b" * 50) for i in range(900)])) in (431, "closed"), "taken")
    alive(server, ingest)


@test("Content-Length together with chunked is refused")
def _(t):
    server = t.server()
    data = (b"POST /matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    check(ask(server, data) in (400, "closed"), "taken")
    swapped = data.replace(b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4")
    check(ask(server, swapped) in (400, "closed"), "taken")
    server.stop()
    equal(lake.names(server.lake), [])


@test("two different Content-Length headers are refused")
def _(t):
    server = t.server()
    data = b"POST /matomo.php?idsite=1&rec=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nabcd"
    check(ask(server, data) in (400, "closed"), "taken")


@test("nonsense instead of HTTP")
def _(t):
    server = t.server(config=LIMITS)
    ingest = server.child("ingest")
    rng = random.Random(1)
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"POST /matomo.php HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /matomo.php HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
                 b"POST /matomo.php HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /matomo.php?" + bytes(range(128, 256)) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 *(rng.randbytes(rng.randrange(1, 3000)) for _ in range(50))):
        ask(server, data)
    alive(server, ingest)


@test("methods that a route does not have are answered, not stored")
def _(t):
    server = t.server()
    for method in ("DELETE", "PATCH", "BREW"):
        status = ask(server, encode(method, "/healthz"))
        check(status in (400, 404, 405, 501, "closed"), f"{method}: {status}")
    alive(server, server.child("ingest"))


@test("Expect: 100-continue")
def _(t):
    server = t.server()
    with server.connect() as connection:
        body = http.query(idsite=1, rec=1, e_c="c", e_a="a", e_n="expected").encode()
        connection.send(b"POST /matomo.php HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(body))
        version, status, _ = connection.read_head()
        equal(status, 100)
        connection.send(body)
        equal(connection.read_answer().status, 200)
    server.stop()
    equal(lake.names(server.lake), ["expected"])


@test("HTTP/1.0 and Connection: close end the connection, keep-alive keeps it")
def _(t):
    server = t.server()
    with server.connect() as connection:
        connection.send(b"GET " + http.hit("old").encode() + b" HTTP/1.0\r\n\r\n")
        equal(connection.read_answer().status, 200)
        check(connection.closed_by_peer(), "an HTTP/1.0 connection stays open")
    with server.connect() as connection:
        equal([connection.get(http.hit(f"k{i}")).status for i in range(5)], [200] * 5)
        equal(connection.get(http.hit("last"), [("Connection", "close")]).status, 200)
        check(connection.closed_by_peer(), "stays open in spite of Connection: close")


@test("pipelined requests are answered in order")
def _(t):
    server = t.server()
    with server.connect() as connection:
        connection.send(b"".join(encode("GET", http.hit(f"p{i}", send_image=i % 2)) for i in range(20)))
        equal([connection.read_answer().status for _ in range(20)], [204, 200] * 10)
    server.stop()
    equal(lake.names(server.lake), [f"p{i}" for i in range(20)])


@test("a request that never ends and an idle connection are closed in time")
def _(t):
    server = t.server(config=LIMITS)
    with server.connect() as slow, server.connect() as idle:
        slow.send(b"POST /matomo.php?idsite=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        equal(idle.get(http.hit("a")).status, 200)
        rest = slow.read_rest()
        check(rest == b"" or b" 408 " in rest[:20], rest)
        check(idle.closed_by_peer(), "the idle connection is still open")
    alive(server, server.child("ingest"))


@test("more connections than allowed: the others are served")
def _(t):
    server = t.server(config={"server": {"max_connections": 8}})
    connections = [server.connect() for _ in range(20)]
    for connection in connections:
        connection.close()
    from tests.lib.wait import until

    def served():
        try:
            return server.hit("after").status == 200
        except (OSError, Closed):
            return False
    until(served, 20, "an answer after the flood")


if __name__ == "__main__":
    sys.exit(main())
