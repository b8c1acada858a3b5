"""Module kafka at a real broker of Apache Kafka, read back by kcat: killed and restarted under load; encryption and logins, for receiver and module."""
import collections
import json
import subprocess

from tests.lib import kafka, kcat
from tests.lib.ports import free_port
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "k": {"type": "string"}}}
RECEIVERS = {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}


def send(server, first, count):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "k": f"k{n % 11}"}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body.encode(), [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def numbers(messages):
    return [json.loads(m.value)["n"] for m in messages]


@test("real Kafka: killed and restarted under load, the module too: every event arrives, in order per key, repeats have equal ids and are counted", timeout_s=300)
def _(t):
    t.need("kcat")
    broker = kafka.Broker(t)
    module = {"use": "kafka", "brokers": broker.brokers, "topic": "out", "key": "{json:k}", "batch": {"linger": "5ms"}, "retry": {"max": "1s"},
              "create": {"enabled": True, "partitions": 3, "replication": 1}, "client": {"reconnect.backoff.max.ms": "500"}}
    server = t.server(config={"receivers": RECEIVERS}, modules={"out": module}, start=False)
    server.verb("check", "--connect", check=True)
    server.start()
    total = 0
    for step in range(24):
        send(server, total, 500)
        total += 500
        if step in (5, 13):
            broker.restart()
        if step in (9, 17):
            server.kill_child("module out")
    until(lambda: server.status()["modules"][0]["cursor"] >= total, 120, "the cursor", 0.2)
    messages = kcat.consume(broker.brokers, "out")
    equal(sorted(set(numbers(messages))), list(range(total)))
    check(all(m.headers["event_id"] == f"e{json.loads(m.value)['n']}" for m in messages), "ids")
    by_key = collections.defaultdict(list)
    for m in sorted(messages, key=lambda m: (m.partition, m.offset)):
        n = json.loads(m.value)["n"]
        if n not in by_key[m.key]:
            by_key[m.key].append(n)
    for key, found in by_key.items():
        equal(found, sorted(found), key)
    print(f"# {total} events, {len(messages) - total} repeats after two kills of the module and two of the broker")
    equal(server.stop(), 0)
    server.verify()


def certificates(t):
    """CA, and a key store of the broker's certificate for 127.0.0.1."""
    folder = t.tmp / "tls"
    folder.mkdir()
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)  # noqa: E731
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=127.0.0.1")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "broker.pem", "-days", "2", "-extfile", "san")
    run("pkcs12", "-export", "-in", "broker.pem", "-inkey", "broker.key", "-out", "broker.p12", "-passout", "pass:secret")
    return folder


@test("real Kafka with TLS and logins: PLAIN, SCRAM and an OAuth token, for receiver and module; wrong ones are named", timeout_s=300)
def _(t):
    t.need("kcat")
    tls = certificates(t)
    port = free_port()
    jaas = "org.apache.kafka.common.security"
    broker = kafka.Broker(t, **{
        "listeners.extra": f"SECURE://127.0.0.1:{port}", "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER", "ssl.keystore.location": tls / "broker.p12", "ssl.keystore.password": "secret",
        "ssl.keystore.type": "PKCS12", "ssl.endpoint.identification.algorithm": "",
        "listener.name.secure.plain.sasl.jaas.config": f'{jaas}.plain.PlainLoginModule required user_app="plain-pw";',
        "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
        "listener.name.secure.oauthbearer.sasl.jaas.config": f'{jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";',
        "listener.name.secure.oauthbearer.sasl.server.callback.handler.class": f"{jaas}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"})
    broker.run_tool("kafka.admin.ConfigCommand", "--bootstrap-server", broker.brokers, "--alter", "--add-config", "SCRAM-SHA-256=[password=scram-pw]",
                    "--entity-type", "users", "--entity-name", "app")
    secure = f"127.0.0.1:{port}"
    ca = {"enabled": True, "ca": str(tls / "ca.pem")}
    logins = {"plain": ({"mechanism": "PLAIN", "username": "app", "password": "plain-pw"}, {}),
              "scram": ({"mechanism": "SCRAM-SHA-256", "username": "app", "password": "scram-pw"}, {}),
              "oauth": ({"mechanism": "OAUTHBEARER"}, {"enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": "principal=app"})}
    for name, (sasl, client) in logins.items():
        options = {"brokers": secure, "tls": ca, "sasl": sasl, "client": client}
        module = {"use": "kafka", "topic": f"t-{name}", "key": "{json:k}", "types": ["click"], "create": {"enabled": True, "partitions": 1, "replication": 1}, **options}
        server = t.server(config={"receivers": RECEIVERS}, modules={"out": module}, start=False)
        server.verb("check", "--connect", check=True)
        server.start()
        send(server, 0, 50)
        until(lambda n=name: len(kcat.consume(broker.brokers, f"t-{n}")) == 50, 60, f"messages by {name}", 0.3)
        equal(server.stop(), 0)
        reader = t.server(config={"receivers": {**RECEIVERS, "kafka": {"topics": [f"t-{name}"], "group": f"g-{name}", "parser": "events", **options}}})
        until(lambda: len(reader.verb("journal", "dump", check=True).stdout.splitlines()) == 50, 60, f"messages read by {name}", 0.3)
        equal(reader.stop(), 0)
    for change, word in (({"sasl": {"mechanism": "PLAIN", "username": "app", "password": "wrong"}}, "uthentication"), ({"tls": {"enabled": True}}, "certificate")):
        module = {"use": "kafka", "topic": "t-plain", "brokers": secure, "tls": ca, "sasl": logins["plain"][0], **change}
        server = t.server(config={"receivers": RECEIVERS}, modules={"out": module}, start=False)
        said = server.verb("check", "--connect")
        check(said.returncode == 1 and word in said.stderr, said.stderr)
