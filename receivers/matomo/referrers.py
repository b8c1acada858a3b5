#!/usr/bin/env python3
"""Writes referrer_data.c from the lists of search engines, social networks and AI assistants that the Matomo project keeps
(matomo-org/searchengine-and-social-list, public domain, CC0). Run by hand when they change; the result is committed.

usage: referrers.py FOLDER > referrer_data.c      (FOLDER holds SearchEngines.yml, Socials.yml, AIAssistants.yml; needs PyYAML)"""
import pathlib
import sys
import urllib.parse

import yaml


def c_string(text):
    out = ""
    for byte in text.encode():
        char = chr(byte)
        out += {"\\": "\\\\", '"': '\\"', "\n": "\\n"}.get(char) or (char if 32 <= byte < 127 else "\\%03o" % byte)
    return f'"{out}"'


def main():
    folder = pathlib.Path(sys.argv[1])
    engines, socials, assistants = (yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8"))
                                    for name in ("SearchEngines", "Socials", "AIAssistants"))
    sources, places, with_paths = [], {}, set()

    def source(name, params=(), hidden=(), charsets=()):
        others = [c for c in charsets if c.lower() != "utf-8"]
        fields = [name, "\n".join(params), "\n".join(hidden), others[0].lower() if others else ""]
        row = f"    {{{', '.join(c_string(f) for f in fields)}}},"
        if row not in sources:
            sources.append(row)
        return sources.index(row)

    def place(url, kind, number):
        places.setdefault((url, kind), number)  # the first one has it
        if "/" in url:
            with_paths.add((url.split("/")[0], kind))

    for name, definitions in engines.items():
        for definition in definitions:
            number = source(name, definition.get("params") or (), definition.get("hiddenkeyword") or (),
                            definition.get("charsets") or ())
            for url in definition["urls"]:
                place(url.removeprefix("android-app//"), "ENGINE", number)
    for kind, lists in (("SOCIAL", socials), ("ASSISTANT", assistants)):
        for name, urls in lists.items():
            for url in urls:
                place(url, kind, source(urllib.parse.unquote(name)))  # "Google%2B"
    # A host with paths below it is an entry of its own, so that one look-up says that there are some.
    rows = [f"    P({c_string(url)}, {kind}, {number})," for (url, kind), number in sorted(places.items())]
    rows += [f"    P({c_string(host)}, {kind}_PATHS, 0)," for host, kind in sorted(with_paths)]

    print("/* Written by referrers.py; do not edit. */\n#include \"receivers/matomo/referrer_data.h\"\n\n// clang-format off")
    print("const referrer_source referrer_sources[] = {")
    print("\n".join(sources))
    print("};\n\n#define P(text, kind, number) {text, sizeof text - 1, REFERRER_##kind, number}\n")
    print("const referrer_place referrer_places[] = {")
    print("\n".join(rows))
    print("};\n// clang-format on\n")
    print("const size_t referrer_source_count = sizeof referrer_sources / sizeof *referrer_sources;")
    print("const size_t referrer_place_count = sizeof referrer_places / sizeof *referrer_places;")


if __name__ == "__main__":
    main()
