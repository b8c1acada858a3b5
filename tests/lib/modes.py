"""The six modes' presets, as the tests of modes use them."""
import json
import pathlib
import re
import uuid

from tests.lib.tap import equal
from tests.lib.wait import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODES = ROOT / "config" / "modes"
PARTS = MODES / "parts"
STACKS = {"data-lake": "DATA_LAKE", "redshift": "REDSHIFT"}
INGEST = {"direct-batch": "DIRECT_BATCH", "real-time-kds": "REAL_TIME_KDS", "real-time-msk": "REAL_TIME_MSK"}
NAMES = [f"{stack}-{ingest}" for stack in STACKS for ingest in INGEST]
WANTED_PARTS = {"data-lake": {"firehose", "glue"}, "redshift": {"redshift"}, "real-time-kds": {"kinesis", "windows", "opensearch"},
                "real-time-msk": {"msk", "windows", "opensearch"}, "direct-batch": set()}
TOKEN = "a-token-of-the-tests-0123456789"
DAYS = (1737658977, 1737745377, 1737831777)  # 2025-01-23 and the two days after it


def split(name):
    stack = next(stack for stack in STACKS if name.startswith(stack))
    return stack, name[len(stack) + 1:]


def parts_of(name):
    stack, ingest = split(name)
    return WANTED_PARTS[stack] | WANTED_PARTS[ingest]


def preset(name):
    return (MODES / f"{name}.yaml").read_text()


def environment(t):
    return {"STREAMSTEAM_LISTEN": "127.0.0.1:0", "STREAMSTEAM_ADMIN": "127.0.0.1:0", "STREAMSTEAM_DATA": str(t.tmp / "server" / "data")}


def serve(t, yaml, start=True, env=()):
    return t.server(yaml=yaml.replace("{stage: live}", f"{{stage: live, bearer_token: {TOKEN}}}"), env={**environment(t), **dict(env)}, start=start)


def event(when, number):
    return {"event_id": str(uuid.UUID(int=number, version=4)), "event_type": "level_started", "event_name": "level_started", "event_version": "1.0.0",
            "event_timestamp": when, "app_version": "1.0.0", "event_data": {"level_id": str(number % 5 + 1)}}


def application(server):
    """(id, key) of a new one."""
    said = server.verb("app", "create", "TestGame", "--with-key", "--json", check=True).stdout
    app_id = re.search(r'"ApplicationId": ?"([^"]+)"', said).group(1)
    key = re.search(r'"ApiKeyValue": ?"([^"]+)"', said).group(1)
    return app_id, key


def post(server, app_id, key, events):
    """Until the key is known: the verb writes the store, which the server follows with a short delay."""
    headers = [("Authorization", key), ("Content-Type", "application/json")]

    def taken():
        answer = server.post(f"/live/applications/{app_id}/events", json.dumps({"events": events}), headers)
        return answer if answer.status != 403 else None
    answer = until(taken, 20, "the key to be known")
    equal((answer.status, json.loads(answer.body)["FailedRecordCount"]), (200, 0), answer.body.decode())
