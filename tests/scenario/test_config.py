#!/usr/bin/env python3
"""A wrong file starts nothing and is told by line and column; a wrong plugin is refused by name."""
import os
import re
import shutil
import subprocess
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test

BASE = """server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  data_dir: {data}
  plugin_dirs: [{plugins}]
receivers:
  matomo: {{}}
modules:
  lake: {{path: lake}}
"""


def text(t, change=lambda s: s, plugins=None):
    return change(BASE.format(data=t.tmp / "data", plugins=plugins or build_dir() / "plugins"))


def refused(t, yaml):
    """serve and check both refuse; returns what they said."""
    server = t.server(yaml=yaml, start=False)
    result = server.verb("check")
    check(result.returncode != 0, "check finds nothing wrong")
    server.start(wait=False)
    check(server.process.wait(30) != 0, "serve started")
    server.process = None
    check(not (t.tmp / "data" / "journal").exists(), "serve made a journal in spite of a wrong file")
    said = result.stdout + result.stderr
    log = server.log_text()
    for line in re.findall(r"^\S+:\d+:\d+: .*", said, re.M):
        check(line.split(": ", 1)[1][:40] in log.replace('\\"', '"'), f"serve does not say {line!r}: {log}")
    return said


@test("an unknown key: file, line, column and a suggestion")
def _(t):
    said = refused(t, text(t, lambda s: s.replace("  listen:", "  lisen:")))
    check(re.search(r"streamsteam\.yaml:2:3: .*lisen.*listen", said), said)


@test("all mistakes are told at once")
def _(t):
    said = refused(t, text(t, lambda s: s.replace("  admin:", "  log_level: loud\n  loops: many\n  admin:").replace("path: lake", "pth: lake")))
    for place in (":3:", ":4:", ":11:"):
        check(place in said, f"nothing about line {place}: {said}")


@test("broken YAML, duplicate keys, unknown plugins, empty files")
def _(t):
    check(":" in refused(t, text(t) + "  - [\n"), "no place")
    check("matomo" in refused(t, text(t, lambda s: s.replace("modules:", "  matomo: {}\nmodules:"))), "no name")
    check("nosuch" in refused(t, text(t, lambda s: s.replace("lake: {path", "nosuch: {path"))), "no name")
    refused(t, "[1, 2")


@test("check is content with the right file, and with the default one")
def _(t):
    server = t.server(yaml=text(t), start=False)
    server.verb("check", check=True)
    root = pathlib.Path(__file__).resolve().parents[2]
    result = subprocess.run([str(server.binary), "check", "-c", str(root / "config" / "streamsteam.yaml")], capture_output=True, text=True,
                            cwd=t.tmp, env=server.environment())
    equal(result.returncode, 0, result.stdout + result.stderr)


@test("values from the environment and from files; secrets are not printed")
def _(t):
    (t.tmp / "level").write_text("debug\n")
    yaml = text(t, lambda s: s.replace("  admin:", "  log_level: ${file:%s}\n  drain: ${env:TEST_DRAIN:-7s}\n  admin:" % (t.tmp / "level"))
                .replace("listen: 127.0.0.1:0", "listen: ${env:TEST_LISTEN}"))
    server = t.server(yaml=yaml, start=False)
    result = server.verb("check")
    check(result.returncode != 0 and "TEST_LISTEN" in result.stdout + result.stderr, "an unset variable is taken")
    server.env["TEST_LISTEN"] = "127.0.0.1:0"
    server.verb("check", check=True)
    server.start()
    equal(server.hit("a").status, 200)


@test("conf.d fragments are merged, and their mistakes are told by their own name")
def _(t):
    server = t.server(start=False, modules={})
    folder = server.file.parent / "conf.d"
    folder.mkdir()
    (folder / "more.yaml").write_text("modules:\n  counter: {use: 'null', max_bytes: 1GiB}\n")
    server.start()
    server.child("module counter")
    server.stop()
    (folder / "wrong.yaml").write_text("modules:\n  other: {use: 'null', max_byte: 1GiB}\n")
    said = server.verb("check")
    check(re.search(r"wrong\.yaml:2:\d+: ", said.stdout + said.stderr), said)


