"""Module spark over a lake in moto's S3 (PyPI): the module lake writes it, the module spark lists it, and boto3 reads the list of a batch."""
import json

from tests.interop.cloud import ENV, Cloud
from tests.lib import spark
from tests.lib.tap import equal, test
from tests.lib.wait import until

SIDE = r'''
(s3,) = clients("s3")
s3.create_bucket(Bucket="the-lake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
tell({"url": url})
for prefix in questions():
    found = s3.list_objects_v2(Bucket="the-lake", Prefix=prefix).get("Contents", [])
    tell({o["Key"]: s3.get_object(Bucket="the-lake", Key=o["Key"])["Body"].read().decode(errors="replace") for o in found})
'''


@test("moto: a batch of a lake in a bucket, and its list in the bucket", timeout_s=120)
def _(t):
    moto = Cloud(t, SIDE)
    s3 = {"endpoint": moto.about["url"], "region": "eu-central-1"}
    job = {"file": "job.py", "args": ["--batch", "{batch}", "--list", "{list}"], "on": "amount", "events": 8}
    modules = {"lake": {"path": "s3://the-lake/events", "s3": s3, "roll": {"age": "300ms"}},
               "spark": {"lake": "s3://the-lake/events", "lists": "s3://the-lake/lists", "s3": {**s3, "every": "200ms"}, "poll": "100ms",
                         "local": {"spark_submit": str(spark.stand_in(t.tmp))}, "jobs": {"etl": job}}}
    server = t.server(config={"modules": modules}, env={**ENV, "STAND_IN_RUNS": str(t.tmp / "runs")})
    server.verb("check", "--connect", check=True)
    for n in range(8):
        equal(server.hit(f"e{n}").status, 200)

    def done():
        answer = server.verb("spark", "list", "--json")
        return [b for b in map(json.loads, answer.stdout.splitlines()) if b["state"] == "done"]
    (batch,) = until(done, 60, "the batch", 0.2)
    ((key, text),) = moto.ask("lists/").items()
    equal(key, f"lists/{batch['batch']}.json")
    equal(sorted(json.loads(text)["files"]), sorted(f"s3://the-lake/{name}" for name in moto.ask("events/") if "/_manifest/" not in name))
