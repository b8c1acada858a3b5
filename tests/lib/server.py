"""A real server under test: its own folder, ports chosen by the system, always ended, never a process
touched that it did not start."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from tests.lib import http
from tests.lib.wait import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 60
LOG_TAIL_LINES = 40


def sanitized():
    """Sanitizer builds are slower, and have memory, threads and system calls of their own."""
    return "san" in build_dir().name


def slow():
    return 4 if sanitized() else 1


def build_dir(faults=False):
    name = "STREAMSTEAM_FAULTS_BUILD" if faults else "STREAMSTEAM_BUILD"
    return pathlib.Path(os.environ.get(name) or ROOT / ("build-faults" if faults else "build")).resolve()


def shim(name):
    return build_dir() / "tests" / "torture" / f"shim_{name}.so"


def merged(base, changes):
    """Deep merge of mappings; a value of None removes the key."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class Server:
    def __init__(self, folder, config=None, modules=None, env=None, faults=False, preload=(), yaml=None, build=None):
        """config: merged over the default; modules: replaces the default ones; yaml: the whole file instead."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.build = pathlib.Path(build) if build else build_dir(faults)
        self.data = self.folder / "data"
        self.file = self.folder / "streamsteam.yaml"
        self.log_path = self.folder / "log"
        self.env = dict(env or {})
        self.preload = [str(p) for p in preload]
        self.process = None
        self.ports = {}
        self.log_from = 0
        self.config = merged(self.default_config(), config or {})
        if modules is not None:
            self.config["modules"] = modules
        if yaml is not None:
            self.file.write_text(yaml)
        else:
            self.write_config()

    def default_config(self):
        return {
            "server": {
                "listen": "127.0.0.1:0",
                "admin": "127.0.0.1:0",
                "data_dir": str(self.data),
                "plugin_dirs": [str(self.build / "plugins")],
                "journal": {"segment_bytes": "1MiB"},
            },
            "receivers": {"matomo": {}},
            "modules": {"lake": {"path": "lake", "roll": {"age": "1s"}, "max_bytes": "4GiB"}},
        }

    def write_config(self, config=None):
        if config is not None:
            self.config = config
        self.file.write_text(json.dumps(self.config, indent=1))  # JSON is YAML

    @property
    def binary(self):
        return self.build / "bin" / "streamsteam"

    @property
    def lake(self):
        return self.data / "lake"

    def environment(self, **more):
        env = dict(os.environ)
        for name in ("STREAMSTEAM_LISTEN", "STREAMSTEAM_ADMIN", "STREAMSTEAM_DATA"):
            env.pop(name, None)
        if self.preload:  # verbs too: what they write and sync in the data directory counts as well
            env["LD_PRELOAD"] = " ".join(self.preload)
        env.update(self.env)
        env.update(more)
        return env

    # ---- life ----------------------------------------------------------------------------------------

    def start(self, wait=True, **env):
        if not self.binary.exists():
            raise AssertionError(f"{self.binary} is not built; run make first")
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        environment = self.environment(**env)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(self.binary), "serve", "-c", str(self.file)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder, env=environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout_s=START_TIMEOUT_S):
        def listening():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} before it listened")
            self.ports = self.read_ports()
            return "public" in self.ports
        until(listening, timeout_s * slow(), "the 'listening' log line")

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} before it was ready")
            try:  # it answers a moment before the supervisor hears of it, and a stop in between starts no modules
                return self.get("/readyz").status == 200 and "ingest is ready" in self.log_text()
            except (OSError, http.Closed):
                return False
        until(ready, timeout_s * slow(), "/readyz")

    def read_ports(self):
        ports = {}
        for line in self.log_lines():
            if "listening" not in line.get("msg", ""):
                continue
            text = json.dumps(line)
            port = re.search(r"127\.0\.0\.1:(\d+)", text)
            name = line.get("listener") or ("admin" if "admin" in text else "public")
            if port and int(port.group(1)):
                ports[name] = int(port.group(1))
        return ports

    @property
    def port(self):
        return self.ports["public"]

    @property
    def admin_port(self):
        return self.ports["admin"]

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        """{"ingest": pid, "module lake": pid} of this server."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                fields = stat[stat.rindex(")") + 2:].split()
                if int(fields[1]) != self.process.pid or fields[0] == "Z":
                    continue
                command = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")[0].decode()
                if command.startswith("streamsteam: "):
                    found[command[len("streamsteam: "):]] = int(entry)
        return found

    def child(self, name, timeout_s=20):
        return until(lambda: self.children().get(name), timeout_s * slow(), f"a child named {name}")

    def kill_child(self, name):
        pid = self.children().get(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pid

    def kill_all(self):
        """SIGKILL to every process of the server, so that none has time to act on another's end."""
        if not self.process or self.process.poll() is not None:
            return
        os.kill(self.process.pid, signal.SIGSTOP)  # it must not restart what is being killed
        pids = list(self.children().values())
        for pid in pids + [self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in pids:
            until(lambda p=pid: gone(p), 10, f"the end of process {pid}", 0.002)
        self.process = None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM; returns the exit code. The lake rolls what it has."""
        if not self.process:
            return None
        pids = list(self.children().values())
        self.process.terminate()
        try:
            code = self.process.wait(timeout_s * slow())
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"the server did not stop within {timeout_s} s of SIGTERM") from None
        for pid in pids:
            until(lambda p=pid: gone(p), 10, f"the end of child {pid}", 0.002)
        self.process = None
        return code

    def restart(self, **env):
        self.stop()
        return self.start(**env)

    def destroy(self):
        with contextlib.suppress(ProcessLookupError):
            self.kill_all()

    # ---- talking to it -------------------------------------------------------------------------------

    def get(self, target, headers=(), admin=False, timeout_s=20):
        return http.get(self.admin_port if admin else self.port, target, headers, timeout_s)

    def post(self, target, body, headers=(), **options):
        return http.post(self.port, target, body, headers, **options)

    def connect(self, admin=False):
        return http.Connection(self.admin_port if admin else self.port)

    def hit(self, name, **fields):
        return self.get(http.hit(name, **fields))

    def metrics(self):
        """{name{labels}: value} of /metrics."""
        values = {}
        for line in self.get("/metrics", admin=True).body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def verb(self, *words, stdin=None, timeout_s=60, check=False, config=True, text=True):
        """Runs `streamsteam WORDS -c FILE`."""
        command = [str(self.binary), *map(str, words)] + (["-c", str(self.file)] if config else [])
        result = subprocess.run(command, input=stdin, capture_output=True, text=text, timeout=timeout_s * slow(),
                                env=self.environment(), cwd=self.folder)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result

    def status(self):
        return json.loads(self.verb("status", "--json", check=True).stdout)

    def reload(self):
        return self.verb("reload")

    def verify(self):
        """journal verify and ledger --verify must be content."""
        self.verb("journal", "verify", check=True)
        self.verb("ledger", "--verify", check=True)

    # ---- what it said --------------------------------------------------------------------------------

    def log_text(self, all_runs=False):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(0 if all_runs else self.log_from)
            return log.read().decode(errors="replace")

    def log_lines(self, all_runs=False):
        for line in self.log_text(all_runs).splitlines():
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    yield json.loads(line)

    def wait_log(self, pattern, timeout_s=20):
        return until(lambda: re.search(pattern, self.log_text()), timeout_s * slow(), f"a log line like {pattern!r}")

    def log_tail(self):
        return "\n".join(self.log_text(all_runs=True).splitlines()[-LOG_TAIL_LINES:])

    def remove_data(self):
        shutil.rmtree(self.data, ignore_errors=True)


def gone(pid):
    """The process has ended (a zombie that waits for its new parent has too)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat[stat.rindex(")") + 2] in "ZX"


def cpu_seconds(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_lake_holds(server, names, timeout_s=20):
    from tests.lib import lake
    wanted = set(names)
    until(lambda: wanted <= set(lake.names(server.lake)), timeout_s * slow(), f"{len(wanted)} events in the lake", 0.1)


def now():
    return time.monotonic()
