#!/usr/bin/env python3
"""The comparison table: this server against nginx's empty_gif with a JSON access log, in the same interleaved
run, and the bounds of the project. CPU is utime + stime of /proc/PID/stat: supervisor and ingest for this
server (the lake has a row of its own), master and workers for nginx.

    bench.py                     everything, about six minutes
    bench.py --quick             a smoke test, numbers mean nothing
    bench.py --only bulk         sections whose name contains "bulk"
    bench.py --json FILE         the rows as JSON as well
    bench.py --journal-bytes N   size of the journal for the start-up row (default 1 GiB; the bound is for 10 GB)"""
import argparse
import glob
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.bench import compact_lake
from tests.bench.game_load import fill_game
from tests.bench.load import BULK_EVENTS, Wrk, need, write_inputs
from tests.bench.nginx import Nginx
from tests.lib import duckdb, http
from tests.lib.kafka_mock import Cluster
from tests.lib.server import Server
from tests.lib.wait import until

CORE = 0                # for the one-core placement
WINDOW_US = 200         # journal.window_us' default
IDLE_CONNECTIONS = 2000
NULL_MODULES = 20
QUEUED_EVENTS = 1_000_000
REFERENCE_US = 3.63     # nginx, GET c256 on one core, on the quiet machine for which the absolute bounds were set
SECTIONS = {}


def section(function):
    SECTIONS[function.__name__] = function
    return function


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.seconds = 1 if args.quick else args.seconds
        self.rounds = 1 if args.quick else args.rounds
        self.rows, self.count = [], 0
        self.inputs = folder / "inputs"
        self.inputs.mkdir()
        self.about = write_inputs(self.inputs)
        self.slowness = 1.0

    def calibrate(self):
        """How many times slower this machine is now than the one of the absolute bounds, by nginx."""
        nginx = Nginx(self.folder / "calibration")
        results = [measure(self, nginx.pids(), nginx.port, 256, core=CORE, seconds=2) for _ in range(self.rounds)]
        nginx.stop()
        self.slowness = median(results, "cpu_us") / REFERENCE_US
        self.row("this machine against the bounds' own (nginx, GET c256, one core)", self.slowness, "x slower",
                 note="bounds in us are absolute: the note divides by this")

    def scaled(self, value):
        return f"{value / self.slowness:.2f} us there; "

    def row(self, name, value, unit, bound=None, at_least=False, note=""):
        met = None if bound is None else (value >= bound if at_least else value <= bound)
        self.rows.append({"name": name, "value": value, "unit": unit, "bound": bound, "at_least": at_least, "met": met, "note": note})
        limit = "" if bound is None else f"{'≥' if at_least else '≤'} {bound:g}"
        verdict = "" if met is None else "met" if met else f"MISSED by {abs(value / bound - 1) * 100:.0f} %"
        print(f"{name:<58} {value:>12,.2f} {unit:<14} {limit:<10} {verdict:<16} {note}", flush=True)

    def server(self, modules=None, config=None, **server_options):
        self.count += 1
        config = {"server": {"journal": {"segment_bytes": "64MiB"}, **server_options}, **(config or {})}
        server = Server(self.folder / f"s{self.count}", config=config, modules=modules if modules is not None else {})
        return server.start()

    def end(self, server):
        server.kill_all()
        shutil.rmtree(server.folder, ignore_errors=True)


def core_pids(server):
    return [server.pid, server.child("ingest")]


def cpu(pids):
    ticks = 0
    for pid in pids:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2:].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pin(pids, core):
    """Every thread to one core, or (None) to all."""
    cores = {core} if core is not None else set(range(os.cpu_count()))
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), cores)


def measure(bench, pids, port, connections, script="get.lua", core=None, seconds=None, **more):
    """wrk's result and the CPU microseconds per request of pids."""
    pin(pids, core)
    before = cpu(pids)
    result = Wrk(bench.inputs, port, connections, seconds or bench.seconds, script, core, **more).result()
    result["cpu_us"] = (cpu(pids) - before) * 1e6 / max(1, result["requests"])
    pin(pids, None)
    return result


