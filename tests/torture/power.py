"""The harness side of shim_unsynced.c: a power cut. begin() declares what is on disk now to be durable;
after every process was killed, cut() leaves in the data directory only what was synced since.

cut(chance) lets each unsynced page and directory entry survive with that probability: a disk may well have
written some of them, in any order."""
import ctypes
import os
import pathlib
import random
import shutil
import stat

from tests.lib.server import shim

PAGE = 4096
AT_FDCWD, AT_SYMLINK_NOFOLLOW = -100, 0x100
STATX_INO, STATX_BTIME = 0x100, 0x800
libc = ctypes.CDLL(None, use_errno=True)


def key(path):
    """Inode number and birth time, as the shim writes them."""
    out = ctypes.create_string_buffer(256)
    if libc.statx(AT_FDCWD, os.fsencode(path), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, out) != 0:
        raise OSError(ctypes.get_errno(), f"statx {path}")
    mask = int.from_bytes(out[0:4], "little")
    ino = int.from_bytes(out[32:40], "little")
    seconds, nanoseconds = int.from_bytes(out[80:88], "little"), int.from_bytes(out[88:92], "little")
    return f"{ino:x}-{seconds * 1000000000 + nanoseconds if mask & STATX_BTIME else 0:x}"


class Power:
    def __init__(self, data, shadow, ignore=""):
        self.data, self.shadow = pathlib.Path(data), pathlib.Path(shadow)
        self.data.mkdir(parents=True, exist_ok=True)
        self.shim = shim("unsynced")
        self.env = {"STREAMSTEAM_UNSYNCED_DIR": str(self.data.resolve()), "STREAMSTEAM_UNSYNCED_SHADOW": str(self.shadow.resolve()),
                    "STREAMSTEAM_UNSYNCED_IGNORE": ignore}
        self.begin()

    def begin(self):
        shutil.rmtree(self.shadow, ignore_errors=True)
        for name in ("inodes", "dirty", "dirs"):
            (self.shadow / name).mkdir(parents=True)
        for folder, _, files in os.walk(self.data):
            self.note_dir(folder)
            for path in regular(folder, files):
                shutil.copyfile(path, self.shadow / "inodes" / key(path))

    def note_dir(self, folder):
        lines = []
        for entry in os.scandir(folder):
            kind = "d" if entry.is_dir(follow_symlinks=False) else "f" if entry.is_file(follow_symlinks=False) else None
            if kind:
                lines.append(f"{kind} {key(entry.path)} {entry.name}\n")
        (self.shadow / "dirs" / key(folder)).write_text("".join(lines))

    def cut(self, chance=0.0, rng=random):
        """Rebuilds the data directory from the shadow. Returns what was lost, for messages."""
        old = self.data.with_name(self.data.name + ".before-cut")
        shutil.rmtree(old, ignore_errors=True)
        os.rename(self.data, old)
        present = self.index(old)
        lost = []
        self.rebuild(old, key(old), self.data, present, chance, rng, lost)
        shutil.rmtree(old, ignore_errors=True)  # what is left of it is removed at the next cut
        self.begin()
        return lost

    def index(self, top):
        """key -> where that inode is now."""
        found = {}
        for folder, _, files in os.walk(top):
            found[key(folder)] = folder
            for path in regular(folder, files):
                found[key(path)] = path
        return found

    def durable_entries(self, folder_key):
        listing = self.shadow / "dirs" / folder_key
        entries = {}
        if listing.exists():
            for line in listing.read_text(errors="surrogateescape").splitlines():
                kind, child, name = line.split(" ", 2)
                entries[name] = (kind, child)
        return entries

    def rebuild(self, old, folder_key, target, present, chance, rng, lost):
        target.mkdir(exist_ok=True)
        entries = self.durable_entries(folder_key)
        now = present.get(folder_key)
        for name in sorted(os.listdir(now)) if now else []:
            path = os.path.join(now, name)
            if not os.path.isdir(path) and not regular(now, [name]):
                continue
            value = ("d" if os.path.isdir(path) else "f", key(path))
            if entries.get(name) != value:
                if rng.random() < chance:
                    entries[name] = value
                else:
                    lost.append(f"entry {os.path.relpath(path, old)}")
        for name in sorted(entries):
            if now and chance and not os.path.lexists(os.path.join(now, name)) and rng.random() < chance:
                continue  # the removal had reached the disk
            kind, child = entries[name]
            if kind == "d":
                self.rebuild(old, child, target / name, present, chance, rng, lost)
            else:
                self.rebuild_file(child, target / name, present.get(child), chance, rng, lost)

    def rebuild_file(self, child, target, now, chance, rng, lost):
        durable = self.shadow / "inodes" / child
        if durable.exists():
            shutil.copyfile(durable, target)
        else:
            target.touch()
        if now is None:
            return
        dirty_path = self.shadow / "dirty" / child
        dirty = dirty_path.read_bytes() if dirty_path.exists() else b""
        size, had = os.path.getsize(now), os.path.getsize(target)
        with open(now, "rb") as source, open(target, "r+b") as out:
            page = next_dirty(dirty, 0)
            while page >= 0 and page * PAGE < size:
                if rng.random() < chance:
                    source.seek(page * PAGE)
                    out.seek(page * PAGE)
                    out.write(source.read(PAGE))
                else:
                    lost.append(f"page {page} of {target.name}")
                page = next_dirty(dirty, page + 1)
            if chance and rng.random() < chance:
                out.truncate(size)
            elif size != had:
                lost.append(f"size {size} of {target.name}, back to {had}")


def regular(folder, names):
    """Paths of the regular files among them: sockets live no longer than their process."""
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if stat.S_ISREG(os.lstat(path).st_mode)]


def next_dirty(dirty, start):
    """The next page that is not clean, or -1."""
    at = [i for i in (dirty.find(b"\1", start), dirty.find(b"\2", start)) if i >= 0]
    return min(at) if at else -1
