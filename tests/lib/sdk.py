"""What a plugin author has: an installed prefix, and folders outside the tree. One installation a test file."""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

from tests.lib.server import ROOT, build_dir, gone, sanitized
from tests.lib.tap import equal

COMMAND_TIMEOUT_S = 240
installed = []
lock = threading.Lock()


def environment(where=None):
    """Nothing of the make that runs the tests, nothing of another installation."""
    drop = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PKG_CONFIG_PATH", "STREAMSTEAM_LISTEN", "STREAMSTEAM_DATA", "STREAMSTEAM_ADMIN")
    env = {k: v for k, v in os.environ.items() if k not in drop}
    if where:
        env["PKG_CONFIG_PATH"] = str(where / "lib" / "pkgconfig")
    return env


def run(*command, **options):
    options.setdefault("env", environment())
    result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_TIMEOUT_S,
                            **options)
    equal(result.returncode, 0, f"{' '.join(map(str, command))}: {result.stdout}")
    return result.stdout


def prefix(t):
    """make install, once; sanitizer builds are skipped, as authors link the installed libraries with their own."""
    t.need("make")
    t.need("pkg-config")
    if sanitized():
        t.skip("authors' builds are tested with the plain build")
    with lock:
        if not installed:
            top = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-sdk-"))
            atexit.register(shutil.rmtree, top, True)
            run("make", "--no-print-directory", "-C", ROOT, "install", f"DESTDIR={top}", "PREFIX=/opt/streamsteam", f"BUILD={build_dir()}")
            installed.append(top / "opt" / "streamsteam")  # not where it was built for
    return installed[0]


def new(t, kind, name, *words, prefix=None):
    """streamsteam new; the folder."""
    where = prefix or globals()["prefix"](t)
    run(where / "bin" / "streamsteam", "new", kind, name, "--dir", t.tmp, *words)
    return t.tmp / name


def make(folder, *words):
    return run("make", *words, cwd=folder)


def serving(folder):
    """Processes of a server that works in that folder."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{entry}/exe").endswith("/bin/streamsteam") and os.readlink(f"/proc/{entry}/cwd") == str(folder) \
                    and b"serve" in pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0") and not gone(int(entry)):
                found.append(int(entry))
        except OSError:
            continue
    return found
