#!/usr/bin/env python3
"""The enrichers that ship, on the real server: the whole chain, new databases, and what `check` refuses."""
import hashlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import lake, mmdb
from tests.lib.server import wait_until_lake_holds
from tests.lib.tap import check, equal, main, test

NETWORKS = {"198.51.100.0/24": {"city": {"names": {"en": "Bonn"}}, "country": {"iso_code": "DE"}, "location": {"latitude": 50.5, "longitude": 7.5}},
            "203.0.113.0/24": {"country_code": "FR"}}
SALT = "0123456789abcdef0123"


def database(t, name="geo.mmdb", networks=None):
    path = t.tmp / name
    new = t.tmp / (name + ".new")
    new.write_bytes(mmdb.build(networks or NETWORKS))
    new.rename(path)
    return path


def config(geo, enrich, **enrichers):
    return {"server": {"trusted_proxies": ["127.0.0.1"]},
            "receivers": {"matomo": {"enrich": enrich, "tokens": [{"secret": "secret0123"}]}},
            "enrichers": {"geoip": {"database": str(geo), "reload": "50ms"}, **enrichers}}


def send(server, name, ip, agent="Mozilla/5.0", **fields):
    fields = {"idsite": 1, "rec": 1, "e_c": "c", "e_a": "a", "e_n": name, "url": "https://example.org/", **fields}
    query = "&".join(f"{key}={value}" for key, value in fields.items())
    answer = server.get(f"/matomo.php?{query}", [("X-Forwarded-For", ip), ("User-Agent", agent)])
    equal(answer.status, 200, name)


def stored(server, *names):
    wait_until_lake_holds(server, names)
    return {event["event_value_name"]: event for event in lake.lines(server.lake)}


@test("the whole chain: location by the full address, bots, shaping, and then nothing personal is left")
def _(t):
    steps = [{"drop_event": "staging", "if": {"field": "page_view_url", "prefix": "https://staging."}},
             {"rename": {"referral_url": "referrer.url"}}, {"set": {"environment": "live"}}, {"remove": ["random_part"]}]
    server = t.server(config=config(database(t), ["geoip", "bots", "shape", "privacy"], bots={"user_agents": ["examplebot"]},
                                    shape={"fields": {"environment": "string", "referrer.url": "string"}, "steps": steps},
                                    privacy={"referrer": "exclude_query", "referrer_fields": ["referrer.url", "referral_url_normalized"], "user_id": "hash", "salt": SALT}))
    send(server, "person", "198.51.100.7", uid="ann", urlref="https://me:pw@ref.example/p?q=secret", r=17)
    send(server, "bot", "203.0.113.9", agent="ExampleBot/1.0")
    send(server, "google", "66.249.80.1")
    send(server, "allowed", "66.249.80.1", bots=1)
    send(server, "staging", "198.51.100.7", url="https://staging.example.org/")
    send(server, "said", "203.0.113.9", country="it", city="Roma", token_auth="secret0123")
    events = stored(server, "person", "bot", "google", "allowed", "said")
    person = events["person"]
    equal(person["geo_info"], {"city": "Bonn", "country": "DE", "ip": "198.51.0.0", "loc": {"longitude": 7.5, "latitude": 50.5}})
    equal((person["ip"], person["is_bot"], person["environment"], person["referrer"]),
          ("198.51.0.0", False, "live", {"url": "https://ref.example/p"}))
    check("random_part" not in person and "referral_url" not in person, person)
    equal((len(person["user_id"]), person["visitor_id_source"]), (32, "uid"))
    equal((events["bot"]["bot_name"], events["bot"]["bot_reason"], events["bot"]["geo_info"]["country"]), ("ExampleBot", "user_agent", "FR"))
    equal((events["google"]["is_bot"], events["google"]["bot_reason"], events["google"]["geo_info"]), (True, "address", None))
    check("is_bot" not in events["allowed"], events["allowed"])
    equal(events["said"]["geo_info"], {"city": "Roma", "country": "IT", "ip": "203.0.0.0"})
    check("staging" not in events, "the staging event was stored")
    # Not in the journal either: the head of a record has the partition key.
    visitor = hashlib.sha1(b"ann").hexdigest()[:16]
    everything = b"".join(p.read_bytes() for p in server.data.rglob("*") if p.is_file())
    for text in (b"198.51.100.7", b'"ann"', visitor.encode(), b"secret", b"me:pw"):
        check(text not in everything, f"{text} is on disk")
    dropped = [value for name, value in server.metrics().items() if name.startswith("streamsteam_events_dropped_total") and 'reason="staging"' in name]
    equal(dropped, [1.0], "dropped events by reason")
    equal(server.stop(), 0)
    server.verify()


