#!/usr/bin/env python3
"""What it costs that a receiver is a plugin: instructions of receive(), loaded from its .so against linked into the program,
counted by valgrind's callgrind. The same sources, the same host; needs valgrind. Ends with 1 where it is more than LIMIT.

usage: plugin_cost.py [--build build] [--count N]"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 1.1
RECEIVER = "matomo"
COMMON = ("json.c", "json_put.c", "url.c")  # what of plugins/common it uses


def build(folder, out):
    """The driver with the receiver in it, compiled as one would for a program of one's own: as fast, but not position-independent."""
    sources = sorted((ROOT / "receivers" / RECEIVER).glob("*.c")) + [ROOT / "plugins" / "common" / name for name in COMMON]
    libs = [folder / "lib" / name for name in ("libstreamsteam-testkit.a", "libcore.a", "libstreamsteam-common.a")]
    isal = subprocess.run(["pkg-config", "--libs", "libisal"], capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-std=gnu11", "-O3", "-g", "-fno-pic", "-no-pie", "-D_GNU_SOURCE", '-DSS_VERSION="bench"', "-D_FORTIFY_SOURCE=2",
                    "-fstack-protector-strong", "-I.", "-Iinclude", "-o", out, "tests/bench/plugin_cost.c", *sources, "-Wl,--start-group", *libs,
                    "-Wl,--end-group", "-lmicrohttpd", "-lyaml", "-ljansson", "-lsqlite3", "-lz", *isal, "-ldl", "-lpthread", "-lm"], cwd=ROOT,
                   check=True)


def instructions(driver, how, count, folder):
    """Of measured() and all that it calls, for so many requests."""
    result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.%p", "--toggle-collect=measured", driver,
                             str(how), str(count)], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not found:
        sys.exit(f"plugin_cost: {result.stderr[-2000:]}")
    return int(found.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    folder = pathlib.Path(args.build).resolve()
    with tempfile.TemporaryDirectory(prefix="streamsteam-cost-") as tmp:
        driver = pathlib.Path(tmp) / "plugin_cost"
        build(folder, driver)
        per_request = {}
        for name, how in (("linked", "linked"), ("plugin", folder / "plugins" / f"receiver-{RECEIVER}.so")):
            # The difference of two runs: what only the first request costs does not count.
            more, less = (instructions(driver, how, n, tmp) for n in (2 * args.count, args.count))
            per_request[name] = (more - less) / args.count
    ratio = per_request["plugin"] / per_request["linked"]
    print(f"receiver {RECEIVER}, one hit, instructions of receive() with its host calls: linked {per_request['linked']:.0f}, "
          f"as a plugin {per_request['plugin']:.0f}: {ratio:.3f} times (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
