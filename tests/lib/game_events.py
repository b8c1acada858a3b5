"""Ten thousand events of a game and what does not fit the picture: repeated ids, borders of days and months, the hours in which
New York's clocks change, members of event_data of other types than expected."""
import json
import random
import subprocess
import sys
import uuid

from tests.lib.server import ROOT
from tests.lib.wait import until

UNTIL = "2026-03-09T12:00:00Z"  # New York's clocks went forward on March 8, 07:00 UTC
DAYS = 3
COUNT = 10000
MOMENTS = {  # name: seconds since 1970
    "last second of February": 1772323199, "first of March": 1772323200, "last second of a day": 1772927999, "first of a day": 1772928000,
    "before summer time": 1772953199, "summer time": 1772953200, "before standard time": 1793512799, "standard time": 1793512800,
    "the repeated hour": 1793516399, "its end": 1793516400, "1970": 0, "before 1970, in no summer": -86401, "leap day": 1709164800,
    "summer of 1974": 126687600, "newest": 1793520000}
LEVELS = ["1", 1, 1.5, "01", "", " 1", "Ä", "z", "Z", "10", "2", True, False, None, [1], {"a": 1}, "\U0001f409", "it's \"x\"", "-- ;DROP", "\u00a0", 10**18]
RATINGS = ["5", 5, 4.5, " 3 ", "1e0", "-2", 0, "", "five", "5 stars", "0x10", "1e400", "01", "+1", ".5", "1.", True, None, [5], {"r": 5}, 1e15, "1e15",
           -1e300, "1e-320", "NaN", "Infinity", "3." + "0" * 38, "3." + "0" * 39]
REASONS = ["AFK", "afk", "", None, 7, ["AFK"], "Ärger", "RACISM/HARASSMENT", "\t", True]
TRANSACTIONS = ["t1", "t1", "T1", 1, "1", "", None, {"id": 1}, False]


def applications(server, *names):
    """{id: (name, key)} of new ones, once the running server lets their keys in."""
    made = {}
    for name in names:
        app = json.loads(server.verb("app", "create", name, "--json", check=True).stdout)["ApplicationId"]
        key = json.loads(server.verb("key", "create", app, "client", "--json", check=True).stdout)["ApiKeyValue"]
        target, headers = f"/live/applications/{app}/events", [("Authorization", key), ("Content-Type", "application/json")]
        until(lambda: server.post(target, '{"events":[]}', headers).status == 400, 20, "the new key")  # not 403: empty, but allowed
        made[app] = (name, key)
    return made


def published(applications, seed="story", count=COUNT):
    """[(application, [event, ...] of one request)]: what the publisher of examples/ writes."""
    words = [word for app in applications for word in ("--applications", f"{app}:key")]
    text = subprocess.run([sys.executable, str(ROOT / "examples/publisher/publish.py"), "--output", "-", "--seed", seed, "--count", str(count),
                           "--days", str(DAYS), "--until", UNTIL, *words], capture_output=True, text=True, check=True, timeout=120).stdout
    return [(request["application_id"], request["body"]["events"]) for request in map(json.loads, text.splitlines())]


def odd(applications, seed="odd"):
    """Requests that the API takes, though nobody's game would send them."""
    chance = random.Random(seed)

    def event(kind, at, data):
        made = {"event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "event_type": kind, "event_name": kind,
                "event_timestamp": at}
        return made if data is None else {**made, "event_data": data}
    events = [event("login", at, {"why": name}) for name, at in MOMENTS.items()]
    events += [event(kind, 1772700000 + n, {"level_id": level}) for kind in ("level_started", "level_completed", "level_failed")
               for n, level in enumerate(LEVELS)]
    huge = 999999999999999  # beside it the others of a day would not be seen
    events += [event("user_sentiment", 1772323190 + n, {"user_rating": value}) for n, value in enumerate(RATINGS)]
    events += [event("user_sentiment", 1577880000, {"user_rating": huge})]
    events += [event("user_report", 1772800000, {"report_reason": reason}) for reason in REASONS]
    events += [event("iap_transaction", 1772323199 + n % 2, {"transaction_id": value}) for n, value in enumerate(TRANSACTIONS)]
    events += [event(kind, 1772700000, data) for kind in ("level_started", "user_sentiment", "iap_transaction", "user_registration")
               for data in (None, {}, {"Level_Id": "1", "User_Rating": 3}, {"level_id ": "1"}, {"a.level_id": "1"}, {"x": {"level_id": "1"}})]
    events += [event("iap_transaction", 1577880000, {"transaction_id": None})]  # the only one of its month
    events += [event("user_registration", at, {}) for at in (1772323199.999, 1772323200.001, 1772323199.9999999, 0.5, 1e3)]  # Date.now() / 1000
    events += [dict(chance.choice(events)) for _ in range(60)]  # the same ids once more
    same = events[-1]["event_id"]
    events += [dict(event("login", 1793520000, {"again": True}), event_id=same) for _ in range(2)]
    requests = []
    for n, start in enumerate(range(0, len(events), 50)):
        requests.append((applications[n % len(applications)], events[start:start + 50]))
    requests.append((applications[1], requests[0][1]))  # and ids that the other application has, too
    return requests
