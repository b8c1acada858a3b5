#!/usr/bin/env python3
# timeout: 700
"""`streamsteam windows backfill`: what came too late for its window is counted after all, whatever is killed; what is newer stays."""
import collections
import datetime
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import compact, lake as lakes, windows_game
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

STEPS, STEP_S, LATE_S, BATCH = 24, 20, 600, 20
FOREVER_S = 10**6


def make(t, modules=(), **config):
    """A server with the guidance's metrics, without lateness: late events are dropped."""
    server = t.server(config={"receivers": {"matomo": None, "game": {"stage": "live"}}, "server": {"journal": {"retain": "1d"}, **config}},
                      modules={"counter": {"use": "null"}, "warehouse": {"receivers": ["metrics"], "batch": {"linger": "10ms"}}, **dict(modules)}, start=False)
    windows_game.add_metrics(server, 0)
    return server.start()


def fill(server, seed, base, steps=STEPS):
    from tests.scenario.test_modes import application  # here, so that its tests are not ours
    rng, known = random.Random(seed), []
    app, key = application(server)
    for i in range(steps):
        windows_game.post(server, app, key, windows_game.batch(rng, BATCH, base + i * STEP_S, STEP_S, known, LATE_S), 60 * slow())
    windows_game.post(server, app, key, [windows_game.event(rng, base + steps * STEP_S + 300)], 60 * slow())  # its own window stays open
    return app


def documents(server):
    return [row["event"] for row in windows_game.journal(server, "metrics")]


def newest(server):
    return windows_game.as_expected(windows_game.newest(documents(server)))


def in_warehouse(server):
    """It keeps the last word of each document: docs/warehouse.md."""
    asked = server.verb("query", "SELECT * FROM metrics", "--format", "json")
    return windows_game.as_expected({k: v for k, v in row.items() if v is not None} for row in json.loads(asked.stdout)) if asked.returncode == 0 else None


def with_lateness(server, lateness_s):
    """What the reference says; with full lateness only what `having` asks for in the end."""
    havings = {m["name"]: m.get("_having", lambda v: True) for m in windows_game.METRICS}
    return {key: last for key, last in windows_game.expected(server, lateness_s).items() if lateness_s == 0 or (last[1] and havings[key[0]](last[1]))}


def iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def backfill(server, base, steps=STEPS, check=True, more=()):
    return server.verb("windows", "backfill", "--from", iso(base - LATE_S - 60), "--to", iso(base + steps * STEP_S + 120), *more, check=check)


def caught_up(server):
    """The module has said all that the events alone make it say."""
    windows_game.until_equal(lambda: newest(server), with_lateness(server, 0), 60 * slow(), "the documents without lateness")


@test("late events are counted after all: the newest documents are those of full lateness, with the server running, killed and stopped", 300)
def _(t):
    base = int(time.time()) // 60 * 60 - 7200
    server = make(t)
    fill(server, 5, base)
    caught_up(server)
    before, want = documents(server), with_lateness(server, FOREVER_S)
    check(newest(server) != want, "no event was late")

    said = backfill(server, base)
    check("windows with" in said.stdout, said.stdout)
    windows_game.until_equal(lambda: newest(server), want, 60 * slow(), "the documents of full lateness")
    windows_game.until_equal(lambda: in_warehouse(server) or {}, want, 60 * slow(), "the warehouse's last words")
    new = documents(server)[len(before):]
    times = collections.Counter((d["METRIC_ID"], d["METRIC_VERSION"]) for d in new)
    equal({n for n in times.values()}, {1}, "a document was handed over twice")
    until(lambda: not list(server.data.glob("modules/windows/backfill-*")), 30 * slow(), "the file to go")
    equal(list(server.data.glob("modules/windows/replay-*")), [])

    again = len(documents(server))
    backfill(server, base)
    until(lambda: len(documents(server)) >= again + len(new), 60 * slow(), "the same documents again")
    equal(sorted(map(str, documents(server)[again:])), sorted(map(str, new)))

    # Killed again and again: a file is taken once, the documents stay right.
    stopped = len(documents(server))
    backfill(server, base)
    for victim in ("module windows", "ingest", "module windows"):
        server.kill_child(victim)
    until(lambda: not list(server.data.glob("modules/windows/backfill-*")), 60 * slow(), "the file to go")
    until(lambda: len(documents(server)) >= stopped + len(new), 60 * slow(), "the documents")
    equal(sorted(map(str, documents(server)[stopped:])), sorted(map(str, new)), "each once, in spite of kills")

    server.stop()
    offline = len(documents(server))
    backfill(server, base)
    equal(len(documents(server)), offline)
    server.start()
    until(lambda: len(documents(server)) >= offline + len(new), 60 * slow(), "the documents after the start")
    equal(newest(server), want)
    server.stop()
    server.verify()


