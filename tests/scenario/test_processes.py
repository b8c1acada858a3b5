#!/usr/bin/env python3
"""The supervisor and its children: names, crashes, reload, stop."""
import json
import os
import signal
import subprocess
import threading
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake, load
from tests.lib.server import gone, wait_until_lake_holds
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until


@test("ps names every process, and children keep the environment")
def _(t):
    server = t.server(env={"TEST_MARK": "kept"}, modules={"lake": {"path": "lake"}, "counter": {"use": "null"}})
    until(lambda: set(server.children()) == {"ingest", "module lake", "module counter"}, 10, "three children")
    said = subprocess.run(["ps", "-o", "args=", "--ppid", str(server.pid)], capture_output=True, text=True).stdout.splitlines()
    equal(sorted(line.strip() for line in said), ["streamsteam: ingest", "streamsteam: module counter", "streamsteam: module lake"])
    for pid in server.children().values():
        check(b"TEST_MARK=kept" in pathlib.Path(f"/proc/{pid}/environ").read_bytes(), "the environment is gone")


@test("no modules and a module that only counts are valid")
def _(t):
    server = t.server(modules={})
    equal(server.hit("a").status, 200)
    equal(set(server.children()), {"ingest"})
    equal(server.stop(), 0)
    server.config["modules"] = {"counter": {"use": "null"}}
    server.write_config()
    server.start()
    equal(server.hit("b").status, 200)
    server.child("module counter")
    equal(server.stop(), 0)
    server.verify()


@test("server.log_level holds in every process")
def _(t):
    def levels(config, process):
        server = t.server(config=config)
        server.hit("a")
        server.stop()
        equal(lake.names(server.lake), ["a"])
        return {line["level"] for line in server.log_lines() if line["process"] == process}
    check("debug" not in levels({}, "module lake"), "debug lines at the default, info")
    check("debug" in levels({"server": {"log_level": "debug"}}, "module lake"), "no debug lines at debug")


@test("healthz and readyz on every listener, metrics on the admin one only")
def _(t):
    server = t.server()
    for admin in (False, True):
        equal(server.get("/healthz", admin=admin).status, 200)
        equal(server.get("/readyz", admin=admin).status, 200)
    answer = server.get("/metrics", admin=True)
    equal(answer.status, 200)
    check(answer.header("Content-Type").startswith("text/plain"), answer)
    equal(server.get("/metrics").status, 404)
    equal(server.get(http.hit("a"), admin=True).status, 404)


@test("metrics count what was taken, in Prometheus' text")
def _(t):
    server = t.server()
    for i in range(7):
        server.hit(f"m{i}")
    server.hit("bad", idsite="x")

    def counted():
        values = server.metrics()
        return [name for name, value in values.items() if value == 7 and "matomo" in name]
    until(counted, 10, "a metric of receiver matomo that says 7")
    text = server.get("/metrics", admin=True).body.decode()
    for line in text.splitlines():
        check(line.startswith(("# HELP streamsteam_", "# TYPE streamsteam_", "streamsteam_")), line)


@test("killed ingest is back at once on the same port, and open connections may retry")
def _(t):
    server = t.server()
    port = server.port
    server.hit("before")
    pid = server.kill_child("ingest")
    until(lambda: server.children().get("ingest") not in (None, pid), 10, "a new ingest")

    def answered():
        try:
            return http.get(port, http.hit("after")).status == 200
        except (OSError, http.Closed):
            return False
    until(answered, 10, "an answer")
    server.stop()
    check({"before", "after"} <= set(lake.names(server.lake)), lake.names(server.lake))


@test("a killed module goes on where it was; ingest does not notice")
def _(t):
    server = t.server()
    ingest = server.child("ingest")
    with load.Load(server, clients=2) as clients:
        for _ in range(3):
            clients.wait_acknowledged(100)
            pid = server.kill_child("module lake")
            until(lambda: server.children().get("module lake") not in (None, pid), 30, "a new lake module")
    equal(server.child("ingest"), ingest)
    server.stop()
    equal(load.problems(clients, server.lake), [])
    server.verify()


