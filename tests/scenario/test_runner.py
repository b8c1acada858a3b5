#!/usr/bin/env python3
"""The test runner: what looks like success without having tested anything is a failure."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib.tap import check, equal, main, test


def run(t, script):
    """The runner on one unit test that is this shell script; (exit code, last line)."""
    folder = t.tmp / "build" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_it").write_text("#!/bin/sh\n" + script)
    (folder / "test_it").chmod(0o755)
    result = subprocess.run([sys.executable, str(ROOT / "tests" / "run.py"), "--build", str(t.tmp / "build"), "--only", "unit"],
                            capture_output=True, text=True, timeout=60, env=dict(os.environ))
    return result.returncode, result.stdout.splitlines()


@test("passed, failed and skipped are counted; a failure shows its comments")
def _(t):
    code, said = run(t, 'echo 1..3; echo "ok 1 - a"; echo "# because"; echo "not ok 2 - b"; echo "ok 3 - c # SKIP no tool"; exit 1')
    equal((code, said[-1]), (1, "1 passed, 1 failed, 1 skipped"))
    check("FAIL unit/test_it: b" in said and "    # because" in said, said)
    code, said = run(t, 'echo 1..1; echo "ok 1 - a"')
    equal((code, said[-1]), (0, "1 passed, 0 failed"))


@test("no test at all, too few tests, a bad end: each is a failure")
def _(t):
    for script in ("exit 0", 'echo 1..2; echo "ok 1 - a"', 'echo 1..1; echo "ok 1 - a"; exit 3', 'echo 1..1; echo "ok 1 - a"; kill -SEGV $$'):
        code, said = run(t, script)
        check(code == 1 and ", 1 failed" in said[-1], f"{script}: {said}")


@test("a pattern that matches nothing is a failure")
def _(t):
    result = subprocess.run([sys.executable, str(ROOT / "tests" / "run.py"), "--build", str(t.tmp), "--only", "nosuchtest"], capture_output=True,
                            text=True, timeout=60)
    equal((result.returncode, result.stdout.splitlines()[-1]), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    sys.exit(main())
