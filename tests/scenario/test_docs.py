#!/usr/bin/env python3
"""The documents for authors of plugins do what they say: first-plugin.md command by command, each snippet of the cookbook compiled, the
reference complete."""
# timeout: 400
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import sdk
from tests.lib.server import build_dir, sanitized
from tests.lib.tap import check, equal, main, test

DOCS = ROOT / "docs"


def blocks(name):
    """(language, text) of each fenced block, in order."""
    return re.findall(r"^```([\w+]+)\n(.*?)^```$", (DOCS / name).read_text(), re.M | re.S)


def apply(folder, diff):
    """Hunks without line numbers: the lines of each, without the added ones, stand exactly once in the file."""
    name = re.match(r"--- (\S+)\n", diff).group(1)
    path = folder / name
    text = path.read_text()
    for hunk in re.split(r"^@@\n", diff, flags=re.M)[1:]:
        lines = hunk.splitlines()
        old = "".join(line[1:] + "\n" for line in lines if line[:1] != "+")
        new = "".join(line[1:] + "\n" for line in lines if line[:1] != "-")
        equal(text.count(old), 1, f"{name}: how often {old!r} is there")
        text = text.replace(old, new)
    path.write_text(text)


def shell(script, cwd, env):
    """Runs one block; the directory and PATH that it leaves go on."""
    result = subprocess.run(["sh", "-e", "-c", script + '\nprintf "\\n@@%s\\n@@%s\\n" "$PWD" "$PATH"'], cwd=cwd, env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=240)
    equal(result.returncode, 0, f"{script}: {result.stdout}")
    said, folder, path = result.stdout.rsplit("\n@@", 2)
    env["PATH"] = path.strip()
    return said, pathlib.Path(folder.strip())


def expect(said, wanted):
    """Each line of the document is said, in this order; ... stands for anything."""
    at = 0
    lines = said.splitlines()
    for line in wanted.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        found = next((i for i in range(at, len(lines)) if pattern.fullmatch(lines[i])), None)
        check(found is not None, f"{line!r} is not in what it says:\n{said}")
        at = found + 1


@test("first-plugin.md does what it says, command by command", timeout_s=300)
def _(t):
    sdk.prefix(t)  # what it needs is there, or the test is skipped
    env = dict(sdk.environment(), HOME=str(t.tmp), BUILD=str(build_dir()))
    folder, said, count = ROOT, "", 0
    for language, text in blocks("first-plugin.md"):
        if language == "sh":
            said, folder = shell(text, folder, env)
            env.pop("BUILD", None)  # that was for the tree; the author's make has none of it
            count += 1
        elif language == "text":
            expect(said, text)
        elif language == "diff":
            apply(folder, text)
    check(count >= 6, f"only {count} blocks of commands")
    equal(sdk.serving(folder), [])


COOKBOOK_MIN = 10


@test("every snippet of the cookbook compiles, with gcc and clang, without a warning", timeout_s=120)
def _(t):
    prefix = sdk.prefix(t)
    include = [f"-I{prefix}/include", f"-I{prefix}/include/streamsteam/sdk"]
    found = [text for language, text in blocks("cookbook.md") if language == "c"]
    check(len(found) >= COOKBOOK_MIN, f"{len(found)} snippets")
    for compiler in ("gcc", "clang"):
        if not any(os.access(os.path.join(p, compiler), os.X_OK) for p in os.environ["PATH"].split(":")):
            continue
        for number, text in enumerate(found, 1):
            source = t.tmp / f"snippet{number}.c"
            source.write_text(text)
            result = subprocess.run([compiler, "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-Wno-unused-function",
                                     "-Wno-unused-const-variable", "-c", "-o", os.devnull, *include, source], capture_output=True, text=True)
            equal(result.returncode, 0, f"snippet {number} with {compiler}: {result.stderr}")


def run_snippet(t, text):
    """A snippet with a main() is a test program: it must end well."""
    prefix = sdk.prefix(t)
    source, program = t.tmp / "program.c", t.tmp / "program"
    source.write_text(text)
    sdk.run("cc", "-std=c11", "-D_GNU_SOURCE", "-g", f"-I{prefix}/include", f"-I{prefix}/include/streamsteam/sdk", "-o", program, source,
            prefix / "lib/libstreamsteam-testkit.a", prefix / "lib/libstreamsteam-common.a", "-lpthread", "-lm")
    sdk.run(program)


@test("the snippets of the cookbook that are tests pass", timeout_s=120)
def _(t):
    programs = [text for language, text in blocks("cookbook.md") if language == "c" and "int main(void)" in text]
    check(len(programs) >= 2, f"{len(programs)} programs")
    for text in programs:
        run_snippet(t, text)


def rows(page, heading):
    """The rows of the tables below a heading of a page."""
    part = re.split(r"^## ", page, flags=re.M)
    chosen = next((p for p in part if p.startswith(heading)), "")
    return re.findall(r"^\| `([^`]+)` ", chosen, re.M)


@test("the reference has every option, route and field of every plugin", timeout_s=120)
def _(t):
    binary = build_dir() / "bin" / "streamsteam"
    plugins = sorted((build_dir() / "plugins").glob("*.so"))
    check(plugins, "no plugins")
    for plugin in plugins:
        page = sdk.run(binary, "explain", "--markdown", plugin)
        plain = sdk.run(binary, "explain", plugin)
        kind, name = plugin.stem.split("-", 1)
        check(page.startswith(f"# {kind} {name}\n"), page[:80])
        fields = re.findall(r"^#   (\S+)  (?:string|int|double|bool|timestamp|datetime|json)  ", plain, re.M)
        equal(rows(page, "Fields"), fields)
        own = plain.split("# What every")[0]
        for option in re.findall(r"^    (?:# )?(\w+):$|^    (\w+): ", own, re.M):  # but no sentence of a comment
            option = "".join(option)
            check(option in rows(page, "Options"), f"{plugin.stem}: {option} is not in the reference")
        for row in re.findall(r"^\|.*$", page, re.M):
            check(len(re.findall(r"(?<!\\)\|", row)) in (4, 5), f"{plugin.stem}: a broken row: {row}")
        equal(sdk.run(binary, "explain", "--markdown", plugin), page)
    check("`journal.segment_bytes`" in sdk.run(binary, "explain", "--markdown", "server"), "journal.segment_bytes")


@test("make docs writes a page for each plugin, and their index links to them", timeout_s=120)
def _(t):
    t.need("make")
    if sanitized():
        t.skip("the same pages as from the plain build")
    sdk.run("make", "--no-print-directory", "-C", ROOT, "docs", f"BUILD={build_dir()}")
    folder = build_dir() / "docs" / "reference"
    links = re.findall(r"\]\((\S+)\)", (folder / "README.md").read_text())
    equal(sorted(links), sorted(["server.md"] + [p.stem + ".md" for p in (build_dir() / "plugins").glob("*.so")]))
    for link in links:
        check((folder / link).read_text().startswith("# "), link)


if __name__ == "__main__":
    sys.exit(main())