def median(results, key):
    return statistics.median(r[key] for r in results)


def interleaved(bench, contenders, connections, core=None, script="get.lua", **more):
    """contenders: {name: (pids, port, reset)}; round by round; {name: [results]}."""
    found = {name: [] for name in contenders}
    for _ in range(bench.rounds):
        for name, (pids, port, reset) in contenders.items():
            found[name].append(measure(bench, pids, port, connections, script, core, **more))
            reset()
    return found


GET_BOUNDS = {("free", 256): 1.3, ("one core", 256): 1.75, ("one core", 64): 2.0}


@section
def get(bench):
    """CPU per durable, parsed GET against nginx's log line."""
    nginx, server = Nginx(bench.folder / "nginx"), bench.server()
    contenders = {"nginx": (nginx.pids(), nginx.port, nginx.empty_log), "ours": (core_pids(server), server.port, lambda: None)}
    measure(bench, contenders["ours"][0], server.port, 8, seconds=1)  # warm: segments, caches
    for placement, core in (("free", None), ("one core", CORE)):
        for connections in ((8,) if bench.args.quick else (1, 8, 64, 256, 512)):
            found = interleaved(bench, contenders, connections, core)
            ours, theirs = median(found["ours"], "cpu_us"), median(found["nginx"], "cpu_us")
            bench.row(f"GET c{connections}, {placement}: CPU against nginx", ours / theirs, "x", GET_BOUNDS.get((placement, connections)),
                      note=f"{ours:.2f} / {theirs:.2f} us; {median(found['ours'], 'rps') / 1e3:.0f}k / "
                           f"{median(found['nginx'], 'rps') / 1e3:.0f}k rps; p99 {median(found['ours'], 'p99_us') / 1e3:.2f} / "
                           f"{median(found['nginx'], 'p99_us') / 1e3:.2f} ms")
    nginx.stop()
    bench.end(server)


@section
def bulk(bench):
    """100 events per request; nginx logs the body, which needs a proxy hop to itself."""
    nginx, server = Nginx(bench.folder / "nginx-bulk"), bench.server()
    pids = core_pids(server)
    measure(bench, pids, server.port, 8, "post.lua", seconds=1)
    for placement, core, connections in (("free", None, 64), ("one core", CORE, 16)):
        ours, theirs = [], []
        for _ in range(bench.rounds):
            ours.append(measure(bench, pids, server.port, connections, "post.lua", core))
            theirs.append(measure(bench, nginx.pids(), nginx.port, connections, "post.lua", core, BENCH_PATH="/bulk"))
            nginx.empty_log()
        us, them = median(ours, "cpu_us") / BULK_EVENTS, median(theirs, "cpu_us") / BULK_EVENTS
        bench.row(f"bulk of {BULK_EVENTS}, c{connections}, {placement}: CPU per event", us, "us", 1.0,
                  note=f"{bench.scaled(us)}{median(ours, 'rps') * BULK_EVENTS / 1e3:.0f}k events/s")
        bench.row(f"bulk of {BULK_EVENTS}, c{connections}, {placement}: CPU against nginx's body log", us / them, "x", note=f"nginx {them:.2f} us")
    nginx.stop()
    bench.end(server)


@section
def game(bench):
    """Batches of 100 game events: authorised, validated, processed, durable."""
    server = bench.server(config={"receivers": {"game": {}}})
    made = json.loads(server.verb("app", "create", "bench", "--with-key", "--json").stdout)
    app, key = made["Application"]["ApplicationId"], made["Authorization"]["ApiKeyValue"]
    more = {"BENCH_BODY": str(bench.inputs / "game"), "BENCH_PATH": f"/live/applications/{app}/events", "BENCH_AUTHORIZATION": key}
    pids = core_pids(server)
    until(lambda: http.post(server.port, more["BENCH_PATH"], (bench.inputs / "game").read_bytes(),
                            [("Content-Type", "application/json"), ("Authorization", key)]).status == 200, 10, "the new key")
    measure(bench, pids, server.port, 8, "post.lua", seconds=1, **more)
    for placement, core, connections in (("free", None, 64), ("one core", CORE, 16)):
        results = [measure(bench, pids, server.port, connections, "post.lua", core, **more) for _ in range(bench.rounds)]
        each = median(results, "cpu_us") / BULK_EVENTS
        bench.row(f"game batches of {BULK_EVENTS}, c{connections}, {placement}: CPU per event", each, "us", 1.5,
                  note=f"{bench.scaled(each)}{median(results, 'rps') * BULK_EVENTS / 1e3:.0f}k events/s")
    bench.end(server)


