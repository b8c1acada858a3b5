"""The game receiver against npm's ajv and JavaScript's own String() and Number(): random records and batches, the same
stored record, the same error object, the same first error; and the views give back what came."""
import json
import math
import os
import pathlib
import re
import subprocess

from tests.interop.peers import HERE, PEER_TIMEOUT_S, npm_package
from tests.lib.tap import check, equal, test

CASES, SEED = 20000, 5
APPLICATIONS = ["ce8b748f-95ba-4ea4-a9b0-b0a4a3d0cb6c", "Test \"Game\"", "not-a-uuid", "Other"]


def number(text):
    value = float(text)
    return None if math.isinf(value) else value  # JavaScript prints infinity as null


def load(text):
    return json.loads(text, parse_int=number, parse_float=number)


def whole(value):
    """Halves of surrogate pairs, which a line cannot hold, as the replacement character."""
    return json.loads(re.sub(r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}", r"\\ufffd", json.dumps(value)))


def stored(line):
    for name in ("ingestion_id", "processing_timestamp"):
        check(line["metadata"].pop(name, None) is not None, name)
    return line


def compare_record(case, said):
    if case["line"] is None:
        equal((said["status"], said["events"]), (2, []), case["text"])
        return "failed"
    equal((said["status"], len(said["events"])), (0, 1), (case["text"], said))
    event = said["events"][0]
    line = stored(event["line"])
    equal(line, whole(case["line"]), case["text"])
    equal(list(line), list(case["line"]), "the order of the keys")
    equal(stored(event["processed_iso"]), whole(case["iso"]), case["text"])
    sent = load(case["text"])
    equal(event["stream"], sent, case["text"])
    equal(event["msk"], {"event": sent["event"], "application_id": sent["application_id"]}, case["text"])
    return line["metadata"]["processing_result"]["status"]


def compare_batch(case, said):
    body = json.loads(said["body"])
    if case["refused"]:
        equal((said["status"], body["error"], body["error_detail"], said["events"]), (2, "BadRequest", case["refused"], []), case["text"])
        return "refused"
    sent = load(case["text"])["events"]
    equal((said["status"], body["Total"], len(said["events"])), (0, len(sent), len(sent)), case["text"])
    for event, one in zip(said["events"], sent):
        equal(event["stream"]["event"], one, case["text"])
        equal(event["stream"]["aws_ga_api_validated_flag"], True)
    return "taken"


@test("npm ajv and JavaScript: the same error objects, the same stored records", 240)
def _(t):
    modules = npm_package(t, "ajv", "8.20.0")
    made = subprocess.run(["node", str(HERE / "ajv.js"), str(CASES), str(SEED), *APPLICATIONS], capture_output=True, text=True, timeout=PEER_TIMEOUT_S,
                          env=dict(os.environ, NODE_PATH=str(modules)))
    equal(made.returncode, 0, made.stderr)
    cases = [load(line) for line in made.stdout.splitlines()]
    tool = pathlib.Path(os.environ["STREAMSTEAM_BUILD"]) / "tests" / "game_lines"
    lines = "".join(case["kind"] + case["text"] + "\n" for case in cases)
    ours = subprocess.run([str(tool), *APPLICATIONS], input=lines, capture_output=True, text=True, timeout=PEER_TIMEOUT_S)
    equal(ours.returncode, 0, ours.stderr)
    found = ours.stdout.splitlines()
    equal(len(found), len(cases))
    counts = {}
    for case, line in zip(cases, found):
        what = (compare_record if case["kind"] == "P" else compare_batch)(case, load(line))
        counts[what] = counts.get(what, 0) + 1
    print(f"# {len(cases)} cases: {counts}")
    for what, least in (("ok", 200), ("schema_mismatch", 3000), ("unregistered", 200), ("failed", 200), ("refused", 2000), ("taken", 300)):
        check(counts.get(what, 0) >= least, (what, counts))
