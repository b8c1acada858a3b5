"""store: dynamodb at moto (PyPI): boto3 makes the guidance's tables and items, we use and change them, boto3 reads back."""
import base64
import json

from tests.interop.cloud import ENV, Cloud
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SIDE = r'''
(dynamodb,) = clients("dynamodb")
text = lambda name: {"AttributeName": name, "AttributeType": "S"}
keys = lambda *names: [{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"))]
tell({"url": url})
for c in questions():
    if c["do"] == "tables":
        dynamodb.create_table(TableName="Applications", KeySchema=keys("application_id"), AttributeDefinitions=[text("application_id")], BillingMode="PAY_PER_REQUEST")
        dynamodb.create_table(TableName="Authorizations", KeySchema=keys("api_key_id", "application_id"), BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[text(n) for n in ("api_key_id", "application_id", "api_key_value")],
            GlobalSecondaryIndexes=[{"IndexName": "ApplicationAuthorizations", "KeySchema": keys("application_id", "api_key_id"), "Projection": {"ProjectionType": "ALL"}},
                                    {"IndexName": "ApiKeyValues", "KeySchema": keys("api_key_value", "application_id"), "Projection": {"ProjectionType": "ALL"}}])
        answer = {}
    elif c["do"] == "put":
        answer = boto3.resource("dynamodb", endpoint_url=url).Table(c["table"]).put_item(Item=c["item"])
    elif c["do"] == "describe":
        answer = dynamodb.describe_table(TableName=c["table"])["Table"]
    elif c["do"] == "by_value":
        answer = dynamodb.query(TableName="Authorizations", IndexName="ApiKeyValues", KeyConditionExpression="api_key_value = :v",
            FilterExpression="enabled = :e", ExpressionAttributeValues={":v": {"S": c["value"]}, ":e": {"BOOL": True}})["Items"]
    else:
        answer = boto3.resource("dynamodb", endpoint_url=url).Table(c["table"]).scan()["Items"]
    tell(answer)
'''
APP, KEY = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-0000000000aa"
VALUE = base64.b64encode(bytes(range(64))).decode()
STAMP = {"created_at": "2025-01-26T21:45:50Z", "updated_at": "2025-01-26T21:45:50Z"}


def node(t, cloud, start=True, **tables):
    section = {"store": "dynamodb", "dynamodb": {"poll": "200ms", "endpoint": cloud.about["url"], **tables}}
    config = {"server": {"applications": section}, "receivers": {"app": {"use": str(build_dir() / "tests" / "contract" / "plugin_app_receiver.so")}}}
    return t.server(config=config, env=ENV, start=start)


def allowed(server, app, key):
    return server.get(f"/ask/{app}?events=1", [("Authorization", key)]).body.startswith(b"OK")


@test("moto: applications and keys in DynamoDB as boto3 makes and reads them", timeout_s=180)
def _(t):
    cloud = Cloud(t, SIDE)
    cloud.ask({"do": "tables"})
    cloud.ask({"do": "put", "table": "Applications", "item": {"application_id": APP, "application_name": "Old", "description": "d", **STAMP}})
    cloud.ask({"do": "put", "table": "Authorizations", "item": {"api_key_id": KEY, "application_id": APP, "api_key_name": "k", "api_key_value": VALUE,
                                                                "api_key_description": "", "enabled": True, **STAMP}})
    server = node(t, cloud, start=False)
    server.verb("check", "--connect", check=True)
    server.start()
    until(lambda: allowed(server, APP, VALUE), 20, "the old key")
    made = json.loads(server.verb("app", "create", "Zürich", "--with-key", "--json", check=True).stdout)
    app, key = made["Application"]["ApplicationId"], made["Authorization"]
    until(lambda: allowed(server, app, key["ApiKeyValue"]), 20, "the new key")
    (item,) = [i for i in cloud.ask({"do": "scan", "table": "Applications"}) if i["application_id"] == app]
    equal(item, {"application_id": app, "application_name": "Zürich", "created_at": made["Application"]["CreatedAt"], "updated_at": made["Application"]["UpdatedAt"]})
    (found,) = cloud.ask({"do": "by_value", "value": key["ApiKeyValue"]})  # as the guidance's authorizer asks
    equal(found["application_id"]["S"], app)
    server.verb("key", "disable", app, key["ApiKeyId"], check=True)
    equal(cloud.ask({"do": "by_value", "value": key["ApiKeyValue"]}), [])
    server.verb("app", "delete", app, check=True)
    equal([i["application_id"] for table in ("Applications", "Authorizations") for i in cloud.ask({"do": "scan", "table": table})], [APP, APP])
    until(lambda: not allowed(server, app, key["ApiKeyValue"]), 20, "the deleted key")
    said = server.verb("app", "create", "x", "--id", APP)
    check(said.returncode == 1 and "already" in said.stderr, said.stderr)


@test("moto: the tables that `app setup` makes are the guidance's", timeout_s=180)
def _(t):
    cloud = Cloud(t, SIDE)
    cloud.ask({"do": "tables"})
    node(t, cloud, start=False, applications_table="OurApplications", authorizations_table="OurAuthorizations").verb("app", "setup", check=True)
    for table in ("Applications", "Authorizations"):
        mine, want = (cloud.ask({"do": "describe", "table": name}) for name in (f"Our{table}", table))
        for part in ("KeySchema", "BillingModeSummary"):
            equal(mine.get(part), want.get(part), table)
        plain = lambda d: sorted((i["IndexName"], str(i["KeySchema"]), str(i["Projection"])) for i in d.get("GlobalSecondaryIndexes", []))  # noqa: E731
        equal(plain(mine), plain(want), table)
