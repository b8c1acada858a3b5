#!/usr/bin/env python3
"""Pull receivers: a process of their own, the inlet, exactly once into the journal."""
import collections
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

TYPES = {"types": {"a": {"schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
                         "on_invalid": "reject"}}}


def sample(name="plugin_pull_receiver"):
    return str(build_dir() / "tests" / "contract" / f"{name}.so")


def config(t, **lines):
    t.lines = t.tmp / "lines"
    t.lines.touch()
    return {"server": {"journal": {"retain": "1h"}},  # no module pins it
            "receivers": {"matomo": None, "events": TYPES,
                          "lines": {"use": sample(), "parser": "events", "file": str(t.lines), **lines}}}


def feed(t, numbers):
    with open(t.lines, "a") as out:
        for n in numbers:
            out.write(json.dumps({"n": n}) + "\n")


def dumped(server):
    return [json.loads(line) for line in server.verb("journal", "dump", check=True).stdout.splitlines()]


def numbers(server):
    return [r["event"]["n"] for r in dumped(server) if r["type"] == "a"]


def await_numbers(server, wanted, timeout_s=30):
    wanted = list(wanted)
    got = []
    end = time.monotonic() + timeout_s
    while len(got) < len(wanted) and time.monotonic() < end:
        time.sleep(0.1)
        got = numbers(server)
    missing, more = sorted(set(wanted) - set(got)), sorted(n for n, times in collections.Counter(got).items() if times > 1)
    check(not missing and not more and len(got) == len(wanted),
          f"{len(missing)} of {len(wanted)} are missing: {missing[:10]}; {len(more)} came twice: {more[:10]}")


@test("a pull receiver has a process, a status and metrics of its own; its messages become events")
def _(t):
    server = t.server(config=config(t), modules={})
    feed(t, range(100))
    await_numbers(server, range(100))
    equal(set(server.children()), {"ingest", "receiver lines"})
    process = [p for p in server.status()["processes"] if p["name"] == "receiver lines"][0]
    check(process["ready"] and process["pid"] == server.children()["receiver lines"], process)
    values = server.metrics()
    equal(values['streamsteam_inlet_messages_total{process="ingest",source="lines"}'], 100)
    equal(values['streamsteam_process_up{process="receiver lines"}'], 1)
    check("lines" in server.verb("receiver", "list", check=True).stdout, "receiver list does not name it")
    equal(oct(os.stat(server.data / "inlet.sock").st_mode & 0o777), "0o600")
    equal(server.stop(), 0)
    check(not (server.data / "inlet.sock").exists(), "inlet.sock is left behind")
    server.verify()
    feed(t, range(100, 110))
    server.start()
    await_numbers(server, range(110))
    server.wait_log(r"resumes at '990'")


@test("what parse() refuses is kept as failed and takes nothing else with it")
def _(t):
    server = t.server(config=config(t), modules={})
    with open(t.lines, "a") as out:
        for i in range(30):
            out.write('{"n":%d}\n' % i if i % 3 else '[{"n":%d},{"n":"x"}]\n' % i)
    await_numbers(server, [i for i in range(30) if i % 3])
    failed = [r for r in dumped(server) if r["type"] == "processing-failed"]
    equal(len(failed), 10)
    check("do not fit" in json.dumps(failed[0]), failed[0])
    equal(server.stop(), 0)
    server.verify()


@test("a position is stored although nothing was emitted")
def _(t):
    server = t.server(config=config(t, group=1, parts=True), modules={})
    feed(t, range(5))
    await_numbers(server, range(5))
    server.verb("reload", check=True)
    server.wait_log(r"resumes at ''")
    server.kill_child("receiver lines")
    until(lambda: "/even=6" in server.log_text() or "/even=5" in server.log_text(), 20, "the parts' positions")
    check("/odd=" in server.log_text(), "the position of the other part")
    feed(t, range(5, 9))
    await_numbers(server, range(9))


