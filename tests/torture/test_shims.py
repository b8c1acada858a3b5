#!/usr/bin/env python3
"""The torture shims themselves: a shim that loses nothing, or injects nothing, would prove nothing."""
import errno
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.tap import check, equal, main, test
from tests.torture.faults import Faults
from tests.torture.power import Power


def python(t, script, shim, env):
    result = subprocess.run([sys.executable, "-c", script], env=dict(os.environ, LD_PRELOAD=str(shim), **env), cwd=t.tmp,
                            capture_output=True, text=True, timeout=60)
    equal(result.returncode, 0, result.stdout + result.stderr)
    return result.stdout


def write_all(t, script, ignore="", **cut):
    """Runs script with d = the data directory, cuts the power, returns {name: bytes}."""
    data = t.tmp / "data"
    power = Power(data, t.tmp / "shadow", ignore)
    head = f"import os; d = {str(data)!r}\ndef sync(p):\n f = os.open(p, os.O_RDONLY); os.fsync(f); os.close(f)\n"
    python(t, head + script, power.shim, power.env)
    power.cut(**cut)
    return {p.relative_to(data).as_posix(): p.read_bytes() for p in data.rglob("*") if p.is_file()}


@test("what was neither synced nor entered in a synced directory is gone")
def _(t):
    equal(write_all(t, "open(d + '/a', 'wb').write(b'x' * 9000)"), {})


@test("a synced file without its directory entry is gone")
def _(t):
    equal(write_all(t, "open(d + '/a', 'wb').write(b'x' * 9000); sync(d + '/a')"), {})


@test("a directory entry without its file's bytes is an empty file")
def _(t):
    equal(write_all(t, "open(d + '/a', 'wb').write(b'x' * 9000); sync(d)"), {"a": b""})


@test("what was synced before the cut survives, what was written after it does not")
def _(t):
    found = write_all(t, """
f = os.open(d + '/a', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'1' * 1000000, 0); os.fdatasync(f); sync(d)
os.pwrite(f, b'2' * 5000, 500000); os.pwrite(f, b'3', 2000000)""")
    equal(found, {"a": b"1" * 1000000})


@test("an overwritten page of a large file becomes durable with the next sync only")
def _(t):
    found = write_all(t, """
f = os.open(d + '/a', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'1' * 1000000, 0); os.fsync(f); sync(d)
os.pwrite(f, b'22', 500000); os.fdatasync(f); os.pwrite(f, b'33', 900000)""")
    equal(found, {"a": b"1" * 500000 + b"22" + b"1" * 499998})


@test("a rename is durable only after its directory was synced")
def _(t):
    found = write_all(t, """
for n in 'ab':
    open(d + '/' + n + '.tmp', 'wb').write(n.encode()); sync(d + '/' + n + '.tmp'); sync(d)
os.rename(d + '/a.tmp', d + '/a'); sync(d); os.rename(d + '/b.tmp', d + '/b')""")
    equal(found, {"a": b"a", "b.tmp": b"b"})


@test("a removed file comes back where its directory was not synced")
def _(t):
    found = write_all(t, """
open(d + '/a', 'wb').write(b'a'); sync(d + '/a'); sync(d); os.unlink(d + '/a')""")
    equal(found, {"a": b"a"})


@test("an inode number that is used again is another file")
def _(t):
    found = write_all(t, """
for i in range(50):
    open(d + '/a%d' % i, 'wb').write(b'old'); sync(d + '/a%d' % i)
sync(d)
for i in range(50):
    os.unlink(d + '/a%d' % i); open(d + '/b%d' % i, 'wb').write(b'new'); sync(d + '/b%d' % i)""")
    equal(found, {f"a{i}": b"old" for i in range(50)})


@test("an ignored sync makes nothing durable")
def _(t):
    script = """
os.mkdir(d + '/j'); sync(d)
for n in ('j/a', 'b'):
    open(d + '/' + n, 'wb').write(b'x'); sync(d + '/' + n)
sync(d + '/j'); sync(d)"""
    equal(write_all(t, script, "file:j/*"), {"j/a": b"", "b": b"x"})
    equal(write_all(t, "os.rename(d, d + '1'); os.mkdir(d)\n" + script, "dir:j"), {"b": b"x"})


@test("a truncated and rewritten large file shows no old bytes after a sync")
def _(t):
    found = write_all(t, """
f = os.open(d + '/a', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'1' * 1000000, 0); os.fsync(f); sync(d); os.close(f)
f = os.open(d + '/a', os.O_RDWR | os.O_TRUNC); os.pwrite(f, b'2', 999999); os.fsync(f)""")
    equal(found, {"a": bytes(999999) + b"2"})


