"""A journal full of game events: the types, fields and weights of examples/publisher, event times that rise."""
import importlib.util
import json
import pathlib

from tests.lib import http
from tests.lib.wait import until

BATCH = 500
SPREAD_S = 3  # an event may be so much older than its neighbours


def publisher():
    spec = importlib.util.spec_from_file_location("publish", pathlib.Path(__file__).resolve().parents[2] / "examples" / "publisher" / "publish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fill_game(server, count, from_s, per_second, change=None):
    """count events of one new application into the journal. change(event, number): what is to be different."""
    made = json.loads(server.verb("app", "create", "bench", "--with-key", "--json").stdout)
    app, key = made["Application"]["ApplicationId"], made["Authorization"]["ApiKeyValue"]
    path, headers = f"/live/applications/{app}/events", [("Content-Type", "application/json"), ("Authorization", key)]
    game = publisher().Game(1)
    until(lambda: http.post(server.port, path, json.dumps({"events": []}).encode(), headers).status != 403, 20, "the new key")
    with http.Connection(server.port) as connection:
        for first in range(0, count, BATCH):
            events = [game.event(int(from_s + n / per_second) - game.number(0, SPREAD_S)) for n in range(first, min(first + BATCH, count))]
            for n, event in enumerate(events, first):
                if change:
                    change(event, n)
            answer = connection.post(path, json.dumps({"events": events}, separators=(",", ":")).encode(), headers)
            if answer.status != 200 or json.loads(answer.body)["FailedRecordCount"]:
                raise AssertionError(f"the server took not all events: {answer.status} {answer.body[:300]}")
