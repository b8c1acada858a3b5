"""The harness side of shim_fault.c: rules that make system calls fail, switched while the server runs."""
import errno
import mmap
import struct

from tests.lib.server import shim

RULES_MAX = 16
LAYOUT = struct.Struct("=IIIiQQQQQ128s64s")
CALLS = {"write": 1, "sync": 2, "open": 4, "rename": 8, "unlink": 16, "allocate": 32, "mkdir": 64, "read": 128}
EFFECTS = {"error": 1, "short": 2, "delay": 3, "grow": 4, "kill": 5}


class Faults:
    """faults = Faults(t.tmp); server = t.server(preload=[faults.shim], env=faults.env)"""

    def __init__(self, folder):
        self.path = folder / "fault-rules"
        self.path.write_bytes(bytes(LAYOUT.size * RULES_MAX))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.used = 0
        self.shim = shim("fault")
        self.env = {"STREAMSTEAM_FAULT_RULES": str(self.path)}

    def add(self, calls, effect="error", error=errno.EIO, path="", process="", nth=1, times=0, delay_us=0, on=True):
        """Returns the rule's number, for on(), off(), hits()."""
        mask = sum(CALLS[c] for c in ([calls] if isinstance(calls, str) else calls))
        number, self.used = self.used, self.used + 1
        LAYOUT.pack_into(self.map, number * LAYOUT.size, 0, mask, EFFECTS[effect], error, nth, times, delay_us, 0, 0,
                         str(path).encode(), process.encode())
        if on:
            self.on(number)
        return number

    def on(self, number):
        struct.pack_into("=I", self.map, number * LAYOUT.size, 1)

    def off(self, number=None):
        for n in range(self.used) if number is None else [number]:
            struct.pack_into("=I", self.map, n * LAYOUT.size, 0)

    def hits(self, number):
        return LAYOUT.unpack_from(self.map, number * LAYOUT.size)[8]

    def full_disk(self, path, on=True):
        """Nothing below path can grow; what is allocated can be overwritten."""
        return [self.add(["write", "allocate"], "grow", errno.ENOSPC, path, on=on)]
