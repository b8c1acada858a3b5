#!/usr/bin/env python3
"""Plugins outside the tree: installed header and pkg-config file only, about 60 lines for each kind."""
# timeout: 400
import json
import os
import re
import subprocess
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import http
from tests.lib.server import build_dir, sanitized
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SOURCES = pathlib.Path(__file__).resolve().parent / "external"
LINES_MAX = 60
KINDS = {"receiver": "ping", "enricher": "measure", "module": "append"}


def run(*command, **options):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **options)
    equal(result.returncode, 0, f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


def install(t):
    """make install into a prefix of its own; returns the prefix."""
    t.need("make")
    t.need("pkg-config")
    prefix = t.tmp / "prefix"
    options = ["SAN=" + build_dir().name.removeprefix("build-san-").replace("-", ",")] if sanitized() else []
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    run("make", "--no-print-directory", "-C", ROOT, "install", f"PREFIX={prefix}", f"BUILD={build_dir()}", *options, env=environment)
    return prefix


def build(t, prefix):
    """Every example against the installed header; returns the folder with the shared objects."""
    env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib" / "pkgconfig"))
    flags = run("pkg-config", "--cflags", "streamsteam", env=env).split()
    check(str(ROOT) not in " ".join(flags), f"pkg-config points into the tree: {flags}")
    folder = t.tmp / "plugins"
    folder.mkdir()
    for kind, name in KINDS.items():
        source = SOURCES / f"{kind}.c"
        count = len(source.read_text().splitlines())
        check(count <= LINES_MAX, f"{source.name} has {count} lines")
        run("cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-shared", "-Wl,-z,defs", *flags,
            "-o", folder / f"{kind}-{name}.so", source)
    return folder


def server_with(t, prefix, folder):
    out = t.tmp / "out"
    config = {"server": {"plugin_dirs": [str(folder), str(prefix / "lib" / "streamsteam" / "plugins")]},
              "receivers": {"ping": {"greeting": "salut", "enrich": ["measure"]}, "matomo": None},
              "enrichers": {"measure": {"field": "text"}}}
    server = t.server(config=config, modules={"append": {"file": str(out), "retry": {"max": "200ms"}}}, build=prefix)
    return server, out


def lines(out):
    return [json.loads(line) for line in out.read_text().split("\n")[:-1]] if out.exists() else []


@test("receiver, enricher and module built against the installed header load and work", timeout_s=300)
def _(t):
    prefix = install(t)
    server, out = server_with(t, prefix, build(t, prefix))
    answer = server.get("/ping?text=one")
    equal((answer.status, answer.body), (200, b"pong\n"))
    server.get("/ping?text=drop")
    server.get("/ping?text=twelve")
    until(lambda: len(lines(out)) >= 2, 20, "two lines")
    equal([(e["text"], e["greeting"], e["text_length"]) for e in lines(out)], [("one", "salut", 3), ("twelve", "salut", 6)])
    equal(server.get("/matomo.php").status, 404)
    equal(server.stop(), 0)
    server.verb("ledger", "--verify", check=True)


@test("a refused record is in the quarantine with its reason, and can be retried and dropped", timeout_s=300)
def _(t):
    prefix = install(t)
    server, out = server_with(t, prefix, build(t, prefix))
    for text in ("a", "refuse", "b"):
        server.get(f"/ping?text={text}")
    until(lambda: len(lines(out)) == 2, 20, "the two good ones")
    listed = until(lambda: server.verb("quarantine", "list").stdout if "refuse" in server.verb("quarantine", "list").stdout else None, 20,
                   "the quarantined record")
    check("it says refuse" in listed and "append" in listed, listed)
    server.verb("ledger", "--verify", check=True)
    equal(server.stop(), 0)


@test("a record that crashes its module twice is set aside; all others are delivered; the ledger balances", timeout_s=300)
def _(t):
    prefix = install(t)
    server, out = server_with(t, prefix, build(t, prefix))
    ingest = server.child("ingest")
    texts = [f"t{i}" for i in range(20)]
    for i, text in enumerate(texts):
        server.get(f"/ping?text={text}")
        if i == 10:
            server.get("/ping?text=crash")
    until(lambda: {e["text"] for e in lines(out)} >= set(texts), 60, "all the others")
    until(lambda: "crash" in server.verb("quarantine", "list").stdout, 30, "the record in the quarantine")
    equal(server.child("ingest"), ingest)
    server.get("/ping?text=afterwards")
    until(lambda: any(e["text"] == "afterwards" for e in lines(out)), 30, "the module's going on")
    server.stop()
    server.verb("ledger", "--verify", check=True)
    check(re.search("append", server.log_text(all_runs=True)), "the log does not name the module")


if __name__ == "__main__":
    sys.exit(main())
