#!/usr/bin/env python3
"""Kills the server at random, or at fault points, under load; afterwards the lake and the warehouse must hold exactly
what was acknowledged.

    crash.py --kills 1000                    SIGKILL of ingest, of the lake module, of the supervisor, of all
    crash.py --kills 1000 --drop-unsynced    as a power cut: what was not synced is gone after each kill of all
    crash.py --kills 1000 --tear             as a power cut that tears: pages that were not synced survive at random
    crash.py --points                        at the 1st, 2nd, 5th passage of every FAULT_POINT in the sources
    crash.py --calls 200                     at random system calls: before the nth write, sync, rename, mkdir,
                                             unlink of ingest or the lake module, each followed by a power cut"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import lake, load as loads
from tests.lib.server import ROOT, Server
from tests.lib.wait import until
from tests.torture.faults import Faults
from tests.torture.power import Power

PASSAGES = (1, 2, 5)
CLIENTS = 4
JOBS = 4  # runs at the same time; they mostly wait
EVENTS_BETWEEN_KILLS = (5, 120)  # a kill comes after so many further acknowledgements
TEARS = (0.0, 0.1, 0.5, 0.9)     # how much of the unsynced a disk had written anyway
CONFIG = {"server": {"journal": {"segment_bytes": "128KiB"}, "drain": "20s"}}
MODULES = {"lake": {"path": "lake", "roll": {"bytes": "128KiB", "age": "1s"}, "max_bytes": "4GiB"}, "counter": {"use": "null", "max_bytes": "4GiB"},
           "warehouse": {"max_bytes": "4GiB", "batch": {"linger": "5ms"}}}


class Failure(Exception):
    pass


def make_server(folder, faults=False, power=None, env=None, preload=()):
    return Server(folder, config=CONFIG, modules=MODULES, faults=faults, preload=[*preload, *([power.shim] if power else [])],
                  env=dict(env or {}, **(power.env if power else {})))


def warehouse_names(server):
    with contextlib.closing(sqlite3.connect(f"file:{server.data / 'warehouse.db'}?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute("SELECT event_value_name FROM matomo")]


def verify(server, load, torn=False):
    """The server is stopped. Raises Failure with every sentence that is wrong. torn: the disk kept parts of frames
    that had not been synced. What is whole of them is kept, because a frame that was acknowledged and damaged later
    looks the same; so such a request, never acknowledged, may be there in part, and verify tells of damage."""
    wrong = loads.problems(load, server.lake, whole_requests=not torn)
    wrong += [f"temporary file left: {path.relative_to(server.data)}" for path in lake.temporaries(server.lake)]
    wrong += [f"the warehouse: {text}" for text in loads.problems_of(load, warehouse_names(server), whole_requests=not torn)]
    try:
        lake.check_manifests(server.lake)
    except AssertionError as error:
        wrong.append(f"manifests: {error}")
    for words in (("ledger", "--verify"),) if torn else (("journal", "verify"), ("ledger", "--verify")):
        result = server.verb(*words)
        if result.returncode != 0:
            wrong.append(f"streamsteam {' '.join(words)} ended with {result.returncode}: {result.stdout}{result.stderr}")
    if wrong:
        raise Failure("\n".join(wrong))


def finish(server, load, torn=False):
    """Ends the load, lets the lake roll, checks."""
    load.stop()
    loads.settle(server)
    verify(server, load, torn)


def restart_after_cut(server, power, rng, tear=False):
    lost = power.cut(rng.choice(TEARS) if tear else 0.0, rng) if power else []
    server.start()
    return lost


def random_kills(folder, kills, seed, drop=False, tear=False, report=None):
    """Returns the load and how often what was killed; raises Failure."""
    rng = random.Random(seed)
    power = Power(folder / "data", folder / "shadow") if drop or tear else None
    server = make_server(folder, power=power)
    load = loads.Load(server, clients=CLIENTS)
    counts = {}
    try:
        server.start()
        load.start()
        for number in range(1, kills + 1):
            load.wait_acknowledged(rng.randint(*EVENTS_BETWEEN_KILLS), 60)
            target = rng.choice(("all",) if power and rng.random() < 0.7 else ("ingest", "module lake", "module counter", "module warehouse", "all", "supervisor"))
            counts[target] = counts.get(target, 0) + 1
            kill(server, target)
            if target in ("all", "supervisor"):
                restart_after_cut(server, power, rng, tear)
            if report and number % 50 == 0:
                report(f"{number} kills, {len(load.acknowledged)} acknowledged")
        load.wait_acknowledged(20, 60)
        finish(server, load, tear)
    finally:
        load.stopping.set()
        server.destroy()
    return load, counts


def kill(server, target):
    if target == "all":
        server.kill_all()
    elif target == "supervisor":
        kill_supervisor(server)
    else:
        server.kill_child(target)


def kill_supervisor(server):
    """Its children learn of it and end by themselves; what they do meanwhile must be right as well."""
    pids = list(server.children().values())
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    server.process = None
    from tests.lib.server import gone
    for pid in pids:
        until(lambda p=pid: gone(p), 60, f"the end of child {pid} after its supervisor's", 0.005)


ELSEWHERE = ("modules/lake/upload.c",  # test_lake_s3_kills.py: these runs have no bucket
             "modules/lake/columnar.c", "plugins/common/parquet.c", "modules/compact/convert.c")  # test_*_parquet_kills.py


def fault_points():
    """{name: file} of every FAULT_POINT("...") in the sources that these runs can come to."""
    found = {}
    for folder in ("core", "plugins", "receivers", "enrichers", "modules"):
        for path in sorted((ROOT / folder).rglob("*.c")):
            for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', path.read_text()):
                found[name] = path.relative_to(ROOT).as_posix()
    return {name: path for name, path in found.items() if path not in ELSEWHERE}


def at_point(folder, name, passage, seed, drop):
    """Returns whether the point was passed; raises Failure."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    once = folder / "once"
    power = Power(folder / "data", folder / "shadow") if drop else None
    env = {"STREAMSTEAM_FAULT": f"{name}:{passage}", "STREAMSTEAM_FAULT_ONCE": str(once)}
    server = make_server(folder, faults=True, power=power, env=env)
    load = loads.Load(server, clients=2)
    dropped = []

    def died():
        """As soon as the point was passed: a power cut, where that is asked for."""
        if once.exists() and drop and not dropped:
            dropped.append(True)
            server.kill_all()
            restart_after_cut(server, power, rng)
        return once.exists()

    try:
        server.start()
        load.start()
        try:
            until(died, 3, "the point", 0.002)
        except AssertionError:
            pass
        load.wait_acknowledged(30, 60)
        if not once.exists():  # points of start and recovery
            server.kill_all()
            if power:
                power.cut(0.0, rng)
            server.start()
            load.wait_acknowledged(30, 60)
            died()
        load.stop()
        if not once.exists():  # points of the stop
            server.stop()
            if drop and once.exists():
                power.cut(0.0, rng)
            server.start()
        finish(server, load)
        return once.exists()
    finally:
        load.stopping.set()
        server.destroy()


