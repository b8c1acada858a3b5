#!/usr/bin/env python3
"""The shipped plugins keep the contract: `streamsteam verify-plugin` says so of each."""
# timeout: 480
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import mmdb
from tests.lib.regexes import regexes
from tests.lib.server import build_dir, slow
from tests.lib.tap import check, equal, main, test

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "verify"  # NAME.yaml: options for plugins that need some


def verify(plugin, *words, **env):
    return subprocess.run([build_dir() / "bin" / "streamsteam", "verify-plugin", plugin, *words], capture_output=True, text=True,
                          timeout=400 * slow(), env=dict(os.environ, **env))


for plugin in sorted((build_dir() / "plugins").glob("*.so")):
    @test(f"{plugin.stem} keeps the contract", timeout_s=400)
    def _(t, plugin=plugin):
        example = EXAMPLES / f"{plugin.stem}.yaml"
        database = t.tmp / "geo.mmdb"
        database.write_bytes(mmdb.build({"192.0.2.0/24": {"country": {"iso_code": "DE"}}}))
        result = verify(plugin, *(["--config", example] if example.exists() else []), "--json", STREAMSTEAM_TEST_DATABASE=str(database), STREAMSTEAM_TEST_REGEXES=str(regexes(t)))
        said = json.loads(result.stdout)
        wrong = [c for c in said["checks"] if c["result"] == "failed"]
        equal(wrong, [])
        check(said["passed"] >= 10, said)
        equal(result.returncode, 0)


@test("what is no plugin is refused with the reason, for people and for programs")
def _(t):
    file = t.tmp / "module-nothing.so"
    file.write_text("no ELF")
    result = verify(file)
    equal(result.returncode, 1)
    check("module-nothing.so" in result.stdout and "failed" in result.stdout, result.stdout)
    said = json.loads(verify(file, "--json").stdout)
    equal((said["failed"], said["checks"][0]["result"]), (1, "failed"))
    equal(verify(t.tmp / "nowhere.so").returncode, 1)
    equal(subprocess.run([build_dir() / "bin" / "streamsteam", "verify-plugin"], capture_output=True).returncode, 2)


if __name__ == "__main__":
    sys.exit(main())
