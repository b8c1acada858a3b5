#!/usr/bin/env python3
"""Modules are switched on and off one by one: `streamsteam module ...`."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

PLUGIN = "tests/contract/plugin_lifecycle.so"


class Desk:
    """A server with a person at the command line."""

    def __init__(self, t, start=True):
        self.diary_path = t.tmp / "diary"
        self.server = t.server(start=start)
        self.off = self.server.folder / "conf.d" / "diary.yaml.off"
        self.on = self.server.folder / "conf.d" / "diary.yaml"

    def module(self, *words, stdin=subprocess.DEVNULL):
        return subprocess.run([self.server.binary, "module", *words, "-c", self.server.file], capture_output=True, text=True, stdin=stdin,
                              timeout=120)

    def enable(self, *words):
        return self.module("enable", "diary", "--use", str(build_dir() / PLUGIN), "--yes", *words)

    def diary(self):
        return self.diary_path.read_text().split() if self.diary_path.exists() else []

    def modules(self):
        return {m["name"]: m for m in self.server.status()["modules"]}

    def goes(self, result, code, *texts):
        equal(result.returncode, code, result.stdout + result.stderr)
        for text in texts:
            check(text in result.stdout + result.stderr, (text, result.stdout, result.stderr))


@test("enable writes a fragment, warns, runs setup, reloads and says how it is used; disable tears down first and keeps the options")
def _(t):
    d = Desk(t)
    d.goes(d.enable("--set", f"diary={d.diary_path}", "--set", "password=hunter22"), 0, "writes everything down", "setup was here",
           "the server took it over", "howto was here")
    equal(d.diary(), ["setup", "howto"])
    equal(oct(d.on.stat().st_mode & 0o777), "0o600")
    text = d.on.read_text()
    check(f"diary: {d.diary_path}" in text and "# The verb that shall fail." in text and "# max_bytes" in text, text)
    until(lambda: "module diary" in d.server.children(), 20, "the module's process")
    d.goes(d.enable(), 2, "on already", "diary.yaml:")
    rows = {r["name"]: r for r in json.loads(d.module("list", "--json").stdout)}
    check(rows["diary"]["on"] and rows["lake"]["on"] and not rows["null"]["on"], rows)
    check("diary" in d.module("list").stdout, "the list names it")
    d.goes(d.module("disable", "diary", "--yes"), 0, "teardown was here", "is off")
    equal(d.diary(), ["setup", "howto", "teardown"])
    until(lambda: "module diary" not in d.server.children(), 20, "its end")
    check(d.off.exists() and not d.on.exists(), "put aside")
    d.goes(d.module("disable", "diary", "--yes"), 2, "off already")
    d.goes(d.module("enable", "diary", "--yes"), 0, "taking", "is on")  # with the options it had
    equal(d.diary(), ["setup", "howto", "teardown", "setup", "howto"])


@test("a missing option keeps it off, and names file and line; so does a setup that fails, without its secret")
def _(t):
    d = Desk(t)
    d.goes(d.enable(), 1, "diary.yaml:", "diary", "stays off", "diary.yaml.off")
    check(d.off.exists() and not d.on.exists() and not d.diary(), "put aside, not set up")
    d.goes(d.enable("--set", "diary=x"), 2, "remove it to use --set")
    d.off.unlink()
    d.goes(d.enable("--set", f"diary={d.diary_path}", "--set", "fails=setup", "--set", "password=hunter22"), 1,
           "setup failed: the other end does not know ***")
    check("module diary" not in d.server.children() and d.off.exists(), "off")
    equal(d.diary(), ["setup"])
    d.off.unlink()
    d.goes(d.enable("--set", f"diary={d.diary_path}", "--set", "dairy=1"), 1, "did you mean 'diary'")


@test("teardown that fails keeps it on unless forced; verbs of a module that is off, or has none, say so")
def _(t):
    d = Desk(t)
    d.goes(d.enable("--set", f"diary={d.diary_path}", "--set", "fails=teardown"), 0)
    d.goes(d.module("disable", "diary", "--yes"), 1, "teardown failed", "--force")
    check(d.on.exists(), "still on")
    d.goes(d.module("setup", "diary"), 0, "setup was here")
    d.goes(d.module("howto", "diary"), 0, "howto was here")
    d.goes(d.module("disable", "diary", "--yes", "--force"), 0, "is off")
    d.goes(d.module("howto", "diary"), 2, "is off")
    d.goes(d.module("enable", "nulll", "--yes"), 1, "nulll")
    d.goes(d.module("enable", "../x", "--yes"), 2, "no name")
    d.goes(d.module("frobnicate", "diary"), 2, "--help")
    d.goes(d.module("disable", "lake", "--yes"), 1, "streamsteam.yaml:", "take it out")


@test("nobody there to ask: refused with the remedy, nothing changed")
def _(t):
    d = Desk(t)
    d.goes(d.module("enable", "diary", "--use", str(build_dir() / PLUGIN), "--set", f"diary={d.diary_path}"), 2, "--yes")
    check(not d.on.exists() and not d.off.exists() and not d.diary(), "nothing changed")


@test("forget gives up the place in the journal, with a server and without; never of a module that is on")
def _(t):
    d = Desk(t)
    d.goes(d.module("enable", "null", "--yes"), 0, "is on")
    d.server.hit("one")
    until(lambda: d.modules().get("null", {}).get("synced_cursor") == 1, 20, "the module at 1")
    d.goes(d.module("forget", "null", "--yes"), 2, "disable it first")
    d.goes(d.module("disable", "null", "--yes"), 0)
    until(lambda: "module null" not in d.server.children(), 20, "its end")
    check("null" in d.modules(), "its place is kept")
    d.goes(d.module("forget", "null", "--yes"), 0, "forgotten")
    check("null" not in d.modules() and not (d.server.data / "modules" / "null").exists(), "gone")
    d.goes(d.module("forget", "null", "--yes"), 1, "no module is named null")
    d.goes(d.module("enable", "null", "--yes"), 0)
    until(lambda: "module null" in d.server.children(), 20, "it again")
    d.server.hit("two")
    d.goes(d.module("disable", "null", "--yes"), 0)
    equal(d.server.stop(), 0)
    d.goes(d.module("forget", "null", "--yes"), 0, "forgotten")
    check(not (d.server.data / "modules" / "null").exists(), "gone")
    d.goes(d.module("forget", "null", "--yes"), 1, "nothing to forget")


@test("receiver list and enricher list show what is on and what could be")
def _(t):
    server = t.server()
    rows = json.loads(subprocess.run([server.binary, "receiver", "list", "--json", "-c", server.file], capture_output=True, text=True,
                                     check=True).stdout)
    matomo = next(r for r in rows if r["name"] == "matomo")
    check(matomo["on"] and matomo["file"].startswith(str(server.file)), rows)
    result = subprocess.run([server.binary, "enricher", "list", "-c", server.file], capture_output=True, text=True)
    equal(result.returncode, 0, result.stderr)
    equal(subprocess.run([server.binary, "receiver", "drop", "-c", server.file], capture_output=True).returncode, 2)


if __name__ == "__main__":
    sys.exit(main())