@test("bots are dropped and counted by reason where that is asked for")
def _(t):
    server = t.server(config=config(database(t), ["geoip", "bots"], bots={"action": "drop"}))
    send(server, "google", "66.249.80.1")
    send(server, "person", "198.51.100.7")
    events = stored(server, "person")
    check("google" not in events, events)
    check(any('reason="bot: address"' in name for name in server.metrics()), server.metrics())


@test("a new database is taken over while the server runs; a damaged one is told and changes nothing")
def _(t):
    geo = database(t)
    server = t.server(config=config(geo, ["geoip"]))
    send(server, "before", "203.0.113.9")
    geo.write_bytes(b"damaged")
    server.wait_log(r"alarm database: .*geo\.mmdb")
    send(server, "damaged", "203.0.113.9")
    refused = server.reload()
    check(refused.returncode != 0 and "geo.mmdb" in refused.stdout + refused.stderr, refused)
    said = server.verb("check")
    check(said.returncode != 0 and "geo.mmdb" in said.stdout + said.stderr, said)
    database(t, networks={"203.0.113.0/24": {"country_code": "ES"}})
    server.wait_log(r"alarm database is over")
    send(server, "after", "203.0.113.9")
    events = stored(server, "before", "damaged", "after")
    equal([events[name]["geo_info"]["country"] for name in ("before", "damaged", "after")], ["FR", "FR", "ES"])


@test("privacy before geoip is told, unless it is meant")
def _(t):
    server = t.server(config=config(database(t), ["privacy", "geoip"], privacy={}))
    send(server, "masked", "198.51.100.7")
    server.wait_log(r"alarm order: .*\[geoip, device, bots, privacy\]")
    equal(stored(server, "masked")["masked"]["geo_info"], None)
    server.stop()
    meant = t.server(config=config(database(t), ["privacy", "geoip"], privacy={"masked_lookups": True}))
    send(meant, "masked", "198.51.100.7")
    stored(meant, "masked")
    check("alarm order" not in meant.log_text(), "an alarm though it is meant")


@test("names of fields that no event has are refused with the nearest one")
def _(t):
    wrong = {"shape": {"steps": [{"remove": ["action_nam"]}, {"set": {"geo_info.citty": "x"}}]}, "privacy": {"ip_fields": ["ipp"]}}
    server = t.server(start=False, config=config(database(t), ["geoip", "shape", "privacy"], **wrong))
    said = server.verb("check")
    text = said.stdout + said.stderr
    check(said.returncode != 0, text)
    for hint in ("did you mean 'action_name'?", "did you mean 'geo_info.city'?", "did you mean 'ip'?"):
        check(hint in text, f"{hint}: {text}")


@test("config/examples/enrichment.yaml is right, and runs")
def _(t):
    env = {"STREAMSTEAM_GEOIP": str(database(t)), "STREAMSTEAM_SALT": SALT, "STREAMSTEAM_LISTEN": "127.0.0.1:0",
           "STREAMSTEAM_ADMIN": "127.0.0.1:0", "STREAMSTEAM_DATA": str(t.tmp / "server" / "data")}
    server = t.server(yaml=(ROOT / "config" / "examples" / "enrichment.yaml").read_text(), env=env, start=False)
    server.verb("check", check=True)
    server.start()
    send(server, "one", "127.0.0.1", uid="ann")
    equal(server.stop(), 0)
    (event,) = lake.lines(server.lake)
    equal((event["environment"], event["ip"], event["geo_info"], len(event["user_id"])), ("live", "127.0.0.0", None, 32))


@test("every example in docs/enrichers.md is right")
def _(t):
    geo = database(t)
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "enrichers.md").read_text(), re.M | re.S)
    check(len(blocks) == 5, f"{len(blocks)} examples")
    for block in blocks:
        block = re.sub(r"/usr/share/GeoIP/\S+?\.mmdb", str(geo), re.sub(r"\$\{file:[^}]*\}", SALT, block))
        block = block.replace("  device:\n", "").replace("device, ", "")  # it needs its own data
        if "receivers:" not in block:
            block += "receivers: {matomo: {enrich: [%s]}}\n" % re.search(r"^  (\w+):", block, re.M).group(1)
        server = t.server(yaml=f"server: {{data_dir: {t.tmp / 'data'}, listen: '127.0.0.1:0', admin: 'off'}}\n" + block, start=False)
        said = server.verb("check")
        equal(said.returncode, 0, block + said.stdout + said.stderr)


if __name__ == "__main__":
    sys.exit(main())
