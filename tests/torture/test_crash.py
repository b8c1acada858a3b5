#!/usr/bin/env python3
"""100 random kills under load, and a kill at every fault point: the lake holds exactly what was acknowledged."""
# timeout: 1200
# alone: yes
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import build_dir
from tests.lib.tap import check, main, test
from tests.torture import crash

KILLS = int(os.environ.get("STREAMSTEAM_TEST_KILLS", "100"))  # of each kind
CALLS = 24
SEED = int(os.environ.get("STREAMSTEAM_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@test(f"{KILLS} random kills: every acknowledged event is in the lake exactly once", timeout_s=300)
def _(t):
    print(f"# seed {SEED}")
    load, counts = crash.random_kills(t.tmp / "s", KILLS, SEED, drop=False)
    print(f"# {counts}: {len(load.acknowledged)} acknowledged of {len(load.sent)} sent")


@test(f"{KILLS} power cuts and kills: what was acknowledged had been synced", timeout_s=300)
def _(t):
    print(f"# seed {SEED}")
    load, counts = crash.random_kills(t.tmp / "s", KILLS, SEED, drop=True)
    print(f"# {counts}: {len(load.acknowledged)} acknowledged of {len(load.sent)} sent")


@test(f"{KILLS} power cuts that tear: what the disk wrote by itself confuses nothing", timeout_s=300)
def _(t):
    print(f"# seed {SEED}")
    load, counts = crash.random_kills(t.tmp / "s", KILLS, SEED, tear=True)
    print(f"# {counts}: {len(load.acknowledged)} acknowledged of {len(load.sent)} sent")


def points(t, drop):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    check(crash.fault_points(), "the sources have no FAULT_POINT")
    runs, failures, unreached = crash.run_points("", (1,) if drop else (2,), drop, SEED, lambda text: None)
    check(not failures, "\n".join(failures))
    print(f"# {runs} runs; never reached: {', '.join(unreached) or 'none'}")


@test("a kill at every fault point loses and doubles nothing", timeout_s=600)
def _(t):
    points(t, drop=False)


@test("a power cut at every fault point loses and doubles nothing", timeout_s=600)
def _(t):
    points(t, drop=True)


@test(f"{CALLS} kills before a random system call, each with a power cut after it", timeout_s=300)
def _(t):
    print(f"# seed {SEED}")
    runs, failures, reached = crash.run_calls(CALLS, SEED, lambda text: None)
    check(not failures, "\n".join(failures))
    check(reached > runs / 3, f"only {reached} of {runs} came to the call")


@test("a commit that a dead process left unsynced is nobody's foundation: killed before its sync, then a power cut", timeout_s=200)
def _(t):
    print(f"# seed {SEED}")
    runs, failures, unreached = crash.run_unsynced(4, SEED, lambda text: None)
    check(not failures, "\n".join(failures))
    check(not unreached, f"never came to a sync of {', '.join(unreached)}")


if __name__ == "__main__":
    sys.exit(main())
