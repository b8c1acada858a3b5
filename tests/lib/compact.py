"""A lake that is compacted, as its two kinds of readers see it: by manifests, and by folders."""
import collections
import json
import pathlib
import zlib

from tests.lib import lake as lakes


def units(lake):
    """{name: unit} of every compaction."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(lake).glob("_compact/*.json"))}


def live(lake):
    """{path: entry} of what is data: what manifests and units name, without what a unit replaced. As docs/compaction.md says it: units first."""
    lake, found, replaced = pathlib.Path(lake), {}, set()
    for unit in units(lake).values():
        replaced.update(unit["replaces"])
        for entry in unit["objects"]:
            assert entry["path"] not in found, f"two units made {entry['path']}"
            found[entry["path"]] = entry
    for manifest in sorted(lake.glob("_manifest/*.json")):
        for entry in json.loads(manifest.read_text())["objects"]:
            assert entry["path"] not in found, f"{entry['path']} is named twice"
            found[entry["path"]] = entry
    return {path: entry for path, entry in found.items() if path not in replaced}


def lines(lake):
    """Counter of the lines, as a reader of manifests has them; each file is what its entry says. Who reads while files are compacted and meets
    one that is gone looks at the manifests again: a file that they still name must be there."""
    while True:
        entries = live(lake)
        try:
            return lines_of(lake, entries)
        except FileNotFoundError:
            if live(lake) == entries:
                raise


def lines_of(lake, entries):
    count = collections.Counter()
    for path, entry in entries.items():
        data = lakes.raw(pathlib.Path(lake) / path)
        got = (len(data), data.count(b"\n"), f"{zlib.crc32(data):08x}", (pathlib.Path(lake) / path).stat().st_size)
        wanted = (entry["raw_bytes"], entry["count"], entry["crc32"], entry["bytes"])
        assert got == wanted, f"{path}: {got}, its entry says {wanted}"
        count.update(data.splitlines())
    return count


def visible(lake):
    """The same as a reader of folders has them."""
    count = collections.Counter()
    for path in lakes.objects(lake):
        count.update(lakes.raw(path).splitlines())
    return count