def compile_plugin(t, name, source):
    path = t.tmp / "plugins"
    path.mkdir(exist_ok=True)
    (t.tmp / "plugin.c").write_text(source)
    root = pathlib.Path(__file__).resolve().parents[2]
    subprocess.run(["cc", "-shared", "-fPIC", "-I", str(root / "include"), "-o", str(path / name), str(t.tmp / "plugin.c")], check=True)
    return path


OTHER_ABI = """#include "streamsteam/plugin.h"
static const ss_plugin p = {.struct_size = sizeof(ss_plugin), .abi_major = %d, .abi_minor = %d, .kind = SS_MODULE, .name = "odd", .version = "9.9"};
SS_PLUGIN(p);
"""


def use_plugin(t, folder, name="odd"):
    return refused(t, text(t, lambda s: s.replace("lake: {path: lake}", f"odd: {{use: {name}}}"), plugins=f"{folder}, {build_dir() / 'plugins'}"))


@test("a plugin for another version of the contract is refused, both versions named")
def _(t):
    t.need("cc")
    said = use_plugin(t, compile_plugin(t, "module-odd.so", OTHER_ABI % (99, 7)))
    check("odd" in said and "99.7" in said and "0.1" in said, said)
    said = use_plugin(t, compile_plugin(t, "module-odd.so", OTHER_ABI % (0, 42)))
    check("0.42" in said and "0.1" in said, said)


@test("a file that is no plugin is refused by name")
def _(t):
    t.need("cc")
    folder = compile_plugin(t, "module-odd.so", "int nothing;")
    check("ss_plugin_v0" in use_plugin(t, folder), "the missing symbol is not named")
    (folder / "module-odd.so").write_text("no ELF at all")
    check("module-odd.so" in use_plugin(t, folder), "the file is not named")
    folder = compile_plugin(t, "module-odd.so", "extern int missing_function(void); const void *ss_plugin_v0(void) { missing_function(); return 0; }")
    check("missing_function" in use_plugin(t, folder), "the missing function is not named")
    shutil.copy(build_dir() / "plugins" / "receiver-matomo.so", folder / "module-odd.so")
    check("receiver" in use_plugin(t, folder), "the wrong kind is not named")


@test("plugins lists what can be loaded and what cannot, and why")
def _(t):
    server = t.server(yaml=text(t), start=False)
    said = server.verb("plugins", check=True).stdout
    for name in ("matomo", "lake", "null"):
        check(name in said, f"{name} is not listed: {said}")


@test("explain prints every option with type, default and meaning")
def _(t):
    server = t.server(yaml=text(t), start=False)
    said = server.verb("explain", "lake", check=True).stdout
    for word in ("path", "roll", "bytes", "age"):
        check(word in said, f"{word} is missing: {said}")
    check(server.verb("explain", "nosuch").returncode != 0, "explains a plugin that is not there")


@test("every verb has --help, wrong use is exit code 2, --version names the version")
def _(t):
    server = t.server(yaml=text(t), start=False)
    for verb in ("serve", "check", "explain", "plugins", "journal", "quarantine", "ledger", "tail", "send", "reload", "status", "new"):
        result = server.verb(verb, "--help", config=False)
        check(result.returncode == 0 and "sage" in result.stdout, f"{verb} --help: {result}")
    check(server.verb("--help", config=False).returncode == 0, "--help")
    check(re.search(r"\d+\.\d+\.\d+", server.verb("--version", config=False).stdout), "--version")
    equal(server.verb("nosuchverb", config=False).returncode, 2)
    equal(server.verb("status", "--nosuchflag", config=False).returncode, 2)


if __name__ == "__main__":
    sys.exit(main())
