"""Module spark at moto (PyPI): EMR, EMR Serverless and Glue take what is sent, and show it as boto3 reads it."""
import json
import os
import sys

from tests.interop.peers import Peer
from tests.interop.with_moto_kinesis import ENV, python_folder
from tests.lib import spark
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

MOTO_SERVER = r'''
import json, sys
import boto3
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
url = "http://%s:%d" % server.get_host_and_port()
emr, serverless, glue = (boto3.client(n, endpoint_url=url) for n in ("emr", "emr-serverless", "glue"))
cluster = emr.run_job_flow(Name="c", Instances={"MasterInstanceType": "m4.large", "SlaveInstanceType": "m4.large", "InstanceCount": 2,
                           "KeepJobFlowAliveWhenNoSteps": True}, JobFlowRole="r", ServiceRole="r", ReleaseLabel="emr-6.0.0")["JobFlowId"]
application = serverless.create_application(name="a", releaseLabel="emr-7.0.0", type="SPARK", clientToken="t")["applicationId"]
glue.create_job(Name="etl-job", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://code/job.py"}, ExecutionProperty={"MaxConcurrentRuns": 5})
print(json.dumps({"url": url, "cluster": cluster, "application": application}), flush=True)
for line in sys.stdin:
    what = line.strip()
    if what == "emr":
        found = [{"name": s["Name"], "args": s["Config"]["Args"]} for s in emr.list_steps(ClusterId=cluster)["Steps"]]
    elif what == "emr_serverless":
        runs = serverless.list_job_runs(applicationId=application)["jobRuns"]
        found = [{"name": r.get("name"), "args": serverless.get_job_run(applicationId=application, jobRunId=r["id"])["jobRun"]["jobDriver"]["sparkSubmit"]["entryPointArguments"]}
                 for r in runs]
    else:
        found = [{"name": r["Arguments"]["--streamsteam_run"], "args": r["Arguments"]} for r in glue.get_job_runs(JobName="etl-job")["JobRuns"]]
    print(json.dumps(found), flush=True)
'''


class Moto:
    def __init__(self, t):
        self.peer, self.answers = Peer(t, "moto", [sys.executable, "-c", MOTO_SERVER], dict(os.environ, PYTHONPATH=str(python_folder(t)), **ENV)), 0
        self.about = self.answer()

    def answer(self):
        def line():
            check(self.peer.process.poll() is None, self.peer.output())
            found = [text for text in self.peer.output().splitlines() if text[:1] in "{["]
            return found[self.answers:self.answers + 1]
        (text,) = until(line, 60, "moto's answer")
        self.answers += 1
        return json.loads(text)

    def shown(self, what):
        self.peer.process.stdin.write(what.encode() + b"\n")
        self.peer.process.stdin.flush()
        return self.answer()


@test("moto: EMR, EMR Serverless and Glue take the runs and show them", timeout_s=200)
def _(t):
    moto = Moto(t)
    lake = spark.Lake(t.tmp / "the-lake")
    lake.cut({"day=01/": [(spark.at("2026-11-01T01:00:00"), {"n": 1})]})
    targets = {"emr": {"emr": {"cluster": moto.about["cluster"]}}, "glue": {},
               "emr_serverless": {"emr_serverless": {"application": moto.about["application"], "role": "arn:aws:iam::123456789012:role/r"}}}
    modules = {"lake": None}
    for name, options in targets.items():
        job = {"file": "etl-job" if name == "glue" else "s3://code/job.py", "args": ["--batch", "{batch}"], "grace": "0s"}
        modules[name] = {"use": "spark", "lake": str(lake.path), "target": name, "endpoint": moto.about["url"], "poll": "200ms", "jobs": {"etl": job}, **options}
    server = t.server(config={"modules": modules}, env=ENV)

    def batch(name):
        answer = server.verb("spark", "list", "--json", "--module", name)
        found = [json.loads(line) for line in answer.stdout.splitlines()]
        return found[0] if found and found[0]["state"] in ("running", "done") and found[0]["id_at_target"] else None

    for name in targets:
        mine = until(lambda: batch(name), 30, f"{name}'s run", 0.2)
        (shown,) = moto.shown(name)
        equal(shown["name"], mine["run"])
        check(mine["batch"] in (shown["args"].values() if name == "glue" else shown["args"]), str(shown))