@test("SIGTERM: readiness off, requests finish, the lake rolls, exit code 0, no child is left")
def _(t):
    server = t.server(modules={"lake": {"path": "lake", "roll": {"age": "1h"}}})
    children = list(server.children().values())
    with server.connect() as connection:
        connection.send(b"POST /matomo.php?idsite=1&rec=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                        b"Content-Length: 17\r\nExpect: 100-continue\r\n\r\n")
        equal(connection.read_head()[1], 100)  # now it is under way
        connection.send(b"e_c=c&e_a=a&")
        server.signal(signal.SIGTERM)
        until(lambda: closed_to_new(server), 10, "no new connections are served")
        connection.send(b"e_n=x")
        try:
            status = connection.read_answer().status
        except http.Closed:
            status = "closed"
    equal(server.process.wait(60), 0)
    server.process = None
    check(all(gone(pid) for pid in children), "children are left")
    equal(status, 200, "the request that was under way")
    equal(lake.names(server.lake), ["x"])
    server.verify()


def closed_to_new(server):
    try:
        return server.get("/readyz", timeout_s=2).status == 503
    except (OSError, http.Closed):
        return True


@test("a killed supervisor leaves no child behind")
def _(t):
    server = t.server()
    children = list(server.children().values())
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    server.process = None
    until(lambda: all(gone(pid) for pid in children), 30, "the children's end")


@test("two servers cannot share a data directory")
def _(t):
    server = t.server()
    server.hit("a")
    other = t.server(start=False, yaml=json.dumps(server.config))
    other.start(wait=False)
    try:
        check(other.process.wait(10) != 0, "the second server ended well")
        other.process = None
    except subprocess.TimeoutExpired:
        check("public" not in other.read_ports() or not ready(other), "the second server serves")
    equal(server.hit("b").status, 200)


def ready(server):
    server.ports = server.read_ports()
    try:
        return server.get("/readyz", timeout_s=2).status == 200
    except (OSError, http.Closed):
        return False


@test("reload: a new module starts, an unchanged one is not touched, nothing is refused meanwhile")
def _(t):
    server = t.server()
    ingest, lake_pid = server.child("ingest"), server.child("module lake")
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(50)
        server.config["modules"]["counter"] = {"use": "null"}
        server.write_config()
        result = server.reload()
        equal(result.returncode, 0, result.stdout + result.stderr)
        server.child("module counter")
        clients.wait_acknowledged(50)
        equal((server.child("ingest"), server.child("module lake")), (ingest, lake_pid))
        del server.config["modules"]["counter"]
        server.write_config()
        server.signal(signal.SIGHUP)
        until(lambda: "module counter" not in server.children(), 20, "the removed module's end")
        clients.wait_acknowledged(50)
    equal(set(clients.statuses) - {200, 204}, set())
    server.stop()
    equal(load.problems(clients, server.lake), [])


@test("reload: receiver options change for the next request")
def _(t):
    server = t.server()
    server.hit("no", rec=None)
    server.config["receivers"]["matomo"]["require_rec"] = False
    server.write_config()
    equal(server.reload().returncode, 0)
    server.hit("yes", rec=None)
    server.stop()
    equal(lake.names(server.lake), ["yes"])


@test("reload with a wrong file changes nothing and says why")
def _(t):
    server = t.server()
    server.child("module lake", 20)
    before = server.children()
    server.config["modules"]["lake"]["pth"] = "x"
    server.write_config()
    result = server.reload()
    check(result.returncode != 0, "reload took it")
    check("pth" in result.stdout + result.stderr, result)
    server.signal(signal.SIGHUP)
    server.wait_log("pth")
    equal(server.hit("a").status, 200)
    equal(server.children(), before)


if __name__ == "__main__":
    sys.exit(main())
