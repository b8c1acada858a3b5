"""What the module windows has to say, computed another way: for each window all its events are kept and looked at when a
document is due. Slow, and without any of the module's structures."""
import collections
import datetime
import math

AHEAD_US = 60_000_000
ANY_VALUE = ("distinct", "approximate_distinct", "top")  # the others want numbers
OTHER = "__other__"


def get(event, path):
    for name in path.split("."):
        if not isinstance(event, dict) or name not in event:
            return None
        event = event[name]
    return event


class Reference:
    """options: the module's, durations in seconds; filters as Python functions (metric["_filter"])."""

    def __init__(self, options, idle_s=1, ahead_s=3600):
        self.metrics = options["metrics"]
        self.options = options
        self.idle, self.ahead = int(idle_s * 1e6), int(ahead_s * 1e6)
        self.top, self.received = {}, {}  # of each scope
        self.windows = {}  # (metric, scope, start) -> {"events", "emitted", "fired", "dirty"}
        self.documents = []  # (name, start, dimensions, version, value)
        self.late = {m["name"]: 0 for m in self.metrics}

    def us(self, metric, name, default):
        return int(metric.get(name, self.options.get(name, default)) * 1e6)

    def event(self, seq, receive, when, app, event):
        scope = "" if self.options.get("watermark") == "stream" else app
        before = self.received.get(scope)
        if before is not None and receive - before >= self.idle:
            self.advance(scope, receive)
        self.received[scope] = max(receive, before if before is not None else receive)
        if when > receive + self.ahead:
            return
        for metric in self.metrics:
            self.take(metric, scope, seq, when, event)
        self.advance(scope, min(when, receive + AHEAD_US))

    def clock(self, now):
        for scope, received in self.received.items():
            if now - received >= self.idle:
                self.advance(scope, now)

    def take(self, metric, scope, seq, when, event):
        if not metric.get("_filter", lambda e: True)(event):
            return
        dimensions = tuple(get(event, path) for path in metric.get("by", {}).values())
        if metric.get("missing") == "skip" and None in dimensions:
            return
        number = get(event, metric["of"]) if "of" in metric else None
        if "of" in metric and (number is None or (metric["value"] not in ANY_VALUE and (isinstance(number, (str, bool)) or not math.isfinite(number)))):
            return
        size = int(metric.get("size", 60) * 1e6)
        every = int(metric.get("every", metric.get("size", 60)) * 1e6)
        start = when // every * every
        while start > when - size:
            self.put(metric, scope, start, size, (when, seq, dimensions, number, get(event, metric["dedupe"]) if "dedupe" in metric else None))
            start -= every

    def put(self, metric, scope, start, size, row):
        top = self.top.get(scope, -math.inf)
        end = start + size + self.us(metric, "delay", 5)
        if end + self.us(metric, "lateness", 0) <= top:
            self.late[metric["name"]] += 1
            return
        window = self.windows.setdefault((metric["name"], scope, start), {"scope": scope, "events": [], "emitted": {}, "fired": end <= top, "metric": metric, "end": end})
        window["events"].append(self.capped(metric, window, row))

    @staticmethod
    def capped(metric, window, row):
        """Groups beyond max_groups are one, in order of appearance."""
        groups = window.setdefault("groups", set())
        if row[2] not in groups and len(groups) >= metric.get("max_groups", math.inf):
            return (*row[:2], (OTHER,) * len(row[2]), *row[3:])
        groups.add(row[2])
        return row

    def advance(self, scope, to):
        if to <= self.top.get(scope, -math.inf):
            return
        self.top[scope] = to
        for (_, of, start), window in list(self.windows.items()):
            if of == scope and not window["fired"] and window["end"] <= to:
                window["fired"] = True
                self.emit(window, start)

    def round(self):
        """Late events are looked at: at any time, the last version of each document is what counts."""
        for (_, _, start), window in self.windows.items():
            if window["fired"]:
                self.emit(window, start)

    def emit(self, window, start):
        metric = window["metric"]
        rows = window["events"]
        versions = {}
        if "dedupe" in metric:
            first = {}
            rows = []
            for row in window["events"]:
                if row[4] is None:
                    rows.append(row)
                    versions[row[2]] = row[1]
                    continue
                other = first.get(row[4])
                if other is None or (row[0] < other[0]):
                    if other is None or other[2] != row[2]:
                        versions[row[2]] = row[1]
                        if other is not None:
                            versions[other[2]] = row[1]
                    first[row[4]] = row
            rows += first.values()
        else:
            for row in rows:
                versions[row[2]] = row[1]
        groups = {key: [] for key in versions}
        for row in rows:
            groups[row[2]].append(row)
        for key, members in groups.items():
            value = self.value(metric, members)
            known = window["emitted"].get(key)
            if known is None and (not members or not metric.get("_having", lambda v: True)(value)):
                continue
            if known == versions[key]:
                continue
            window["emitted"][key] = versions[key]
            self.documents.append((metric["name"], start, (window["scope"], *key), versions[key], value))

    @staticmethod
    def value(metric, rows):
        kind = metric.get("value", "count")
        numbers = [row[3] for row in sorted(rows, key=lambda row: row[1])]
        if kind == "count":
            return len(rows)
        if kind in ("distinct", "approximate_distinct"):
            return len({str(n) for n in numbers})
        if kind == "top":
            counts = collections.Counter(numbers)
            order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].encode()))
            return [{"value": value, "count": count} for value, count in order[:metric["top"]]]
        if kind == "quantile":
            return sorted(numbers)[int(metric["quantile"] * (len(numbers) - 1))] if numbers else None
        if not numbers:
            return 0 if kind == "sum" else None
        return {"sum": math.fsum, "min": min, "max": max, "avg": lambda n: math.fsum(n) / len(n)}[kind](numbers)

    def last(self):
        """{(name, METRIC_TIMESTAMP, dimensions): (version, value)}"""
        result = {}
        for name, start, key, version, value in self.documents:
            when = datetime.datetime.fromtimestamp(start // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            old = result.get((name, when, key))
            if old is None or old[0] <= version:
                result[(name, when, key)] = (version, value)
        return result
