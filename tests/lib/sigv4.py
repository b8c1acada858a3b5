"""Signature Version 4 as AWS' documentation describes it, for tests: written on its own, so that the server's code is
not checked against itself."""
import datetime
import hashlib
import hmac
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"


class Key:
    def __init__(self, access, secret, token=None):
        self.access, self.secret, self.token = access, secret, token


def stamp(offset_s=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    return now.strftime("%Y%m%dT%H%M%SZ")


def encode(text):
    return urllib.parse.quote(text, safe="-_.~")


def canonical_query(query):
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append((encode(urllib.parse.unquote(name)), encode(urllib.parse.unquote(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signature(key, method, path, query, headers, payload_hash, date, region, service):
    """headers: what is signed. Returns (names, signature)."""
    merged = {}
    for name, value in headers:
        merged.setdefault(name.lower(), []).append(" ".join(value.split()))
    names = ";".join(sorted(merged))
    lines = "".join(f"{name}:{','.join(merged[name])}\n" for name in sorted(merged))
    request = "\n".join([method, urllib.parse.quote(path, safe="/-_.~"), canonical_query(query), lines, names, payload_hash])
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, date, scope, hashlib.sha256(request.encode()).hexdigest()])
    secret = ("AWS4" + key.secret).encode()
    for part in (date[:8], region, service, "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return names, hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()


def sign(key, method, target, body=b"", headers=(), host="127.0.0.1", region="us-east-1", service="execute-api", date=None,
         payload_hash=None, without=()):
    """All headers of a signed request, without Host. without: names that are sent and not signed."""
    body = body.encode() if isinstance(body, str) else body or b""
    date = date or stamp()
    path, _, query = target.partition("?")
    sent = list(headers) + [("X-Amz-Date", date)]
    if key.token:
        sent.append(("X-Amz-Security-Token", key.token))
    signed = [("Host", host)] + [(n, v) for n, v in sent if n.lower() not in without]
    names, value = signature(key, method, path, query, signed, payload_hash or hashlib.sha256(body).hexdigest(), date, region, service)
    scope = f"{key.access}/{date[:8]}/{region}/{service}/aws4_request"
    return sent + [("Authorization", f"{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={value}")]


def presign(key, method, target, expires_s=60, body=b"", host="127.0.0.1", region="us-east-1", service="execute-api", date=None):
    """The target with the signature in its query."""
    date = date or stamp()
    path, _, query = target.partition("?")
    more = {"X-Amz-Algorithm": ALGORITHM, "X-Amz-Credential": f"{key.access}/{date[:8]}/{region}/{service}/aws4_request",
            "X-Amz-Date": date, "X-Amz-SignedHeaders": "host"}
    if expires_s is not None:
        more["X-Amz-Expires"] = str(expires_s)
    if key.token:
        more["X-Amz-Security-Token"] = key.token
    query = "&".join(filter(None, [query] + [f"{name}={encode(value)}" for name, value in more.items()]))
    _, value = signature(key, method, path, query, [("Host", host)], hashlib.sha256(body).hexdigest(), date, region, service)
    return f"{path}?{query}&X-Amz-Signature={value}"
