#!/usr/bin/env python3
"""The four traps of libmicrohttpd (docs/decisions.md): each cost a factor, none may come back."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http
from tests.lib.server import cpu_seconds
from tests.lib.tap import check, equal, main, test


@test("many requests on one connection: answering in the first callback would close it each time")
def _(t):
    server = t.server()
    with server.connect() as connection:
        for i in range(200):
            answer = connection.get(http.hit(f"k{i}"))
            equal(answer.status, 200)
            check((answer.header("Connection") or "keep-alive").lower() != "close", f"closed after {i} requests")
        body = http.query(idsite=1, rec=1, e_c="c", e_a="a", e_n="form")
        equal(connection.post("/matomo.php", body, [("Content-Type", "application/x-www-form-urlencoded")]).status, 200)
        equal(connection.get("/no/such/path").status, 404)
        equal(connection.get("/healthz").status, 200)


@test("a connection's memory stays small: a large pool is cleared on every request")
def _(t):
    server = t.server()
    ingest = server.child("ingest")

    def cost(target, count=3000):
        with server.connect() as connection:
            connection.get(target)
            before = cpu_seconds(ingest)
            for _ in range(count):
                connection.get(target)
            return (cpu_seconds(ingest) - before) / count * 1e6
    us = cost("/healthz")
    # 1 MiB cleared costs above 20 us by itself; a request with its wake-ups takes a few times less on slow machines too.
    check(us < 400, f"{us:.0f} us of CPU for a request that does nothing")


@test("large bodies are collected outside of the connection's memory")
def _(t):
    server = t.server()
    body = http.query(idsite=1, rec=1, e_c="c", e_a="a", e_n="large", action_name="x" * 300000)
    with server.connect() as connection:
        equal(connection.post("/matomo.php", body, [("Content-Type", "application/x-www-form-urlencoded")]).status, 200)
        equal(connection.get(http.hit("next")).status, 200)


@test("the raw query reaches the receiver as it came")
def _(t):
    from tests.lib import lake
    server = t.server()
    server.get("/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=a%26b%3Dc%2520d&&empty=&=x&url=http%3A%2F%2Fh.example%2F%3Fq%3D1%26r%3D2")
    server.stop()
    event = lake.lines(server.lake)[0]
    equal(event["event_value_name"], "a&b=c%20d")
    equal(event["page_view_url"], "http://h.example/?q=1&r=2")


@test("waiting connections do not make each other slow: one wake-up per commit, not one per connection")
def _(t):
    import time
    server = t.server(config={"server": {"journal": {"segment_bytes": "1MiB", "sync_delay_us": 20000}}})
    connections = [server.connect() for _ in range(200)]
    start = time.monotonic()
    for i, connection in enumerate(connections):
        connection.send(http.encode("GET", http.hit(f"c{i}")))
    for connection in connections:
        equal(connection.read_answer().status, 200)
    seconds = time.monotonic() - start
    check(seconds < 200 * 0.02 / 2, f"200 waiting connections took {seconds:.2f} s: they are not committed together")
    for connection in connections:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
