"""What a script makes go wrong: README.md describes the format."""
import random
import threading

ACTS = ("error", "throttle", "expired_token", "skew", "slow", "cut", "close", "hang", "garbage", "records", "shuffle", "checksum")
KEYS = {"service", "op", "match", "skip", "every", "times", "chance", "do", "status", "code", "message", "delay_ms", "after", "part", "seconds",
        "headers"}


class Fault:
    def __init__(self, spec):
        unknown = set(spec) - KEYS
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it may have {', '.join(sorted(KEYS))}")
        if spec.get("do") not in ACTS:
            raise ValueError(f"do is one of {', '.join(ACTS)}, not {spec.get('do')!r}")
        self.spec = spec
        self.seen = self.done = 0

    def __getattr__(self, name):
        return self.spec.get(name)

    def takes(self, service, op, body, rng):
        """Is this the request? Counts it."""
        if self.service not in (None, service) or self.op not in (None, op):
            return False
        if any(body.get(key) != value for key, value in (self.match or {}).items()):
            return False
        self.seen += 1
        if self.times is not None and self.done >= self.times:
            return False
        if self.seen <= (self.skip or 0) or (self.seen - (self.skip or 0) - 1) % (self.every or 1):
            return False
        if self.chance is not None and rng.random() >= self.chance:
            return False
        self.done += 1
        return True


class Script:
    """All faults; the first that takes a request makes it go wrong."""

    def __init__(self, seed=None):
        self.faults, self.lock, self.rng = [], threading.Lock(), random.Random(seed)

    def add(self, specs):
        made = [Fault(spec) for spec in (specs if isinstance(specs, list) else [specs])]
        with self.lock:
            self.faults.extend(made)
        return made

    def clear(self):
        with self.lock:
            self.faults.clear()

    def choose(self, service, op, body):
        with self.lock:
            return next((fault for fault in self.faults if fault.takes(service, op, body, self.rng)), None)

    def state(self):
        with self.lock:
            return [dict(fault.spec, seen=fault.seen, done=fault.done) for fault in self.faults]
