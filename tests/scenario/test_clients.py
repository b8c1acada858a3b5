#!/usr/bin/env python3
"""Clients that people have: curl, PHP's streams and its curl extension, Python's http.client and urllib."""
import http.client
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import lake
from tests.lib.http import hit, query
from tests.lib.tap import check, equal, main, test


def stored(server):
    server.stop()
    return sorted(lake.names(server.lake))


def run(*command):
    result = subprocess.run(command, capture_output=True, timeout=60)
    equal(result.returncode, 0, result.stderr.decode())
    return result.stdout


@test("curl: GET, form, bulk from a file, Expect, gzip, HTTP/1.0, several URLs on one connection")
def _(t):
    curl = t.need("curl")
    server = t.server()
    base = f"http://127.0.0.1:{server.port}"
    check(run(curl, "-sf", base + hit("get")).startswith(b"GIF89a"), "no GIF")
    run(curl, "-sf", base + "/matomo.php", "-d", query(idsite=1, rec=1, e_c="c", e_a="a", e_n="form"))
    body = t.tmp / "body"
    body.write_text(json.dumps({"requests": [hit("bulk", path="")]}))
    equal(run(curl, "-sf", base + "/matomo.php", "-H", "Expect: 100-continue", "-d", f"@{body}"), b'{"status":"success","tracked":1,"invalid":0}')
    run("gzip", str(body))
    run(curl, "-sf", base + "/matomo.php", "-H", "Content-Encoding: gzip", "--data-binary", f"@{body}.gz")
    run(curl, "-sf", "--http1.0", base + hit("old"))
    verbose = subprocess.run([curl, "-svf", base + hit("u1"), base + hit("u2")], capture_output=True, timeout=60).stderr
    check(b"Re-using existing connection" in verbose, "the connection was not kept")
    equal(stored(server), ["bulk", "bulk", "form", "get", "old", "u1", "u2"])


PHP_STREAMS = r"""
$base = $argv[1];
$options = ['http' => ['method' => 'GET', 'user_agent' => 'PHP', 'header' => "Accept-Language: de\r\n", 'timeout' => 10]];
echo substr(file_get_contents("$base/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=php-get", false, stream_context_create($options)), 0, 3), "\n";
$options['http'] = ['method' => 'POST', 'header' => "Content-Type: application/json\r\n", 'timeout' => 10,
    'content' => json_encode(['requests' => ["$base/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=php-bulk", "?idsite=1&rec=1&e_c=c&e_a=a&e_n=php-b\u{e4}"]])];
echo file_get_contents("$base/matomo.php", false, stream_context_create($options)), "\n";
"""

PHP_CURL = r"""
$base = $argv[1];
$c = curl_init();
foreach (['one', 'two'] as $n) {
    curl_setopt_array($c, [CURLOPT_URL => "$base/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=$n&send_image=0", CURLOPT_RETURNTRANSFER => true]);
    curl_exec($c);
    echo curl_getinfo($c, CURLINFO_RESPONSE_CODE), "\n";
}
curl_setopt_array($c, [CURLOPT_URL => "$base/matomo.php", CURLOPT_POST => true, CURLOPT_HTTPHEADER => ['Expect:', 'Content-Type: application/json'],
    CURLOPT_POSTFIELDS => json_encode(['requests' => ['?idsite=1&rec=1&e_c=c&e_a=a&e_n=three']])]);
echo curl_exec($c), "\n";
"""


@test("PHP's streams: GET and bulk with absolute URLs")
def _(t):
    php = t.need("php")
    server = t.server()
    said = run(php, "-r", PHP_STREAMS, f"http://127.0.0.1:{server.port}").decode().splitlines()
    equal(said, ["GIF", '{"status":"success","tracked":2,"invalid":0}'])
    equal(stored(server), ["php-bulk", "php-bä", "php-get"])


@test("PHP's curl extension, one handle for several requests")
def _(t):
    php = t.need("php")
    if b"curl" not in run(php, "-m").split():
        t.skip("php-curl is not installed")
    server = t.server()
    said = run(php, "-r", PHP_CURL, f"http://127.0.0.1:{server.port}").decode().splitlines()
    equal(said, ["204", "204", '{"status":"success","tracked":1,"invalid":0}'])
    equal(stored(server), ["one", "three", "two"])


@test("Python's http.client: keep-alive, chunked upload")
def _(t):
    server = t.server()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for i in range(3):
        connection.request("GET", hit(f"k{i}"))
        answer = connection.getresponse()
        equal((answer.status, answer.read()[:3]), (200, b"GIF"))
    body = json.dumps({"requests": [hit("chunked", path="")]}).encode()
    connection.request("POST", "/matomo.php", iter([body[:10], body[10:]]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    equal(json.loads(connection.getresponse().read())["tracked"], 1)
    connection.close()
    equal(stored(server), ["chunked", "k0", "k1", "k2"])


@test("Python's urllib: GET, form, and a 400 that is an error there")
def _(t):
    server = t.server()
    base = f"http://127.0.0.1:{server.port}"
    equal(urllib.request.urlopen(base + hit("get"), timeout=10).status, 200)
    form = urllib.parse.urlencode({"idsite": 1, "rec": 1, "e_c": "c", "e_a": "a", "e_n": "form"}).encode()
    equal(urllib.request.urlopen(base + "/matomo.php", form, timeout=10).status, 200)
    try:
        urllib.request.urlopen(base + "/matomo.php?rec=1", timeout=10)
        check(False, "no error")
    except urllib.error.HTTPError as error:
        equal(error.code, 400)
    equal(stored(server), ["form", "get"])


@test("wrk: thousands of requests over 64 connections, all answered with success, all stored")
def _(t):
    wrk = t.need("wrk")
    server = t.server()
    said = run(wrk, "-t1", "-c64", "-d2s", f"http://127.0.0.1:{server.port}{hit('wrk')}").decode()
    check("Non-2xx" not in said and "Socket errors" not in said, said)
    count = int(said.split(" requests in ")[0].split()[-1])
    server.stop(120)
    found = len(lake.names(server.lake))
    check(count <= found <= count + 64, f"{count} answered, {found} stored")


if __name__ == "__main__":
    sys.exit(main())