@section
def ack(bench):
    """What durability costs: the same binary, ack: synced against ack: memory."""
    servers = {"synced": bench.server(ack="synced"), "memory": bench.server(ack="memory")}
    contenders = {name: (core_pids(s), s.port, lambda: None) for name, s in servers.items()}
    for placement, core in (("free", None), ("one core", CORE)):
        found = interleaved(bench, contenders, 256, core)
        synced, memory = median(found["synced"], "cpu_us"), median(found["memory"], "cpu_us")
        bench.row(f"GET c256, {placement}: ack synced against memory", synced / memory, "x", 1.25, note=f"{synced:.2f} / {memory:.2f} us")
    for server in servers.values():
        bench.end(server)


@section
def slow_disk(bench):
    """A sync that takes 1 ms and 5 ms."""
    for delay_us, least in ((1000, None), (5000, 18000)):
        server = bench.server(journal={"segment_bytes": "64MiB", "sync_delay_us": delay_us})
        pids = core_pids(server)
        results = [measure(bench, pids, server.port, 256) for _ in range(bench.rounds)]
        bench.row(f"GET c256, sync + {delay_us / 1000:g} ms: requests per second", median(results, "rps"), "/s", least, at_least=True,
                  note=f"{median(results, 'cpu_us'):.2f} us CPU")
        bound_ms = (3 * (delay_us + 100 + WINDOW_US) + 1500) / 1e3
        bench.row(f"GET c256, sync + {delay_us / 1000:g} ms: ack p99", median(results, "p99_us") / 1e3, "ms", bound_ms)
        bench.end(server)


@section
def readers(bench):
    """What 20 modules that only read cost: idle, and at c64."""
    base = bench.server()
    many = bench.server(modules={f"null{i}": {"use": "null", "max_bytes": "1GiB"} for i in range(NULL_MODULES)})
    modules = [many.child(f"module null{i}") for i in range(NULL_MODULES)]
    measure(bench, core_pids(many), many.port, 64, seconds=1)
    before, start = cpu(modules), time.monotonic()
    time.sleep(bench.seconds)  # idleness is what is measured
    bench.row(f"{NULL_MODULES} idle modules: CPU of each", (cpu(modules) - before) / (time.monotonic() - start) / NULL_MODULES * 100, "%", 2.0)
    bench.row(f"{NULL_MODULES} idle modules: private memory of the largest", max(private(p) for p in modules) / 1e6, "MB", 8.0)
    contenders = {"0": (core_pids(base), base.port, lambda: None), "20": (core_pids(many), many.port, lambda: None)}
    before, found = cpu(modules), interleaved(bench, contenders, 64)
    events = sum(r["requests"] for r in found["20"])
    bench.row(f"GET c64: ingest's CPU with {NULL_MODULES} readers against none", median(found["20"], "cpu_us") / median(found["0"], "cpu_us"),
              "x", note=f"{median(found['20'], 'rps') / 1e3:.0f}k / {median(found['0'], 'rps') / 1e3:.0f}k rps")
    bench.row("null module: CPU per event", (cpu(modules) - before) / NULL_MODULES / max(1, events) * 1e6, "us")
    bench.end(base)
    bench.end(many)


def fill(bench, server, requests):
    """At least so many bulk requests; returns how many there were."""
    done = 0
    while done < requests:
        done += Wrk(bench.inputs, server.port, 8, 1 if requests - done < 20000 else 5, "post.lua").result()["requests"]
    return done


def lake_module(**options):
    return {"lake": {"path": "lake", "roll": {"bytes": "25MB", "age": "60s"}, **options}}


