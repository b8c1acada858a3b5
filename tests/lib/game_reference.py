"""What the saved queries of the Game Analytics Pipeline answer, computed from processed events in plain Python: no SQL, so that
nothing is shared with what is tested. Events are dicts; event_data is any JSON value, already read."""
import collections
import datetime
import json
import math
import re
import zoneinfo

COLUMNS = ["event_id", "event_type", "event_name", "event_version", "event_timestamp", "app_version", "application_id", "application_name",
           "event_data", "metadata"]
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
NUMBER = re.compile(r"[ \t\n\r]*-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?[ \t\n\r]*")


def moment(event, zone=datetime.timezone.utc):
    """None where the year has not four digits."""
    seconds = event.get("event_timestamp")
    if seconds is None or not -62135510400 <= seconds <= 253402300799:
        return None
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=math.trunc(seconds))).astimezone(zone)


def month(event):
    at = moment(event)
    return at and at.strftime("%Y-%m-01").rjust(10, "0")


def day(event):
    at = moment(event)
    return at and at.date().isoformat()


def member(event, name):
    """As json_extract_scalar: texts as they are, numbers and booleans as JSON writes them, else None."""
    data = event.get("event_data")
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, str) or value is None:
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None


def rating(event):
    data = event.get("event_data")
    value = data.get("user_rating") if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and (len(value) > 40 or not NUMBER.fullmatch(value)):
        return None
    value = float(value)
    return value if abs(value) < 1e15 else None


def nulls_last(key):
    return [(part is None, part if part is not None else b"") for part in key]


def by_bytes(text):
    return text.encode() if isinstance(text, str) else text


def groups(pairs, descending=False):
    """[(key, values)] in the order of the keys, those with a null behind."""
    found = collections.defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    whole = sorted((key for key in found if None not in key), key=lambda key: [by_bytes(part) for part in key], reverse=descending)
    if len(whole) == len(found):
        return [(key, found[key]) for key in whole]
    keys = whole if descending else []  # descending keys have one part
    rest = [key for key in found if key not in set(keys)]
    keys += sorted(rest, key=lambda key: nulls_last([by_bytes(part) for part in key]))
    return [(key, found[key]) for key in keys]


def distinct(values):
    return len({v for v in values if v is not None})


def counted(values):
    return sum(v is not None for v in values)


def latest(events):
    return sorted(events, key=lambda e: (e.get("event_timestamp") is None, -math.trunc(e.get("event_timestamp") or 0),
                                         e.get("event_id") is None, by_bytes(e.get("event_id") or ""), by_bytes(e["application_id"] or "")))[:10]


def shown(event):
    """The column of times has whole seconds."""
    at = event.get("event_timestamp")
    return [math.trunc(at) if name == "event_timestamp" and at is not None else event.get(name) for name in COLUMNS]


def latest_events_query(events):
    def new_york(event):
        at = moment(event, NEW_YORK)
        return at and at.strftime("%Y-%m-%d %H:%M:%S.000 America/New_York")
    return [[*shown(e), new_york(e)] for e in latest(events)]


def latest_events(events):
    def parsed(event):
        at = moment(event)
        return at and at.strftime("%Y-%m-%d %H:%M:%S")
    return [[*shown(e), parsed(e)] for e in latest(events)]


def total_events(events):
    return [[app, distinct(ids)] for (app,), ids in groups(((e["application_id"],), e.get("event_id")) for e in events)]


def total_events_month(events):
    return [[m, app, distinct(ids)] for (m, app), ids in groups(((month(e), e["application_id"]), e.get("event_id")) for e in events)]


def iap_transactions(events):
    rows = (((month(e), e["application_id"]), member(e, "transaction_id")) for e in events
            if e["event_type"] == "iap_transaction" and member(e, "transaction_id") is not None)
    return [[m, app, distinct(ids)] for (m, app), ids in groups(rows)]


def new_users(events):
    return [[m, len(ones)] for (m,), ones in groups(((month(e),), 1) for e in events if e["event_type"] == "user_registration")]


def by_level(kind):
    def count(events):
        return [[level, counted(values)] for (level,), values in
                groups(((member(e, "level_id"),), member(e, "level_id")) for e in events if e["event_type"] == kind)]
    return count


def completion_rate(events):
    started, completed = (dict(by_level(kind)(events)) for kind in ("level_started", "level_completed"))
    levels = sorted((l for l in started if l is not None and l in completed), key=by_bytes)
    return [[l, completed[l] / (completed[l] + started[l]) * 100] for l in levels]


def sentiment(events):
    rated = groups(((day(e),), rating(e)) for e in events if rating(e) is not None)
    return [[math.fsum(values) / len(values), d] for (d,), values in rated]


def reasons(events):
    found = groups((((member(e, "report_reason"),), member(e, "report_reason")) for e in events), descending=True)
    return [[counted(values), reason] for (reason,), values in found]


# saved query: (its view, columns, what it answers; of the view too, but latest_events)
QUERIES = {
    "LatestEventsQuery": ("latest_events", COLUMNS + ["event_timestamp_america_new_york"], latest_events_query),
    "TotalEventsQuery": ("total_events", ["application_id", "event_count"], total_events),
    "TotalEventsMonthQuery": ("total_events_last_month", ["month", "application_id", "event_count"], total_events_month),
    "TotalIapTransactionsLastMonth": ("total_iap_transactions_last_month", ["month", "application_id", "transaction_count"], iap_transactions),
    "NewUsersLastMonth": ("new_users_last_month", ["month", "new_accounts"], new_users),
    "TotalPlaysByLevel": ("total_plays_by_level", ["level", "number_of_plays"], by_level("level_started")),
    "TotalFailuresByLevel": ("total_failures_by_level", ["level", "number_of_failures"], by_level("level_failed")),
    "TotalCompletionsByLevel": ("total_completions_by_level", ["level", "number_of_completions"], by_level("level_completed")),
    "LevelCompletionRate": ("level_completion_rate", ["level", "level_completion_rate"], completion_rate),
    "AverageUserSentimentPerDay": ("average_sentiment_per_day", ["average_user_rating", "event_date"], sentiment),
    "UserReportedReasonsCount": ("user_reported_reasons_count", ["count_of_reports", "report_reason"], reasons),
}
