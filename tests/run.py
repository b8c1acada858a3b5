#!/usr/bin/env python3
"""Runs the tests and ends with one line: N passed, N failed[, N skipped].

Every test file is a program that prints TAP: unit tests (built into BUILD/tests), and the Python files
tests/{house,contract,scenario,torture}/test_*.py. A file that runs no test, dies, or overruns its time is a
failure. A Python file may say `# timeout: 300` (seconds) and `# alone: yes` (nothing runs beside it)."""
import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent
KINDS = ("unit", "house", "contract", "scenario", "torture")
TIMEOUT_S = 240          # per file, where the file does not say otherwise
SANITIZER_FACTOR = 4     # sanitizer builds are slower
OUTPUT_MAX = 64 * 1024   # bytes shown of one file that died
RESULT = re.compile(r"^(ok|not ok)\s+(\d+)?\s*-?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(\s*#\s*skip\s*(.*))?", re.I)
running = set()
running_lock = threading.Lock()


class File:
    def __init__(self, kind, path, name):
        self.kind, self.path, self.name = kind, path, name
        text = path.read_text(errors="replace")[:4096] if path.suffix == ".py" else ""
        said = re.search(r"^# timeout: (\d+)", text, re.M)
        self.timeout_s = int(said.group(1)) if said else TIMEOUT_S
        self.alone = bool(re.search(r"^# alone: yes", text, re.M))
        self.passed, self.skipped, self.failed, self.seconds = [], [], [], 0.0

    def command(self, build):
        if self.kind == "house":
            return [sys.executable, str(self.path), "--build", str(build)]
        return [sys.executable, str(self.path)] if self.path.suffix == ".py" else [str(self.path)]


def find(build, only):
    files = []
    for path in sorted((build / "tests").glob("test_*")):
        if path.is_file() and not path.suffix and os.access(path, os.X_OK):
            files.append(File("unit", path, f"unit/{path.name}"))
    for kind in KINDS[1:]:
        for path in sorted((TESTS / kind).glob("test_*.py")):
            files.append(File(kind, path, f"{kind}/{path.stem}"))
    return [f for f in files if not only or any(chosen(f, o) for o in only)]


def chosen(file, pattern):
    return file.kind == pattern or fnmatch.fnmatch(file.name, pattern) or (pattern not in KINDS and pattern in file.name)


def judge(file, output, code):
    """Reads TAP; comment lines before a result belong to it."""
    planned, comments, count = None, [], 0
    for line in output.splitlines():
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            planned = int(plan.group(1))
            if planned == 0 and plan.group(2):
                file.skipped.append((file.name, plan.group(3) or "no reason given"))
                return
        elif result:
            count += 1
            name, _, directive = result.group(3).partition(" # ")
            if directive.upper().startswith("SKIP"):
                file.skipped.append((name, directive[4:].strip()))
            elif result.group(1) == "ok":
                file.passed.append(name)
            else:
                file.failed.append((name, comments))
            comments = []
        else:
            comments.append(line)
    tail = output[-OUTPUT_MAX:].splitlines()
    if count == 0:
        file.failed.append(("the file runs no test", tail))
    elif planned is not None and planned != count:
        file.failed.append((f"planned {planned} tests, ran {count}", comments or tail))
    elif code != 0 and not file.failed:
        file.failed.append((f"ended with {'signal' if code < 0 else 'exit code'} {abs(code)}", comments or tail))


def run(file, env, factor):
    start = time.monotonic()
    process = subprocess.Popen(file.command(env["STREAMSTEAM_BUILD"]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=TESTS.parent, env=env,
                               start_new_session=True)
    with running_lock:
        running.add(process)
    late = False
    try:
        output, _ = process.communicate(timeout=file.timeout_s * factor)
    except subprocess.TimeoutExpired:
        late = True
        end_group(process)
        output, _ = process.communicate()
    end_group(process)  # whatever the file left behind
    with running_lock:
        running.discard(process)
    judge(file, output.decode(errors="replace"), process.returncode)
    if late:
        file.failed.append((f"did not end within {file.timeout_s * factor} s", output.decode(errors="replace")[-4096:].splitlines()))
    file.seconds = time.monotonic() - start
    return file


def end_group(process):
    """The file's own process group, which start_new_session made."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def show(file, verbose):
    for name, comments in file.failed:
        print(f"FAIL {file.name}: {name}")
        for line in comments:
            print("    " + line)
    if verbose:
        print(f"{'FAIL' if file.failed else 'ok  '} {file.name}: {len(file.passed)} passed, {file.seconds:.1f} s")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="folder of the build (default: build); fault points: BUILD-faults")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="a kind (%s), a glob or a part of a file's name; may be repeated" % ", ".join(KINDS))
    # Most of a test's time goes by waiting.
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="files at the same time")
    parser.add_argument("--verbose", "-v", action="store_true", help="a line per file")
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    sanitizer = "san" in build.name
    env = dict(os.environ, STREAMSTEAM_BUILD=str(build), STREAMSTEAM_FAULTS_BUILD=str(build) + "-faults", PYTHONUNBUFFERED="1",
               PYTHONDONTWRITEBYTECODE="1")
    for name in ("STREAMSTEAM_LISTEN", "STREAMSTEAM_ADMIN", "STREAMSTEAM_DATA", "STREAMSTEAM_FAULT"):
        env.pop(name, None)
    if sanitizer:
        # A preloaded shim comes before the sanitizer's runtime; that order is meant.
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    files = sorted(find(build, args.only), key=lambda f: -f.timeout_s)  # the long ones first: else one of them ends alone
    done = []
    try:
        with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
            for job in [pool.submit(run, f, env, SANITIZER_FACTOR if sanitizer else 1) for f in files if not f.alone]:
                done.append(job.result())
                show(done[-1], args.verbose)
        for file in files:
            if file.alone:
                done.append(run(file, env, SANITIZER_FACTOR if sanitizer else 1))
                show(done[-1], args.verbose)
    except KeyboardInterrupt:
        with running_lock:
            for process in running:
                end_group(process)
        raise SystemExit(130)
    passed = sum(len(f.passed) for f in done)
    failed = sum(len(f.failed) for f in done)
    skipped = [(f, name, why) for f in done for name, why in f.skipped]
    for file, name, why in skipped:
        print(f"skipped {file.name}: {name}: {why}")
    if not done:
        failed += 1
        print(f"FAIL no test file matches in {TESTS} and {build}/tests")
    print(f"{passed} passed, {failed} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