@section
def lake_cpu(bench):
    """Journal to sealed gz: the lake starts when the events are there already."""
    server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
    events = fill(bench, server, 200 if bench.args.quick else 10000) * BULK_EVENTS
    server.config["modules"] = lake_module(roll={"bytes": "25MB", "age": "1s"})
    server.write_config()
    server.reload()
    start, pid = time.monotonic(), server.child("module lake")
    until(lambda: module_cursor(server, "lake") >= events, 300, "the lake's end", 0.1)
    seconds = time.monotonic() - start
    bench.row("lake, journal to sealed gz: CPU per event", cpu([pid]) * 1e6 / events, "us", 0.8,
              note=f"{bench.scaled(cpu([pid]) * 1e6 / events)}{events} events, {events / seconds / 1e3:.0f}k events/s (paced)")
    bench.end(server)


@section
def compaction(bench):
    """Small files of a day to files of 128 MiB, each checked by its manifest's sums on the way."""
    base = Server(bench.folder / "compact", config={"modules": {"compact": {"lake": "lake", "keep": "0s"}}})
    base.write_config()
    packed, raw = compact_lake.fill(base.data / "lake", 100 if bench.args.quick else 1440, 5000)
    seconds, resident = compact_lake.run(base)
    bench.row("compaction: lines, unpacked, per second", raw / seconds / 1e6, "MB/s", 250, at_least=True,
              note=f"{packed / seconds / 1e6:.0f} MB/s on disk, {packed / 1e6:.0f} MB in {seconds:.1f} s")
    bench.row("compaction: resident memory", resident / 1e6, "MB", 256)
    bench.end(base)


@section
def parquet(bench):
    """Lines to Parquet: what the module lake costs from the journal on, and compaction of lines. All columns of matomo; few of a lake's own lines."""
    library = duckdb.found()
    if not library:
        print("# skipped: parquet (no libduckdb.so; STREAMSTEAM_DUCKDB names one)")
        return
    options = {"format": "parquet", "parquet": {"library": library}}
    server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
    events = fill(bench, server, 200 if bench.args.quick else 5000) * BULK_EVENTS
    server.config["modules"] = lake_module(roll={"bytes": "64MB", "age": "1s"}, **options)
    server.write_config()
    server.reload()
    pid = server.child("module lake")
    until(lambda: module_cursor(server, "lake") >= events, 600, "the lake's end", 0.1)
    used, peak = cpu([pid]), int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024
    raw = sum(json.loads(path.read_text())["raw_bytes"] for path in server.lake.glob("_manifest/*.json"))
    bench.row("lake, journal to sealed Parquet: lines per second and core", raw / used / 1e6, "MB/s", 250, at_least=True,
              note=f"{raw / used / 1e6 * bench.slowness:.0f} MB/s there; {raw / events:.0f} bytes/event")
    bench.row("lake, Parquet: most resident memory", peak / 1e6, "MB", 256)
    bench.end(server)
    base = Server(bench.folder / "columns", config={"modules": {"compact": {"lake": "lake", "keep": "0s", **options}}})
    _, raw = compact_lake.fill(base.data / "lake", 100 if bench.args.quick else 500, 5000)
    seconds, resident = compact_lake.run(base)
    bench.row("compaction into Parquet: lines, unpacked, per second", raw / seconds / 1e6, "MB/s")
    bench.row("compaction into Parquet: resident memory", resident / 1e6, "MB", 256)
    bench.end(base)


@section
def streams(bench):
    """Journal to Kinesis and Firehose, signed, without TLS, into a server that checks nothing."""
    sink = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("aws_sink.py"))], stdout=subprocess.PIPE, text=True)
    try:
        endpoint = f"http://127.0.0.1:{int(sink.stdout.readline())}"
        server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
        events = fill(bench, server, 100 if bench.args.quick else 3000) * BULK_EVENTS
        for use in ("kinesis", "firehose"):
            server.config["modules"] = {use: {"stream": "s", "region": "eu-central-1", "endpoint": endpoint, "access_key": "AKIDBENCH",
                                                "secret_key": "bench", "deadline": "120s"}}
            server.write_config()
            server.reload()
            pid = server.child(f"module {use}")
            until(lambda: module_cursor(server, use) >= events, 300, f"the end of {use}", 0.1)
            each = cpu([pid]) * 1e6 / events
            metrics = server.metrics()
            calls, full = (sum(v for k, v in metrics.items() if name in k and f'"{use}"' in k) for name in ("put_calls_total", "put_full_calls_total"))
            bench.row(f"{use}: CPU per 1.5-KB record", each, "us", 6, note=f"{bench.scaled(each)}{1e3 / each:.0f}k records/s and core, "
                      f"{100 * full / max(calls, 1):.0f} % of {calls:.0f} calls full, {private(pid) / 1e6:.0f} MB")
        bench.end(server)
    finally:
        sink.terminate()
        sink.wait()