@test("windows that are open still, older than the journal, or not asked for, are left alone; a file that is damaged is kept apart", 120)
def _(t):
    base = int(time.time()) // 60 * 60 - 7200
    server = make(t)
    app = fill(server, 6, base, 9)
    caught_up(server)
    count = len(documents(server))
    said = server.verb("windows", "backfill", "--from", iso(base - 86400), "--to", iso(base - 80000), check=True).stdout
    check("no events of that time" in said, said)
    said = server.verb("windows", "backfill", "--from", iso(base), "--to", iso(base + 60), check=True).stdout
    until(lambda: len(documents(server)) > count, 60 * slow(), "one minute's documents")
    until(lambda: not list(server.data.glob("modules/windows/backfill-*")), 30 * slow(), "the file to go")
    equal({d["METRIC_TIMESTAMP"] for d in documents(server)[count:]}, {iso(base)})
    # The last event's own window is open: the module will say more of it.
    count = len(documents(server))
    server.verb("windows", "backfill", "--from", iso(base + 9 * STEP_S + 240), "--to", iso(base + 9 * STEP_S + 600), check=True)
    until(lambda: "stay as they are" in server.log_text() and not list(server.data.glob("modules/windows/backfill-*")), 30 * slow(), "the file to be looked at")
    equal(len(documents(server)), count)

    (server.data / "modules" / "windows" / "backfill-1-2-0123456789abcdef").write_bytes(b"SSWINDOW")
    until(lambda: list(server.data.glob("modules/windows/refused-*")), 30 * slow(), "the damaged file to be put aside")
    check("run it again" in server.log_text(), "no reason")
    check(app, "an application")


# ---- from a lake ----

LAKE = {"lake": {"receivers": ["game"], "roll": {"age": "300ms"}}}
DAYS_AGO_S = 3 * 86400  # partitions that are closed, so that they are compacted


def values(documents):
    return {key: value for key, (_, value) in documents.items()}


def fill_lake(server, seeds, base):
    """Three cuts and more; the time after all of them."""
    for number, seed in enumerate(seeds):
        fill(server, seed, base + number * 1200, 12)
        count = len(windows_game.journal(server, "game"))
        until(lambda: compact.lines(server.lake).total() == count, 60 * slow(), "the lake to have it all", 0.2)
    return base + len(seeds) * 1200


def from_lake(server, lake, first, last, **more):
    return server.verb("windows", "backfill", "--from", iso(first - LATE_S - 60), "--to", iso(last), "--lake", str(lake), **more)


def newest_cut(lake):
    return max(json.loads(path.read_text())["through"] for path in (lake / "_manifest").glob("*.json"))


