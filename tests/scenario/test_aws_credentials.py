#!/usr/bin/env python3
# timeout: 240
"""Credentials that end during a run, from each place that lends them; TLS that must be trusted; a proxy."""
import json
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.aws import Fake
from tests.lib import lake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

LIFETIME_S = 4
ROUNDS = 4
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}


def make_server(t, env, run=True, **options):
    config = {"receivers": {"matomo": None, "events": {"types": {"click": {"schema": {"type": "object"}}}},
                            "clicks": {"use": "kinesis", "stream": "clicks", "parser": "events", "poll": "220ms", **options}}}
    return t.server(config=config, env=env, start=run)


def rotate(t, fake, env, between=lambda number: None, **options):
    """Events come while keys end several times over: each arrives once, and no request was refused for long."""
    fake.lifetime_s = LIFETIME_S
    kinesis, sent = fake.service("kinesis"), []
    kinesis.make("clicks")
    server = make_server(t, {**fake.env(), **NO_KEYS, **env}, **options)
    for number in range(ROUNDS):
        between(number)
        for _ in range(5):
            sent.append(f"e{len(sent)}")
            kinesis.put("clicks", "k", json.dumps({"type": "click", "id": sent[-1]}).encode())
        before = len(fake.ends)
        until(lambda: set(sent) <= set(e["event_id"] for e in lake.lines(server.lake)), 40 * slow(), "the events", 0.1)
        until(lambda n=before: len(fake.ends) > n, 4 * LIFETIME_S * slow(), "new keys", 0.05)
    server.stop()
    equal(sorted(e["event_id"] for e in lake.lines(server.lake)), sorted(sent))
    said = server.log_text(all_runs=True)
    check(not [text for secret, token in fake.keys.values() for text in (secret, token) if text and text in said], "a secret is in the log")
    server.verify()


@test("a container's keys, its token changed during the run")
def _(t):
    with Fake() as fake:
        token = t.tmp / "token"

        def between(number):
            fake.container_token = f"token-{number}"
            token.write_text(fake.container_token + "\n")
        rotate(t, fake, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{fake.url}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}, between)
        equal(sorted({a.split()[-1] for a in fake.asked})[:4], ["token-0", "token-1", "token-2", "token-3"])


@test("an instance's role, IMDSv2")
def _(t):
    with Fake() as fake:
        def between(number):
            fake.instance_token = f"imds-{number}"
        rotate(t, fake, {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": fake.url}, between)


@test("a web identity, its token file written anew during the run")
def _(t):
    with Fake() as fake:
        token = t.tmp / "token"

        def between(number):
            fake.service("sts").web_token = f"jwt-{number}"
            token.write_text(f"jwt-{number}\n")
        rotate(t, fake, {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}, between)
        check("AssumeRoleWithWebIdentity arn:aws:iam::1:role/web" in fake.asked, fake.asked)


@test("a program's keys, and a role assumed with them")
def _(t):
    with Fake() as fake:
        access, (secret, _) = next(iter(fake.keys.items()))
        config = t.tmp / "config"
        config.write_text(f"[profile base]\ncredential_process = cat {t.tmp}/keys\n[profile app]\nrole_arn = arn:aws:iam::1:role/app\nsource_profile = base\n")
        (t.tmp / "keys").write_text(json.dumps({"Version": 1, "AccessKeyId": access, "SecretAccessKey": secret}))
        rotate(t, fake, {"AWS_CONFIG_FILE": str(config)}, profile="app")
        check("AssumeRole arn:aws:iam::1:role/app" in fake.asked, fake.asked)


@test("TLS: a certificate that nobody signed is refused, and trusted with ca_file")
def _(t):
    t.need("openssl")
    certificate, key = t.tmp / "cert.pem", t.tmp / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with Fake(tls=(certificate, key)) as fake:
        fake.service("kinesis").make("clicks")
        server = make_server(t, fake.env(), run=False)
        said = server.verb("check", "--connect")
        check(said.returncode != 0 and "certificate" in said.stdout + said.stderr, said.stdout + said.stderr)
        equal(fake.calls, [])
        server.config["receivers"]["clicks"]["ca_file"] = str(certificate)
        server.write_config()
        server.verb("check", "--connect", check=True)


class Proxy(BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        self.seen.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@test("requests go through the proxy of the environment; where a container's keys come from is asked directly")
def _(t):
    with Fake() as fake:
        fake.service("kinesis").make("clicks")
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        t.defer(proxy.shutdown)
        env = {**fake.env(), **NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{fake.url}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": fake.container_token,
               "http_proxy": f"http://127.0.0.1:{proxy.server_address[1]}", "no_proxy": ""}
        said = make_server(t, env, run=False).verb("check", "--connect")
        check(said.returncode != 0, said.stdout)
        equal(Proxy.seen, [fake.url + "/"])
        equal(len(fake.asked), 1)
        equal(fake.calls, [])


if __name__ == "__main__":
    sys.exit(main())
