#!/usr/bin/env python3
"""Hostile plugins are contained: nothing acknowledged is lost, the others go on, the log names the culprit, a poison
record ends in quarantine, and what crashes again and again is parked."""
# timeout: 480
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake, load
from tests.lib.server import build_dir, sanitized, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

# What it does, and what the log says of it where a receiver or an enricher does it. Closing all descriptors also closes
# the listening sockets, and names nobody: which call did it is not known any more when it is noticed.
ACTS = {
    "null": "signal 11 .*",
    "abort": "signal 6 .*",
    "exit": "exit code 4",
    "quick": "exit code 0",
    "loop": "a callback that overran its deadline.*",
    "leak": "signal 11 .*",
    "close": None,
    "blocked": "signal 11 .*",
    "blockedloop": "a callback that overran its deadline.*",
    "throw": "signal 6 .*",
}
HITS = 5


def plugin(kind):
    return str(build_dir() / "tests" / "contract" / f"plugin_hostile_{kind}.so")


def acts():
    # A sanitizer's runtime has its own idea of memory limits, and reports through descriptors.
    return {a: log for a, log in ACTS.items() if not (sanitized() and a in ("leak", "close", "blocked"))}


def status_of(port, target):
    try:
        return http.get(port, target).status
    except (OSError, http.Closed):
        return 0


def hits_around(server, target):
    """Hits that are acknowledged before and after a request that does harm; returns their names."""
    names = []
    for i in range(HITS):
        equal(server.hit(f"before{i}").status, 200)
        names.append(f"before{i}")
    pid = server.child("ingest")
    status_of(server.port, target)
    until(lambda: server.children().get("ingest") not in (None, pid), 30 * slow(), "a new ingest")
    for i in range(HITS):
        until(lambda n=i: status_of(server.port, http.hit(f"after{n}")) == 200, 30 * slow(), "a 200")
        names.append(f"after{i}")
    return names


def ingest_case(t, act, log, config, target, culprit):
    server = t.server(config=config | {"server": {"memory": "512MiB"}})
    names = hits_around(server, target)
    if log and sanitized():  # its runtime has a way of its own to end a process
        log = f"({log}|exit code \\d+)"
    if log:
        server.wait_log(f"ingest ended with {log} in {culprit}; started again")
    equal(server.stop(), 0)
    stored = sorted(n for n in lake.names(server.lake) if n.startswith(("before", "after")))
    equal(stored, sorted(names))


for act, log in acts().items():
    @test(f"receiver: {act}")
    def _(t, act=act, log=log):
        ingest_case(t, act, log, {"receivers": {"matomo": {}, "hostile": {"use": plugin("receiver")}}}, f"/hostile?do={act}",
                    "receive of receiver hostile")

    @test(f"enricher: {act}")
    def _(t, act=act, log=log):
        config = {"enrichers": {"hostile": {"use": plugin("enricher")}},
                  "receivers": {"matomo": {}, "victim": {"use": "matomo", "enrich": ["hostile"], "routes": {r: f"/victim{i}" for i, r in enumerate(
                      ("/matomo.php", "/piwik.php", "/matomo-event-receiver", "/matomo", "/js", "/js/tracker.php"))}}}}
        ingest_case(t, act, log, config, f"/victim0?idsite=1&rec=1&action_name={act}", "enrich of enricher hostile")


def quarantined(server):
    result = server.verb("quarantine", "list", "hostile")
    return [line for line in result.stdout.splitlines() if "crashed the module" in line]


for act in acts():
    @test(f"module: {act}")
    def _(t, act=act):
        server = t.server(config={"server": {"memory": "512MiB"}},
                          modules={"lake": {"path": "lake", "roll": {"age": "1s"}},
                                   "hostile": {"use": plugin("module"), "memory": "256MiB", "deadline": "500ms"}})
        names = [f"hit{i}" for i in range(3)]
        for name in names[:2]:
            equal(server.hit(name).status, 200)
        equal(server.get(http.hit(act) + f"&e_c={act}").status, 200)
        equal(server.hit(names[2]).status, 200)
        until(lambda: {m["name"]: m for m in server.status()["modules"]}["hostile"]["cursor"] == 4, 60 * slow(), "the hostile module past its poison")
        equal(len(quarantined(server)), 1)
        server.wait_log("module hostile: record 3 crashed it")
        load.settle(server)
        equal(sorted(n for n in lake.names(server.lake) if n.startswith("hit")), names)
        ledger = subprocess.run([server.binary, "ledger", "--verify", "-d", server.data], capture_output=True, text=True)
        equal(ledger.returncode, 0, ledger.stdout + ledger.stderr)


if __name__ == "__main__":
    sys.exit(main())
