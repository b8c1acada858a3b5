#!/usr/bin/env python3
"""A damaged journal starts, says what is damaged, and keeps every undamaged record."""
import random
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake, load
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

COUNT = 300


def filled(t, segment="64KiB"):
    """A stopped server whose journal holds COUNT events that no module has taken."""
    server = t.server(modules={}, config={"server": {"journal": {"segment_bytes": segment, "retain": "1d"}}})
    with server.connect() as connection:
        for i in range(COUNT):
            equal(connection.get(http.hit(f"n{i}", action_name="x" * 400)).status, 200)
    server.kill_all()
    return server


def with_lake(server):
    server.config["modules"] = {"lake": {"path": "lake", "roll": {"age": "1s"}}}
    server.write_config()
    server.start()
    server.hit("after")
    load.settle(server)
    return set(lake.names(server.lake))


def segments(server):
    return sorted(p for p in (server.data / "journal").iterdir() if p.is_file() and p.stat().st_size > 4096)


def everything():
    return {f"n{i}" for i in range(COUNT)} | {"after"}


@test("undamaged: everything comes, once")
def _(t):
    server = filled(t)
    equal(with_lake(server), everything())
    equal(len(lake.names(server.lake)), COUNT + 1)


@test("one wrong byte in the middle of a line costs that record, and is counted")
def _(t):
    server = filled(t)
    hurt = damage(server, b'"n150"')
    check(hurt, "the record was not found in the journal")
    verify = server.verb("journal", "verify")
    check(verify.returncode != 0, "verify finds nothing")
    found = with_lake(server)
    equal(everything() - found, {"n150"})
    text = server.log_text(all_runs=True)
    check("damaged" in text, "the log does not say it")
    server.verb("ledger", "--verify", check=True)


def damage(server, needle):
    for path in segments(server):
        data = path.read_bytes()
        at = data.find(needle)
        if at >= 0:
            with open(path, "r+b") as file:
                file.seek(at + 1)
                file.write(bytes([data[at + 1] ^ 0x20]))
            return True
    return False


@test("a cut and a garbled tail: what stands before it is kept, the server writes on")
def _(t):
    for kind in ("cut", "garbled"):
        server = filled(t)
        last = max((p for p in segments(server) if b'"n%d"' % (COUNT - 1) in p.read_bytes()), key=lambda p: p.stat().st_mtime)
        data = last.read_bytes()
        at = data.find(b'"n%d"' % (COUNT - 1))
        with open(last, "r+b") as file:
            if kind == "cut":
                file.truncate(at)
            else:
                file.seek(at)
                file.write(random.Random(1).randbytes(min(200, len(data) - at)))
        found = with_lake(server)
        equal((kind, everything() - found), (kind, {f"n{COUNT - 1}"}))


@test("a whole segment of rubbish, a foreign file and an empty segment do not keep it from starting")
def _(t):
    server = filled(t)
    victims = segments(server)
    check(len(victims) > 3, victims)
    lost = victims[1].read_bytes()
    victims[1].write_bytes(random.Random(2).randbytes(len(lost)))
    (server.data / "journal" / "notes.txt").write_text("a foreign file")
    found = with_lake(server)
    for i in range(COUNT):
        if b'"n%d"' % i not in lost:
            check(f"n{i}" in found, f"n{i} is lost, although its segment is whole")


@test("a removed segment is a gap that is counted, the rest is delivered")
def _(t):
    server = filled(t)
    victim = segments(server)[1]
    lost = victim.read_bytes()
    victim.unlink()
    found = with_lake(server)
    for i in range(COUNT):
        if b'"n%d"' % i not in lost:
            check(f"n{i}" in found, f"n{i} is lost, although its segment is there")


@test("random bytes changed anywhere: it starts, and what it delivers was sent")
def _(t):
    for seed in range(3):
        server = filled(t)
        rng = random.Random(seed)
        for path in segments(server):
            data = bytearray(path.read_bytes())
            for _ in range(5):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
        found = with_lake(server)
        check(found <= everything(), f"seed {seed}: {found - everything()}")
        check(len(found) > COUNT // 4, f"seed {seed}: only {len(found)} of {COUNT} are left")
        check("after" in found, f"seed {seed}: does not write on")


if __name__ == "__main__":
    sys.exit(main())
