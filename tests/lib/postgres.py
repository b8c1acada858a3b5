"""A real PostgreSQL for a test: its own folder below t.tmp, a port chosen by the system, ended afterwards. It refuses to
run as root, so then it runs as nobody.

    db = Postgres(t)                    # skips where Debian's package is missing
    modules = {"warehouse": {"database": "postgres", "connection": db.conninfo()}}
    db.rows("select count(*) from matomo")   -> [["3"]]
"""
import csv
import glob
import io
import os
import pathlib
import shutil
import signal
import subprocess

from tests.lib.ports import free_port
from tests.lib.wait import until

PASSWORD = "right 'one'"
START_TIMEOUT_S = 60
# A test's database need not survive a power cut, except where the test is about that.
SETTINGS = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "40", "autovacuum": "off", "timezone": "UTC",
            "lc_messages": "C", "log_line_prefix": "%p ", "unix_socket_directories": ""}


def binaries(t):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    if not found:
        t.skip("PostgreSQL is not installed")
    return pathlib.Path(found[-1]).parent


def quoted(value):
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


class Postgres:
    user = "tester"

    def __init__(self, t, start=True, **settings):
        self.bin = binaries(t)
        self.prefix = [t.need("runuser"), "-u", "nobody", "--"] if os.getuid() == 0 else []
        self.folder = t.tmp / f"postgres{len(t.cleanups)}"
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.settings = {**SETTINGS, **settings}
        self.process, self.port = None, free_port()
        self.folder.mkdir()
        (self.folder / "password").write_text(PASSWORD)
        if self.prefix:
            shutil.chown(self.folder, "nobody")
            shutil.chown(self.folder / "password", "nobody")
        self.run("initdb", "-D", str(self.data), "-U", self.user, "-A", "scram-sha-256", f"--pwfile={self.folder / 'password'}",
                 "-N", "-E", "UTF8", "--locale", "C")
        t.defer(self.stop, "immediate")
        if start:
            self.start()

    def run(self, program, *words):
        result = subprocess.run([*self.prefix, str(self.bin / program), *words], capture_output=True, text=True, timeout=120, cwd="/")
        if result.returncode:
            raise AssertionError(f"{program} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout

    # ---- life ----------------------------------------------------------------------------------------

    def start(self, wait=True, **settings):
        given = {**self.settings, **settings}
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, str(self.bin / "postgres"), "-D", str(self.data), "-h", "127.0.0.1",
                                             "-p", str(self.port), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        if wait:
            until(self.answers, START_TIMEOUT_S, "PostgreSQL")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"postgres ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return self.psql("select 1", check=False).returncode == 0

    def pid(self):
        """The postmaster's: with runuser it is not the process that was started."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def stop(self, mode="fast"):
        """smart, fast; immediate is as after a crash: clients are cut off."""
        pid = self.pid()
        if self.process is None:
            return
        if pid and self.process.poll() is None:
            os.kill(pid, {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self.process.wait(60)
        self.process = None

    # ---- asking it -----------------------------------------------------------------------------------

    def conninfo(self, **more):
        words = {"host": "127.0.0.1", "port": self.port, "dbname": "postgres", "user": self.user, "password": PASSWORD, **more}
        return " ".join(f"{name}={quoted(value)}" for name, value in words.items() if value is not None)

    def psql(self, sql, check=True, **more):
        result = subprocess.run([str(self.bin / "psql"), "-X", "--csv", "-t", "-v", "ON_ERROR_STOP=1", self.conninfo(**more), "-c", sql],
                                capture_output=True, text=True, timeout=120, cwd="/", stdin=subprocess.DEVNULL)
        if check and result.returncode:
            raise AssertionError(f"psql: {result.stderr}")
        return result

    def rows(self, sql, **more):
        """Lists of texts; null is ""."""
        return list(csv.reader(io.StringIO(self.psql(sql, **more).stdout)))

    def value(self, sql, **more):
        rows = self.rows(sql, **more)
        return rows[0][0] if rows and rows[0] else None
