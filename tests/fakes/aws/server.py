#!/usr/bin/env python3
"""The fake as a process: server.py [--port 0] [--script FAULTS.json] [--seed N] [--skew SECONDS]; says where it listens."""
import argparse
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
from tests.fakes.aws.core import Fake


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--script", type=pathlib.Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--skew", type=float, default=0)
    parser.add_argument("--key", action="append", default=[], help="ACCESS:SECRET[:TOKEN]; may be repeated")
    options = parser.parse_args()
    keys = {k.split(":")[0]: (k.split(":")[1], (k.split(":") + [None])[2]) for k in options.key}
    with Fake(seed=options.seed, region=options.region, keys=keys, port=options.port) as fake:
        fake.skew_s = options.skew
        if options.script:
            fake.script.add(json.loads(options.script.read_text()))
        for name, value in dict(fake.env()).items():
            print(f"export {name}={value}")
        print(f"# listening on {fake.url}", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: fake.stopping.set())
        try:
            fake.stopping.wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main())
