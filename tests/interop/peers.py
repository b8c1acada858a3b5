"""What the interop tests share: packages from the registries, installed once outside the tree, and peers that are
always ended."""
import os
import pathlib
import signal
import subprocess
import sys

from tests.lib import cache

HERE = pathlib.Path(__file__).resolve().parent
INSTALL_TIMEOUT_S = 300
PEER_TIMEOUT_S = 120
GRACE_S = 15

# The clients never read the answers to single hits: node ends only when the server closes their idle connections.
SERVER_CONFIG = {"server": {"idle_timeout": "2s"}}


def npm_package(t, package, version):
    """The node_modules folder that has exactly this package."""
    t.need("node")
    t.need("npm")

    def fill(work):
        cache.fetch(t, package, ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", work, f"{package}@{version}"],
                    INSTALL_TIMEOUT_S)
        return work
    return cache.once(t, f"{package.replace('/', '-').lstrip('@')}-{version}", fill) / "node_modules"


def pip_packages(t, name, *requirements, timeout_s=INSTALL_TIMEOUT_S):
    """The folder with exactly these; for PYTHONPATH, so that what a peer needs is nobody else's."""
    def fill(work):
        cache.fetch(t, requirements[0], [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", work, *requirements],
                    timeout_s)
        return work
    return cache.once(t, name, fill)


class Peer:
    """A process of ours that is asked to end, then made to; its output is kept in a file."""

    def __init__(self, t, name, command, env=None, errors_apart=False):
        self.said, self.complained = t.tmp / f"{name}.out", t.tmp / f"{name}.err"
        with open(self.said, "wb") as out, open(self.complained, "wb") as err:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=out,
                                            stderr=err if errors_apart else subprocess.STDOUT, env=env, cwd=t.tmp, start_new_session=True)
        t.defer(self.end)

    def output(self):
        return self.said.read_text(errors="replace")

    def errors(self):
        return self.complained.read_text(errors="replace")

    def wait(self, timeout_s=PEER_TIMEOUT_S):
        """Closes its standard input, which is how it learns that nothing more is wanted."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.process.args[0]} did not end within {timeout_s} s; it said: {self.output()}") from None

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()  # first politely: a driver closes its browser then
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
