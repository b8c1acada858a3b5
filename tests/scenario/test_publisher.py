#!/usr/bin/env python3
"""The publisher of examples/publisher: what it makes is what the API takes, what it reports is what happened."""
import collections
import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import game_events
from tests.lib.tap import check, equal, main, test

PUBLISHER = ROOT / "examples" / "publisher" / "publish.py"
UNTIL = 1773057600  # 2026-03-09T12:00:00Z
ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
WORD = re.compile(r"^[A-Za-z0-9-_.]+$")
# The original's weights, in thousandths.
SHARES = {"user_registration": 40, "user_knockout": 50, "item_viewed": 180, "iap_transaction": 20, "login": 100, "logout": 60,
          "tutorial_progression": 40, "user_rank_up": 30, "matchmaking_start": 25, "matchmaking_complete": 25, "matchmaking_failed": 10,
          "match_start": 30, "match_end": 30, "level_started": 80, "level_completed": 80, "level_failed": 80, "lootbox_opened": 40,
          "user_report": 40, "user_sentiment": 40}
FIELDS = {"iap_transaction": "item_id item_version item_amount currency_type country_id currency_amount transaction_id",
          "user_knockout": "match_id map_id spell_id exp_gained", "level_failed": "level_id level_version", "user_sentiment": "user_rating",
          "matchmaking_failed": "match_id match_type matched_slots matching_failed_msg", "user_report": "report_id report_reason"}


def run(*words, timeout_s=60):
    return subprocess.run([sys.executable, PUBLISHER, *map(str, words)], capture_output=True, text=True, timeout=timeout_s)


def written(t, name, *words):
    path = t.tmp / name
    result = run("--output", path, *words)
    equal(result.returncode, 0, result.stderr)
    return path.read_text()


def events_of(text):
    return [(request["application_id"], event) for request in map(json.loads, text.splitlines()) for event in request["body"]["events"]]


@test("types and fields are the original's in its proportions; ids, names and times are what the API takes")
def _(t):
    made = events_of(written(t, "a", "--applications", "one:k", "--applications", "two:k", "--count", 20000, "--seed", "s", "--days", 3,
                             "--until", UNTIL))
    equal(len(made), 20000)
    kinds = collections.Counter(event["event_type"] for _, event in made)
    equal(set(kinds), set(SHARES))
    for kind, share in SHARES.items():
        check(abs(kinds[kind] / 20 - share) < 8, f"{kind}: {kinds[kind]} of 20,000")  # three standard deviations, and the seed stays
    equal(collections.Counter(app for app, _ in made), {"one": 10000, "two": 10000})
    equal(len({event["event_id"] for _, event in made}), 20000)
    for _, event in made:
        check(ID.match(event["event_id"]), event)
        check(all(WORD.match(event[name]) for name in ("event_type", "event_name", "event_version", "app_version")), event)
        check(UNTIL - 3 * 86400 <= event["event_timestamp"] < UNTIL, event)
        wanted = FIELDS.get(event["event_type"])
        if wanted:
            equal(list(event["event_data"]), wanted.split(), event["event_type"])
    equal({event["event_data"]["report_reason"] for _, event in made if event["event_type"] == "user_report"},
          {"GRIEFING", "CHEATING", "AFK", "RACISM/HARASSMENT"})


@test("a seed repeats the story, another one tells another; --until takes a date")
def _(t):
    words = ["--applications", "one:k", "--count", 250, "--days", 2]
    first = written(t, "a", *words, "--seed", 1, "--until", UNTIL)
    equal(written(t, "b", *words, "--seed", 1, "--until", "2026-03-09T12:00:00Z"), first)
    check(written(t, "c", *words, "--seed", 2, "--until", UNTIL) != first, "seed 2 makes the events of seed 1")
    equal([len(json.loads(line)["body"]["events"]) for line in first.splitlines()], [100, 100, 50])


