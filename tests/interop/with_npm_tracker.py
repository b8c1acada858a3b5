"""npm's matomo-tracker in node, unchanged."""
import json
import os

from tests.interop.peers import HERE, SERVER_CONFIG, Peer, npm_package
from tests.lib import lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

COUNT = 20


def run_client(t, server, name="client"):
    modules = npm_package(t, "matomo-tracker", "2.2.4")
    client = Peer(t, name, ["node", HERE / "track.js", f"http://127.0.0.1:{server.port}/matomo.php", COUNT], dict(os.environ, NODE_PATH=str(modules)))
    equal(client.wait(), 0, client.output())
    return [json.loads(line) for line in client.output().splitlines()]


@test("npm matomo-tracker: track and trackBulk are answered and stored")
def _(t):
    server = t.server(config=SERVER_CONFIG)
    said = run_client(t, server)
    equal([s["bulk"] for s in said if "bulk" in s], [{"status": "success", "tracked": COUNT, "invalid": 0}])
    check(not [s for s in said if "error" in s], said)
    server.stop()
    want = {f"single-{i}" for i in range(COUNT)} | {f"bulk-{i}" for i in range(COUNT)}
    equal(sorted(lake.names(server.lake)), sorted(want))
    event = next(e for e in lake.lines(server.lake) if e["event_value_name"] == "single-3")
    equal(event["action_name"], "Söme page 3 & more")
    equal(event["page_view_url"], "http://h.example/page/3")
    equal(event["event_category"], "interop")


@test("npm matomo-tracker: goes on while ingest is killed under it")
def _(t):
    server = t.server(config=SERVER_CONFIG)
    run_client(t, server)
    server.kill_child("ingest")
    until(lambda: server.children().get("ingest"), 20, "the new ingest")
    run_client(t, server, "again")
    server.stop()
    equal(len(lake.names(server.lake)), 4 * COUNT)
