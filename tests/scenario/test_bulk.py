#!/usr/bin/env python3
"""Bulk requests and CORS."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.tap import check, equal, main, test


def item(name, **fields):
    return http.hit(name, path="", **fields)


def stored(server):
    server.stop()
    return sorted(lake.names(server.lake))


@test("string, URL, object and null items; the answer is Matomo's, to the letter")
def _(t):
    server = t.server()
    body = json.dumps({"requests": [item("string"), "http://host/matomo.php" + item("url"),
                                    {"idsite": 1, "rec": 1, "e_c": "c", "e_a": "a", "e_n": "object"}, None]})
    answer = server.post("/matomo.php", body, [("Content-Type", "application/json")])
    equal((answer.status, answer.header("Content-Type").split(";")[0]), (200, "application/json"))
    equal(answer.body, b'{"status":"success","tracked":4,"invalid":0}')
    equal(stored(server), ["object", "string", "url"])


@test("invalid items are counted, the others are stored")
def _(t):
    server = t.server()
    answer = server.post("/matomo.php", json.dumps({"requests": [item("a"), item("b", idsite=None), item("c", cip="1.2.3.4"), item("d")]}))
    equal(json.loads(answer.body)["tracked"], 2)
    equal(json.loads(answer.body)["invalid"], 2)
    equal(stored(server), ["a", "d"])


@test("send_image 0 at the top answers 204")
def _(t):
    server = t.server()
    answer = server.post("/matomo.php", json.dumps({"requests": [item("a")], "send_image": 0}),
                         [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")])
    equal((answer.status, answer.body), (204, b""))
    equal(stored(server), ["a"])


@test("broken bulk JSON and an empty list are answered as Matomo does, and store nothing")
def _(t):
    server = t.server()
    for body in ('{"requests":[', '{"requests":[]}', '{"requests":"x"}', '{"requests":[1,2'):
        answer = server.post("/matomo.php", body)
        equal((answer.status, answer.body), (200, b'{"status":"success","tracked":0,"invalid":0}'), body)
    equal(stored(server), [])


@test("escapes, numbers and newlines in the body")
def _(t):
    server = t.server()
    body = '{"requests":[\n"?idsite=1&rec=1&e_c=c&e_a=a&e_n=\\u00e4\\/x",\r\n{"idsite":1.0,"rec":1,"e_c":"c","e_a":"a","e_n":5}]}'
    answer = server.post("/matomo.php", body)
    equal(json.loads(answer.body)["tracked"], 2)
    equal(stored(server), ["5", "ä/x"])


@test("a thousand items in one request, all or none, in order")
def _(t):
    server = t.server()
    names = [f"n{i:04}" for i in range(1000)]
    answer = server.post("/matomo.php", json.dumps({"requests": [item(n) for n in names]}))
    equal(json.loads(answer.body)["tracked"], 1000)
    server.stop()
    equal(lake.names(server.lake), names)


@test("gzip and chunked bodies")
def _(t):
    server = t.server()
    body = http.gzipped(json.dumps({"requests": [item("gz")]}))
    equal(server.post("/matomo.php", body, [("Content-Encoding", "gzip")]).body, b'{"status":"success","tracked":1,"invalid":0}')
    equal(server.post("/matomo.php", body, [("Content-Encoding", "gzip"), ("X", "y")], chunked=True).status, 200)
    equal(server.post("/matomo.php", json.dumps({"requests": [item("chunked")]}).encode(), chunked=True).status, 200)
    equal(stored(server), ["chunked", "gz", "gz"])


@test("preflight: 204 with origin, methods and the headers that were asked for; nothing is stored")
def _(t):
    server = t.server()
    with server.connect() as connection:
        answer = connection.request("OPTIONS", "/matomo.php", [("Origin", "https://page.example"), ("Access-Control-Request-Method", "POST"),
                                                               ("Access-Control-Request-Headers", "content-type")])
    equal((answer.status, answer.body), (204, b""))
    check(answer.header("Access-Control-Allow-Origin") in ("https://page.example", "*"), answer)
    check("POST" in answer.header("Access-Control-Allow-Methods", ""), answer)
    check(answer.header("Access-Control-Allow-Headers", "") in ("content-type", "*"), answer)
    equal(stored(server), [])


@test("every non-GET answer names the origin and allows credentials, errors as well")
def _(t):
    server = t.server()
    origin = [("Origin", "https://page.example")]
    for target in (http.hit("post"), "/matomo.php?rec=1"):
        answer = server.post(target, b"", origin)
        equal((answer.header("Access-Control-Allow-Origin"), answer.header("Access-Control-Allow-Credentials")), ("https://page.example", "true"),
              target)
    answer = server.get(http.hit("get"), origin)
    equal(answer.header("Access-Control-Allow-Origin"), None)


if __name__ == "__main__":
    sys.exit(main())
