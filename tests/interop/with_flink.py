"""streamsteam windows export against real Flink: the same events through the module windows and through the exported SQL give the same documents;
what differs is what docs/windows.md lists. The last test says what both cost."""
import collections
import datetime
import json
import math
import random
import time

from tests.lib import flink, flink_sql, kafka, kcat, lake, windows_game
from tests.lib.server import ROOT
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

APPS, DELAY_S = 3, 5
GAME_BATCHES, GAME_BATCH, SPREAD_S, STEP_S = 60, 100, 4, 5
LATE_S = 200
CLOSING = 90  # events that end all windows: each partition has some
WEB_BATCHES, WEB_BATCH, SITES = 40, 60, 3
ODD_EVENTS, ODD_BATCH = 3000, 100
WARM_EVENTS, COST_EVENTS, COST_BATCH = 100_000, 300_000, 500
DOCUMENTS_TIMEOUT_S = 180
SUMS = 1e-9  # relative: both add doubles, in different order
APART = {"Half": 0.0101}  # what the module's quantile promises


def is_close(a, b, apart):
    number = lambda x: isinstance(x, (int, float)) and not isinstance(x, bool)  # noqa: E731
    return a == b or (number(a) and number(b) and math.isclose(a, b, rel_tol=apart))


def keyed(documents, values=("METRIC_UNIT_VALUE", "METRIC_UNIT_VALUE_INT", "METRIC_TOP", "v")):
    """{all but the values: values}; one that is there twice is an error."""
    found = {}
    for d in documents:
        key = json.dumps({name: value for name, value in d.items() if name not in values}, sort_keys=True, ensure_ascii=False)
        equal(key in found, False, f"{key} is there twice")
        found[key] = {name: d[name] for name in values if name in d}
    return found


def differences(got, want):
    wrong = [(key, got.get(key), want.get(key)) for key in {**want, **got} if key not in got or key not in want]
    for key in got.keys() & want.keys():
        apart = APART.get(json.loads(key).get("METRIC_NAME"), SUMS)
        if got[key].keys() != want[key].keys() or not all(is_close(got[key][name], want[key][name], apart) for name in want[key]):
            wrong.append((key, got[key], want[key]))
    return wrong


def until_same(server, got, want, timeout_s=DOCUMENTS_TIMEOUT_S):
    """Waits until the module has said all that it has to say, and Flink the same and nothing else."""
    before = -1

    def same():
        nonlocal before
        said = want()
        quiet = len(said) == before and all(m["lag"] == 0 for m in server.status()["modules"])
        before = len(said)
        return said and quiet and not differences(got(), said)
    try:
        until(same, timeout_s, "the same documents from Flink", 1)
    except AssertionError as error:
        wrong = differences(got(), want())
        raise AssertionError(f"{error}; {len(wrong)} of {len(want())} differ, as (document, Flink's, the module's): {wrong[:3]}") from None


def topic_documents(broker, topic):
    messages = kcat.consume(broker.brokers, topic)
    for m in messages:
        equal(m.key, json.loads(m.value)["METRIC_NAME"])  # as the module's documents are keyed
    return [json.loads(m.value) for m in messages]


def plain(row):
    """As the view `document` has it: without the server's two members."""
    return {name: value for name, value in row.items() if name not in ("METRIC_ID", "METRIC_VERSION")}


def module_documents(broker, topic="ours"):
    return [json.loads(m.value) for m in kcat.consume(broker.brokers, topic)]


def server_for(t, broker, receivers, metrics_name, receiver, parser, partitions=3):
    """The shipped set, the events in the topic `events`, the module's documents in the topic `ours`. Only event time counts: the events are of the past."""
    kafka_module = {"use": "kafka", "brokers": broker.brokers, "create": {"enabled": True, "partitions": partitions, "replication": 1}, "batch": {"linger": "5ms"}}
    modules = {"events": {**kafka_module, "receivers": [receiver], "topic": "events", "key": "{key}"},
               "ours": {**kafka_module, "receivers": [parser], "topic": "ours", "view": "document"}}
    server = t.server(config={"receivers": {"matomo": None, **receivers}, "server": {"journal": {"segment_bytes": "64MiB"}}}, modules=modules, start=False)
    folder = server.file.parent / "conf.d"
    folder.mkdir()
    text = (ROOT / "config" / "metrics" / f"{metrics_name}.yaml").read_text()
    (folder / "metrics.yaml").write_text(text.replace("delay: 5s", "delay: 5s\n    idle: 0s"))
    return server.start()


