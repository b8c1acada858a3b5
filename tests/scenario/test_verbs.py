#!/usr/bin/env python3
"""The verbs on a running and on a dead server."""
import json
import os
import subprocess
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until


@test("status tells processes, addresses, positions")
def _(t):
    server = t.server()
    server.hit("a")
    status = server.status()
    text = json.dumps(status)
    for word in ("ingest", "lake", f"127.0.0.1:{server.port}", f"127.0.0.1:{server.admin_port}"):
        check(word in text, f"{word} is not in {text}")
    check(server.verb("status", check=True).stdout.strip(), "nothing for people")
    server.stop()
    result = server.verb("status")
    check(result.returncode != 0 and result.stderr.strip(), "status of a stopped server")


@test("tail shows stored events, --follow as they come, --receiver selects")
def _(t):
    server = t.server()
    server.hit("first")
    said = server.verb("tail", check=True).stdout
    check("first" in said, said)
    follow = subprocess.Popen([str(server.binary), "tail", "--follow", "--receiver", "matomo", "-c", str(server.file)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    t.defer(follow.kill)
    seen = []
    os.set_blocking(follow.stdout.fileno(), False)

    def shown():
        server.hit(f"later{len(seen)}")  # one that came before it began to follow does not count
        seen.append(follow.stdout.read() or b"")
        return b"later" in b"".join(seen)
    until(shown, 20, "an event in tail --follow")
    follow.terminate()
    follow.wait()
    for line in server.verb("tail", check=True).stdout.splitlines():
        json.loads(line)


@test("tail --rejected says why a hit was not stored")
def _(t):
    server = t.server()
    server.hit("bad", idsite="x")
    server.hit("bad", cip="1.2.3.4")
    said = until(lambda: server.verb("tail", "--rejected").stdout, 10, "a rejected hit")
    check("idsite" in said and "cip" in said, said)


@test("send posts a sample and says what came of it")
def _(t):
    server = t.server()
    sample = t.tmp / "sample"
    sample.write_text("?" + http.hit("from-file").partition("?")[2] + "\n")
    result = server.verb("send", sample, text=False)
    equal(result.returncode, 0, result)
    check(b"200" in result.stdout, result)
    result = server.verb("send", "-", stdin=json.dumps({"requests": [http.hit("from-stdin", path="")]}))
    equal(result.returncode, 0, result)
    check('"tracked":1' in result.stdout, result)
    equal(server.verb("send", "-", stdin="?rec=1", text=True).returncode, 1, "a hit that is refused")
    server.stop()
    equal(sorted(lake.names(server.lake)), ["from-file", "from-stdin"])


@test("journal stat, verify and dump, live and dead")
def _(t):
    server = t.server(config={"server": {"journal": {"retain": "1h"}}})
    for i in range(25):
        server.hit(f"j{i}")
    for state in ("live", "dead"):
        check("25" in server.verb("journal", "stat", check=True).stdout, state)
        server.verb("journal", "verify", check=True)
        dumped = [json.loads(line) for line in server.verb("journal", "dump", check=True).stdout.splitlines()]
        text = json.dumps(dumped)
        check(all(f"j{i}" in text for i in range(25)), f"{state}: {text[:500]}")
        if state == "live":
            server.stop()


@test("journal replay delivers a range again, under a prefix of its own")
def _(t):
    server = t.server(config={"server": {"journal": {"retain": "1h"}}})
    for i in range(10):
        server.hit(f"r{i}")
    server.stop()
    equal(len(lake.names(server.lake)), 10)
    before = set(lake.objects(server.lake))
    server.start()
    result = server.verb("journal", "replay", "--help", config=False)
    equal(result.returncode, 0)
    check(before == set(lake.objects(server.lake)), "--help changed the lake")


@test("ledger balances, live and dead, and shows what was delivered")
def _(t):
    server = t.server()
    for i in range(30):
        server.hit(f"l{i}")
    from tests.lib.server import wait_until_lake_holds
    wait_until_lake_holds(server, [f"l{i}" for i in range(30)])
    server.verb("ledger", "--verify", check=True)
    server.stop()
    server.verb("ledger", "--verify", check=True)
    check("30" in server.verb("ledger", check=True).stdout, "30 events are not in the ledger")


@test("quarantine list on a healthy server is empty")
def _(t):
    server = t.server()
    server.hit("a")
    result = server.verb("quarantine", "list", check=True)
    check("event_value_name" not in result.stdout, result.stdout)
    server.stop()
    server.verb("quarantine", "list", check=True)


@test("quarantine list of a module that has not started yet is empty; of one that nobody knows it is an error")
def _(t):
    server = t.server()
    server.stop()
    name, folder = next((path.parent.name, path.parent) for path in sorted(server.data.glob("modules/*/state.db")))
    for path in folder.glob("state.db*"):
        path.unlink()
    equal(server.verb("quarantine", "list", name, check=True).stdout, "")
    result = server.verb("quarantine", "list", "nobody")
    check(result.returncode == 1 and "is it the name of a module" in result.stderr, result.stderr)


if __name__ == "__main__":
    sys.exit(main())
