#!/usr/bin/env python3
"""Module spark at its remote targets: what is sent, and that lost answers, throttles and full queues never make two runs of one batch."""
# timeout: 600
import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.fakes.spark_servers import Livy, Standalone
from tests.lib import spark
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

LOST = {"times": 1, "after": True}
AWS_FAULTS = [("throttled", {"do": "throttle", "times": 2}), ("an error before", {"do": "error", "times": 1}), ("an error after", {"do": "error", **LOST}),
              ("closed before", {"do": "close", "times": 1}), ("closed after", {"do": "close", **LOST}), ("cut", {"do": "cut", "times": 1}),
              ("a page", {"do": "garbage", "times": 1}), ("a page after", {"do": "garbage", **LOST})]


class Case:
    def __init__(self, t, target, file="s3://code/job.py", env=None, days=1, faults=False, args=("--list", "{list}", "--batch", "{batch}"), job=None, **more):
        self.lake = spark.Lake(t.tmp / "the-lake")
        self.job = {"file": file, "args": list(args), "grace": "0s", "backoff": "100ms", "retries": 1, "concurrency": 4,
                    "conf": {"spark.executor.memory": "1g", "spark.x": "a b"}, **(job or {})}
        module = {"lake": str(self.lake.path), "target": target, "poll": "100ms", "settle": "1s", "jobs": {"etl": self.job}, **more}
        for n in range(1, days + 1):
            self.lake.cut({f"day={n:02d}/": [(spark.at(f"2026-11-{n:02d}T01:00:00"), {"n": n})]})
        self.server = t.server(config={"modules": {"lake": None, "spark": module}}, env=env, faults=faults)

    def batches(self):
        answer = self.server.verb("spark", "list", "--json")
        return [json.loads(line) for line in answer.stdout.splitlines()][::-1] if answer.returncode == 0 else []

    def when(self, state, count):
        def there():
            found = self.batches()
            return found if len(found) >= count and all(b["state"] == state for b in found) else None
        return until(there, 40, f"{count} batches {state}", 0.1)


def aws_target(target, fake):
    """(options, file, [names], end(name, state), done, failed, operation)"""
    if target == "emr":
        s = fake.service("elasticmapreduce")
        s.make("j-1")
        return {"emr": {"cluster": "j-1"}}, "s3://code/job.py", lambda: [r["Name"] for r in s.steps("j-1")], lambda n, st: s.end("j-1", n, st, "why not"), \
            "COMPLETED", "FAILED", "AddJobFlowSteps"
    if target == "emr_serverless":
        s = fake.service("emr-serverless")
        s.make("00app")
        return {"emr_serverless": {"application": "00app", "role": "arn:aws:iam::000000000000:role/r"}}, "s3://code/job.py", \
            lambda: [r["name"] for r in s.runs("00app")], lambda n, st: s.end("00app", n, st, "why not"), "SUCCESS", "FAILED", "StartJobRun"
    s = fake.service("glue")
    s.make_job("etl-job")
    return {}, "etl-job", lambda: [r["Arguments"]["--streamsteam_run"] for r in s.job_runs("etl-job")], \
        lambda n, st: s.end_run("etl-job", n, st, "why not"), "SUCCEEDED", "FAILED", "StartJobRun"


OTHERS = {"emr": ("DescribeStep", "ListSteps", "CancelSteps"), "emr_serverless": ("GetJobRun", None, "CancelJobRun"), "glue": ("GetJobRun", "GetJobRuns", "BatchStopJobRun")}
ENDED = {"emr": "CANCELLED", "emr_serverless": "CANCELLED", "glue": "STOPPED"}


def states(target, fake):
    """[(run, state)]"""
    if target == "emr":
        return [(r["Name"], r["State"]) for r in fake.service("elasticmapreduce").steps("j-1")]
    if target == "emr_serverless":
        return [(r["name"], r["state"]) for r in fake.service("emr-serverless").runs("00app")]
    return [(r["Arguments"]["--streamsteam_run"], r["JobRunState"]) for r in fake.service("glue").job_runs("etl-job")]


def once_each(names, found):
    equal(collections.Counter(names), collections.Counter(b["run"] for b in found))


