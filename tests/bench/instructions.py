#!/usr/bin/env python3
"""User instructions per event, counted by valgrind: the same on a busy machine as on a quiet one. The difference of
two runs, so that start-up does not count; the event loop's thread and the committer's. Valgrind counts `rep movs` and
`rep stos` per byte and runs SHA-1 without its CPU instructions.

    instructions.py [--build build] [--top N] [get] [bulk] [game]"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.bench.load import BULK_EVENTS, need, write_inputs

RUNS = {"get": ("queries", 500, 2000, 1), "bulk": ("body", 10, 40, BULK_EVENTS), "game": ("game", 10, 40, BULK_EVENTS)}
RECEIVERS = {"game": "game"}  # else matomo
THREADS = {"loop": "pipeline_handle", "committer": "committer_main"}  # and a function that runs on it alone


def functions(profile):
    """{function: instructions} of one thread."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", "--tree=none", profile], capture_output=True,
                          text=True, check=True).stdout
    found = {}
    for count, name in re.findall(r"^\s*([\d,]+)\s+\(\s*[\d.]+%\)\s+\S*?([^/\s]+:\S+)", text, re.MULTILINE):
        found[name] = found.get(name, 0) + int(count.replace(",", ""))
    return found


def count(build, folder, kind, requests):
    for old in folder.glob("out.*"):
        old.unlink()
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out.%p", "--separate-threads=yes", "-q",
                    build / "bench" / "drive", kind, folder / RUNS[kind][0], build / "plugins" / f"receiver-{RECEIVERS.get(kind, 'matomo')}.so", str(requests)],
                   check=True, cwd=folder)
    ingest = max(int(p.name.split(".")[1].split("-")[0]) for p in folder.glob("out.*-*"))
    threads = [functions(path) for path in sorted(folder.glob(f"out.{ingest}-*"))]
    return {name: next(t for t in threads if any(f.endswith(":" + function) for f in t)) for name, function in THREADS.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="get|bulk|game")
    parser.add_argument("--build", default="build", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--top", type=int, default=15)
    args = parser.parse_args()
    need("valgrind", "callgrind_annotate")
    with tempfile.TemporaryDirectory(prefix="streamsteam-instructions-") as name:
        folder = pathlib.Path(name)
        write_inputs(folder)
        for kind in args.kinds or RUNS:
            _, few, many, events = RUNS[kind]
            before, after = count(args.build, folder, kind, few), count(args.build, folder, kind, many)
            for thread in THREADS:
                each = {f: (n - before[thread].get(f, 0)) / ((many - few) * events) for f, n in after[thread].items()}
                print(f"{kind}, {thread}: {sum(each.values()):.0f} instructions per event")
                for function, n in sorted(each.items(), key=lambda item: -item[1])[:args.top if thread == "loop" else 0]:
                    print(f"{n:10.1f}  {function}")


if __name__ == "__main__":
    main()