def at_call(folder, process, calls, nth, seed):
    """SIGKILL before the nth such call of that process, then a power cut; returns whether it came to that call."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    faults, power = Faults(folder), Power(folder / "data", folder / "shadow")
    rule = faults.add(calls, "kill", path=folder / "data", process=process, nth=nth, times=1)
    server = make_server(folder, power=power, env=faults.env, preload=[faults.shim])
    load = loads.Load(server, clients=2)
    try:
        server.start()
        load.start()
        try:
            until(lambda: faults.hits(rule), 4, "the call", 0.002)
        except AssertionError:
            pass
        load.wait_acknowledged(rng.randint(1, 200), 60)
        server.kill_all()
        faults.off()
        power.cut(0.0, rng)
        server.start()
        load.wait_acknowledged(20, 60)
        finish(server, load)
        return faults.hits(rule) > 0
    finally:
        load.stopping.set()
        server.destroy()


def at_unsynced_commit(folder, process, file, seed):
    """SIGKILL between a commit and its sync, twice: who starts after the first reads what the disk does not have, and goes on
    until it wants to sync itself. Then a power cut. Returns whether it came to that."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    faults, power = Faults(folder), Power(folder / "data", folder / "shadow")
    rule = faults.add("sync", "kill", path=folder / "data" / file, process=process, nth=rng.randint(2, 6), times=2)
    server = make_server(folder, power=power, env=faults.env, preload=[faults.shim])
    load = loads.Load(server, clients=2)
    try:
        server.start()
        load.start()
        try:
            until(lambda: faults.hits(rule) >= 2, 15, "both syncs", 0.002)
        except AssertionError:
            pass
        server.kill_all()
        faults.off()
        power.cut(0.0, rng)
        server.start()
        load.wait_acknowledged(20, 60)
        finish(server, load)
        return faults.hits(rule) >= 2
    finally:
        load.stopping.set()
        server.destroy()


