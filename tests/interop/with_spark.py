"""Module spark with Apache Spark itself (PyPI pyspark, JDK 17): spark-submit here, and a standalone master with its REST
submission server. The Parquet that the shipped ETL writes equals the input, counted by pyarrow, whoever is killed."""
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import uuid

from tests.interop.peers import INSTALL_TIMEOUT_S, Peer, pip_packages
from tests.lib import spark
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

PYSPARK, PYARROW = "4.0.1", "26.0.1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_TIMEOUT_S = 280
EVENTS = 150
SMALL = {"spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.cores.max": "1", "spark.sql.shuffle.partitions": "2",
         "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

# Prints [[application_id, year, month, day, event_id], ...] of a Parquet folder, and its marked batches.
READER = r'''
import json, pathlib, sys
import pyarrow.parquet as pq
root, rows = pathlib.Path(sys.argv[1]), []
for file in sorted(root.glob("application_id=*/*/*/*/*.parquet")):
    where = dict(part.split("=", 1) for part in file.relative_to(root).parts[:-1])
    for event in pq.ParquetFile(file).read().to_pylist():
        rows.append([where["application_id"], where["year"], where["month"], where["day"], event["event_id"], event["event_data"]])
print(json.dumps({"rows": rows, "batches": sorted(p.stem for p in root.glob("_batches/*.json"))}))
'''


def python_folder(t):
    t.need("java")
    return pip_packages(t, f"pyspark-{PYSPARK}", f"pyspark=={PYSPARK}", f"pyarrow=={PYARROW}", timeout_s=2 * INSTALL_TIMEOUT_S)


def spark_env(folder):
    return dict(os.environ, SPARK_HOME=str(folder / "pyspark"), PYSPARK_PYTHON=sys.executable, PYTHONPATH=str(folder), SPARK_LOCAL_IP="127.0.0.1")


class Data:
    """A lake of game events, and what its Parquet must be."""

    def __init__(self, t):
        self.lake, self.output, self.expected = spark.Lake(t.tmp / "the-lake"), t.tmp / "processed", []

    def day(self, n, count=EVENTS):
        events = []
        for i in range(count):
            time = spark.at(f"2026-11-{n:02d}T{i % 24:02d}:00:00")
            event = {"event_id": str(uuid.uuid4()), "event_type": "login", "event_name": "login", "event_version": "1.0.0",
                     "event_timestamp": int(time.timestamp()), "app_version": "1", "application_id": f"app-{i % 3}", "application_name": "Züge",
                     "event_data": {"level": i}, "metadata": {"ok": True}}
            events.append((time, event))
            self.expected.append((event["application_id"], "2026", "11", f"{n:02d}", event["event_id"], json.dumps(event["event_data"], separators=(",", ":"))))
        self.lake.cut({f"raw_events/year=2026/month=11/day={n:02d}/": events})

    def check(self, folder, batches):
        result = subprocess.run([sys.executable, "-c", READER, str(self.output)], capture_output=True, text=True, check=True,
                                env=dict(os.environ, PYTHONPATH=str(folder)))
        found = json.loads(result.stdout)
        equal(sorted(tuple(r) for r in found["rows"]), sorted(self.expected))
        equal(found["batches"], sorted(b["batch"] for b in batches))


def config(data, **more):
    job = {"file": str(ROOT / "examples/spark/raw_to_processed.py"), "args": ["--list", "{list}", "--output", str(data.output)], "grace": "0s",
           "conf": SMALL, "backoff": "1s", "timeout": "4m", "concurrency": 1}
    return {"modules": {"lake": None, "spark": {"lake": str(data.lake.path), "jobs": {"etl": job}, "poll": "500ms", **more}}}


def batches(server):
    answer = server.verb("spark", "list", "--json", check=False)
    return [json.loads(line) for line in answer.stdout.splitlines()][::-1] if answer.returncode == 0 else []


def settled(server, count):
    def over():
        found = batches(server)
        return found if len(found) >= count and all(b["state"] in ("done", "failed") for b in found) else None
    return until(over, RUN_TIMEOUT_S, f"{count} batches at their end", 0.5)


def under_way(server):
    until(lambda: any(b["state"] == "running" for b in batches(server)), 30, "a run under way", 0.2)


@test("spark-submit on this machine: a closed partition becomes Parquet, with the module killed meanwhile; late data is added once", timeout_s=600)
def _(t):
    folder = python_folder(t)
    data = Data(t)
    server = t.server(config=config(data, target="local", local={"spark_submit": str(folder / "pyspark/bin/spark-submit")}), env=spark_env(folder))
    data.day(1)
    data.day(2)
    under_way(server)
    server.kill_child("module spark")
    found = settled(server, 2)
    equal([(b["state"], b["attempt"], b["reason"]) for b in found], [("done", 1, "")] * 2)
    data.check(folder, found)
    data.day(1, 20)
    found = settled(server, 3)
    equal((found[2]["kind"], found[2]["late"], found[2]["state"]), ("late", True, "done"))
    data.check(folder, found)
    server.verb("spark", "rerun", found[0]["batch"], check=True)
    again = settled(server, 4)
    equal((again[3]["kind"], again[3]["state"]), ("rerun", "done"))
    data.check(folder, found)
    server.stop()


class Cluster:
    def __init__(self, t, folder):
        self.t, self.folder, self.masters = t, folder, 0
        env = dict(spark_env(folder), SPARK_DAEMON_MEMORY="384m")
        self.start_master()
        self.worker = Peer(t, "worker", [folder / "pyspark/bin/spark-class", "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "-c", "4",
                                         "-m", "4g", "--webui-port", "0", "-d", t.tmp / "work", self.url], env)
        self.says(self.worker, r"(Successfully registered) with master")

    def start_master(self, port="0", rest="0", ui="0"):
        self.masters += 1
        options = f"-Dspark.master.rest.enabled=true -Dspark.master.rest.port={rest} -Dspark.port.maxRetries=0"
        env = dict(spark_env(self.folder), SPARK_MASTER_OPTS=options, SPARK_DAEMON_MEMORY="384m")
        self.master = Peer(self.t, f"master{self.masters}", [self.folder / "pyspark/bin/spark-class", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1",
                                                             "--port", port, "--webui-port", ui], env)
        self.url = self.says(self.master, r"Starting Spark master at (spark://\S+)")
        self.ui = "http://127.0.0.1:" + self.says(self.master, r"MasterUI' on port (\d+)|MasterWebUI to \S+, and started at http://\S+?:(\d+)")
        self.rest = "http://127.0.0.1:" + self.says(self.master, r"(?:StandaloneRestServer' on port|REST server for submitting applications on \S+ with port) (\d+)")

    def kill_master(self):
        """It comes back at its addresses, and has forgotten everything."""
        self.master.process.kill()
        self.master.process.wait()
        self.start_master(*(url.rpartition(":")[2] for url in (self.url, self.rest, self.ui)))

    def applications(self):
        found = json.loads(subprocess.run(["curl", "-s", self.ui + "/json/"], capture_output=True, text=True, check=True).stdout)
        return found["activeapps"], found["completedapps"]

    def says(self, peer, pattern):
        def found():
            check(peer.process.poll() is None, peer.output())
            match = re.search(pattern, peer.output())
            return next(g for g in match.groups() if g) if match else None
        return until(found, 60, pattern, 0.2)


@test("standalone: through the REST server, the module killed while runs are under way; then the master dies and nothing is lost unsaid", timeout_s=700)
def _(t):
    folder = python_folder(t)
    data, cluster = Data(t), Cluster(t, folder)
    server = t.server(config=config(data, target="standalone", standalone={"url": cluster.rest, "master": cluster.url, "ui": cluster.ui, "version": PYSPARK},
                                    settle="3s"), env=spark_env(folder))
    server.verb("check", "--connect", check=True)
    data.day(3)
    data.day(4)
    under_way(server)
    server.kill_child("module spark")
    found = settled(server, 2)
    equal([(b["state"], b["attempt"], b["reason"]) for b in found], [("done", 1, "")] * 2)
    data.check(folder, found)
    active, completed = cluster.applications()
    names = collections.Counter(a["name"] for a in active + completed)
    equal(names, collections.Counter(b["run"] for b in found))
    server.config["modules"]["spark"]["jobs"]["etl"]["timeout"] = "15s"
    server.write_config()
    server.restart()
    data.day(5)
    until(lambda: batches(server)[-1]["state"] == "running" and len(batches(server)) == 3, 30, "a third run under way", 0.1)
    cluster.master.process.kill()
    cluster.worker.process.kill()
    found = settled(server, 3)
    equal((found[2]["state"], found[2]["attempt"]), ("failed", 1))
    check("does not answer" in found[2]["reason"] or "master" in found[2]["reason"], found[2]["reason"])
    server.stop()


@test("standalone: module and master killed at random moments, and a module between the request and its answer's being kept: each batch is in the output "
      "once, or failed with the reason", timeout_s=900)
def _(t):
    folder, chance = python_folder(t), random.Random(8)
    data, cluster = Data(t), Cluster(t, folder)
    once = t.tmp / "once"
    env = {**spark_env(folder), "STREAMSTEAM_FAULT": "spark.answered_standalone:2", "STREAMSTEAM_FAULT_ONCE": str(once)}
    whole = config(data, target="standalone", standalone={"url": cluster.rest, "master": cluster.url, "ui": cluster.ui, "version": PYSPARK}, settle="3s", concurrency=2)
    whole["modules"]["spark"]["jobs"]["etl"].update(concurrency=2, retries=1, timeout="100s")
    server = t.server(config=whole, env=env, faults=True)
    days = 6
    for n in range(1, days + 1):
        data.day(n, 60)
    for kill in ("module", "master", "module", "master"):
        until(lambda: any(b["state"] == "running" for b in batches(server)) or all(b["state"] in ("done", "failed") for b in batches(server)), 120, "a run", 0.1)
        wait_s, began = chance.uniform(0, 15), time.monotonic()
        until(lambda: time.monotonic() - began >= wait_s, 60, "the moment", 0.1)
        server.kill_child("module spark") if kill == "module" else cluster.kill_master()
    found = settled(server, days)
    check(once.exists(), "no module was killed between request and answer")
    until(lambda: not cluster.applications()[0], 120, "the end of runs that nobody waits for", 0.5)
    check(all(b["state"] == "done" or b["reason"] for b in found), str(found))
    result = subprocess.run([sys.executable, "-c", READER, str(data.output)], capture_output=True, text=True, check=True, env=dict(os.environ, PYTHONPATH=str(folder)))
    output = json.loads(result.stdout)
    rows = collections.Counter(tuple(row) for row in output["rows"])
    equal([row for row, count in rows.items() if count > 1], [])
    marked = {b["partition"].rpartition("-")[2] for b in found if b["batch"] in output["batches"]}
    check(marked >= {b["partition"].rpartition("-")[2] for b in found if b["state"] == "done"}, f"done, and not in the output: {found}")
    equal(sorted(row for row in rows if row[3] in marked), sorted(row for row in data.expected if row[3] in marked))
    print(f"# {sum(b['state'] == 'done' for b in found)} done, {[b['reason'] for b in found if b['state'] == 'failed']}")
    server.stop()
