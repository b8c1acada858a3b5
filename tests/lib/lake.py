"""Reads a lake: every object below its folder, and whether the manifests say the same."""
import gzip
import json
import os
import pathlib
import zlib

SPECIAL = ("_manifest", "_tmp", "_compact")


def files(folder):
    """Every file below it; folders that somebody removes meanwhile have none."""
    return [pathlib.Path(where) / name for where, _, names in os.walk(folder) for name in names]


def objects(lake):
    """Finished objects, sorted; manifests and temporaries are no objects."""
    return sorted(p for p in files(lake) if not set(SPECIAL) & set(p.relative_to(lake).parts))


def temporaries(lake):
    return sorted(p for p in files(lake) if p.name.endswith(".tmp") or "_tmp" in p.relative_to(lake).parts)


def raw(path):
    data = path.read_bytes()
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise AssertionError(f"{path}: not a whole gzip file ({error})") from None


def lines(lake):
    """All events, parsed, in file order."""
    found = []
    for path in objects(lake):
        text = raw(path)
        if text and not text.endswith(b"\n"):
            raise AssertionError(f"{path} does not end with a newline")
        for line in text.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise AssertionError(f"{path}: not JSON ({error}): {line[:200]!r}") from None
    return found


def names(lake, field="event_value_name"):
    return [event.get(field) for event in lines(lake)]


def manifests(lake):
    return sorted(pathlib.Path(lake).rglob("_manifest/*.json"))


def check_manifests(lake):
    """Every object stands in exactly one manifest, with its size, count and CRC; cuts of one module do not overlap. How many."""
    lake = pathlib.Path(lake)
    listed, ranges = {}, []
    for path in manifests(lake):
        try:
            manifest = json.loads(path.read_text())
        except ValueError as error:
            raise AssertionError(f"{path}: not JSON ({error})") from None
        if "-q" not in path.stem:  # one record out of the quarantine lies inside another cut
            ranges.append((manifest["module"], manifest["from"], manifest["through"], path))
        for entry in manifest["objects"]:
            target = lake / entry["path"]
            if target in listed:
                raise AssertionError(f"{target} stands in {path.name} and in {listed[target].name}")
            listed[target] = path
            check_object(target, entry, path)
        for key in ("count", "raw_bytes"):
            total = sum(entry[key] for entry in manifest["objects"])
            if manifest[key] != total:
                raise AssertionError(f"{path}: says {key} {manifest[key]}, its objects {total}")
        if manifest["through"] - manifest["from"] < manifest["count"]:
            raise AssertionError(f"{path}: {manifest['count']} lines out of the range {manifest['from']}..{manifest['through']}")
    for path in objects(lake):
        if path not in listed:
            raise AssertionError(f"{path} stands in no manifest")
    ranges.sort()
    for (module, _, end, one), (following, start, _, other) in zip(ranges, ranges[1:]):
        if start < end and module == following:
            raise AssertionError(f"the cuts {one.name} and {other.name} overlap")
    return len(manifests(lake))


def check_object(path, entry, manifest):
    if not path.is_file():
        raise AssertionError(f"{manifest.name} names {path}, which is not there")
    text = raw(path)
    real = {"bytes": path.stat().st_size, "raw_bytes": len(text), "count": text.count(b"\n"), "crc32": f"{zlib.crc32(text):08x}"}
    for key, value in real.items():
        if entry[key] != value:
            raise AssertionError(f"{manifest.name}: {path.name}: says {key} {entry[key]}, the file has {value}")


def download(objects, folder):
    """{key: bytes} of a bucket below one prefix as a lake on disk, for the checks above."""
    for key, body in objects.items():
        path = pathlib.Path(folder) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return pathlib.Path(folder)
