"""The lake on S3, the module glue and `query --athena` against moto's server (PyPI): boto3 reads back byte-equal lines, the tables and the rows."""
import base64
import gzip
import json
import zlib

from tests.interop.cloud import ENV, Cloud
from tests.lib import lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SIDE = r'''
import urllib.request
s3, glue = clients("s3", "glue")
tell({"url": url})
for c in questions():
    answer = {}
    if c["do"] == "bucket":
        s3.create_bucket(Bucket=c["name"], CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    elif c["do"] == "objects":
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=c["name"]):
            for o in page.get("Contents", []):
                got = s3.get_object(Bucket=c["name"], Key=o["Key"], ChecksumMode="ENABLED")
                tags = s3.get_object_tagging(Bucket=c["name"], Key=o["Key"])["TagSet"]
                answer[o["Key"]] = {"body": base64.b64encode(got["Body"].read()).decode(), "metadata": got["Metadata"], "type": got["ContentType"],
                                    "sse": got.get("ServerSideEncryption"), "class": got.get("StorageClass"), "tags": {t["Key"]: t["Value"] for t in tags}}
    elif c["do"] == "table":
        answer = glue.get_table(DatabaseName=c["database"], Name=c["name"])["Table"]
    elif c["do"] == "partitions":
        answer = [p["Values"] + [p["StorageDescriptor"]["Location"]] for p in glue.get_paginator("get_partitions").paginate(DatabaseName=c["database"], TableName=c["name"]).build_full_result()["Partitions"]]
    elif c["do"] == "narrow":
        table = glue.get_table(DatabaseName=c["database"], Name=c["name"])["Table"]
        keep = {k: v for k, v in table.items() if k in ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")}
        keep["StorageDescriptor"]["Columns"] = keep["StorageDescriptor"]["Columns"][:-1]
        glue.update_table(DatabaseName=c["database"], TableInput=keep)
    elif c["do"] == "athena":
        body = json.dumps({"account_id": "123456789012", "region": "eu-central-1", "results": [c["result"]]}).encode()
        urllib.request.urlopen(urllib.request.Request(url + "/moto-api/static/athena/query-results", body, {"Content-Type": "application/json"}))
    tell(answer)
'''


class Side(Cloud):
    def __init__(self, t):
        super().__init__(t, SIDE)
        self.url = self.about["url"]

    def __call__(self, do, **more):
        return self.ask(dict(more, do=do))


def bodies(objects):
    return {key: base64.b64decode(o["body"]) for key, o in objects.items()}


@test("S3: boto3 reads back byte-equal lines, manifests, metadata, tags; also after a kill", timeout_s=180)
def _(t):
    side = Side(t)
    side("bucket", name="the-lake")
    s3 = {"endpoint": side.url, "tags": {"team": "a b"}, "storage_class": "STANDARD_IA", "sse": "AES256"}
    modules = {"lake": {"path": "lake", "roll": {"age": "200ms"}},
               "remote": {"use": "lake", "path": "s3://the-lake/p", "s3": s3, "roll": {"age": "200ms", "bytes": "20KiB"}, "partition": "{receiver}/site={app}/"}}
    server = t.server(modules=modules, env=ENV, start=False)
    server.verb("check", "--connect", check=True)
    server.start()
    for n in range(200):
        server.hit(f"Zürich {n} 🎮", idsite=1 + n % 3)
        if n == 100:
            server.kill_child("module remote")
    until(lambda: all(m["cursor"] >= 200 for m in server.status()["modules"]), 60, "both lakes")
    server.stop()
    objects = side("objects", name="the-lake")
    folder = lake.download({key[len("p/"):]: body for key, body in bodies(objects).items()}, t.tmp / "read")
    lake.check_manifests(folder)
    lines = lambda root: sorted(line for path in lake.objects(root) for line in lake.raw(path).splitlines())  # noqa: E731
    equal(lines(folder), lines(server.lake))
    equal(len(lines(folder)), 200)
    for key, o in objects.items():
        equal((o["tags"], o["class"], o["sse"]), ({"team": "a b"}, "STANDARD_IA", "AES256"), key)
        if not key.startswith("p/_manifest/"):
            raw = gzip.decompress(bodies({key: o})[key])
            equal((o["metadata"]["count"], o["metadata"]["crc32"], o["type"]), (str(raw.count(b"\n")), f"{zlib.crc32(raw):08x}", "application/gzip"), key)
    server.verify()


@test("Glue: tables, later columns and partitions as boto3 sees them", timeout_s=180)
def _(t):
    side = Side(t)
    glue = {"endpoint": side.url, "database": "game", "tables": {"matomo": "visits"}, "location": "s3://the-lake/p", "partitions": "both", "partition": "{receiver}/site={app}/"}
    server = t.server(modules={"glue": glue}, env=ENV, start=False)
    server.verb("module", "setup", "glue", check=True)
    table = side("table", database="game", name="visits")
    printed = json.loads(server.verb("catalog", "--format", "glue", "--receiver", "matomo", check=True).stdout)
    equal(table["StorageDescriptor"]["Columns"], printed["StorageDescriptor"]["Columns"])
    side("narrow", database="game", name="visits")
    check(server.verb("check", "--connect").returncode != 0, "a missing column is not told")
    server.verb("module", "setup", "glue", check=True)
    equal([c["Name"] for c in side("table", database="game", name="visits")["StorageDescriptor"]["Columns"]],
          [c["Name"] for c in printed["StorageDescriptor"]["Columns"]])
    server.verb("check", "--connect", check=True)
    server.start()
    for n in range(30):
        server.hit(f"n{n}", idsite=1 + n % 5)
    until(lambda: server.status()["modules"][0]["cursor"] >= 30, 60, "all events")
    equal(sorted(side("partitions", database="game", name="visits")), [[str(site), f"s3://the-lake/p/matomo/site={site}/"] for site in range(1, 6)])
    server.stop()
    server.verb("module", "teardown", "glue", check=True)


@test("Athena: moto's rows are printed", timeout_s=120)
def _(t):
    side = Side(t)
    side("bucket", name="results")
    side("athena", result={"rows": [{"Data": [{"VarCharValue": "n"}, {"VarCharValue": "city"}]}, {"Data": [{"VarCharValue": "7"}, {"VarCharValue": "Zürich"}]}],
                           "column_info": [{"CatalogName": "c", "SchemaName": "s", "TableName": "t", "Name": n, "Label": n, "Type": kind, "Precision": 1, "Scale": 2,
                                            "Nullable": "NULLABLE", "CaseSensitive": True} for n, kind in (("n", "bigint"), ("city", "varchar"))]})
    glue = {"endpoint": side.url, "tables": {"matomo": "visits"}, "location": "s3://the-lake/p", "output": "s3://results/"}
    server = t.server(modules={"glue": glue}, env=ENV, start=False)
    said = server.verb("query", "--athena", "SELECT n, city FROM visits", "--format", "json")
    equal((said.returncode, json.loads(said.stdout or "null")), (0, [{"n": 7, "city": "Zürich"}]), said.stderr)