for TARGET in ("emr", "emr_serverless", "glue"):
    @test(f"{TARGET}: every fault of a submission, one run for each batch; failed ones come again under a new name", timeout_s=240)
    def _(t, target=TARGET):
        for i, (name, fault) in enumerate(AWS_FAULTS):
            with Fake(seed=i) as fake:
                options, file, names, end, done, failed, op = aws_target(target, fake)
                fake.script.add({"op": op, **fault})
                (t.tmp / str(i)).mkdir()
                c = Case(Below(t, t.tmp / str(i)), target, file=file, env=fake.env(), days=2, **options)
                found = c.when("running", 2)
                once_each(names(), found)
                for run in names():
                    end(run, done if i else failed)
                if i == 0:
                    until(lambda: len(names()) == 4, 30, "the second runs")
                    for run in names()[2:]:
                        end(run, done)
                found = c.when("done", 2)
                equal([b["attempt"] for b in found], [1 if i else 2] * 2)
                check(not fake.refused, f"{name}: {fake.refused}")
                c.server.stop()

    @test(f"{TARGET}: what is sent; killed between the request and its answer's being kept: one run", timeout_s=120)
    def _(t, target=TARGET):
        with Fake(seed=7) as fake:
            options, file, names, end, done, failed, op = aws_target(target, fake)
            point = {"emr": "answered", "emr_serverless": "answered_serverless", "glue": "answered_glue"}[target]
            once = t.tmp / "once"
            env = {**fake.env(), "STREAMSTEAM_FAULT": f"spark.{point}:1", "STREAMSTEAM_FAULT_ONCE": str(once)}
            c = Case(t, target, file=file, env=env, days=2, faults=True, **options)
            found = c.when("running", 2)
            check(once.exists(), "nobody was killed")
            once_each(names(), found)
            check_sent(target, fake, found[0])
            end(names()[0], failed)
            end(names()[1], done)
            until(lambda: len(names()) == 3, 20, "the second run")
            end(names()[2], failed)
            given_up = until(lambda: [b for b in c.batches() if b["state"] == "failed"], 20, "the batch given up")
            check("why not" in given_up[0]["reason"] and "FAILED" in given_up[0]["reason"], given_up[0]["reason"])


    @test(f"{TARGET}: faults of asking, looking up and ending: no run fails by them, none is made twice", timeout_s=120)
    def _(t, target=TARGET):
        with Fake(seed=11) as fake:
            options, file, names, end, done, failed, op = aws_target(target, fake)
            ask, look, stop = OTHERS[target]
            fake.script.add([{"op": op, "do": "close", **LOST}])
            for name in (ask, look, stop):
                fake.script.add([{"op": name, "do": act, "times": 1} for act in ("throttle", "close", "garbage", "error", "cut")] if name else [])
            c = Case(t, target, file=file, env=fake.env(), job={"timeout": "5s", "retries": 1}, **options)
            until(lambda: [state for _, state in states(target, fake)][:1] == [ENDED[target]], 60, "the first run ended at its timeout")
            second = until(lambda: names()[1:], 30, "the second run")
            end(second[0], done)
            (batch,) = c.when("done", 1)
            equal((names(), batch["attempt"], batch["run"]), ([batch["batch"] + "-1", batch["batch"] + "-2"], 2, second[0]))


def check_sent(target, fake, batch):
    args = next(call[3] for call in fake.calls if call[2] in ("AddJobFlowSteps", "StartJobRun"))
    listed = str(pathlib.Path(batch["batch"] + ".json"))
    if target == "emr":
        step = args["Steps"][0]
        equal(step["HadoopJarStep"]["Args"][:10], ["spark-submit", "--deploy-mode", "cluster", "--name", batch["run"], "--conf", "spark.executor.memory=1g",
                                                 "--conf", "spark.x=a b", "s3://code/job.py"])
        equal(step["HadoopJarStep"]["Args"][-1], batch["batch"])
    elif target == "emr_serverless":
        submit = args["jobDriver"]["sparkSubmit"]
        equal((args["clientToken"], submit["entryPoint"], submit["sparkSubmitParameters"]),
              (batch["run"], "s3://code/job.py", '--conf spark.executor.memory=1g --conf "spark.x=a b"'))
        check(submit["entryPointArguments"][1].endswith(listed), str(submit))
    else:
        equal((args["JobName"], args["Arguments"]["--streamsteam_run"], args["Arguments"]["--batch"]), ("etl-job", batch["run"], batch["batch"]))


class Below:
    def __init__(self, t, tmp):
        self.t, self.tmp = t, tmp

    def server(self, **more):
        return self.t.server(**more)


@test("glue: a job that is full is waited for, and that is no attempt")
def _(t):
    with Fake(seed=1) as fake:
        options, _, names, end, done, _, _ = aws_target("glue", fake)
        fake.service("glue").make_job("etl-job", concurrent=1)
        c = Case(t, "glue", file="etl-job", env=fake.env(), days=2)
        until(lambda: any("ConcurrentRunsExceeded" in b["reason"] for b in c.batches()), 20, "the full job")
        equal(len(names()), 1)
        end(names()[0], done)
        until(lambda: len(names()) == 2, 30, "the second run")
        end(names()[1], done)
        equal([b["attempt"] for b in c.when("done", 2)], [1, 1])


