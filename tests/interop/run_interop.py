#!/usr/bin/env python3
"""Real clients from the package registries, unchanged, against the real server. The last line is
N passed, N failed, N skipped; what was skipped is named with the reason.

Packages are installed once into ${XDG_CACHE_HOME:-~/.cache}/streamsteam, never into the tree."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.interop import device  # noqa: F401 (adds its tests)
from tests.lib import lake, tap
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

PACKAGE, VERSION = "matomo-tracker", "2.2.4"
COUNT = 20
INSTALL_TIMEOUT_S = 300


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "streamsteam" / "interop"


def installed(t):
    """The folder whose node_modules has the package."""
    t.need("node")
    t.need("npm")
    folder = cache() / f"{PACKAGE}-{VERSION}"
    if not (folder / "node_modules" / PACKAGE).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), f"{PACKAGE}@{VERSION}"],
                                capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        if result.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            t.skip(f"npm cannot install {PACKAGE}: {result.stderr.strip().splitlines()[-1:]}")
    return folder


# The client never reads the answers to single hits, so node ends only when the server closes their idle connections.
CLIENT_CONFIG = {"server": {"idle_timeout": "2s"}}


def run_client(t, server):
    folder = installed(t)
    result = subprocess.run(["node", str(HERE / "track.js"), f"http://127.0.0.1:{server.port}/matomo.php", str(COUNT)], capture_output=True,
                            text=True, timeout=120, env=dict(os.environ, NODE_PATH=str(folder / "node_modules")))
    equal(result.returncode, 0, result.stdout + result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


@test("npm matomo-tracker: track and trackBulk are answered and stored")
def _(t):
    server = t.server(config=CLIENT_CONFIG)
    said = run_client(t, server)
    equal([s["bulk"] for s in said if "bulk" in s], [{"status": "success", "tracked": COUNT, "invalid": 0}])
    check(not [s for s in said if "error" in s], said)
    server.stop()
    want = {f"single-{i}" for i in range(COUNT)} | {f"bulk-{i}" for i in range(COUNT)}
    equal(sorted(lake.names(server.lake)), sorted(want))
    event = next(e for e in lake.lines(server.lake) if e["event_value_name"] == "single-3")
    equal(event["action_name"], "Söme page 3 & more")
    equal(event["page_view_url"], "http://h.example/page/3")
    equal(event["event_category"], "interop")


@test("npm matomo-tracker: goes on while ingest is killed under it")
def _(t):
    server = t.server(config=CLIENT_CONFIG)
    run_client(t, server)
    server.kill_child("ingest")
    until(lambda: server.children().get("ingest"), 20, "the new ingest")
    run_client(t, server)
    server.stop()
    equal(len(lake.names(server.lake)), 4 * COUNT)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    os.environ["STREAMSTEAM_BUILD"] = str(pathlib.Path(args.build).resolve())
    passed, failed, skipped = 0, 0, []
    for number, (name, function, timeout_s) in enumerate(tap.TESTS, 1):
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
