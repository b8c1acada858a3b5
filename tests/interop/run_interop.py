#!/usr/bin/env python3
"""Real clients, unchanged, against the real server. The last line is N passed, N failed, N skipped; what was
skipped is named with the reason. One file with_*.py for each client; each runs in a process of its own, a few at once.

Packages are installed once into ${XDG_CACHE_HOME:-~/.cache}/streamsteam, never into the tree."""
import argparse
import concurrent.futures
import importlib
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.interop.peers import INSTALL_TIMEOUT_S
from tests.lib import tap
from tests.run import end_group

AT_ONCE = os.cpu_count() or 1  # more would need more memory than a small machine has: some peers take 2 GB
FIRST = ("with_flink", "with_spark_jobs", "with_spark")  # they take the longest
END = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def run_file(name, only):
    """In the process of this file alone."""
    importlib.import_module(f"tests.interop.{name}")
    passed, failed, skipped = 0, 0, 0
    for number, (title, function, timeout_s) in enumerate(list(tap.TESTS), 1):  # a test may import a scenario, whose tests are not ours
        if only and not any(word in title for word in only):
            continue
        outcome = tap.run_one(number, title, function, INSTALL_TIMEOUT_S + timeout_s)
        passed += outcome == "ok"
        failed += outcome == "failed"
        skipped += outcome == "skipped"
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


class Child:
    """One file's process; what it leaves behind ends with it."""

    def __init__(self, name, args):
        self.name, self.words = name, [sys.executable, __file__, "--build", args.build, "--file", name, *(f"--only={word}" for word in args.only)]
        self.process, self.output, self.seconds, self.stopped = None, "", 0.0, False

    def run(self):
        if self.stopped:
            return self
        start = time.monotonic()
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        self.output, _ = self.process.communicate()
        self.end()
        self.seconds = time.monotonic() - start
        return self

    def end(self):
        self.stopped = True
        if self.process:
            end_group(self.process)

    def counts(self):
        """(passed, failed, skipped); who dies before the last line has failed."""
        last = END.match(self.output.rstrip().rpartition("\n")[2])
        return tuple(map(int, last.groups())) if last else (0, 1, 0)

    def show(self):
        lines = self.output.rstrip().splitlines()
        body = lines[:-1] if lines and END.match(lines[-1]) else [*lines, f"not ok - {self.name} ended with {self.process.returncode}"]
        if body:
            print(f"{self.name}, {self.seconds:.0f} s:", *body, sep="\n", flush=True)


def run_all(args):
    names = sorted((path.stem for path in HERE.glob("with_*.py")), key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    children = [Child(name, args) for name in names]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            for job in concurrent.futures.as_completed([pool.submit(child.run) for child in children]):
                job.result().show()
        except KeyboardInterrupt:
            for child in children:
                child.end()
            raise SystemExit(130) from None
    for name, why in re.findall(r"^ok \d+ - (.*) # SKIP (.*)$", "\n".join(child.output for child in children), re.M):
        print(f"skipped: {name}: {why}")
    passed, failed, skipped = map(sum, zip(*(child.counts() for child in children)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="tests whose name contains WORD")
    parser.add_argument("--file", metavar="WITH_NAME", help="this file alone, here")
    parser.add_argument("--jobs", type=int, default=AT_ONCE, help="files at the same time")
    args = parser.parse_args()
    args.build = str(pathlib.Path(args.build).resolve())
    os.environ["STREAMSTEAM_BUILD"] = args.build
    return run_file(args.file, args.only) if args.file else run_all(args)


if __name__ == "__main__":
    sys.exit(main())
