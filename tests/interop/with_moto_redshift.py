"""Module redshift and the Data API as others wrote it: moto's server (PyPI) takes setup's statements; boto3 reads them back. moto leaves
every statement STARTED: here it ends each at once. Its BatchExecuteStatement does not exist: botocore's model judges that request."""
import json
import os
import subprocess
import sys

from tests.interop.cloud import ENV, Cloud, python_folder
from tests.lib.tap import check, equal, test

SIDE = r'''
from moto.redshiftdata import models
made = models.Statement.__init__
def finished(self, *args, **more):
    made(self, *args, **more)
    self.status = "FINISHED"
models.Statement.__init__ = finished
(data,) = clients("redshift-data")
tell({"url": url})
for _ in questions():
    ids = [i for regions in models.redshiftdata_backends.values() for backend in regions.values() for i in backend.statements]
    said = [data.describe_statement(Id=i) for i in ids]
    tell([[s["QueryString"], s.get("WorkgroupName"), s["Database"], s["Status"]] for s in said])
'''
JUDGE = r'''
import json, sys
import botocore.session
from botocore.validate import ParamValidator
model = botocore.session.get_session().get_service_model("redshift-data")
for operation, arguments in json.load(sys.stdin):
    report = ParamValidator().validate(arguments, model.operation_model(operation).input_shape)
    unknown = set(arguments) - set(model.operation_model(operation).input_shape.members)
    assert not report.has_errors() and not unknown, (operation, report.generate_report(), unknown)
print("good")
'''


@test("redshift: moto takes what setup says through the Data API")
def _(t):
    moto = Cloud(t, SIDE)
    module = {"use": "redshift", "mode": "streaming", "workgroup": "analytics", "database": "events", "stream": "clicks", "endpoint": moto.about["url"]}
    server = t.server(config={"receivers": {"matomo": None}}, modules={"rs": module}, env=ENV, start=False)
    server.verb("module", "setup", "rs", check=True)
    told = moto.ask("tell")
    equal(len(told), 13)
    equal({tuple(s[2:]) for s in told}, {("events", "FINISHED")})
    check(any(s[0].startswith("CREATE EXTERNAL SCHEMA") for s in told), str(told))


@test("redshift: botocore's model of the Data API takes every request of a load")
def _(t):
    from tests.scenario.test_redshift import EVENTS, RECEIVERS, Cloud as Fake, exactly_once, send
    cloud = Fake(t)
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, env=cloud.fake.env())
    send(server, 0, EVENTS)
    exactly_once(server, cloud.db, set(range(EVENTS)), "a load")
    requests = [(call[2], call[3]) for call in cloud.fake.calls if call[1] == "redshift-data"]
    equal({name for name, _ in requests}, {"ExecuteStatement", "BatchExecuteStatement", "DescribeStatement", "GetStatementResult"})
    result = subprocess.run([sys.executable, "-c", JUDGE], input=json.dumps(requests), capture_output=True, text=True,
                            env=dict(os.environ, PYTHONPATH=str(python_folder(t))), timeout=60)
    equal(result.stdout.strip(), "good", result.stderr)
