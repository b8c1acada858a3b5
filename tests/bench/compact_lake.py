"""A lake of one day as a busy server leaves it: 1440 small files, and what compacting it costs."""
import gzip
import json
import os
import random
import subprocess
import time
import zlib

from tests.lib import spark

FOLDER = "raw/day=20/"
TIME = "2026-11-20T12:00:00.000Z"


def fill(root, files, lines):
    """Bytes on disk, bytes of lines."""
    lake, rng = spark.Lake(root), random.Random(1)
    raw = b"".join(json.dumps({"event_id": f"{rng.getrandbits(128):032x}", "event_type": "page_view", "application_id": "game", "event_timestamp": 1763640000 + i,
                               "event_data": {"level_id": str(rng.randrange(50)), "x": rng.random(), "url": f"https://example.com/a/b/{rng.randrange(1000)}"}},
                              separators=(",", ":")).encode() + b"\n" for i in range(lines))
    packed, crc = gzip.compress(raw, 1), f"{zlib.crc32(raw):08x}"
    (root / FOLDER).mkdir(parents=True)
    for i in range(files):
        name = f"{spark.JOURNAL}-lake-{i * lines:020d}-{(i + 1) * lines:020d}"
        (root / FOLDER / f"{name}.ndjson.gz").write_bytes(packed)
        entry = {"path": f"{FOLDER}{name}.ndjson.gz", "bytes": len(packed), "raw_bytes": len(raw), "count": lines, "crc32": crc, "event_min": TIME, "event_max": TIME}
        (root / "_manifest" / f"{name}.json").write_text(json.dumps({"version": 1, "journal": spark.JOURNAL, "module": lake.module, "from": i * lines,
                                                                     "through": (i + 1) * lines, "count": lines, "objects": [entry]}))
    return files * len(packed), files * len(raw)


def run(server):
    """Seconds, and the largest resident memory in bytes."""
    words = [str(server.binary), "compact", "--partition", "raw", "-c", str(server.file)]
    start = time.monotonic()
    process = subprocess.Popen(words, env=server.environment(), cwd=server.folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise AssertionError(f"compact ended with {process.returncode}")
    return time.monotonic() - start, usage.ru_maxrss * 1024
