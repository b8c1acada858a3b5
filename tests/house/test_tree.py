#!/usr/bin/env python3
"""What the tree promises of itself: one export per plugin, unique fault points, documents whose links resolve. Prints TAP."""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = ("core", "plugins", "receivers", "enrichers", "modules", "include")


def sources(suffixes=(".c", ".h")):
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path


def one_export_per_plugin(build):
    plugins = sorted((build / "plugins").glob("*.so"))
    if not plugins:
        yield f"no plugins in {build.name}/plugins: run make first"
    for plugin in plugins:
        out = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout
        names = [line.split()[-1] for line in out.splitlines()]
        names = [n for n in names if not n.startswith(("__asan", "__odr_asan", "__ubsan", "__tsan", "___asan"))]
        if names != ["ss_plugin_v0"]:
            yield f"{plugin.name} exports {', '.join(names) or 'nothing'}; it must export ss_plugin_v0 alone"


def fault_points_are_unique(_build):
    seen = {}
    for path in sources():
        for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', path.read_text()):
            if name in seen:
                yield f"fault point {name} stands in {seen[name]} and in {path.relative_to(ROOT)}"
            seen[name] = path.relative_to(ROOT)
    if not seen:
        yield "no fault points found"


def headers_say_what_they_are(_build):
    for path in sources((".h",)):
        if not path.read_text().lstrip().startswith("/*"):
            yield f"{path.relative_to(ROOT)}: begin with a comment: what it is, who owns it, which threads"


def documents_link(_build):
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                yield f"{path.relative_to(ROOT)}: link to {target}, which is not there"


def nothing_left_unfinished(_build):
    for path in sources():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--build", default=str(ROOT / "build"))
    build = pathlib.Path(args.parse_args().build).resolve()
    checks = [one_export_per_plugin, fault_points_are_unique, headers_say_what_they_are, documents_link, nothing_left_unfinished]
    failed = 0
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        found = list(check(build))
        for text in found:
            print("# " + text)
        print(f"{'not ok' if found else 'ok'} {number} - {check.__name__.replace('_', ' ')}")
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