@test("emr: a cluster that is not there: everything waits with an alarm, nothing is given up")
def _(t):
    with Fake(seed=1) as fake:
        c = Case(t, "emr", env=fake.env(), emr={"cluster": "j-9"}, job={"retries": 0})
        found = until(lambda: [b for b in c.batches() if b["reason"]], 20, "a reason")
        check("j-9" in found[0]["reason"], found[0]["reason"])
        equal((found[0]["state"], found[0]["attempt"]), ("waiting", 0))
        until(lambda: "nothing is sent" in c.server.log_text(), 10, "the alarm")


@test("livy and standalone: failed, past its timeout, with an answer lost: ended, and run again under a new name; the documented shape", timeout_s=120)
def _(t):
    for kind in ("livy", "standalone"):
        (t.tmp / kind).mkdir()
        peer = Livy() if kind == "livy" else Standalone()
        t.defer(peer.close)
        where = {"url": peer.url, **({} if kind == "livy" else {"master": "spark://m:7077", "ui": peer.url})}
        c = Case(Below(t, t.tmp / kind), kind, file="/jobs/job.py", job={"timeout": "3s", "retries": 2}, **{kind: where})
        c.when("running", 1)
        peer.get_faults = ["cut", "busy", "cut"]
        peer.end_all("dead" if kind == "livy" else "FAILED")
        until(lambda: len(peer.names()) == 2, 30, "the second run")
        until(lambda: len(peer.names()) == 3, 30, "the third run, the second being ended at its timeout")
        equal(peer.runs[1]["state"], "deleted" if kind == "livy" else "KILLED")
        with peer.lock:
            peer.runs[2]["state"] = "success" if kind == "livy" else "FINISHED"
        (batch,) = c.when("done", 1)
        equal((batch["attempt"], peer.names(), peer.refused), (3, [f"{batch['batch']}-{n}" for n in (1, 2, 3)], []))
        c.server.stop()


@test("livy and standalone: killed between the request and its answer's being kept: one run of each batch", timeout_s=120)
def _(t):
    for kind in ("livy", "standalone"):
        (t.tmp / kind).mkdir()
        peer, once = Livy() if kind == "livy" else Standalone(), t.tmp / f"once-{kind}"
        t.defer(peer.close)
        where = {"url": peer.url, **({} if kind == "livy" else {"master": "spark://m:7077", "ui": peer.url})}
        env = {"STREAMSTEAM_FAULT": f"spark.answered_{kind}:2", "STREAMSTEAM_FAULT_ONCE": str(once)}
        c = Case(Below(t, t.tmp / kind), kind, file="/jobs/job.py", env=env, faults=True, days=3, **{kind: where})
        found = c.when("running", 3)
        check(once.exists(), "nobody was killed")
        once_each(peer.names(), found)
        peer.end_all("success" if kind == "livy" else "FINISHED")
        equal([b["attempt"] for b in c.when("done", 3)], [1, 1, 1])
        c.server.stop()


@test("livy: names, faults, a password", timeout_s=120)
def _(t):
    for i, faults in enumerate([[], ["cut"], ["busy"], ["cut", "busy"]]):
        livy = Livy()
        t.defer(livy.close)
        livy.faults = list(faults)
        (t.tmp / str(i)).mkdir()
        c = Case(Below(t, t.tmp / str(i)), "livy", days=2, livy={"url": livy.url, "user": "u", "password": "p"})
        found = c.when("running", 2)
        once_each(livy.names(), found)
        livy.end_all("success")
        equal([b["attempt"] for b in c.when("done", 2)], [1, 1])
        head = livy.requests[0][2]
        equal((head["X-Requested-By"], head["Authorization"]), ("streamsteam", "Basic dTpw"))
        equal(livy.runs[0]["body"]["conf"]["spark.x"], "a b")
        check('"password":"p"' not in c.server.log_text(), "the password")
        c.server.stop()


@test("standalone: a lost answer is found by its application's name, or marked failed where nobody can look", timeout_s=120)
def _(t):
    for i, (faults, page, state) in enumerate([([], True, "running"), (["cut"], True, "running"), (["cut"], False, "failed"), (["busy"], True, "running")]):
        master = Standalone()
        t.defer(master.close)
        master.faults = list(faults)
        (t.tmp / str(i)).mkdir()
        where = {"url": master.url, "master": "spark://m:7077", **({"ui": master.url} if page else {})}
        c = Case(Below(t, t.tmp / str(i)), "standalone", file="/jobs/job.py", standalone=where)
        found = c.when(state, 1)
        equal(master.names(), [found[0]["run"]])
        if state == "failed":
            check("was lost" in found[0]["reason"], found[0]["reason"])
        else:
            body = master.runs[0]["body"]
            equal((body["appResource"], body["mainClass"], body["appArgs"][:4]),
                  ("/jobs/job.py", "org.apache.spark.deploy.SparkSubmit", ["--master", "spark://m:7077", "--name", found[0]["run"]]))
            master.end_all("FINISHED")
            c.when("done", 1)
        c.server.stop()


if __name__ == "__main__":
    main()