METRICS = pathlib.Path(__file__).resolve().parents[2] / "config" / "metrics" / "game.yaml"
GROUPS = 100_000


def windows_file(metrics=None):
    """The guidance's four metrics, left to event time alone: the events are of the past. metrics: others in their place."""
    text = METRICS.read_text().replace("receivers:\n  metrics: {}\n", "").replace("delay: 5s", "delay: 5s\n    idle: 0s")
    return text if metrics is None else text[:text.index("    metrics:")] + f"    metrics: {json.dumps(metrics)}\n"


@section
def windows(bench):
    """The guidance's four metrics from a journal that is there already, and 100,000 live groups."""
    def run(server, events, text):
        """CPU seconds and private bytes of the module that reads the whole journal, and the seconds that it took."""
        (server.folder / "conf.d").mkdir()
        (server.folder / "conf.d" / "game.yaml").write_text(text)
        server.reload()
        start, pid = time.monotonic(), server.child("module windows")
        until(lambda: module_cursor(server, "windows") >= events, 300, "the end of windows", 0.1)
        return cpu([pid]), private(pid), time.monotonic() - start

    def filled(events, per_second, change=None):
        server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"}, config={"receivers": {"game": {"stage": "live"}, "metrics": {}}})
        fill_game(server, events, time.time() // 60 * 60 - 7200, per_second, change)
        return server

    events = 20_000 if bench.args.quick else 500_000
    server = filled(events, events / 3600)
    used, memory_used, seconds = run(server, events, windows_file())
    counted = lambda: sum(v for k, v in server.metrics().items() if "windows_events_total" in k and '"TotalEvents"' in k)
    until(lambda: counted() == events, 10, f"{events} events to be counted")
    bench.row("windows, the guidance's four metrics: events per second and core", events / used / 1e3, "k", 300, at_least=True,
              note=f"{used * 1e6 / events:.2f} us CPU an event, {bench.slowness * events / used / 1e3:.0f}k there; {events / seconds / 1e3:.0f}k/s (paced), {memory_used / 1e6:.0f} MB")
    bench.end(server)
    groups = 5_000 if bench.args.quick else GROUPS
    server = filled(groups, groups / 20, lambda event, n: event.update(event_type="login", event_name="login", event_data={"platform": f"p{n}"}))
    every = {"name": "Groups", "by": {"A": "application_id", "V": "app_version", "P": "event_data.platform"}, "size": "1h", "dedupe": "event_id"}
    used, memory_used, _ = run(server, groups, windows_file([every]))
    held = until(lambda: sum(v for k, v in server.metrics().items() if "windows_groups" in k), 10, "the number of groups")
    bench.row("windows, 100,000 live groups and their event ids: private memory", memory_used / 1e6, "MB", 100,
              note=f"{held:.0f} groups, {used * 1e6 / groups:.2f} us CPU a new group")
    bench.end(server)


@section
def s3_put(bench):
    """Objects of a lake into nginx, signed: this AWS client against curl's own parallel transfers, as many at once, in the same run."""
    size, depth = 200_000, 8
    count = 200 if bench.args.quick else 3000
    nginx, body = Nginx(bench.folder / "put"), bench.folder / "object"
    body.write_bytes(os.urandom(size))
    one = f"silent\nupload-file={body}\nurl=http://127.0.0.1:{nginx.port}/put/%d\nheader=\"Expect:\"\naws-sigv4=\"aws:amz:us-east-1:s3\"\nuser=\"AKIDBENCH:bench\""
    config = bench.folder / "curl.config"
    config.write_text("\nnext\n".join(one % n for n in range(count)))
    env = dict(os.environ, AWS_ACCESS_KEY_ID="AKIDBENCH", AWS_SECRET_ACCESS_KEY="bench", AWS_EC2_METADATA_DISABLED="true")
    binary = pathlib.Path(bench.args.build).resolve() / "bench" / "s3_put"
    ours, curls = [], []
    for _ in range(bench.rounds):
        result = subprocess.run([binary, f"http://127.0.0.1:{nginx.port}", body, str(count), str(depth)], capture_output=True, text=True, env=env)
        if result.returncode:
            raise AssertionError(result.stderr)
        ours.append(json.loads(result.stdout))
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["curl", "-Z", "--parallel-max", str(depth), "-K", config], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        curls.append({"mb_per_s": size * count / (time.monotonic() - start) / 1e6,
                      "cpu_us": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6 / count})
    nginx.stop()
    rate, cpu_us = (median(ours, key) / median(curls, key) for key in ("mb_per_s", "cpu_us"))
    bench.row("S3 PUT of 200-KB objects: rate against curl -Z", rate, "x", 0.9, at_least=True,
              note=f"{median(ours, 'mb_per_s'):.0f} / {median(curls, 'mb_per_s'):.0f} MB/s, CPU {cpu_us:.2f}x")


@section
def kafka(bench):
    """Journal to Kafka, lz4 and idempotent, into librdkafka's mock brokers, which are a process of their own."""
    cluster = Cluster()
    try:
        cluster.tell("topic", "t", 6)
        server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
        events = fill(bench, server, 100 if bench.args.quick else 3000) * BULK_EVENTS
        server.config["modules"] = {"kafka": {"brokers": cluster.brokers, "topic": "t", "deadline": "120s"}}
        server.write_config()
        server.reload()
        pid = server.child("module kafka")
        start = time.monotonic()
        until(lambda: module_cursor(server, "kafka") >= events, 300, "the end of kafka", 0.05)
        each, rate = cpu([pid]) * 1e6 / events, events / (time.monotonic() - start)
        bench.row("kafka: CPU per 1.5-KB message, lz4, idempotent", each, "us", 1.6,
                  note=f"{bench.scaled(each)}{rate / 1e3:.0f}k messages/s, {private(pid) / 1e6:.0f} MB")
        bench.end(server)
    finally:
        cluster.close()


@section
def warehouse(bench):
    """Rows per second and core, and against a plain loop of bound INSERTs of the same rows in the same run."""
    binary, plugin = (pathlib.Path(bench.args.build).resolve() / name for name in ("bench/warehouse", "plugins/module-warehouse.so"))
    rows = 300_000 if bench.args.quick else 10_000_000
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        result = subprocess.run(["taskset", "-c", str(CORE), str(binary), str(plugin), folder, str(rows)], capture_output=True, text=True)
    if result.returncode:
        raise AssertionError(result.stderr)
    found = json.loads(result.stdout)
    bench.row(f"warehouse, {rows / 1e6:g}M game rows: rows per second and core", found["rows_per_s"] / 1e3, "k", 150, at_least=True,
              note=f"{found['module_us']:.2f} us CPU a row")
    bench.row("warehouse: CPU against a plain loop of INSERTs", found["ratio"], "x", 1.5, note=f"{found['plain_us']:.2f} us")


def module_cursor(server, name):
    for module in server.status().get("modules", []):
        if module.get("name") in (name, f"module {name}"):
            return module.get("cursor", 0)
    return 0


def private(pid):
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1]) * 1024
    return total


