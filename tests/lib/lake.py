"""Reads a lake: every object below its folder, and whether the manifests say the same."""
import gzip
import json
import pathlib
import re
import zlib

TEMPORARY = re.compile(r"(^\.|\.tmp|\.part|~$)")


def objects(lake):
    """Finished objects, sorted; manifests and temporaries are no objects."""
    lake = pathlib.Path(lake)
    return sorted(p for p in lake.rglob("*") if p.is_file() and "_manifest" not in p.parts and not TEMPORARY.search(p.name))


def temporaries(lake):
    lake = pathlib.Path(lake)
    return sorted(p for p in lake.rglob("*") if p.is_file() and TEMPORARY.search(p.name)) if lake.exists() else []


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


def crc32c(data, table=[]):  # the default argument is the cache
    if not table:
        for n in range(256):
            for _ in range(8):
                n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
            table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def first(mapping, *keys):
    for key in keys:
        if key in mapping:
            return mapping[key]
    return None


def check_manifests(lake, crc_limit_bytes=1 << 20):
    """Every object stands in exactly one manifest, with its size and its count; every entry's file is there."""
    lake = pathlib.Path(lake)
    listed = {}
    ranges = []
    for path in manifests(lake):
        try:
            manifest = json.loads(path.read_text())
        except ValueError as error:
            raise AssertionError(f"{path}: not JSON ({error})") from None
        span = re.fullmatch(r"(?:.*-)?(\d+)-(\d+)", path.stem)
        if not span:
            raise AssertionError(f"{path}: the name does not end with <a>-<b>")
        ranges.append((int(span.group(1)), int(span.group(2)), path))
        total = 0
        for entry in manifest["objects"]:
            target = find_object(lake, first(entry, "path", "name", "key", "object"))
            if target in listed:
                raise AssertionError(f"{target} stands in {path} and in {listed[target]}")
            listed[target] = path
            total += check_object(target, entry, path, crc_limit_bytes)
        want = first(manifest, "count", "records", "lines")
        if want is not None and want != total:
            raise AssertionError(f"{path}: says {want} lines, its objects hold {total}")
    for path in objects(lake):
        if path not in listed:
            raise AssertionError(f"{path} stands in no manifest")
    ranges.sort()
    for (_, end, one), (start, _, other) in zip(ranges, ranges[1:]):
        if start < end:
            raise AssertionError(f"the cuts {one.name} and {other.name} overlap")
    return len(ranges)


def find_object(lake, name):
    for candidate in (lake / name, lake.parent / name, pathlib.Path(name)):
        if candidate.is_file():
            return candidate
    raise AssertionError(f"a manifest names {name}, which is not there")


def check_object(path, entry, manifest, crc_limit_bytes):
    text = raw(path)
    count = text.count(b"\n")
    said = first(entry, "count", "records", "lines")
    if said != count:
        raise AssertionError(f"{manifest.name}: {path.name}: says {said} lines, the file holds {count}")
    size = first(entry, "bytes", "size", "raw_bytes")
    if size is not None and size not in (len(text), path.stat().st_size):
        raise AssertionError(f"{manifest.name}: {path.name}: says {size} bytes; the file has {path.stat().st_size}, {len(text)} raw")
    crc = first(entry, "crc32c", "crc")
    if crc is not None and len(text) <= crc_limit_bytes:
        value = int(crc, 16) if isinstance(crc, str) else crc
        if value not in (crc32c(text), crc32c(text.rstrip(b"\n")), zlib.crc32(text)):
            raise AssertionError(f"{manifest.name}: {path.name}: says CRC {value:08x}, the lines have {crc32c(text):08x}")
    return count
