"""The official JSON-Schema-Test-Suite, draft 2020-12, through `streamsteam schema-check --cases`. It comes with the source
package of PyPI's jsonschema. What is left out is named, with the keyword that is the reason."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tarfile

from tests.lib import cache
from tests.lib.tap import check, equal, test

PACKAGE, VERSION = "jsonschema", "4.26.0"
FOLDER = "json/tests/draft2020-12"
# Whole files about keywords that are not supported.
LEFT_OUT = {"dynamicRef.json", "refRemote.json", "unevaluatedItems.json", "unevaluatedProperties.json", "vocabulary.json"}
# In the other files a few cases use one of these beside what they test.
UNSUPPORTED = {"unevaluatedProperties", "unevaluatedItems", "$ref to another document", "$dynamicRef", "$dynamicAnchor", "$schema", "dependencies", "format"}


def suite(t):
    def fill(work):
        cache.fetch(t, PACKAGE, [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE, "-d", work, f"{PACKAGE}=={VERSION}"], 300)
        archive = work / f"{PACKAGE}-{VERSION}.tar.gz"
        with tarfile.open(archive) as tar:
            tar.extractall(work, [m for m in tar.getmembers() if m.name.startswith(f"{PACKAGE}-{VERSION}/{FOLDER}") and m.isfile()])
        return work / f"{PACKAGE}-{VERSION}"
    return cache.once(t, f"{PACKAGE}-{VERSION}", fill) / FOLDER


def cases(folder):
    for path in sorted(folder.glob("*.json")):
        for group in json.loads(path.read_text()):
            for one in group["tests"]:
                yield path.name, f"{path.name}: {group['description']}: {one['description']}", group["schema"], one["data"], one["valid"]


def run(t, folder, *flags, left_out=()):
    """All cases in one process; says what it counted. (passed, failed ones)"""
    chosen = [c for c in cases(folder) if c[0] not in left_out]
    binary = pathlib.Path(os.environ["STREAMSTEAM_BUILD"]) / "bin" / "streamsteam"
    text = "".join(json.dumps({"schema": schema, "data": data}) + "\n" for _, _, schema, data, _ in chosen)
    result = subprocess.run([str(binary), "schema-check", "--cases", "-", *flags], input=text, capture_output=True, text=True, timeout=120)
    said = result.stdout.rstrip("\n").split("\n")
    equal((result.returncode, len(said)), (0, len(chosen)), result.stderr)
    passed, failed, unsupported = 0, [], collections.Counter()
    for (file, name, _, _, valid), line in zip(chosen, said):
        word, _, rest = line.partition(" ")
        keyword = rest.removeprefix("unsupported keyword ").split(" of value")[0].split(", \"")[0].split(" at ")[0]
        if word == "unsupported" and keyword in UNSUPPORTED:
            unsupported[f"{file}: {keyword}"] += 1
        elif word == ("valid" if valid else "invalid"):
            passed += 1
        else:
            failed.append(f"{name}: {line}")
    print(f"# {len(chosen)} cases of {folder.name}: {passed} passed, {len(failed)} failed, {sum(unsupported.values())} unsupported")
    for name in sorted(left_out):
        print(f"#   left out: {name}")
    for what, count in sorted(unsupported.items()):
        print(f"#   left out: {what} ({count})")
    return passed, failed


@test("JSON-Schema-Test-Suite, draft 2020-12, required", 360)
def _(t):
    passed, failed = run(t, suite(t), "--no-format", left_out=LEFT_OUT)
    equal(failed, [])
    check(passed > 900, f"only {passed} cases: the suite is not whole")


@test("JSON-Schema-Test-Suite, draft 2020-12, optional", 360)
def _(t):
    passed, failed = run(t, suite(t) / "optional", "--no-format")
    equal(failed, [])
    check(passed > 100, f"only {passed} cases: the suite is not whole")


@test("JSON-Schema-Test-Suite, draft 2020-12, formats asserted", 360)
def _(t):
    passed, failed = run(t, suite(t) / "optional" / "format")
    equal(failed, [])
    check(passed > 350, f"only {passed} cases: the suite is not whole")
