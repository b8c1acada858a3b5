"""What the tests fetch once, outside the tree: ${XDG_CACHE_HOME:-~/.cache}/streamsteam/interop."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile


def base():
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "streamsteam" / "interop"


def fetch(t, what, command, timeout_s, cwd=None):
    """A package manager's command; skips the test where what cannot be had."""
    try:
        result = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        t.skip(f"{what} was not fetched within {timeout_s} s")
    if result.returncode != 0:
        said = (result.stderr + result.stdout).splitlines()
        t.skip(f"{what} cannot be fetched: {next((line.strip() for line in said if re.search('err', line, re.I)), said[-1:])}")


def once(t, name, fill):
    """The folder of this name; where there is none, what fill(an empty folder) returns becomes it: whole, because it gets its name last,
    and made by one process while others wait."""
    folder = base() / name
    if folder.is_dir():
        return folder
    base().mkdir(parents=True, exist_ok=True)
    with open(base() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=base()))
            t.defer(shutil.rmtree, work, True)
            made = fill(work)
            made.chmod(0o755)
            made.rename(folder)
    return folder
