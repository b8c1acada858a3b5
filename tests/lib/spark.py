"""For tests of the module spark: a lake's manifests without a lake, and a spark-submit that only counts."""
import datetime
import gzip
import json
import os
import pathlib
import zlib

JOURNAL = "b1e29c23d037b3ae"

# Appends "<batch> <run>" to $STAND_IN_RUNS; fails, hangs or is slow where its last argument says so.
STAND_IN = r'''#!/bin/sh
batch= run= how=
while [ $# -gt 0 ]; do
  case $1 in
    --name) run=$2; shift ;;
    --batch) batch=$2; shift ;;
    --how) how=$2; shift ;;
  esac
  shift
done
echo "$batch $run" >>"$STAND_IN_RUNS"
case $how in
  fail) echo "the job says why" ; exit 3 ;;
  once) [ -e "$STAND_IN_RUNS.$batch" ] || { : >"$STAND_IN_RUNS.$batch"; echo "only the first time"; exit 4; } ;;
  hang) sleep 600 & echo $! >>"$STAND_IN_RUNS.pids"; wait ;;
  noisy) head -c 3000000 /dev/zero | tr '\0' x; echo; echo the end ;;
  slow) sleep 0.2 ;;
esac
'''


def stand_in(folder):
    path = pathlib.Path(folder) / "spark-submit"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def runs(path):
    """[(batch, run)] in order of their start."""
    try:
        return [tuple(line.split()) for line in pathlib.Path(path).read_text().splitlines()]
    except FileNotFoundError:
        return []


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03d}Z"


class Lake:
    """Cuts as the module lake seals them."""

    def __init__(self, path, module="lake"):
        self.path, self.module, self.through = pathlib.Path(path), module, 0
        (self.path / "_manifest").mkdir(parents=True, exist_ok=True)

    def cut(self, parts):
        """parts: {folder: [(time, event), ...]}; one file a folder."""
        start, count = self.through, sum(len(p) for p in parts.values())
        self.through += max(count, 1)
        name = f"{JOURNAL}-{self.module}-{start:020d}-{self.through:020d}"
        objects = []
        for folder, events in parts.items():
            raw = b"".join(json.dumps(e, separators=(",", ":")).encode() + b"\n" for _, e in events)
            file = self.path / folder / f"{name}.ndjson.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(gzip.compress(raw, 1))
            times = [t for t, _ in events]
            objects.append({"path": str(file.relative_to(self.path)), "bytes": file.stat().st_size, "raw_bytes": len(raw), "count": len(events),
                            "crc32": f"{zlib.crc32(raw):08x}", "event_min": iso(min(times)), "event_max": iso(max(times))})
        whole = {"version": 1, "journal": JOURNAL, "module": self.module, "from": start, "through": self.through, "count": count, "objects": objects}
        manifest = self.path / "_manifest" / f"{name}.json"
        temporary = self.path / "_manifest" / ("." + manifest.name)
        temporary.write_text(json.dumps(whole))
        os.rename(temporary, manifest)
        return [o["path"] for o in objects]


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
