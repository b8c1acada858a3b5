"""What the benchmark sends, and wrk that sends it."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
QUERIES = 1000
BULK_EVENTS = 100
AGENTS = 100
WORDS = "shoes boots running sandals winter summer leather trail city kids sale classic light black blue".split()


def query(rng):
    """A page view as matomo.js sends it: 40 parameters, about 563 bytes."""
    page = f"https://shop.example.org/{rng.choice(WORDS)}/{rng.choice(WORDS)}-{rng.randrange(10000)}?ref={rng.choice(WORDS)}"
    hexes = lambda n: "".join(rng.choice("0123456789abcdef") for _ in range(n))
    fields = [
        ("action_name", f"{rng.choice(WORDS).title()} & {rng.choice(WORDS).title()}"), ("idsite", rng.randrange(1, 9)), ("rec", 1),
        ("r", rng.randrange(100000, 999999)), ("h", rng.randrange(24)), ("m", rng.randrange(60)), ("s", rng.randrange(60)),
        ("url", page), ("urlref", "https://www.example.com/search?q=" + rng.choice(WORDS)), ("_id", hexes(16)),
        ("_idn", 0), ("_refts", 1795310618), ("_ref", "https://www.example.com/"), ("pv_id", hexes(6)),
        ("pf_net", rng.randrange(90)), ("pf_srv", rng.randrange(400)), ("pf_tfr", rng.randrange(90)), ("pf_dm1", rng.randrange(900)),
        ("pf_dm2", rng.randrange(400)), ("pf_onl", rng.randrange(9)), ("pdf", 1), ("qt", 0), ("realp", 0), ("wma", 0), ("fla", 0),
        ("java", 0), ("ag", 0), ("cookie", 1), ("res", "1920x1080"), ("lang", "de-DE"), ("e_c", rng.choice(WORDS)),
        ("e_a", "open"), ("e_n", f"{rng.choice(WORDS)} {rng.randrange(1000)}"), ("e_v", rng.randrange(1000)),
        ("dimension1", rng.choice(WORDS)), ("dimension2", rng.choice(WORDS)), ("uid", f"user{rng.randrange(100000)}"),
        ("cs", "utf-8"), ("send_image", 1), ("_idts", 1795310590),
    ]
    return urllib.parse.urlencode(fields)


def agent(rng):
    """A user agent as browsers of many versions, systems and devices send it."""
    version, build = rng.randrange(90, 150), rng.randrange(1000, 7000)
    return rng.choice([
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.{build}.85 Safari/537.36",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version % 9 + 10}.1 Safari/605.1.15",
        f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0",
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {version % 9 + 10}_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Mobile/{build} Safari/604.1",
        f"Mozilla/5.0 (Linux; Android {version % 6 + 9}; SM-G99{version % 9}B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.{build}.3 Mobile Safari/537.36",
    ])


def game_event(rng):
    """An event as a game's SDK sends it: about 420 bytes, half of them event_data."""
    hexes = lambda n: "".join(rng.choice("0123456789abcdef") for _ in range(n))
    kind, data = rng.choice([
        ("login", {"platform": rng.choice(["nintendo_switch", "ps4", "xbox_360", "iOS", "android", "pc", "fb_messenger"]), "last_login_time": 1795310000 + rng.randrange(900)}),
        ("level_completed", {"level_id": str(rng.randrange(1, 6)), "level_version": rng.randrange(1, 3), "attempts": rng.randrange(9), "score": rng.randrange(99999)}),
        ("match_end", {"match_id": hexes(8), "map_id": rng.choice(WORDS), "match_result_type": rng.choice(["WIN", "LOSE", "QUIT"]), "exp_gained": rng.randrange(100, 200),
                       "most_used_spell": rng.choice(WORDS)}),
        ("iap_transaction", {"item_id": hexes(8), "item_version": 1, "currency_type": "USD", "country_id": "DE", "currency_amount": rng.randrange(1, 90) / 4,
                             "transaction_id": hexes(12)}),
    ])
    data.update(session_id=hexes(16), latitude=round(rng.uniform(-80, 80), 6), items=[rng.choice(WORDS), rng.randrange(50)])
    return {"event_id": f"{hexes(8)}-{hexes(4)}-4{hexes(3)}-a{hexes(3)}-{hexes(12)}", "event_type": kind, "event_name": kind, "event_timestamp": 1795310000 + rng.randrange(900),
            "event_version": "1.0.0", "app_version": "1.2.3", "event_data": data}


def write_inputs(folder):
    """queries, body, agents with addresses, a body with agents, a batch of a game; fixed seed, so that every run sends the same."""
    rng = random.Random(1)
    queries = [query(rng) for _ in range(QUERIES)]
    (folder / "queries").write_text("\n".join(queries) + "\n")
    (folder / "body").write_text(json.dumps({"requests": ["?" + q for q in queries[:BULK_EVENTS]]}, separators=(",", ":")))
    agents = [agent(rng) for _ in range(AGENTS)]
    (folder / "agents").write_text("".join(f"{'.'.join(str(rng.randrange(1, 224)) for _ in range(4))} {text}\n" for text in agents))
    items = ["?" + q + "&ua=" + urllib.parse.quote(rng.choice(agents)) for q in queries[:BULK_EVENTS]]
    (folder / "body-agents").write_text(json.dumps({"requests": items}, separators=(",", ":")))
    (folder / "game").write_text(json.dumps({"events": [game_event(rng) for _ in range(BULK_EVENTS)]}, separators=(",", ":")))
    return {"query_bytes": sum(map(len, queries)) / len(queries), "params": queries[0].count("&") + 1,
            "body_bytes": (folder / "body").stat().st_size}


class Wrk:
    """A run of wrk in the background; result() waits for it."""

    def __init__(self, inputs, port, connections, seconds, script="get.lua", core=None, **more):
        env = dict(os.environ, BENCH_QUERIES=str(inputs / "queries"), BENCH_BODY=str(inputs / "body"), BENCH_DONE=str(HERE / "done.lua"))
        env.update(more)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(HERE / script),
                   f"http://127.0.0.1:{port}"]
        if core is not None:
            command = ["taskset", "-c", str(core)] + command
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)

    def result(self, quiet=False):
        output, _ = self.process.communicate()
        for line in output.splitlines():
            if line.startswith("RESULT "):
                found = json.loads(line[7:])
                found["rps"] = found["requests"] / (found["duration_us"] / 1e6) if found["duration_us"] else 0
                if (found["bad"] or found["lost"]) and not quiet:
                    print(f"bench: {found['bad']} answers were not 2xx, {found['lost']} were lost", flush=True)
                return found
        raise SystemExit(f"bench: wrk failed: {output}")


def need(*programs):
    missing = [p for p in programs if not shutil.which(p) and not os.path.exists("/usr/sbin/" + p)]
    if missing:
        raise SystemExit(f"bench: {', '.join(missing)} missing; run packaging/setup.sh bench")