@test("from a lake's files: the same documents, with a number that no newer one has; also compacted, and where the journal is gone", 300)
def _(t):
    base = int(time.time()) // 60 * 60 - DAYS_AGO_S
    server = make(t, {**LAKE, "compact": {"lake": "lake", "grace": "0s", "keep": "10m", "every": "200ms", "size": "1MiB"}})
    end = fill_lake(server, (21, 22, 23), base)
    caught_up(server)
    want = values(with_lateness(server, FOREVER_S))
    check(values(newest(server)) != want, "no event was late")
    until(lambda: list((server.lake / "_compact").glob("*.json")), 60 * slow(), "a compaction")
    before, through = documents(server), newest_cut(server.lake)
    said = from_lake(server, server.lake, base, end, check=True).stdout
    check(f"up to record {through}" in said and "lines of the lake" in said, said)
    windows_game.until_equal(lambda: values(newest(server)), want, 60 * slow(), "the documents of full lateness")
    new = documents(server)[len(before):]
    equal({d["METRIC_VERSION"] for d in new}, {through})
    check(all(d["METRIC_VERSION"] <= through for d in before), "the module said something newer")
    windows_game.until_equal(lambda: values(in_warehouse(server) or {}), want, 60 * slow(), "the warehouse's last words")
    from_lake(server, server.lake, base, end, check=True)
    until(lambda: len(documents(server)) >= len(before) + 2 * len(new), 60 * slow(), "the same documents again")
    equal(sorted(map(str, documents(server)[len(before) + len(new):])), sorted(map(str, new)))
    server.stop()

    other = make(t)  # with a journal that knows nothing of it
    from_lake(other, server.lake, base, end, check=True)
    windows_game.until_equal(lambda: values(newest(other)), values(windows_game.as_expected(new)), 60 * slow(), "the documents of another server's lake")


@test("from a lake: what cannot be known is refused with its reason, and what is damaged with its file", 120)
def _(t):
    base = int(time.time()) // 60 * 60 - DAYS_AGO_S
    server = make(t, {**LAKE, "plain": {"use": "lake", "path": "plain", "partition": "%Y/", "receivers": ["game"], "roll": {"age": "300ms"}}})
    end = fill_lake(server, (31,), base)
    plain = server.data / "plain"
    until(lambda: plain.exists() and len(lakes.lines(plain)) == len(lakes.lines(server.lake)), 60 * slow(), "the other lake", 0.2)
    server.stop()
    for lake, text in ((plain, "{receiver}"), (server.data / "nothing", "No such file")):
        result = from_lake(server, lake, base, end)
        check(result.returncode == 1 and text in result.stderr, f"{lake}: {result.stderr}")
    said = from_lake(server, t.tmp, base, end, check=True).stdout
    check("no manifests" in said, said)
    said = from_lake(server, server.lake, base - 86400 * 30, base - 86400 * 20, check=True).stdout
    check(" 0 windows" in said, said)
    victim = max(lakes.objects(server.lake), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-9])
    result = from_lake(server, server.lake, base, end)
    check(result.returncode == 1 and victim.name in result.stderr, result.stderr)
    equal(list(server.data.glob("modules/windows/backfill-*")), [])
    result = from_lake(server, server.lake, base, end)
    check(result.returncode == 1, "again")
    result = server.verb("windows", "backfill", "--from", iso(base), "--to", iso(end), "--lake", str(server.lake), "--accept-damage")
    check(result.returncode == 2 and "put back" in result.stderr, result.stderr)


@test("wrong use and wrong configuration are named")
def _(t):
    server = make(t)
    for words, text in ((("--from", "x", "--to", "2026-01-01"), "are times"), (("--from", "2026-01-02", "--to", "2026-01-01"), "before the second"),
                        (("--from", "2026-01-01"), "are times"), (("--from", "2026-01-01", "--to", "2026-01-02", "--module", "counter"), "no module 'counter'"),
                        (("--from", "2026-01-01", "--to", "2026-01-02", "more"), "--help")):
        result = server.verb("windows", "backfill", *words)
        check(result.returncode == 2 and text in result.stderr, f"{words}: {result.stderr}")
    fill(server, 7, int(time.time()) // 60 * 60 - 7200, 1)
    result = server.verb("journal", "replay", "--module", "windows", "--from", "1", "--to", "1")
    check(result.returncode == 1 and "streamsteam windows backfill" in result.stderr, result.stderr)


if __name__ == "__main__":
    sys.exit(main())
