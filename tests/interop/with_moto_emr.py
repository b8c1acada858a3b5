"""Module spark at moto (PyPI): EMR, EMR Serverless and Glue take what is sent, and show it as boto3 reads it."""
import json

from tests.interop.cloud import ENV, Cloud
from tests.lib import spark
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SIDE = r'''
emr, serverless, glue = clients("emr", "emr-serverless", "glue")
cluster = emr.run_job_flow(Name="c", Instances={"MasterInstanceType": "m4.large", "SlaveInstanceType": "m4.large", "InstanceCount": 2,
                           "KeepJobFlowAliveWhenNoSteps": True}, JobFlowRole="r", ServiceRole="r", ReleaseLabel="emr-6.0.0")["JobFlowId"]
application = serverless.create_application(name="a", releaseLabel="emr-7.0.0", type="SPARK", clientToken="t")["applicationId"]
glue.create_job(Name="etl-job", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://code/job.py"}, ExecutionProperty={"MaxConcurrentRuns": 5})
tell({"url": url, "cluster": cluster, "application": application})
for what in questions():
    if what == "emr":
        found = [{"name": s["Name"], "args": s["Config"]["Args"]} for s in emr.list_steps(ClusterId=cluster)["Steps"]]
    elif what == "emr_serverless":
        runs = serverless.list_job_runs(applicationId=application)["jobRuns"]
        found = [{"name": r.get("name"), "args": serverless.get_job_run(applicationId=application, jobRunId=r["id"])["jobRun"]["jobDriver"]["sparkSubmit"]["entryPointArguments"]}
                 for r in runs]
    else:
        found = [{"name": r["Arguments"]["--streamsteam_run"], "args": r["Arguments"]} for r in glue.get_job_runs(JobName="etl-job")["JobRuns"]]
    tell(found)
'''


@test("moto: EMR, EMR Serverless and Glue take the runs and show them", timeout_s=200)
def _(t):
    moto = Cloud(t, SIDE)
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
        (shown,) = moto.ask(name)
        equal(shown["name"], mine["run"])
        check(mine["batch"] in (shown["args"].values() if name == "glue" else shown["args"]), str(shown))