@section
def kill(bench):
    """SIGKILL of ingest under load to the first 200 on a new connection; a fresh server each time, because the
    supervisor waits longer before each further restart of what keeps dying."""
    times = []
    for _ in range(3 if bench.args.quick else 7):
        server = bench.server(modules=lake_module())
        pusher = Wrk(bench.inputs, server.port, 16, 1)
        until(lambda: any(journal.stat().st_blocks for journal in (server.data / "journal").glob("*.seg")), 10, "a written segment")
        start = time.monotonic()
        server.kill_child("ingest")
        while True:
            try:
                if http.get(server.port, http.hit("after"), timeout_s=5).status == 200:
                    break
            except (OSError, http.Closed):
                pass
        times.append((time.monotonic() - start) * 1e3)
        pusher.result(quiet=True)
        bench.end(server)
    bench.row("kill of ingest to the first 200: median", statistics.median(times), "ms", 300, note=f"worst {max(times):.0f} ms")


@section
def memory(bench):
    """Ingest's private memory with a million events in the journal, and per idle connection."""
    server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
    ingest = server.child("ingest")
    events = fill(bench, server, 100 if bench.args.quick else QUEUED_EVENTS // BULK_EVENTS) * BULK_EVENTS
    bench.row("ingest: private memory with the events queued", private(ingest) / 1e6, "MB", 40, note=f"{events / 1e6:.2f} M events, after bulk at c8")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE_CONNECTIONS, (hard if hard != resource.RLIM_INFINITY else 1 << 20) - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    before, connections = private(ingest), []
    for _ in range(count):
        connections.append(http.Connection(server.port))
        connections[-1].get(http.hit("idle"))
    bench.row("ingest: private memory of an idle connection", (private(ingest) - before) / count / 1e3, "KB", 40, note=f"{count} connections")
    for connection in connections:
        connection.close()
    bench.end(server)


@section
def startup(bench):
    """exec to /readyz with a large journal."""
    want = (64 << 20) if bench.args.quick else bench.args.journal_bytes
    server = bench.server(journal={"segment_bytes": "64MiB", "retain": "1d"})
    journal = server.data / "journal"
    size = lambda: sum(p.stat().st_size for p in journal.glob("*"))
    while size() < want:
        Wrk(bench.inputs, server.port, 8, 1, "post.lua").result()
    for name, end in (("after a stop", server.stop), ("after SIGKILL of all", server.kill_all)):
        end()
        start = time.monotonic()
        server.start()
        bench.row(f"start-up with a journal of {size() / 1e9:.1f} GB, {name}", time.monotonic() - start, "s", 1.0)
    bench.end(server)


GEOIP_DATABASES = ("~/.cache/streamsteam/geoip/*.mmdb", "/usr/share/GeoIP/*.mmdb", "/var/lib/GeoIP/*.mmdb")


def enrichers(bench):
    """{name: options} of those that are built and have their data; the others are named. BENCH_DATABASE and
    BENCH_REGEXES say where geoip's and device's data are."""
    databases = [os.environ.get("BENCH_DATABASE")] + [path for p in GEOIP_DATABASES for path in sorted(glob.glob(os.path.expanduser(p)))]
    wanted = {"privacy": {}, "geoip": {"database": next(filter(None, databases), "")}, "device": {"regexes": os.environ.get("BENCH_REGEXES", "")}, "bots": {}}
    found = {}
    for name, options in wanted.items():
        options = {key: value for key, value in options.items() if value}
        server = Server(bench.folder / f"try-{name}", config={"enrichers": {name: options}, "receivers": {"matomo": {"enrich": [name]}}}, modules={})
        result = server.verb("check")
        if result.returncode == 0:
            found[name] = options
        else:
            why = result.stderr.strip().splitlines()[0].partition(": ")[2]  # behind the place in the file
            print(f"enrichment: {name} is left out: {why}", flush=True)
    return found


@section
def enrichment(bench):
    """What the enrichers cost when their caches are hot: the plain receiver against one with all of them, on the same
    requests: 100 user agents and addresses in turn."""
    chosen = enrichers(bench)
    if not chosen:
        return
    trust, every = {"trusted_proxies": ["127.0.0.1"]}, ", ".join(chosen)
    plain = bench.server(**trust)
    start = time.monotonic()
    full = bench.server(config={"enrichers": chosen, "receivers": {"matomo": {"enrich": list(chosen)}}}, **trust)
    bench.row("start-up with all enrichers", time.monotonic() - start, "s", 2.0, note=every)
    contenders = {name: (core_pids(s), s.port, lambda: None) for name, s in (("plain", plain), ("full", full))}
    agents, body = {"BENCH_AGENTS": str(bench.inputs / "agents")}, {"BENCH_BODY": str(bench.inputs / "body-agents")}
    for pids, port, _ in contenders.values():
        measure(bench, pids, port, 8, seconds=1, **agents)
    bench.row("ingest: private memory that all enrichers add", (private(full.child("ingest")) - private(plain.child("ingest"))) / 1e6, "MB", 40)
    for placement, core, connections in (("free", None, 256), ("one core", CORE, 256)):
        found = interleaved(bench, contenders, connections, core, **agents)
        one, all_of_them = median(found["plain"], "cpu_us"), median(found["full"], "cpu_us")
        bench.row(f"GET c{connections}, {placement}: all enrichers against none", all_of_them / one, "x", 1.4, note=f"{all_of_them:.2f} / {one:.2f} us")
    for placement, core, connections in (("free", None, 64), ("one core", CORE, 16)):
        found = interleaved(bench, contenders, connections, core, "post.lua", **body)
        one, all_of_them = (median(found[name], "cpu_us") / BULK_EVENTS for name in ("plain", "full"))
        bench.row(f"bulk of {BULK_EVENTS}, c{connections}, {placement}: all enrichers, more per event", all_of_them - one, "us", 1.5,
                  note=f"{bench.scaled(all_of_them - one)}{all_of_them:.2f} / {one:.2f} us")
    bench.end(plain)
    bench.end(full)


@section
def beside_lake(bench):
    """Ack p99 of single hits while bulk requests keep the lake writing about 100 MB of lines per second."""
    server = bench.server(modules=lake_module())
    pids, lake_pid = core_pids(server), server.child("module lake")
    single = measure(bench, pids, server.port, 1, seconds=1)
    alone = measure(bench, pids, server.port, 16)
    seconds = max(3, bench.seconds * bench.rounds)
    lake_before, written = cpu([lake_pid]), io_bytes(lake_pid)
    pusher = Wrk(bench.inputs, server.port, 2, seconds + 1, "post.lua", BENCH_DELAY_MS="1")
    result = measure(bench, pids, server.port, 16, seconds=seconds)
    pushed = pusher.result()
    bound = (3 * (single["p50_us"] + WINDOW_US) + 1500) / 1e3
    bench.row("ack p99 without bulk load, c16", alone["p99_us"] / 1e3, "ms")
    bench.row("ack p99 beside a writing lake, c16", result["p99_us"] / 1e3, "ms", bound,
              note=f"bulk beside it {pushed['rps'] * BULK_EVENTS / 1e3:.0f}k events/s; the lake wrote "
                   f"{(io_bytes(lake_pid) - written) / 1e6:.0f} MB with {cpu([lake_pid]) - lake_before:.1f} s of CPU; "
                   f"one sync {single['p50_us']} us")
    bench.end(server)


def io_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--journal-bytes", type=int, default=1 << 30)
    args = parser.parse_args()
    os.environ["STREAMSTEAM_BUILD"] = str(pathlib.Path(args.build).resolve())
    need("wrk", "nginx", "taskset")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-bench-"))
    bench = Bench(args, folder)
    print(f"{os.cpu_count()} cores; {bench.about['params']} parameters, {bench.about['query_bytes']:.0f} bytes per query; bulk body "
          f"{bench.about['body_bytes'] / 1e3:.1f} KB; {bench.rounds} rounds of {bench.seconds} s, medians")
    failures = 0
    try:
        bench.calibrate()
        for name, function in SECTIONS.items():
            if args.only and not any(o in name for o in args.only):
                continue
            try:
                function(bench)
            except (AssertionError, OSError) as error:
                failures += 1
                print(f"{name}: could not be measured: {error}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missed = [r["name"] for r in bench.rows if r["met"] is False]
    print(f"{sum(r['met'] is True for r in bench.rows)} bounds met, {len(missed)} missed" + (": " + "; ".join(missed) if missed else ""))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"about": bench.about, "rows": bench.rows}, indent=1))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
