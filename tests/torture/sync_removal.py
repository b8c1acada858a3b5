#!/usr/bin/env python3
"""Removing any one sync must be noticed: for each place that syncs, the power-cut test runs as if that sync
were not in the program, and must fail. A class for which it passes is a sync that nothing proves.

    sync_removal.py [--class NAME]"""
import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import load as loads
from tests.lib.wait import until
from tests.torture import crash
from tests.torture.power import Power

# name -> what the shim is to ignore. Paths are below the data directory; fnmatch's * also matches '/'.
CLASSES = {
    "journal-data": "file:journal/*",
    "journal-dir": "dir:journal",
    "lake-data": "file:lake/_tmp/*.part*;file:lake/_tmp/*.gz*;file:lake/_tmp/*/[0-9]*",
    "lake-dir": "dir:lake/matomo*",
    "manifest-data": "file:lake/_tmp/*manifest*",
    "manifest-dir": "dir:lake/_manifest",
    "lake-top-dir": "dir:lake",
    "state-db": "file:modules/*/state.db*",
    "state-dir": "dir:modules*",
    "data-dir": "dir:.",
    "ledger-db": "file:ledger.db*",
}
NOTHING = ""  # no sync removed: the counter-check
ATTEMPTS = 6  # a loss must show in one of so many runs


def unnoticed(folder, name, seed):
    """One run with that sync removed; returns None, or how the loss was noticed."""
    rng = random.Random(seed)
    power = Power(folder / "data", folder / "shadow", CLASSES.get(name, NOTHING))
    server = crash.make_server(folder, power=power)
    load = loads.Load(server, clients=2)
    try:
        server.start()
        load.start()
        for _ in range(3):
            load.wait_acknowledged(rng.randint(50, 400), 60)
            if rng.random() < 0.7:  # after a cut of the lake was sealed, too
                count = len(list(server.lake.rglob("_manifest/*.json")))
                until(lambda: len(list(server.lake.rglob("_manifest/*.json"))) > count, 20, "a sealed cut", 0.002)
            # A ledger matters once a segment was retired; a lost position is harmless while the journal still has
            # everything, because the same cuts are made again under the same names.
            if name in ("ledger-db", "state-db", "state-dir"):
                oldest = min((server.data / "journal").glob("*.seg"))
                until(lambda: not oldest.exists(), 40, "the end of the oldest segment")
            server.kill_all()
            power.cut(0.0, rng)
            server.start()
        load.wait_acknowledged(20, 60)
        crash.finish(server, load)
        return None
    except (crash.Failure, AssertionError) as error:
        return str(error) or "failed"
    finally:
        load.stopping.set()
        server.destroy()


def noticed(name, seed, attempts=ATTEMPTS):
    """How the removal of the sync `name` showed, or None where it never did."""
    for attempt in range(attempts):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-sync-"))
        try:
            how = unnoticed(folder, name, seed + attempt)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if how:
            return how
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--class", dest="name", choices=sorted(CLASSES))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.environ["STREAMSTEAM_BUILD"] = str(pathlib.Path(args.build).resolve())
    missed = 0
    for name in [args.name] if args.name else CLASSES:
        how = noticed(name, args.seed)
        missed += how is None
        print(f"{name}: " + ("NOT NOTICED" if how is None else "noticed: " + how.splitlines()[0][:150]), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