def in_a_folder(function, *arguments):
    """Runs function(folder, *arguments) in a worker process; (result, error or None, folder)."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-crash-"))
    try:
        result, error = function(top / "s", *arguments), None
    except (Failure, AssertionError) as failure:
        result, error = False, str(failure) or repr(failure)
    if not error or not os.environ.get("STREAMSTEAM_KEEP"):
        shutil.rmtree(top, ignore_errors=True)
    return result, error, str(top)


def run_many(jobs, report):
    """jobs: {name: (function, *arguments)}; returns ({name: result}, failures)."""
    results, failures = {}, []
    with concurrent.futures.ProcessPoolExecutor(JOBS) as pool:
        waiting = {pool.submit(in_a_folder, *job): name for name, job in jobs.items()}
        for future in concurrent.futures.as_completed(waiting):
            name = waiting[future]
            results[name], error, folder = future.result()
            if error:
                failures.append(f"{name}: {error}")
                report(failures[-1] + (f"\n  kept: {folder}" if os.environ.get("STREAMSTEAM_KEEP") else ""))
    return results, failures


def run_points(only, passages, drop, seed, report):
    """Returns (runs, failures, points never reached)."""
    points = {n: f for n, f in fault_points().items() if only in n}
    jobs = {(name, passage): (at_point, name, passage, seed, drop) for name in sorted(points) for passage in passages}
    results, failures = run_many(jobs, report)
    unreached = [name for name in sorted(points) if not any(results[name, passage] for passage in passages)]
    return len(jobs), failures, unreached


def run_calls(count, seed, report):
    rng = random.Random(seed)
    jobs = {}
    for number in range(count):
        process, calls = rng.choice(("ingest", "module lake", "module warehouse")), rng.choice(("write", "sync", "sync", "rename", "mkdir", "unlink"))
        nth = 1 + int(rng.expovariate(1 / (2 if calls == "mkdir" else 30)))
        jobs[f"{process}, {calls} {nth} (run {number})"] = (at_call, process, calls, nth, seed + number)
    results, failures = run_many(jobs, report)
    return len(jobs), failures, sum(map(bool, results.values()))


UNSYNCED = {"ledger": ("ingest", "ledger.db-wal"), "warehouse": ("module warehouse", "warehouse.db-wal"),
            "lake's state": ("module lake", "modules/lake/state.db-wal")}


def run_unsynced(each, seed, report):
    """Returns (runs, failures, names never reached)."""
    jobs = {f"{name} (run {number})": (at_unsynced_commit, *where, seed + number) for name, where in UNSYNCED.items() for number in range(each)}
    results, failures = run_many(jobs, report)
    return len(jobs), failures, [name for name in UNSYNCED if not any(results[f"{name} (run {number})"] for number in range(each))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--drop-unsynced", action="store_true")
    parser.add_argument("--tear", action="store_true")
    parser.add_argument("--points", action="store_true")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--point", default="", help="with --points: only those whose name contains this")
    parser.add_argument("--passages", default=",".join(map(str, PASSAGES)))
    parser.add_argument("--keep", action="store_true", help="keep the folder of a failed run")
    args = parser.parse_args()
    os.environ["STREAMSTEAM_BUILD"] = str(pathlib.Path(args.build).resolve())
    os.environ["STREAMSTEAM_FAULTS_BUILD"] = str(pathlib.Path(args.build).resolve()) + "-faults"

    if args.keep:
        os.environ["STREAMSTEAM_KEEP"] = "1"

    def say(text):
        print(text, flush=True)
    say(f"seed {args.seed}")
    start = time.monotonic()
    if args.points or args.calls:
        if args.points:
            runs, failures, unreached = run_points(args.point, [int(p) for p in args.passages.split(",")], args.drop_unsynced, args.seed, say)
            failures += [f"never reached: {name}" for name in unreached]
            say("\n".join(f"never reached: {name}" for name in unreached))
        else:
            runs, failures, reached = run_calls(args.calls, args.seed, say)
            say(f"{reached} of {runs} came to the call")
        say(f"{runs} runs, {len(failures)} failed ({time.monotonic() - start:.0f} s)")
        return 1 if failures or not runs else 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-crash-"))
    try:
        load, counts = random_kills(folder, args.kills, args.seed, args.drop_unsynced, args.tear, say)
        say(f"{args.kills} kills {counts}: {len(load.acknowledged)} acknowledged of {len(load.sent)} sent, each exactly once in "
            f"the lake; answers {dict(load.statuses)}; {time.monotonic() - start:.0f} s")
        say("1 passed, 0 failed")
        return 0
    except (Failure, AssertionError) as error:
        say(f"seed {args.seed}: {error}")
        say(f"kept: {folder}" if args.keep else "run again with --keep and this seed to look at the folder")
        say("0 passed, 1 failed")
        return 1
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
