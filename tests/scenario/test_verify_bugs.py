#!/usr/bin/env python3
"""verify-plugin finds planted bugs, and passes what has none. tests/verify/bugs were written by somebody who had not read the checker; each
says in its first lines what is wrong, by which check and words it is to be found, and (`found with:`) which sanitizer that takes."""
# timeout: 400
import concurrent.futures
import functools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import ROOT, build_dir, slow
from tests.lib.tap import check, equal, main, test

SAMPLES = ROOT / "tests" / "verify"
BUGS = sorted(p for p in (SAMPLES / "bugs").iterdir() if p.suffix in (".c", ".cc"))
GOOD = sorted((SAMPLES / "good").glob("*.c"))
BULK_OPTIONS = ["url: ${env:STREAMSTEAM_REMOTE:-http://127.0.0.1:9000}", "token: a-token-that-nobody-may-see"]
AT_ONCE = 4
PLAIN_MIN = 12  # what the plain build has to find


def sanitizer():
    return {"build-san-thread": "thread", "build-san-address-undefined": "address,undefined"}.get(build_dir().name, "")


def says(source, what):
    found = re.search(rf"^/\* {what}: (.*) \*/$", source.read_text(), re.M)
    return found.group(1) if found else ""


def needs(source):
    return says(source, "found with")


def kind(source):
    return re.search(r"SAMPLE_(RECEIVER|ENRICHER|MODULE)\(|SAMPLE_DESCRIPTOR\(SS_(\w+)", source.read_text()).group(1, 2)


def build(source, folder):
    name = next(filter(None, kind(source))).lower()
    plugin = folder / f"{name}-{source.stem}.so"
    compiler = ["g++", "-std=c++20", "-Wno-missing-field-initializers"] if source.suffix == ".cc" else ["gcc", "-std=c11"]
    flags = ["-D_GNU_SOURCE", "-fPIC", "-shared", "-O1", "-g", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}"]
    flags += [f"-fsanitize={sanitizer()}"] if sanitizer() else []
    made = subprocess.run([*compiler, *flags, "-o", plugin, source, "-lpthread"], capture_output=True, text=True)
    equal(made.returncode, 0, f"{source.name}: {made.stderr}")
    return name, plugin


def verify(source, folder):
    """The checker's report of one sample."""
    name, plugin = build(source, folder)
    options = BULK_OPTIONS if "bulk.h" in source.read_text() else list(filter(None, [says(source, "example")]))
    words = []
    if options:
        example = folder / f"{source.stem}.yaml"
        example.write_text(f"{name}s:\n  {source.stem}:\n    use: {plugin}\n" + "".join(f"    {line}\n" for line in options))
        words = ["--config", example]
    result = subprocess.run([build_dir() / "bin" / "streamsteam", "verify-plugin", plugin, *words, "--json"], capture_output=True, text=True,
                            timeout=200 * slow())
    return result.returncode, json.loads(result.stdout)


def fits(source):
    """What a sanitizer finds is looked for in its build, the rest in the plain one."""
    return needs(source) == "" if not sanitizer() else source in GOOD or needs(source) in sanitizer().split(",")


@functools.cache
def reports():
    """Of all samples that this build is for, several at once: most of the time goes by waiting for a remote end."""
    with tempfile.TemporaryDirectory(prefix="streamsteam-verify-") as top, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {s: pool.submit(verify, s, pathlib.Path(top)) for s in BUGS + GOOD if fits(s)}
        return {s: r.exception() or r.result() for s, r in running.items()}


def report(t, source):
    t.need("g++" if source.suffix == ".cc" else "gcc")
    if not fits(source):
        t.skip(f"this takes the build with -fsanitize={needs(source)}" if needs(source) else "looked for in the plain build")
    got = reports()[source]
    if isinstance(got, Exception):
        raise got
    return got


for sample in BUGS:
    @test(f"{sample.stem}: {says(sample, 'bug')}", timeout_s=300)
    def _(t, source=sample):
        code, said = report(t, source)
        wrong = [c for c in said["checks"] if c["result"] == "failed"]
        by, _, words = says(source, "found by").partition(" | ")
        check(any(by in c["check"] and words in c["text"] for c in wrong), f"not found by {by!r} with {words!r}, but {wrong}")
        equal(code, 1)

for sample in GOOD:
    @test(f"{sample.stem} has no known bug and passes", timeout_s=300)
    def _(t, source=sample):
        code, said = report(t, source)
        equal([c for c in said["checks"] if c["result"] == "failed"], [])
        equal(code, 0)


@test("at least twelve of them are found without a sanitizer")
def _(t):
    check(sum(needs(s) == "" for s in BUGS) >= PLAIN_MIN, "too few")
    equal(sorted({"receiver", "enricher", "module"} - {next(filter(None, kind(s))).lower() for s in GOOD}), [])


if __name__ == "__main__":
    sys.exit(main())