class Api:
    """Answers as the API does, with what a test wants to go wrong."""

    def __init__(self, t, answer):
        api = self
        self.requests, self.connections = [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                api.connections += 1

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.requests.append((self.path, self.headers["Authorization"], body["events"]))
                status, out = answer(len(api.requests), body["events"])
                if status is None:
                    self.close_connection = True
                    return
                data = json.dumps(out).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        t.defer(self.server.server_close)
        t.defer(self.server.shutdown)
        self.words = ["--api-path", f"http://127.0.0.1:{self.server.server_port}/live/", "--application-id", "app", "--api-key", "the+key=="]


def taken(_number, events):
    return 200, {"Total": len(events), "FailedRecordCount": 0, "Events": [{"Result": "Ok"}] * len(events)}


@test("it sends batches over one connection, each application with its own key, and ends with 0")
def _(t):
    api = Api(t, taken)
    result = run(*api.words, "--applications", "two:other", "--count", 45, "--batch-size", 10, "--rate", 0)
    equal(result.returncode, 0, result.stderr)
    check(result.stdout.startswith("successes: 45, failures: 0 "), result.stdout)
    equal([(path, key, len(events)) for path, key, events in api.requests],
          [("/live/applications/app/events", "the+key==", 10), ("/live/applications/two/events", "other", 10)] * 2
          + [("/live/applications/app/events", "the+key==", 5)])
    equal(api.connections, 1)
    check(abs(api.requests[0][2][0]["event_timestamp"] - time.time()) < 60, "the time of an event")


@test("what was not taken is counted by its reason, and ends with 1")
def _(t):
    def answer(number, events):
        if number == 1:
            return 403, {"error": "AccessDenied"}
        results = [{"Result": "Ok"}] * 8 + [{"Result": "Error", "ErrorCode": "ProvisionedThroughputExceededException"}] * 2
        return 200, {"Total": 10, "FailedRecordCount": 2, "Events": results} if number < 4 else {"Events": "?"}
    api = Api(t, answer)
    result = run(*api.words, "--count", 40, "--batch-size", 10, "--rate", 0)
    equal(result.returncode, 1)
    check(result.stdout.startswith("successes: 16, failures: 24 "), result.stdout)
    for reason in ("10 x HTTP 403: {\"error\": \"AccessDenied\"}", "4 x ProvisionedThroughputExceededException", "10 x HTTP 200: "):
        check(reason in result.stdout, result.stdout)


@test("a kept connection that was closed is opened again, with the same events; a dead server is a failure")
def _(t):
    api = Api(t, lambda number, events: (None, None) if number == 2 else taken(number, events))
    result = run(*api.words, "--count", 30, "--batch-size", 10, "--rate", 0)
    equal((result.returncode, api.connections, len(api.requests)), (0, 2, 4), result.stdout)
    equal(api.requests[1][2], api.requests[2][2])
    api.server.shutdown()
    api.server.server_close()
    result = run(*api.words, "--count", 10, "--rate", 0)
    equal(result.returncode, 1)
    check("no answer" in result.stdout, result.stdout)


@test("a rate and a time make a number of events")
def _(t):
    api = Api(t, taken)
    began = time.monotonic()
    result = run(*api.words, "--rate", 90, "--seconds", 1, "--batch-size", 20)
    check(time.monotonic() - began >= 1, "faster than its rate")
    equal([len(events) for _, _, events in api.requests], [20, 20, 20, 20, 10], result.stdout)


@test("a real server takes everything, with the right key", timeout_s=120)
def _(t):
    server = t.server(config={"receivers": {"matomo": None, "game": {}}})
    apps = [(app, key) for app, (_, key) in game_events.applications(server, "one", "two").items()]
    words = ["--api-path", f"http://127.0.0.1:{server.port}/live"] + [word for app, key in apps for word in ("--applications", f"{app}:{key}")]
    result = run(*words, "--count", 2500, "--rate", 0, "--batch-size", 500, "--days", 2)
    equal(result.returncode, 0, result.stdout)
    check(result.stdout.startswith("successes: 2500, failures: 0 "), result.stdout)
    result = run(*words[:2], "--application-id", apps[0][0], "--api-key", apps[1][1], "--count", 20, "--rate", 0)
    equal(result.returncode, 1)
    check('20 x HTTP 403: {"error":"AccessDenied"}' in result.stdout, result.stdout)
    server.stop()
    stored = [json.loads(line) for line in server.verb("tail", "-n", "5000", check=True).stdout.splitlines()]
    equal(collections.Counter(event["application_id"] for event in stored), {apps[0][0]: 1500, apps[1][0]: 1000})
    equal({event["metadata"]["processing_result"]["status"] for event in stored}, {"ok"})


@test("wrong use says what is missing, and ends with 2")
def _(t):
    for words, wanted in ((["--count", "1"], "name an application"), (["--applications", "x"], "it wants ID:KEY"),
                          (["--applications", "a:b", "--count", "1"], "--api-path"), (["--applications", "a:b", "--output", "-"], "never end"),
                          (["--applications", "a:b", "--api-path", "nonsense"], "is no URL"),
                          (["--applications", "a:b", "--batch-size", "501"], "at most 500")):
        result = run(*words)
        equal(result.returncode, 2, words)
        check(wanted in result.stderr, result.stderr)


if __name__ == "__main__":
    sys.exit(main())
