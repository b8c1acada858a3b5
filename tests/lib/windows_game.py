"""The guidance's four metrics on a real server: game events with late ones and repeats, and what the documents have to be by
tests/lib/windows_reference.py, computed from the journal itself, whatever was killed while it was written."""
import json
import uuid

from tests.lib.server import ROOT
from tests.lib.tap import equal
from tests.lib.wait import until
from tests.lib.windows_reference import Reference

FILE = ROOT / "config" / "metrics" / "game.yaml"
KINDS = {"login": lambda rng: {}, "logout": lambda rng: {}, "user_knockout": lambda rng: {"spell_id": rng.choice(["FIRE", "ICE"])},
         "iap_transaction": lambda rng: {"currency_type": rng.choice(["USD", "EUR"])}}
DIMENSIONS = {"DIMENSION_APPLICATION_ID": "application_id", "DIMENSION_APP_VERSION": "app_version"}
VALUES = ("METRIC_TOP", "METRIC_UNIT_VALUE", "METRIC_UNIT_VALUE_INT")  # the first that a document has
NEVER_S = 10**6


def is_kind(kind, field=None):
    return lambda e: e["event_type"] == kind and (field is None or e["event_data"].get(field) is not None)


METRICS = [
    {"name": "TotalEvents", "by": DIMENSIONS, "dedupe": "event_id"},
    {"name": "TotalLogins", "by": DIMENSIONS, "dedupe": "event_id", "_filter": is_kind("login")},
    {"name": "KnockoutsBySpell", "by": {**DIMENSIONS, "DIMENSION_SPELL_ID": "event_data.spell_id"}, "_filter": is_kind("user_knockout", "spell_id"),
     "_having": lambda v: v > 1},
    {"name": "Purchases", "by": {**DIMENSIONS, "DIMENSION_CURRENCY_TYPE": "event_data.currency_type"}, "_filter": is_kind("iap_transaction", "currency_type"),
     "_having": lambda v: v > 1},
]


def add_metrics(server, lateness_s, **changes):
    """The shipped file into conf.d. Without `idle` only event time counts: the events are of the past."""
    lines = {"idle": "0s", "lateness": f"{lateness_s}s", **changes}
    more = "".join(f"\n    {name}: {value}" for name, value in lines.items())
    folder = server.file.parent / "conf.d"
    folder.mkdir(exist_ok=True)
    (folder / "game.yaml").write_text(FILE.read_text().replace("\n    delay: 5s", more if "delay" in changes else "\n    delay: 5s" + more))


def event(rng, when, known=()):
    kind = rng.choice(sorted(KINDS))
    event_id = rng.choice(known) if known and rng.random() < 0.1 else str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return {"event_id": event_id, "event_type": kind, "event_name": kind, "event_version": "1.0.0", "event_timestamp": when,
            "app_version": rng.choice(["1.0.0", "2.0.0"]), "event_data": KINDS[kind](rng)}


def batch(rng, count, when, spread_s, known, late_s=0):
    """Events of spread_s seconds; a sixth of them up to late_s late, a tenth again under an id that there was."""
    made = []
    for _ in range(count):
        late = rng.randrange(late_s) if late_s and rng.random() < 1 / 6 else 0
        made.append(event(rng, when + rng.randrange(spread_s) - late, known[-200:]))
        known.append(made[-1]["event_id"])
    return made


def post(server, app, key, events, timeout_s=60):
    """Until the server takes them; it may be down."""
    def taken():
        try:
            answer = server.post(f"/live/applications/{app}/events", json.dumps({"events": events}), [("Authorization", key), ("Content-Type", "application/json")])
        except OSError:
            return False
        return answer.status == 200 and json.loads(answer.body)["FailedRecordCount"] == 0
    until(taken, timeout_s, "a batch to be taken", 0.05)


def journal(server, receiver):
    dumped = server.verb("journal", "dump", check=True).stdout
    return [row for row in map(json.loads, dumped.splitlines()) if row["receiver"] == receiver]


def expected(server, lateness_s, delay_s=5, receiver="game", metrics=METRICS, watermark="stream"):
    """{(name, METRIC_TIMESTAMP, dimensions): (version, value)} of the last documents."""
    reference = Reference({"metrics": metrics, "watermark": watermark, "delay": delay_s, "lateness": lateness_s}, idle_s=NEVER_S)
    for row in journal(server, receiver):
        reference.event(row["seq"], row["receive_us"], row["event_us"], row["app"], row["event"])
    reference.round()
    text = lambda value: value if value is None else str(value)  # dimensions are texts where they are stored
    return {(name, when, tuple(map(text, key[1:]))): last for (name, when, key), last in reference.last().items()}


def as_expected(documents, metrics=METRICS):
    """The same of documents as they were stored; one that is there twice is an error."""
    dimensions = {m["name"]: list(m["by"]) for m in metrics}
    found = {}
    for d in documents:
        key = (d["METRIC_NAME"], d["METRIC_TIMESTAMP"], tuple(d.get(name) for name in dimensions[d["METRIC_NAME"]]))
        equal(key in found, False, f"{key} is there twice")
        found[key] = (d["METRIC_VERSION"], next(d[name] for name in VALUES if name in d))
    return found


def newest(documents):
    """Of those with one METRIC_ID the one with the highest METRIC_VERSION."""
    last = {}
    for d in documents:
        if d["METRIC_ID"] not in last or last[d["METRIC_ID"]]["METRIC_VERSION"] <= d["METRIC_VERSION"]:
            last[d["METRIC_ID"]] = d
    return list(last.values())


def until_equal(found, want, timeout_s, what):
    """Waits until found() is what is wanted; else says where they differ."""
    try:
        until(lambda: found() == want, timeout_s, what, 0.2)
    except AssertionError as error:
        got = found()
        differ = [(key, got.get(key), want.get(key)) for key in [*want, *(got.keys() - want.keys())] if got.get(key) != want.get(key)]
        raise AssertionError(f"{error}; {len(differ)} of {len(want)} differ, as (document, found, wanted): {differ[:4]}") from None
