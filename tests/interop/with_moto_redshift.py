"""Module redshift and the Data API as others wrote it: moto's server (PyPI) takes setup's statements; boto3 reads them back. moto leaves
every statement STARTED: here it ends each at once. Its BatchExecuteStatement does not exist: botocore's model judges that request."""
import json
import os
import subprocess
import sys

from tests.interop.peers import Peer
from tests.interop.with_moto_kinesis import ENV, python_folder
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SERVER = r'''
import json, sys
import boto3
from moto.redshiftdata import models
from moto.server import ThreadedMotoServer
made = models.Statement.__init__
def finished(self, *args, **more):
    made(self, *args, **more)
    self.status = "FINISHED"
models.Statement.__init__ = finished
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"
data = boto3.client("redshift-data", endpoint_url=url)
print(json.dumps({"url": url}), flush=True)
for line in sys.stdin:
    ids = [i for regions in models.redshiftdata_backends.values() for backend in regions.values() for i in backend.statements]
    said = [data.describe_statement(Id=i) for i in ids]
    print(json.dumps([[s["QueryString"], s.get("WorkgroupName"), s["Database"], s["Status"]] for s in said]), flush=True)
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
    env = dict(os.environ, PYTHONPATH=str(python_folder(t)), **ENV)
    peer = Peer(t, "moto", [sys.executable, "-c", SERVER], env)
    lines = lambda: [line for line in peer.output().splitlines() if line[:1] in "[{" and line]  # noqa: E731
    url = json.loads(until(lines, 60, "moto")[0])["url"]
    module = {"use": "redshift", "mode": "streaming", "workgroup": "analytics", "database": "events", "stream": "clicks", "endpoint": url}
    server = t.server(config={"receivers": {"matomo": None}}, modules={"rs": module}, env=ENV, start=False)
    server.verb("module", "setup", "rs", check=True)
    peer.process.stdin.write(b"tell\n")
    peer.process.stdin.flush()
    told = json.loads(until(lambda: lines()[1:], 60, "moto's statements")[0])
    equal(len(told), 13)
    equal({tuple(s[2:]) for s in told}, {("events", "FINISHED")})
    check(any(s[0].startswith("CREATE EXTERNAL SCHEMA") for s in told), str(told))


@test("redshift: botocore's model of the Data API takes every request of a load")
def _(t):
    from tests.scenario.test_redshift import EVENTS, RECEIVERS, Cloud, exactly_once, send
    cloud = Cloud(t)
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, env=cloud.fake.env())
    send(server, 0, EVENTS)
    exactly_once(server, cloud.db, set(range(EVENTS)), "a load")
    requests = [(call[2], call[3]) for call in cloud.fake.calls if call[1] == "redshift-data"]
    equal({name for name, _ in requests}, {"ExecuteStatement", "BatchExecuteStatement", "DescribeStatement", "GetStatementResult"})
    result = subprocess.run([sys.executable, "-c", JUDGE], input=json.dumps(requests), capture_output=True, text=True,
                            env=dict(os.environ, PYTHONPATH=str(python_folder(t))), timeout=60)
    equal(result.stdout.strip(), "good", result.stderr)
