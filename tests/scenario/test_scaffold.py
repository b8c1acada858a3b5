#!/usr/bin/env python3
"""Plugins by `streamsteam new`, outside the tree, from an installed prefix: every kind in C and C++, with gcc and clang."""
# timeout: 600
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import lake, sdk
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

KINDS = ("receiver", "enricher", "module")
LANGUAGES = {"c": "c", "c++": "cpp"}
COMPILERS = {"gcc": "g++", "clang": "clang++"}
LINES_MAX = 80
FILES = {"Makefile", "README.md", "example.yaml", "sample", ".gitignore", ".github/workflows/check.yml"}


def working_lines(path):
    """Lines with code: no comments, nothing empty, no lone braces."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return sum(1 for line in text.splitlines() if re.search(r"\w", line))


def events(folder):
    return lake.lines(folder / "var" / "lake")


def sanitizes(t, compiler):
    """Whether this compiler has its sanitizers' libraries here; Debian packs clang's apart."""
    source = t.tmp / f"probe-{compiler}.c"
    source.write_text("int main(void) { return 0; }\n")
    return subprocess.run([compiler, "-fsanitize=address,undefined", "-o", source.with_suffix(""), source], capture_output=True).returncode == 0


def try_out(t, kind, language, compiler):
    """One folder from nothing to an event in the lake."""
    name = f"{kind}_{LANGUAGES[language]}_{compiler}"
    folder = sdk.new(t, kind, name, "--lang", language)
    source = folder / f"{name}.{LANGUAGES[language]}"
    equal({str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()},
          FILES | {source.name, f"test_{source.name}"}, f"the files of {name}")
    check(working_lines(source) <= LINES_MAX, f"{source.name} has {working_lines(source)} lines of code")
    equal(len([x for x in (folder / "Makefile").read_text().splitlines() if x]), 5, "lines of the Makefile")
    said = sdk.make(folder, "all", "check", f"CC={compiler}", f"CXX={COMPILERS[compiler]}", "CFLAGS=-O1 -g -Werror", "CXXFLAGS=-O1 -g -Werror")
    check(f"test_{source.name}: passed" in said, said)
    check("-fsanitize=address" in said or not sanitizes(t, compiler), f"the tests ran without the sanitizer: {said}")
    equal(exports(folder / f"{kind}-{name}.so"), ["ss_plugin_v0"])
    said = sdk.make(folder, "verify", f"CC={compiler}", f"CXX={COMPILERS[compiler]}")
    check(" 0 failed" in said, said)
    said = sdk.make(folder, "run", "ONCE=1", f"CC={compiler}", f"CXX={COMPILERS[compiler]}", "CFLAGS=-O1 -g -Werror", "CXXFLAGS=-O1 -g -Werror")
    text = f"Hello from {name}"
    check(text in said and "it landed in var/lake/" in said, said)
    found = events(folder)
    equal(len(found), 1)
    if kind == "receiver":
        equal((found[0]["text"], found[0]["greeting"]), (text, "hello"))
    if kind == "enricher":
        equal(found[0][f"{name}_length"], len(text))
    if kind == "module":
        equal([json.loads(line) for line in (folder / "var" / f"{name}.out").read_text().splitlines()], found)
    equal(sdk.serving(folder), [], "servers left behind")


def each_kind(t, compiler):
    t.need(compiler)
    t.need(COMPILERS[compiler])
    sdk.prefix(t)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for job in [pool.submit(try_out, t, kind, language, compiler) for kind in KINDS for language in LANGUAGES]:
            job.result()


def interruptible():
    """A run in the background ignores SIGINT, and so would everything that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@test("every kind in C and C++ with gcc: made, built, checked, run, its event in the lake", timeout_s=280)
def _(t):
    each_kind(t, "gcc")


@test("every kind in C and C++ with clang: made, built, checked, run, its event in the lake", timeout_s=280)
def _(t):
    each_kind(t, "clang")


@test("an installed tree that was moved works where it is now", timeout_s=120)
def _(t):
    old = sdk.prefix(t)
    moved = t.tmp / "else where"[:4] / "streamsteam"
    moved.parent.mkdir()
    shutil.copytree(old, moved)
    folder = sdk.new(t, "receiver", "moved", prefix=moved)
    check(str(old) not in (folder / "Makefile").read_text(), "the Makefile names the old place")
    said = sdk.make(folder, "run", "ONCE=1")
    check(str(old) not in said.replace(str(moved), ""), said)
    equal(events(folder)[0]["text"], "Hello from moved")
    listed = sdk.run(moved / "bin" / "streamsteam", "plugins", cwd=folder)
    check(str(moved / "lib/streamsteam/plugins") in listed and "0 refused" in listed, listed)


CXX_TOO = {"streamsteam/plugin.h", "streamsteam/testkit.h", "plugins/common/json.h", "plugins/common/url.h"}