@test("kill -9 of puller, ingest and supervisor at random moments: nothing is lost, nothing comes twice", 300)
def _(t):
    server = t.server(config=config(t, group=5), modules={})
    chance = random.Random(os.environ.get("STREAMSTEAM_SEED") or 5)
    fed = 0
    for round_number in range(16):
        feed(t, range(fed, fed + 400))
        fed += 400
        time.sleep(chance.random() * 0.08)
        victim = chance.choice(["receiver lines", "receiver lines", "ingest", "ingest", "all"])
        if victim == "all":
            server.kill_all()
            server.start()
        else:
            server.child(victim)
            server.kill_child(victim)
    await_numbers(server, range(fed), 60)
    equal(server.stop(), 0)
    equal(sorted(numbers(server)), list(range(fed)))
    server.verify()


@test("a process that dies at the worst moment, with a group sent and not answered: nothing is lost, nothing comes twice", 300)
def _(t):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    for name in ("pull.before_send", "pull.after_send", "inlet.before_commit", "inlet.after_commit"):
        once = t.tmp / name
        server = t.server(config=config(t, group=5), modules={}, faults=True,
                          env={"STREAMSTEAM_FAULT": f"{name}:4", "STREAMSTEAM_FAULT_ONCE": str(once)})
        t.lines.write_text("")
        feed(t, range(200))
        await_numbers(server, range(200))
        check(once.exists(), f"{name} was not passed")
        equal(server.stop(), 0)
        server.verify()


@test("while ingest is stopped the puller waits; it loses nothing")
def _(t):
    server = t.server(config=config(t), modules={})
    feed(t, range(10))
    await_numbers(server, range(10))
    pid = server.children()["ingest"]
    os.kill(pid, signal.SIGSTOP)
    feed(t, range(10, 500))
    time.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    await_numbers(server, range(500))


@test("run(): paused, broken, crashed and hanging ones are told apart; the rest of the server goes on")
def _(t):
    server = t.server(config=config(t, fail="pause"), modules={})

    def state():
        return [p for p in server.status()["processes"] if p["name"] == "receiver lines"][0]
    until(lambda: "paused" in state()["state"] and "wants a pause" in state()["state"], 20, "the state of a pause")
    for fail, said in (("fatal", "wants a new instance"), ("return", "nobody asked it to stop"), ("crash", r"signal 6")):
        server.config["receivers"]["lines"]["fail"] = fail
        server.write_config()
        server.verb("reload", check=True)
        server.wait_log(said)
        until(lambda: state()["restarts"] > 0, 20, "a restart")
    server.config["receivers"]["lines"]["fail"] = "hang"
    server.write_config()
    server.verb("reload", check=True)
    until(lambda: state()["ready"], 40, "the hanging one")
    server.config["receivers"]["lines"]["fail"] = ""
    server.write_config()
    server.verb("reload", check=True)  # it does not end by itself: it is ended, and started anew
    feed(t, range(10))
    await_numbers(server, range(10), 60)
    del server.config["receivers"]["lines"]
    server.write_config()
    server.verb("reload", check=True)
    until(lambda: "receiver lines" not in server.children(), 20, "its end")
    until(lambda: "receiver lines" not in json.dumps(server.status()), 20, "a status without it")


@test("tracking queries come in through a pull receiver, too")
def _(t):
    settings = config(t)
    settings["receivers"]["matomo"] = {}
    settings["receivers"]["lines"]["parser"] = "matomo"
    server = t.server(config=settings, modules={})
    bulk = {"requests": ["?idsite=1&rec=1&action_name=c", "?idsite=1&rec=1&action_name=d"]}
    t.lines.write_text("idsite=1&rec=1&action_name=a\nhttps://x.example/matomo.php?idsite=1&rec=1&action_name=b\n"
                       + json.dumps(bulk) + "\nnothing\nidsite=x&rec=1\n\n")
    until(lambda: len(dumped(server)) >= 7, 30, "all", 0.2)
    records = dumped(server)
    for record, name in zip(records, "abcd"):
        check(name in record["event"].values(), record)
    equal([r["type"] for r in records][4:], ["processing-failed"] * 3)


