#!/usr/bin/env python3
"""Writes botocore.json beside this file: requests that botocore signed, for tests/unit/test_sigv4.c. Only for making
it anew; the tests need the file alone.

    pip install botocore && tests/data/sigv4/make_vectors.py"""
import datetime
import json
import pathlib
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

WHEN = datetime.datetime(2026, 11, 26, 8, 30, 0, tzinfo=datetime.timezone.utc)
ACCESS, SECRET = "AKIAEXAMPLEEXAMPLE77", "s3cr3t/Example+Key0123456789abcdefghijkl"
TOKEN = "FwoGZXIvYXdzEBYaDE//+=&?token of a session"
APP = "d76d064f-ca8b-41ff-839f-4735e9a4b69d"
HOST = "https://example.execute-api.eu-central-1.amazonaws.com"


def freeze():
    """botocore asks for the time in one of these ways, depending on its version."""
    class Frozen(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return WHEN.replace(tzinfo=None)

        @classmethod
        def now(cls, tz=None):
            return WHEN if tz else WHEN.replace(tzinfo=None)
    botocore.auth.datetime = type("module", (), {"datetime": Frozen, "timezone": datetime.timezone, "timedelta": datetime.timedelta})
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: WHEN.replace(tzinfo=None) if remove_tzinfo else WHEN


def case(name, method="GET", target="/live/applications", headers=(), body="", region="eu-central-1", service="execute-api",
         token=None, host=HOST, presign=0):
    return locals()


CASES = [
    case("list"),
    case("list on another port", host="http://127.0.0.1:8080"),
    case("the default port written out", host="http://game.example.org:80"),
    case("another region", region="us-gov-west-1"),
    case("no service", service=""),
    case("create", "POST", body='{"Name":"TestGame","Description":"d"}', headers=[("Content-Type", "application/json")]),
    case("create with a body of UTF-8", "POST", body='{"Name":"Übermut 🎮"}', headers=[("Content-Type", "application/json; charset=utf-8")]),
    case("get", target=f"/live/applications/{APP}"),
    case("delete", "DELETE", f"/live/applications/{APP}"),
    case("put", "PUT", f"/live/applications/{APP}/authorizations/{APP}", body='{"Enabled":false}'),
    case("setup, an empty POST", "POST", "/live/redshift/setup"),
    case("head", "HEAD"),
    case("trailing slash", target="/live/applications/"),
    case("root", target="/"),
    case("doubled slashes", target="//live//applications"),
    case("dots in the path", target="/live/./x/../applications"),
    case("a blank in the path", target="/live/applications/a%20b"),
    case("a slash that is data", target="/live/applications/a%2Fb"),
    case("characters that need no encoding", target="/live/applications/a-b_c.d~e"),
    case("characters of UTF-8 in the path", target="/live/applications/%C3%BC%E2%82%AC"),
    case("signs in the path", target="/live/applications/a+b@c:d,e=f;g!h*i'(j)$k"),
    case("a query", target="/live/applications?limit=10&after=x"),
    case("a query out of order", target="/live/applications?b=2&a=1&B=3&A=4&aa=5"),
    case("a key twice", target="/live/applications?a=2&a=10&a=1"),
    case("a key without a value", target="/live/applications?a&b=&c=1"),
    case("blanks and signs in the query", target="/live/applications?q=a%20b%2Bc%26d%3De%2Ff~g"),
    case("UTF-8 in the query", target="/live/applications?%C3%BC=%E2%82%AC"),
    case("blanks in a header", headers=[("X-Amz-Meta", "  two   words  "), ("X-Other", "a  b")]),
    case("headers out of order", headers=[("Zulu", "1"), ("alpha", "2"), ("Mike", "3")]),
    case("an empty header", headers=[("X-Empty", "")]),
    case("a session token", token=TOKEN),
    case("a session token and a body", "POST", body="{}", token=TOKEN),
    case("the hash of the body in a header", "POST", body="abc",
         headers=[("X-Amz-Content-SHA256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]),
    case("an unsigned body", headers=[("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")]),
    case("events", "POST", f"/live/applications/{APP}/events", body='{"events":[{"event_id":"x"}]}'),
    case("a large body", "POST", body="0123456789abcdef" * 1000),
    case("presigned", presign=300),
    case("presigned for a week", presign=604800),
    case("presigned with a query", target="/live/applications?b=2&a=x%20y", presign=60),
    case("presigned with a token", token=TOKEN, presign=60),
    case("presigned with a header", headers=[("X-Amz-Meta", "m")], presign=60),
    case("presigned on another port", host="http://127.0.0.1:8080", presign=60),
    case("presigned delete", "DELETE", f"/live/applications/{APP}", presign=60),
    case("presigned without a service", service="", presign=60),
]


def signed(c):
    credentials = botocore.credentials.Credentials(ACCESS, SECRET, c["token"])
    if c["presign"]:
        auth = botocore.auth.SigV4QueryAuth(credentials, c["service"], c["region"], expires=c["presign"])
    else:
        auth = botocore.auth.SigV4Auth(credentials, c["service"], c["region"])
    body = c["body"].encode()
    request = botocore.awsrequest.AWSRequest(c["method"], c["host"] + c["target"], headers=dict(c["headers"]), data=body)
    auth.add_auth(request)
    sent = request.prepare()
    url = urllib.parse.urlsplit(sent.url)
    host = request.headers.get("Host") or botocore.auth._host_from_url(sent.url)
    headers = [["Host", host]] + [[k, v] for k, v in request.headers.items() if k.lower() not in ("authorization", "host")]
    plain = urllib.parse.urlsplit(c["target"] if not c["target"].startswith("//") else c["host"] + c["target"])
    return {"name": c["name"], "method": c["method"], "path": plain.path, "query": plain.query, "sent_query": url.query,
            "headers": headers, "body": c["body"], "region": c["region"], "service": c["service"], "token": c["token"] or "",
            "expires": c["presign"], "authorization": request.headers.get("Authorization", "")}


def main():
    freeze()
    out = {"date": WHEN.strftime("%Y%m%dT%H%M%SZ"), "access_key": ACCESS, "secret": SECRET, "requests": [signed(c) for c in CASES]}
    path = pathlib.Path(__file__).with_name("botocore.json")
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(CASES)} requests, botocore {botocore.__version__}")


if __name__ == "__main__":
    main()