@test("every installed header compiles alone, as C, and as C++ where it says so", timeout_s=120)
def _(t):
    prefix = sdk.prefix(t)
    flags = sdk.run("pkg-config", "--cflags", "streamsteam", env=sdk.environment(prefix)).split()
    check(str(ROOT) not in " ".join(flags), f"pkg-config points into the tree: {flags}")
    both = set()
    for header in sorted((prefix / "include").rglob("*.h")):
        name = str(header.relative_to(prefix / "include")).removeprefix("streamsteam/sdk/")
        languages = [("cc", "c11", "c")]
        if "__cplusplus" in header.read_text():
            both.add(name)
            languages.append(("c++", "c++17", "cpp"))
        for compiler, standard, suffix in languages:
            source = t.tmp / f"header.{suffix}"
            source.write_text(f'#include "{name}"\n#include "{name}"\nint main(void) {{ return 0; }}\n')
            sdk.run(compiler, f"-std={standard}", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", *flags, "-fsyntax-only", source)
    check(CXX_TOO <= both, f"without C++: {CXX_TOO - both}")


@test("pkg-config tells where everything is", timeout_s=60)
def _(t):
    prefix = sdk.prefix(t)
    for variable in ("plugindir", "pluginmk", "templates", "testkit", "common", "includedir", "bindir"):
        path = sdk.run("pkg-config", f"--variable={variable}", "streamsteam", env=sdk.environment(prefix)).strip()
        check(pathlib.Path(path).exists() and pathlib.Path(path).resolve().is_relative_to(prefix.resolve()), f"{variable} = {path}")
    header = (ROOT / "include/streamsteam/plugin.h").read_text()
    for which in ("MAJOR", "MINOR"):
        want = re.search(rf"#define SS_ABI_{which} (\d+)u", header).group(1)
        equal(sdk.run("pkg-config", f"--variable=abi_{which.lower()}", "streamsteam", env=sdk.environment(prefix)).strip(), want)


HELPER_C = """#include <plugins/common/json.h>
#include "helper.h"
int helper_c(void) { return json_valid(SS_LIT("[1]")) ? HELPER : 0; }
"""
HELPER_CPP = """#include <cmath>
#include "helper.h"
extern "C" int helper_cpp(void) { return (int)std::cbrt(27.0); }
"""

def exports(plugin):
    return [line.split()[-1] for line in sdk.run("nm", "-D", "--defined-only", plugin).splitlines()]


@test("the build fragment: sources in both languages, the common library, headers that change, install, SANITIZE=", timeout_s=120)
def _(t):
    folder = sdk.new(t, "enricher", "mixed")
    (folder / "helper.h").write_text("#define HELPER 1\n")
    (folder / "helper.c").write_text(HELPER_C)
    (folder / "more.cpp").write_text(HELPER_CPP)
    source = folder / "mixed.c"
    source.write_text(source.read_text().replace("static void destroy", "extern int helper_c(void), helper_cpp(void);\nstatic void destroy")
                      .replace("    free(inst);", "    if (helper_c() + helper_cpp() == 0)\n        return;\n    free(inst);"))
    words = ("SOURCES=mixed.c helper.c more.cpp",)
    said = sdk.make(folder, "all", "check", *words)
    check("-fsanitize=address" in said and "passed" in said, said)
    equal(exports(folder / "enricher-mixed.so"), ["ss_plugin_v0"])
    check("Nothing to be done" in sdk.make(folder, "all", *words), "it builds again without a reason")
    (folder / "helper.h").write_text("#define HELPER 2\n")
    said = sdk.make(folder, "all", *words)
    check("helper.c" in said and "more.cpp" in said and " mixed.c" not in said.replace("-o build/cc/plugin/mixed.o", ""), said)
    sdk.make(folder, "clean", *words)
    said = sdk.make(folder, "check", "SANITIZE=", *words)
    check("-fsanitize" not in said and "passed" in said, said)
    sdk.make(folder, "install", f"DESTDIR={t.tmp}/package", "PLUGINDIR=/usr/lib/streamsteam/plugins", *words)
    check((t.tmp / "package/usr/lib/streamsteam/plugins/enricher-mixed.so").exists(), "it is not in the package")


@test("a wrong Makefile is told so", timeout_s=60)
def _(t):
    folder = sdk.new(t, "module", "misused")
    for words, text in ((("KIND=thing",), 'KIND is "thing"'), (("NAME=other",), "there is no other.c"), (("PLUGINMK=",), "set PKG_CONFIG_PATH")):
        result = subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, env=sdk.environment())
        equal((result.returncode != 0, text in result.stderr), (True, True), f"{words}: {result.stderr}")


@test("the folder's own test finds an allocation that nobody looks at, in C and in C++", timeout_s=120)
def _(t):
    for language, looks in (("c", "if (!self)"), ("c++", "if (!*inst)")):
        folder = sdk.new(t, "enricher", f"careless_{LANGUAGES[language]}", "--lang", language)
        source = folder / f"{folder.name}.{LANGUAGES[language]}"
        check(looks in source.read_text(), f"the template does not say {looks}: mend this test")
        source.write_text(source.read_text().replace(looks, "if (false)"))
        result = subprocess.run(["make", "check"], cwd=folder, capture_output=True, text=True, env=sdk.environment())
        said = result.stdout + result.stderr
        check(result.returncode != 0 and "passed" not in said, said)
        check(language == "c" or "an allocation number 1 fails: create() said SS_OK" in said, said)


