#!/usr/bin/env python3
"""Writes names.yml for the device enricher: the names and families of operating systems and browsers, which the
regex files do not have, read (not run) from the Python package device-detector beside them.

usage: device_names.py PACKAGE_DIRECTORY > names.yml"""
import ast
import pathlib
import sys

WANTED = ("OPERATING_SYSTEMS", "OS_FAMILIES", "AVAILABLE_BROWSERS", "BROWSER_FAMILIES", "MOBILE_ONLY_BROWSERS")


def tables(package):
    found = {}
    tree = ast.parse((package / "parser" / "settings.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            name = getattr(node.targets[0], "id", "")
            if name in WANTED:
                found[name] = ast.literal_eval(node.value)
    missing = [name for name in WANTED if name not in found]
    if missing:
        sys.exit(f"device_names.py: {package}/parser/settings.py has no {', '.join(missing)}")
    return found


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def write(title, names, families, mobile_only=()):
    family_of = {code: family for family, codes in families.items() for code in codes}
    print(f"{title}:")
    for code, name in names.items():
        row = f"name: {quoted(name)}"
        if code in family_of:
            row += f", family: {quoted(family_of[code])}"
        if code in mobile_only:
            row += ", mobile_only: true"
        print(f"  - {{{row}}}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = tables(pathlib.Path(sys.argv[1]))
    sys.stdout.reconfigure(encoding="utf-8")
    print("# Made by packaging/device_names.py.")
    write("operating_systems", found["OPERATING_SYSTEMS"], found["OS_FAMILIES"])
    write("browsers", found["AVAILABLE_BROWSERS"], found["BROWSER_FAMILIES"], found["MOBILE_ONLY_BROWSERS"])


if __name__ == "__main__":
    main()
