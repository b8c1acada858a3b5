#!/usr/bin/env python3
"""A disk that is full, slow or failing: nothing acknowledged is lost, and the server recovers by itself."""
import errno
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake, load
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until
from tests.torture.faults import Faults


def faulty_server(t, **options):
    faults = Faults(t.tmp)
    return faults, t.server(preload=[faults.shim], env=faults.env, **options)


def status_of(server, name):
    try:
        return server.hit(name).status
    except (OSError, http.Closed):
        return 0


@test("a full disk: 503 with Retry-After, not ready; recovery when there is room; nothing acknowledged is lost")
def _(t):
    faults, server = faulty_server(t, config={"server": {"journal": {"segment_bytes": "64KiB"}}})
    rules = faults.add(["write", "allocate"], "grow", errno.ENOSPC, server.data, on=False)
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(100)
        faults.on(rules)
        until(lambda: clients.statuses[503] > 5, 30, "a 503")
        answer = server.hit("probe")
        equal(answer.status, 503)
        check(int(answer.header("Retry-After", "0")) > 0, answer)
        equal(server.get("/readyz").status, 503)
        equal(server.get("/healthz").status, 200)
        faults.off(rules)
        until(lambda: status_of(server, "probe2") == 200, 30, "recovery")
        equal(server.get("/readyz").status, 200)
        clients.wait_acknowledged(100)
    clients.sent.update(("probe", "probe2"))
    server.stop()
    equal(load.problems(clients, server.lake), [])
    server.verify()


@test("a failed sync of the journal: not acknowledged, not retried on that segment, said, and then it goes on")
def _(t):
    faults, server = faulty_server(t)
    server.hit("before")
    rule = faults.add("sync", error=errno.EIO, path=".seg", process="ingest", times=1)
    status = status_of(server, "during")
    until(lambda: faults.hits(rule) > 0, 10, "the failed sync")
    check(status not in (200, 204), f"acknowledged with {status} although the sync failed")
    until(lambda: status_of(server, "after") == 200, 30, "recovery")
    server.wait_log("sync")
    server.stop()
    names = lake.names(server.lake)
    check({"before", "after"} <= set(names), names)
    equal(len(names), len(set(names)))
    server.verify()


@test("short writes of journal and lake are completed")
def _(t):
    faults, server = faulty_server(t)
    faults.add("write", "short", path=server.data / "journal")
    faults.add("write", "short", path=server.data / "lake")
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(200)
    server.stop()
    equal(load.problems(clients, server.lake), [])
    lake.check_manifests(server.lake)
    server.verify()


@test("write errors of the journal under load lose nothing that was acknowledged")
def _(t):
    faults, server = faulty_server(t)
    with load.Load(server, clients=2) as clients:
        for error in (errno.EIO, errno.ENOSPC):
            clients.wait_acknowledged(50)
            rule = faults.add("write", error=error, path=server.data / "journal", process="ingest", times=2)
            until(lambda r=rule: faults.hits(r) > 0, 20, "the failed write")
            clients.wait_acknowledged(50, 60)
    server.stop()
    equal(load.problems(clients, server.lake), [])
    server.verify()


@test("the lake's own errors (write, sync, rename, open) delay it and lose nothing")
def _(t):
    for calls in ("write", "sync", "rename", "open"):
        faults, server = faulty_server(t, modules={"lake": {"path": "lake", "roll": {"age": "1s"}, "retry": {"max": "500ms"}}})
        rule = faults.add(calls, error=errno.EIO, path=server.data / "lake", process="module lake", times=3)
        with load.Load(server, clients=1) as clients:
            clients.wait_acknowledged(50)
            until(lambda: faults.hits(rule) > 0, 20, f"a failed {calls}")
        check(server.hit(f"still-{calls}").status == 200, "ingest is disturbed by the lake")
        clients.acknowledged.add(f"still-{calls}")
        clients.sent.add(f"still-{calls}")
        faults.off()
        load.settle(server)
        equal((calls, load.problems(clients, server.lake)), (calls, []))
        equal(lake.temporaries(server.lake), [])
        server.verify()
        faults.path.unlink()


@test("a sync that fails once at a module's start is not a refusal: started again soon")
def _(t):
    for place in ("modules", "lake"):
        faults, server = faulty_server(t)
        pid = server.child("module lake")
        server.wait_log("module lake is ready")
        rule = faults.add("sync", path=server.data / place, process="module lake", times=1)
        os.kill(pid, signal.SIGKILL)
        ended = server.wait_log("module lake ended with (exit code .*); started again in ([0-9]+) ms: .* sync ")
        equal((ended[1], faults.hits(rule)), ("exit code 1", 1))
        check(int(ended[2]) < 1000, f"the next start was {ended[2]} ms away")
        until(lambda n=place: server.hit(n).status == 200, 10, "a 200")
        load.settle(server)
        equal(lake.names(server.lake), [place])
        faults.path.unlink()


@test("a sync that fails once while the lake seals: another process does the cut again, nothing lost or double")
def _(t):
    # The bytes of an object, the manifest, and the directories of both after the rename.
    for place in ("0.tmp", "manifest.tmp", "/day=", "/_manifest"):
        faults, server = faulty_server(t, modules={"lake": {"path": "lake", "roll": {"age": "300ms"}}})
        pid = server.child("module lake")
        with load.Load(server, clients=1) as clients:
            clients.wait_acknowledged(50)
            until(lambda s=server: lake.names(s.lake), 20, "a first cut")
            rule = faults.add("sync", path=place, process="module lake", times=1)
            until(lambda r=rule: faults.hits(r) > 0, 20, f"a failed sync of {place}")
            server.wait_log("module lake ended with exit code 1")
            until(lambda s=server, p=pid: s.children().get("module lake") not in (None, p), 20, "a new lake module")
            clients.wait_acknowledged(50)
        equal(faults.hits(rule), 1)
        server.wait_log("doing the cut .* again")
        load.settle(server)
        equal((place, load.problems(clients, server.lake)), (place, []))
        equal(lake.temporaries(server.lake), [])
        lake.check_manifests(server.lake)
        server.verify()
        faults.path.unlink()


@test("a slow disk delays answers, it does not refuse them")
def _(t):
    faults, server = faulty_server(t)
    faults.add("sync", "delay", path=server.data / "journal", process="ingest", delay_us=50000)
    with load.Load(server, clients=8) as clients:
        clients.wait_acknowledged(200, 60)
    equal(set(clients.statuses) - {200, 204}, set())
    server.stop()
    equal(load.problems(clients, server.lake), [])


@test("journal.max_bytes: beyond it 503, below it again 200")
def _(t):
    server = t.server(config={"server": {"journal": {"segment_bytes": "64KiB", "max_bytes": "1MiB", "retain": "0s"}}},
                      modules={"lake": {"path": "lake", "roll": {"age": "1h"}}})
    os.kill(server.child("module lake"), 19)  # SIGSTOP: an output that stands still
    with load.Load(server, clients=2) as clients:
        until(lambda: clients.statuses[503] > 3, 60, "a 503")
        os.kill(server.child("module lake"), 18)
        clients.stop()
    answer = server.get("/healthz")
    equal(answer.status, 200)
    server.stop()
    equal(load.problems(clients, server.lake), [])
    server.start()
    until(lambda: status_of(server, "again") == 200, 30, "room in the journal")


if __name__ == "__main__":
    sys.exit(main())
