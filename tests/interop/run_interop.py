#!/usr/bin/env python3
"""Real clients, unchanged, against the real server. The last line is N passed, N failed, N skipped; what was
skipped is named with the reason. One file with_*.py for each client.

Packages are installed once into ${XDG_CACHE_HOME:-~/.cache}/streamsteam, never into the tree."""
import argparse
import importlib
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.interop.peers import INSTALL_TIMEOUT_S
from tests.lib import tap


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="tests whose name contains WORD")
    args = parser.parse_args()
    os.environ["STREAMSTEAM_BUILD"] = str(pathlib.Path(args.build).resolve())
    for path in sorted(HERE.glob("with_*.py")):
        importlib.import_module(f"tests.interop.{path.stem}")
    passed, failed, skipped = 0, 0, []
    for number, (name, function, timeout_s) in enumerate(list(tap.TESTS), 1):  # a test may import a scenario, whose tests are not ours
        if args.only and not any(word in name for word in args.only):
            continue
        outcome = tap.run_one(number, name, function, INSTALL_TIMEOUT_S + timeout_s)
        if outcome == "skipped":
            skipped.append(name)
        passed += outcome == "ok"
        failed += outcome == "failed"
    for name in skipped:
        print(f"skipped: {name}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