def exported(server, *words):
    return server.verb("windows", "export", "--to", "flink-sql", *words, check=True).stdout


def on_kafka(broker, *more):
    sets = (f"brokers={broker.brokers}", "topic=events", "metrics_topic=theirs", "start=earliest", *more)
    return [word for pair in sets for word in ("--set", pair)]


def applications(server):
    made = []
    for number in range(APPS):
        words = server.verb("app", "create", f"App {number}", "--with-key", check=True).stdout.split()
        made.append((words[words.index("application") + 1], words[words.index("value") + 1]))
    return made


def send_game(server, rng, apps, first, batches, count, step_s, known):
    """Out of order within the delay, a tenth of them under an id that there was, several applications at a time."""
    for number in range(batches):
        app, key = rng.choice(apps)
        windows_game.post(server, app, key, windows_game.batch(rng, count, first + number * step_s, SPREAD_S, known))
    return first + batches * step_s


def close_game(server, rng, apps, when):
    for app, key in apps:
        windows_game.post(server, app, key, [windows_game.event(rng, when) for _ in range(CLOSING // APPS)])


@test("real Flink over real Kafka: the guidance's four metrics, exported, give the module's documents, while both read the same stream", 420)
def _(t):
    t.need("kcat")
    flink.classpath(t)
    rng = random.Random(71)
    broker = kafka.Broker(t)
    server = server_for(t, broker, {"game": {"stage": "live"}}, "game", "game", "metrics")
    apps, known = applications(server), []
    begin = int(time.time()) // 60 * 60 - 7200
    close_game(server, rng, apps, begin)  # so that the topics are there
    until(lambda: len(kcat.consume(broker.brokers, "events")) == CLOSING, 60, "the topic", 0.3)
    job = flink.Job(t, "job", exported(server, *on_kafka(broker))).until_runs()
    end = send_game(server, rng, apps, begin + 60, GAME_BATCHES, GAME_BATCH, STEP_S, known)
    close_game(server, rng, apps, end + 600)
    total = 2 * CLOSING + GAME_BATCHES * GAME_BATCH
    want = lambda: keyed(module_documents(broker))  # noqa: E731
    until_same(server, lambda: keyed(topic_documents(broker, "theirs")), want)
    names = collections.Counter(json.loads(key)["METRIC_NAME"] for key in want())
    windows = len({json.loads(key)["METRIC_TIMESTAMP"] for key in want()})
    check(windows >= 5 and len(names) == 4 and min(names.values()) > 10, f"{windows} windows: {names}")
    duplicates = sum(value for name, value in server.metrics().items() if "windows_duplicates_total" in name)
    check(duplicates > 100, f"{duplicates} repeats")
    check(job.peer.process.poll() is None, job.peer.output()[-2000:])
    print(f"# {total} events, {duplicates:.0f} repeats: {sum(names.values())} documents of {windows} windows are the same", flush=True)


@test("real Flink over real Kafka: with one partition it takes events for late, or for wrong, exactly where the module does", 420)
def _(t):
    t.need("kcat")
    flink.classpath(t)
    rng = random.Random(75)
    broker = kafka.Broker(t)
    server = server_for(t, broker, {"game": {"stage": "live"}}, "game", "game", "metrics", partitions=1)
    apps, known, sent = applications(server), [], 0
    begin = int(time.time()) // 60 * 60 - 7200
    for number in range(GAME_BATCHES):
        events = windows_game.batch(rng, GAME_BATCH, begin + number * STEP_S, SPREAD_S, known, LATE_S)
        events.append(windows_game.event(rng, int(time.time()) + 7200))  # beyond `ahead`
        windows_game.post(server, *rng.choice(apps), events)
        sent += len(events)
    close_game(server, rng, apps, begin + GAME_BATCHES * STEP_S + 600)
    until(lambda: len(kcat.consume(broker.brokers, "events")) == sent + CLOSING, 60, "the events in Kafka", 0.5)
    job = flink.Job(t, "job", exported(server, *on_kafka(broker)))
    want = lambda: keyed(module_documents(broker))  # noqa: E731
    until_same(server, lambda: keyed(topic_documents(broker, "theirs")), want)
    counted = lambda name: sum(value for series, value in server.metrics().items() if name in series and '"TotalEvents"' in series)  # noqa: E731
    late, wrong = counted("windows_late_total"), counted('reason="future"')
    check(late > 100 and wrong == GAME_BATCHES, f"{late} late, {wrong} of the future")
    check(job.peer.process.poll() is None, job.peer.output()[-2000:])
    print(f"# {sent} events, {late:.0f} late, {wrong:.0f} of the future: {len(want())} documents are the same", flush=True)


@test("real Flink over a lake: history as a batch job gives what the module said last, after all late events", 420)
def _(t):
    flink.classpath(t)
    rng = random.Random(76)
    modules = {"lake": {"path": "lake", "receivers": ["game"], "roll": {"age": "1s"}}}
    server = t.server(config={"receivers": {"matomo": None, "game": {"stage": "live"}}, "server": {"journal": {"retain": "1d"}}}, modules=modules, start=False)
    windows_game.add_metrics(server, 86400)
    server.start()
    apps, known, sent, copies = applications(server), [], 0, 0
    begin = int(time.time()) // 60 * 60 - 7200
    for number in range(GAME_BATCHES):
        events = windows_game.batch(rng, GAME_BATCH, begin + number * STEP_S, SPREAD_S, known, LATE_S)
        for event in events:  # no two copies at one time: which of them a batch job takes is left open
            copies += 1
            event["event_timestamp"] += copies % 1000 / 1000
        events.append(windows_game.event(rng, int(time.time()) + 7200))  # beyond `ahead`
        windows_game.post(server, *rng.choice(apps), events)
        sent += len(events)
    end = begin + GAME_BATCHES * STEP_S + 600
    close_game(server, rng, apps, end)
    until(lambda: len(lake.lines(server.data / "lake")) == sent + CLOSING, 60, "the lake", 0.3)
    out = t.tmp / "theirs"
    sets = (f"path={server.data / 'lake'}", "sink=files", f"metrics_path={out}")
    flink.Job(t, "job", exported(server, "--source", "files", *[word for pair in sets for word in ("--set", pair)])).wait()
    last = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end - 60))
    theirs = [json.loads(line) for file in out.iterdir() if file.is_file() for line in file.read_text().splitlines()]
    said = lambda: [row["event"] for row in windows_game.journal(server, "metrics")]  # noqa: E731
    # Where the first of two copies came late, with another version, a group may have lost all that it had; the module says so with a 0.
    ours = lambda: [plain(d) for d in windows_game.newest(said()) if d["METRIC_UNIT_VALUE_INT"] > 0]  # noqa: E731
    until_same(server, lambda: keyed(d for d in theirs if d["METRIC_TIMESTAMP"] < last), lambda: keyed(ours()), 60)
    check(len(said()) > len(ours()) + 50, "few revisions")
    print(f"# {sent} events: {len(ours())} documents after {len(said()) - len(ours())} revisions are the same", flush=True)


def hit(rng, when):
    pairs = {"idsite": 1 + rng.randrange(SITES), "rec": 1, "cdt": when, "_id": f"{rng.randrange(40):016x}", "url": f"https://example.org/page{min(rng.randrange(30), rng.randrange(30))}",
             "rand": rng.getrandbits(40)}
    kind = rng.random()
    if kind < 0.2:
        pairs.update(idgoal=1 + rng.randrange(3), revenue=rng.randrange(1, 10_000) / 100)
    elif kind < 0.3:
        pairs.update(e_c="door", e_a="open")
    elif kind < 0.5:
        pairs.update(urlref=rng.choice(["https://www.google.com/search?q=x", "https://other.example/a", "https://www.facebook.com/"]))
    return "?" + "&".join(f"{name}={value}" for name, value in pairs.items())


def send_hits(server, hits):
    answer = server.post("/matomo.php", json.dumps({"requests": hits}).encode(), [("Content-Type", "application/json")])
    equal((answer.status, json.loads(answer.body)["tracked"]), (200, len(hits)), answer.body)


@test("real Flink over real Kafka: the set for web sites, exported, gives the module's documents, though its watermark is one for all sites", 420)
def _(t):
    t.need("kcat")
    flink.classpath(t)
    rng = random.Random(72)
    broker = kafka.Broker(t)
    server = server_for(t, broker, {"matomo": {"sites": {n: {"hosts": ["example.org"]} for n in range(1, SITES + 1)}}}, "web", "matomo", "web_metrics")
    begin = int(time.time()) // 60 * 60 - 7200
    sent = []

    def send(when, count, spread_s):
        hits = [hit(rng, when + rng.randrange(spread_s)) for _ in range(count)]
        send_hits(server, hits)
        sent.extend(hits)
    for number in range(WEB_BATCHES):
        send(begin + number * STEP_S, WEB_BATCH, SPREAD_S)
    send(begin + WEB_BATCHES * STEP_S + 1200, CLOSING, 1)  # beyond the lateness, too
    until(lambda: len(kcat.consume(broker.brokers, "events")) == len(sent), 60, "the events in Kafka", 0.5)
    job = flink.Job(t, "job", exported(server, *on_kafka(broker)))
    want = lambda: keyed(module_documents(broker))  # noqa: E731
    until_same(server, lambda: keyed(topic_documents(broker, "theirs")), want)
    names = collections.Counter(json.loads(key)["METRIC_NAME"] for key in want())
    equal(sorted(names), ["Goals", "Hits", "Revenue", "Sources", "TopPages", "Visitors"])
    check(min(names.values()) >= 9, f"{names}")
    check(job.peer.process.poll() is None, job.peer.output()[-2000:])
    print(f"# {len(sent)} hits: {sum(names.values())} documents are the same", flush=True)


def as_texts(documents):
    """A dimension out of a JSON field is a text in Flink: 7 is "7"."""
    dimensions = {m["name"]: [name for name, path in m.get("by", {}).items() if path.startswith("data.")] for m in flink_sql.METRICS}
    for d in documents:
        for name in dimensions.get(d.get("METRIC_NAME"), []):
            value = d[name]
            d[name] = value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return documents


def odd_server(t, more):
    """(server, when the last window that counts has begun at the latest): events of every kind are in the journal, and one that ends all windows."""
    receivers, modules = flink_sql.hostile()
    modules["ours"] = {"use": "lake", "path": "ours", "receivers": ["metrics"], "view": "document", "roll": {"age": "1s"}}
    server = flink_sql.hostile_server(t, receivers, {**modules, **more}, matomo=None)
    server.start()
    begin = int(time.time()) // 86400 * 86400 - 2 * 86400
    stamp = lambda s: datetime.datetime.fromtimestamp(s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"  # noqa: E731
    rng = random.Random(73)
    events = flink_sql.hostile_events(73, ODD_EVENTS, lambda n: stamp(begin + n * 0.1 + rng.random() * SPREAD_S))
    end = begin + 24 * 3600  # beyond the longest window and its delay
    events += flink_sql.hostile_events(74, 1, lambda n: stamp(end))
    for at in range(0, len(events), ODD_BATCH):
        some = events[at:at + ODD_BATCH]
        answer = server.post("/events/click", "".join(json.dumps(event) + "\n" for event in some).encode(), [("Content-Type", "application/x-ndjson")])
        equal((answer.status, json.loads(answer.body).get("accepted")), (200, len(some)), answer.body[:300])
    return server, stamp(end - 180)


def odd_same(server, theirs, end):
    """Flink's documents of windows before the end are the module's."""
    closed = lambda: [d for d in theirs() if (d.get("METRIC_TIMESTAMP") or d["from"]) < end]  # noqa: E731
    until_same(server, lambda: keyed(closed()), lambda: keyed(as_texts(lake.lines(server.data / "ours"))))
    names = collections.Counter(d.get("METRIC_NAME", "Free") for d in closed())
    equal(len(names), len(flink_sql.METRICS), f"{names}")
    print(f"# {ODD_EVENTS} events: {dict(names)} documents are the same", flush=True)


@test("real Flink over a lake: names with everything in them, wrong types, hopping windows and every aggregate give the module's documents", 420)
def _(t):
    flink.classpath(t)
    server, end = odd_server(t, {"lake": {"path": "lake", "receivers": ["events"], "roll": {"age": "1s"}}})
    until(lambda: len(lake.lines(server.data / "lake")) == ODD_EVENTS + 1, 60, "the lake", 0.3)
    out = t.tmp / "theirs"
    sets = (f"path={server.data / 'lake'}", "sink=files", f"metrics_path={out}")
    flink.Job(t, "job", exported(server, "--source", "files", *[word for pair in sets for word in ("--set", pair)])).wait()
    theirs = [json.loads(line) for file in out.iterdir() if file.is_file() for line in file.read_text().splitlines()]
    odd_same(server, lambda: theirs, end)


@test("real Flink over real Kafka: the same odd metrics as a job that does not end", 420)
def _(t):
    t.need("kcat")
    flink.classpath(t)
    broker = kafka.Broker(t)
    server, end = odd_server(t, {"events": {"use": "kafka", "brokers": broker.brokers, "topic": "events", "receivers": ["events"],
                                            "create": {"enabled": True, "partitions": 1, "replication": 1}}})
    until(lambda: len(kcat.consume(broker.brokers, "events")) == ODD_EVENTS + 1, 60, "the events in Kafka", 0.5)
    job = flink.Job(t, "job", exported(server, *on_kafka(broker)))
    odd_same(server, lambda: [json.loads(m.value) for m in kcat.consume(broker.brokers, "theirs")], end)
    check(job.peer.process.poll() is None, job.peer.output()[-2000:])


@test("real Flink over real Kafka: what a million events cost it, and what they cost the module, warm, in one run", 600)
def _(t):
    t.need("kcat")
    flink.classpath(t)
    rng = random.Random(74)
    broker = kafka.Broker(t)
    server = server_for(t, broker, {"game": {"stage": "live"}}, "game", "game", "metrics")
    apps, known = applications(server), []
    begin = int(time.time()) // 60 * 60 - 86400
    close_game(server, rng, apps, begin)
    until(lambda: len(kcat.consume(broker.brokers, "events")) == CLOSING, 60, "the topic", 0.3)
    job = flink.Job(t, "job", exported(server, *on_kafka(broker))).until_runs()
    pid, sender, when = server.child("module windows"), server.child("module events"), begin + 60

    def used(count):
        """Processor seconds of both for so many events, from the first to the last document, and of the module that fills the topic."""
        nonlocal when
        before = flink.cpu_s(pid), job.cpu_s(), flink.cpu_s(sender)
        when = send_game(server, rng, apps, when, count // COST_BATCH, COST_BATCH, 1, known) + 600
        close_game(server, rng, apps, when)
        when += 60
        until_same(server, lambda: keyed(topic_documents(broker, "theirs")), lambda: keyed(module_documents(broker)))
        return flink.cpu_s(pid) - before[0], job.cpu_s() - before[1], flink.cpu_s(sender) - before[2]
    used(WARM_EVENTS)
    ours, theirs, filling = used(COST_EVENTS)
    per_million = 1e6 / (COST_EVENTS + CLOSING)
    print(f"# CPU seconds per million events, the guidance's four metrics: module windows {ours * per_million:.1f}, Flink {flink.VERSION} {theirs * per_million:.1f}: "
          f"{theirs / ours:.0f} times as many (module kafka, which fills the topic: {filling * per_million:.1f}); memory at most {flink.peak_mb(pid):.0f} and {flink.peak_mb(job.peer.process.pid):.0f} MB", flush=True)
    check(ours < theirs, f"{ours} s, Flink {theirs} s")