@test("what a dead process wrote can be synced by another one")
def _(t):
    found = write_all(t, """
f = os.open(d + '/a', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'1' * 1000000, 0); os.fsync(f); sync(d)
if os.fork() == 0:
    g = os.open(d + '/a', os.O_RDWR); os.pwrite(g, b'22', 500000); os.kill(os.getpid(), 9)
os.wait(); os.fdatasync(f)""")
    equal(found, {"a": b"1" * 500000 + b"22" + b"1" * 499998})


@test("with chance 1 everything survives")
def _(t):
    found = write_all(t, "open(d + '/a', 'wb').write(b'x' * 9000); os.mkdir(d + '/e'); open(d + '/e/b', 'w').write('b')", chance=1.0)
    equal(found, {"a": b"x" * 9000, "e/b": b"b"})


def faulty(t, script, *rules, **rule):
    faults = Faults(t.tmp)
    number = faults.add(*rules, **rule)
    head = f"import os, errno; d = {str(t.tmp)!r}\ndef tell(f, *a):\n try: print(f(*a))\n except OSError as e: print(errno.errorcode[e.errno])\n"
    return python(t, head + script, faults.shim, faults.env).split(), faults, number


@test("a write fails at its nth passage, once, on the given path only")
def _(t):
    said, faults, number = faulty(t, """
f = os.open(d + '/target', os.O_RDWR | os.O_CREAT); g = os.open(d + '/other', os.O_RDWR | os.O_CREAT)
for i in range(4): tell(os.write, g, b'abcd'); tell(os.write, f, b'abcd')""", "write", path="target", nth=2, times=1)
    equal(said, ["4", "4", "4", "EIO", "4", "4", "4", "4"])
    equal(faults.hits(number), 1)


@test("a short write writes half")
def _(t):
    said, _, _ = faulty(t, "f = os.open(d + '/target', os.O_RDWR | os.O_CREAT)\ntell(os.pwrite, f, b'abcd', 0); tell(os.writev, f, [b'abcd', b'ef'])",
                        "write", "short", path="target")
    equal(said, ["2", "2"])


@test("failed syncs, renames and opens")
def _(t):
    faults = Faults(t.tmp)
    faults.add("sync", path="target", error=errno.EIO)
    faults.add("rename", path="renamed", error=errno.ENOSPC)
    faults.add("open", path="locked", error=errno.EACCES)
    said = python(t, f"""
import os, errno; os.chdir({str(t.tmp)!r})
def tell(f, *a):
 try: f(*a); print('fine')
 except OSError as e: print(errno.errorcode[e.errno])
f = os.open('target', os.O_RDWR | os.O_CREAT)
tell(os.fsync, f); tell(os.fdatasync, f); tell(os.rename, 'target', 'renamed'); tell(os.open, 'locked', os.O_CREAT)
tell(os.rename, 'target', 'x')""", faults.shim, faults.env).split()
    equal(said, ["EIO", "EIO", "ENOSPC", "EACCES", "fine"])


@test("a full disk refuses growth, allows overwriting, and can be emptied at run time")
def _(t):
    faults = Faults(t.tmp)
    faults.full_disk(t.tmp)
    script = f"""
import os, errno, mmap
def tell(f, *a):
 try: f(*a); print('fine')
 except OSError as e: print(errno.errorcode[e.errno])
f = os.open({str(t.tmp / 'there')!r}, os.O_RDWR)
tell(os.pwrite, f, b'y', 0); tell(os.pwrite, f, b'y', 4); tell(os.posix_fallocate, f, 0, 100)
r = os.open({str(faults.path)!r}, os.O_RDWR); os.pwrite(r, bytes(4), 0)
tell(os.pwrite, f, b'y', 4)"""
    (t.tmp / "there").write_bytes(b"xxxx")
    equal(python(t, script, faults.shim, faults.env).split(), ["fine", "ENOSPC", "ENOSPC", "fine"])


@test("a process is killed before its nth call")
def _(t):
    faults = Faults(t.tmp)
    rule = faults.add("sync", "kill", path="target", nth=2)
    result = subprocess.run([sys.executable, "-c", "import os; f = os.open('target', os.O_RDWR | os.O_CREAT)\n"
                             "for i in range(5): os.fsync(f); print(i, flush=True)"], env=dict(os.environ, LD_PRELOAD=str(faults.shim), **faults.env),
                            cwd=t.tmp, capture_output=True, text=True, timeout=60)
    equal((result.returncode, result.stdout, faults.hits(rule)), (-9, "0\n", 1))


@test("a delayed sync takes longer")
def _(t):
    faults = Faults(t.tmp)
    faults.add("sync", "delay", path="target", delay_us=200000)
    said = python(t, f"import os, time; f = os.open({str(t.tmp / 'target')!r}, os.O_RDWR | os.O_CREAT)\n"
                     "a = time.monotonic(); os.fsync(f); print(time.monotonic() - a)", faults.shim, faults.env)
    check(float(said) >= 0.2, f"the sync took {said} s")


if __name__ == "__main__":
    sys.exit(main())
