#!/usr/bin/env python3
"""Installs the data of the enricher device: the regex files of Matomo's device-detector, which the PyPI package
device-detector carries, and names.yml (names and families of systems and browsers), made from the same package.
Prints the directory. Nothing of the package is run.

usage: device_data.py [DIRECTORY]         default: ${XDG_DATA_HOME:-~/.local/share}/device-detector/regexes
       device_data.py --names PACKAGE     prints names.yml for an unpacked package"""
import ast
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE, VERSION = "device-detector", "6.5.1"
REGEXES = "device_detector/regexes/upstream/"
SETTINGS = "device_detector/parser/settings.py"
WANTED = ("OPERATING_SYSTEMS", "OS_FAMILIES", "AVAILABLE_BROWSERS", "BROWSER_FAMILIES", "MOBILE_ONLY_BROWSERS")


def default_directory():
    data = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local" / "share"
    return pathlib.Path(data) / "device-detector" / "regexes"


def tables(source):
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and getattr(node.targets[0], "id", "") in WANTED:
            found[node.targets[0].id] = ast.literal_eval(node.value)
    missing = [name for name in WANTED if name not in found]
    if missing:
        sys.exit(f"device_data.py: the package's settings.py has no {', '.join(missing)}")
    return found


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def rows(title, names, families, mobile_only=()):
    family_of = {code: family for family, codes in families.items() for code in codes}
    yield f"{title}:"
    for code, name in names.items():
        if name == "Unknown":  # of the port: a hint that says so must not become a system
            continue
        row = f"name: {quoted(name)}"
        if code in family_of:
            row += f", family: {quoted(family_of[code])}"
        if code in mobile_only:
            row += ", mobile_only: true"
        yield f"  - {{{row}}}"


def names_yml(source):
    found = tables(source)
    lines = ["# Made by packaging/device_data.py.",
             *rows("operating_systems", found["OPERATING_SYSTEMS"], found["OS_FAMILIES"]),
             *rows("browsers", found["AVAILABLE_BROWSERS"], found["BROWSER_FAMILIES"], found["MOBILE_ONLY_BROWSERS"])]
    return "\n".join(lines) + "\n"


def download(folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
               "--dest", folder, f"{PACKAGE}=={VERSION}"]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        sys.exit(f"device_data.py: pip cannot download {PACKAGE} {VERSION}; its last lines are above")
    return next(pathlib.Path(folder).glob("*.whl"))


def unpack(wheel, directory):
    """Whole beside the old one first, so that a running server never sees half of it."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="regexes-", dir=directory.parent))
    with zipfile.ZipFile(wheel) as package:
        for name in package.namelist():
            if name.startswith(REGEXES) and name.endswith(".yml"):
                target = fresh / name[len(REGEXES):]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(package.read(name))
        (fresh / "names.yml").write_text(names_yml(package.read(SETTINGS).decode()), encoding="utf-8")
    (fresh / "VERSION").write_text(f"{PACKAGE} {VERSION}\n")
    fresh.chmod(0o755)
    old = directory.with_name(directory.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def main():
    if sys.argv[1:2] == ["--names"] and len(sys.argv) == 3:
        sys.stdout.reconfigure(encoding="utf-8")
        print(names_yml((pathlib.Path(sys.argv[2]) / "parser" / "settings.py").read_text(encoding="utf-8")), end="")
        return
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else default_directory()
    version = directory / "VERSION"
    if not version.is_file() or version.read_text().split() != [PACKAGE, VERSION]:
        with tempfile.TemporaryDirectory() as folder:
            unpack(download(folder), directory)
    print(directory)


if __name__ == "__main__":
    main()