DERIVED = {"data_path": "", "types": {"d": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
           "type_path": "kind", "id_path": "event_id"}


@test("a module derives events: exactly once, whatever is killed", 300)
def _(t):
    settings = config(t, group=5)
    settings["receivers"]["derived"] = {"use": "events", "routes": {"/events": "/derived", "/events/{type}": "/derived/{type}"}, **DERIVED}
    server = t.server(config=settings, modules={"deriver": {"use": sample("plugin_derive_module"), "parser": "derived", "receivers": ["events"],
                                                            "batch": {"records": 20}}})
    chance = random.Random(3)
    fed = 0

    def both():
        records = dumped(server)
        return ([r["event"]["n"] for r in records if r["type"] == "a"],
                [r["event"]["n"] for r in records if r["type"] == "d"])
    for _ in range(10):
        feed(t, range(fed, fed + 300))
        fed += 300
        time.sleep(chance.random() * 0.1)
        victim = chance.choice(["module deriver", "ingest", "all"])
        if victim == "all":
            server.kill_all()
            server.start()
        else:
            server.child(victim)
            server.kill_child(victim)
    until(lambda: len(both()[0]) >= fed and len(both()[1]) >= fed, 90, "all events and all derived ones", 0.2)
    for got in both():
        equal(sorted(got), list(range(fed)))
    equal(server.stop(), 0)
    server.verify()


@test("a message that ends ingest twice is kept unread; the others go on")
def _(t):
    settings = config(t, group=10)
    settings["receivers"]["fragile"] = {"use": sample("plugin_fragile_receiver")}
    settings["receivers"]["lines"]["parser"] = "fragile"
    server = t.server(config=settings, modules={})
    with open(t.lines, "a") as out:
        for i in range(30):
            out.write("crash\n" if i == 13 else f"line {i}\n")
    until(lambda: len(dumped(server)) >= 30, 60, "all of them", 0.2)
    records = dumped(server)
    equal(len(records), 30)
    failed = [r for r in records if r["type"] == "processing-failed"]
    equal(len(failed), 1)
    check("ended the process" in json.dumps(failed[0]), failed[0])
    check(re.search(r"ended with signal \d+ .* in parse of receiver fragile", server.log_text()), "who ended ingest")


@test("a parse() that hangs is named and ended after 2 s")
def _(t):
    settings = config(t, group=10)
    settings["receivers"]["fragile"] = {"use": sample("plugin_fragile_receiver")}
    settings["receivers"]["lines"]["parser"] = "fragile"
    server = t.server(config=settings, modules={})
    t.lines.write_text("one\nhang\ntwo\n")
    server.wait_log(r"receiver fragile: parse\(\) takes longer than 2 s")
    until(lambda: len(dumped(server)) == 3, 60, "the rest", 0.2)


@test("the game's records come in through a pull receiver, too")
def _(t):
    settings = config(t)
    settings["receivers"]["game"] = {}
    settings["receivers"]["lines"]["parser"] = "game"
    server = t.server(config=settings, modules={})
    record = {"event": {"event_version": "1.0.0", "event_id": "e1", "event_type": "login", "event_timestamp": 1700000000, "event_data": {"platform": "pc"}},
              "application_id": "no-such-application"}
    t.lines.write_text(json.dumps(record) + "\n" + "{broken\n")
    until(lambda: len(dumped(server)) == 2, 30, "both", 0.2)
    equal(sorted(r["receiver"] for r in dumped(server)), ["game", "game"])


@test("the configuration says which parser is missing or wrong, with line and column")
def _(t):
    server = t.server(config=config(t), modules={}, start=False)
    lines = server.config["receivers"]["lines"]

    def said(**changes):
        server.config["receivers"]["lines"] = {**lines, **changes}
        if changes.get("parser") == "":
            del server.config["receivers"]["lines"]["parser"]
        server.write_config()
        result = server.verb("check")
        equal(result.returncode, 1)
        return result.stdout + result.stderr
    check("'parser' must name the receiver" in said(parser=""), "no parser")
    text = said(parser="event")
    check("there is no 'event' under 'receivers:'" in text and "did you mean 'events'" in text, text)
    check(":" in text.split("receivers.lines")[0], text)
    text = said(parser="lines")
    check("does not read messages of others" in text, text)
    text = said(enrich=[])
    check("receivers.lines.enrich: it only fetches messages" in text, text)


main()