WRONG = [
    (("receivr", "a"), "did you mean 'receiver'"),
    (("plugin", "a"), "there are receiver, enricher and module"),
    (("receiver", "Acme-Clicks"), "try 'acme_clicks'"),
    (("receiver", "../a"), "try 'a'"),
    (("receiver", "1a"), "try 'a'"),
    (("receiver", "a__b_"), "try 'a__b'"),
    (("receiver", "---"), "is no name for a plugin"),
    (("receiver", ""), "is no name for a plugin"),
    (("receiver", "x" * 33), "at most 32"),
    (("receiver", "matomo"), "there is already a receiver 'matomo'"),
    (("receiver", "a", "--lang", "rust"), "there are templates for c and c++"),
    (("receiver", "a", "--lang"), "--lang wants c or c++"),
    (("receiver",), "one name"),
    (("receiver", "a", "b"), "one name"),
]


@test("wrong names, kinds and languages are refused with a suggestion, and nothing is written", timeout_s=60)
def _(t):
    prefix = sdk.prefix(t)
    here = t.tmp / "here"
    here.mkdir()
    for words, text in WRONG:
        result = subprocess.run([prefix / "bin/streamsteam", "new", *words], capture_output=True, text=True, cwd=here)
        equal((result.returncode, text in result.stderr), (2, True), f"{words}: {result.stderr}")
        equal(list(here.iterdir()), [], f"{words} left")


@test("a folder that exists is refused and left as it is; --dir says where the new one goes", timeout_s=60)
def _(t):
    prefix = sdk.prefix(t)
    taken = t.tmp / "taken"
    taken.mkdir()
    (taken / "mine").write_text("mine")

    def new(*words):
        return subprocess.run([prefix / "bin/streamsteam", "new", "module", *words], capture_output=True, text=True, cwd=t.tmp)
    result = new("taken")
    equal((result.returncode, "nothing was written" in result.stderr), (1, True), result.stderr)
    equal([p.name for p in taken.iterdir()], ["mine"])
    result = new("one", "--dir", str(t.tmp / "nowhere"))
    equal((result.returncode, "No such file" in result.stderr), (1, True), result.stderr)
    equal(new("one", "--dir", str(taken)).returncode, 0)
    check((taken / "one" / "one.c").exists(), "no one.c")


@test("make dev builds and restarts on save, keeps the old server where it does not build, and Ctrl-C ends it", timeout_s=150)
def _(t):
    folder = sdk.new(t, "receiver", "dev_me")
    log = t.tmp / "dev.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(["make", "dev"], cwd=folder, stdout=out, stderr=out, env=sdk.environment(), start_new_session=True, preexec_fn=interruptible)
    t.defer(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
    source = folder / "dev_me.c"
    original = source.read_text()
    until(lambda: "watching the sources" in log.read_text(), 100, "the first run")
    equal(len(sdk.serving(folder)), 1)
    first = sdk.serving(folder)
    source.write_text(original.replace("ss_set_str(event, FIELD_TEXT, text);", "no C at all"))
    until(lambda: "it does not build" in log.read_text(), 100, "the refusal")
    equal(sdk.serving(folder), first)
    source.write_text(original.replace("FIELD_GREETING, self->greeting", 'FIELD_GREETING, SS_LIT("changed")'))
    until(lambda: '"greeting":"changed"' in log.read_text(), 100, "the changed event")
    check(sdk.serving(folder) != first, "the server was not restarted")
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    equal(sdk.serving(folder), [], "servers left behind")
    check("stopping" in log.read_text(), log.read_text())


@test("make run goes on until Ctrl-C; a second one in the same folder is refused", timeout_s=120)
def _(t):
    folder = sdk.new(t, "module", "twice")
    log = t.tmp / "run.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(["make", "run"], cwd=folder, stdout=out, stderr=out, env=sdk.environment(), start_new_session=True, preexec_fn=interruptible)
    t.defer(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
    until(lambda: "the server goes on" in log.read_text(), 100, "the first run")
    first = sdk.serving(folder)
    result = subprocess.run(["make", "run", "ONCE=1"], cwd=folder, capture_output=True, text=True, env=sdk.environment())
    check(result.returncode != 0 and "runs already" in result.stdout, result.stdout + result.stderr)
    equal((len(first), sdk.serving(folder)), (1, first))
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    equal(sdk.serving(folder), [], "servers left behind")


@test("make run says what is wrong where the server cannot start", timeout_s=60)
def _(t):
    folder = sdk.new(t, "receiver", "wrong")
    config = folder / "example.yaml"
    config.write_text(config.read_text().replace("greeting:", "greting:"))
    result = subprocess.run(["make", "run", "ONCE=1"], cwd=folder, capture_output=True, text=True, env=sdk.environment())
    check(result.returncode != 0 and "did you mean 'greeting'" in result.stdout, result.stdout + result.stderr)


if __name__ == "__main__":
    sys.exit(main())
