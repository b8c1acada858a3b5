"""Clients that never stop: each event has a name of its own, and the load knows which were acknowledged."""
import collections
import json
import threading
import time
import urllib.parse

from tests.lib import http, lake

PAUSE_S = 0.01        # after an error, before the next try
BULK_EVERY = 5        # every so many requests is a bulk one
BULK_EVENTS = 7


class Load:
    """with Load(server): ... ; then acknowledged / sent / groups tell what must and what may be stored."""

    def __init__(self, server, clients=4, prefix="e", pace_s=0.0):
        self.server, self.clients, self.prefix, self.pace_s = server, clients, prefix, pace_s
        self.lock = threading.Lock()
        self.acknowledged, self.sent, self.groups = set(), set(), []
        self.statuses = collections.Counter()
        self.stopping = threading.Event()
        self.threads = []
        self.started = 0
        self.last_ack = 0.0

    def start(self):
        self.stopping.clear()
        self.started += 1
        self.threads = [threading.Thread(target=self.client, args=(f"{self.prefix}{self.started}-{n}",), daemon=True)
                        for n in range(self.clients)]
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                raise AssertionError("a client still waits for an answer after 60 s")
        self.threads = []

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def client(self, name):
        connection, count = None, 0
        while not self.stopping.is_set():
            count += 1
            try:
                if connection is None:
                    connection = http.Connection(self.server.port, timeout_s=10)
                self.one(connection, f"{name}-{count}", bulk=count % BULK_EVERY == 0)
            except (OSError, http.Closed, ValueError, IndexError, KeyError):
                if connection:
                    connection.close()
                connection = None
                self.stopping.wait(PAUSE_S)
            if self.pace_s:
                self.stopping.wait(self.pace_s)
        if connection:
            connection.close()

    def one(self, connection, name, bulk):
        names = [f"{name}.{i}" for i in range(BULK_EVENTS)] if bulk else [name]
        with self.lock:
            self.sent.update(names)
            if bulk:
                self.groups.append(names)
        if bulk:
            body = json.dumps({"requests": [http.hit(n, path="") for n in names]})
            answer = connection.post("/matomo.php", body)
        else:
            answer = connection.get(http.hit(name))
        good = answer.status in (200, 204) and (not bulk or json.loads(answer.body)["tracked"] == BULK_EVENTS)
        with self.lock:
            self.statuses[answer.status] += 1
            if good:
                self.acknowledged.update(names)
                self.last_ack = time.monotonic()
        if answer.status == 503:
            self.stopping.wait(PAUSE_S * 5)
        if (answer.header("Connection") or "").lower() == "close":
            raise http.Closed("as the server asked")

    def wait_acknowledged(self, more, timeout_s=30):
        """Waits until `more` further events were acknowledged."""
        start, end = len(self.acknowledged), time.monotonic() + timeout_s
        while len(self.acknowledged) - start < more:
            if time.monotonic() > end:
                raise AssertionError(f"only {len(self.acknowledged) - start} of {more} events acknowledged in {timeout_s} s; "
                                     f"answers so far: {dict(self.statuses)}")
            time.sleep(0.005)


def settle(server, tries=3):
    """Stops the server so that the lake has everything, which exit code 0 says: otherwise the journal has it,
    and the next run passes it on."""
    code = None
    for _ in range(tries):
        if not server.process:
            server.start()
            server.child("module lake", 60)
        code = server.stop()
        if code == 0:
            return
    raise AssertionError(f"{tries} stops did not settle the lake; the last one ended with {code}")


def problems(load, lake_dir, whole_requests=True):
    """What is wrong with the lake, as sentences; empty = every acknowledged event exactly once, and all or none
    of each request."""
    return problems_of(load, lake.names(lake_dir), whole_requests)


def problems_of(load, names, whole_requests=True):
    """The same of the names that some other place holds."""
    counts = collections.Counter(names)
    found = []

    def say(what, names):
        names = sorted(map(str, names))
        if names:
            found.append(f"{len(names)} {what}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}")
    say("acknowledged events are missing", load.acknowledged - counts.keys())
    say("events are there more than once", {name for name, count in counts.items() if count > 1})
    say("events are there that nobody sent", counts.keys() - load.sent)
    torn = [group[0] for group in load.groups if 0 < sum(name in counts for name in group) < len(group)]
    if whole_requests:
        say("bulk requests are only partly stored", torn)
    return found


def name_of(target):
    return urllib.parse.parse_qs(target.partition("?")[2]).get("e_n", [None])[0]
