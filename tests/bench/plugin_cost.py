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
MATOMO, PING = ROOT / "receivers" / "matomo", ROOT / "tests" / "scenario" / "external" / "receiver.c"
# One that does much in each call, and one that does next to nothing, where the border weighs most.
RECEIVERS = {
    "matomo": sorted(MATOMO.glob("*.c")),
    "ping": [PING],
}
COMMON = [ROOT / "plugins" / "common" / name for name in ("json.c", "json_number.c", "json_put.c", "url.c")]  # what they use of it
FLAGS = ["-std=gnu11", "-O3", "-g", "-D_GNU_SOURCE", '-DSS_VERSION="bench"', "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-I.", "-Iinclude"]


def compile_with(*words):
    subprocess.run(["cc", *FLAGS, *map(str, words)], cwd=ROOT, check=True)


def build(folder, name, out):
    """The driver with the receiver in it, compiled as one would for a program of one's own, that is not position-independent; and its .so."""
    libs = [folder / "lib" / lib for lib in ("libstreamsteam-testkit.a", "libcore.a", "libstreamsteam-common.a")]
    isal = subprocess.run(["pkg-config", "--libs", "libisal"], capture_output=True, text=True).stdout.split()
    compile_with("-fno-pic", "-no-pie", "-o", out / name, "tests/bench/plugin_cost.c", *RECEIVERS[name], *COMMON, "-Wl,--start-group", *libs,
                 "-Wl,--end-group", "-lmicrohttpd", "-lyaml", "-ljansson", "-lsqlite3", "-lz", *isal, "-ldl", "-lpthread", "-lm")
    compile_with("-fPIC", "-fvisibility=hidden", "-shared", "-Wl,-z,defs,-z,relro,-z,now", "-o", out / f"receiver-{name}.so", *RECEIVERS[name],
                 folder / "lib" / "libstreamsteam-common.a", "-Wl,--exclude-libs,ALL", "-lm")


def instructions(driver, how, count, folder, functions):
    """Of these functions and all that they call, for so many requests."""
    result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.%p", f"--toggle-collect={functions}", driver,
                             str(how), str(count)], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not found:
        sys.exit(f"plugin_cost: {result.stderr[-2000:]}")
    return int(found.group(1))


def per_request(driver, how, count, folder, functions):
    """The difference of two runs: what only the first request costs does not count."""
    more, less = (instructions(driver, how, n, folder, functions) for n in (2 * count, count))
    return (more - less) / count


def compare(folder, name, count, tmp):
    build(folder, name, tmp)
    ways = ("linked", tmp / f"receiver-{name}.so")
    linked, plugin = (per_request(tmp / name, how, count, tmp, "measured") for how in ways)
    host_linked, host_plugin = (per_request(tmp / name, how, count, tmp, "lane_*") for how in ways)
    own = (plugin - host_plugin) / (linked - host_linked)
    print(f"receiver {name}, instructions of one receive(): linked {linked:.0f}, as a plugin {plugin:.0f}: {plugin / linked:.3f} times; "
          f"without what the host does in it: {linked - host_linked:.0f} and {plugin - host_plugin:.0f}: {own:.3f} times (limit {LIMIT})")
    return max(own, plugin / linked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streamsteam-cost-") as tmp:
        ratios = [compare(pathlib.Path(args.build).resolve(), name, args.count, pathlib.Path(tmp)) for name in RECEIVERS]
    return 0 if max(ratios) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
