"""Signature Version 4 as AWS verifies it: header form and presigned form. Written from AWS's description."""
import datetime
import hashlib
import hmac
import re
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_S = 300
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def canonical_query(query, without=()):
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        name, value = urllib.parse.unquote(name), urllib.parse.unquote(value)
        if name not in without:
            pairs.append((quote(name), quote(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_path(path, service):
    if service == "s3":
        return path or "/"
    return urllib.parse.quote(path or "/", safe="/-_.~")  # once more than on the wire


def canonical_headers(headers, names):
    lines = []
    for name in names:
        values = [re.sub(r"\s+", " ", value.strip()) for key, value in headers if key.lower() == name]
        if not values:
            raise Refused("SignatureDoesNotMatch", f"the signed header {name} is missing")
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def chain(secret, day, region, service):
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def first(headers, name):
    return next((value for key, value in headers if key.lower() == name), None)


class Claim:
    """What a request says of itself."""

    def __init__(self, request):
        query = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
        authorization = first(request.headers, "authorization")
        self.presigned = "X-Amz-Signature" in query
        if self.presigned:
            self.read(query.get("X-Amz-Credential", ""), query.get("X-Amz-SignedHeaders", ""), query["X-Amz-Signature"])
            self.date, self.token = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token")
            self.expires_s = int(query.get("X-Amz-Expires", "0"))
        elif authorization and authorization.startswith(ALGORITHM):
            parts = dict(part.strip().split("=", 1) for part in authorization[len(ALGORITHM):].split(",") if "=" in part)
            self.read(parts.get("Credential", ""), parts.get("SignedHeaders", ""), parts.get("Signature", ""))
            self.date, self.token = first(request.headers, "x-amz-date") or "", first(request.headers, "x-amz-security-token")
            self.expires_s = None
        else:
            raise Refused("MissingAuthenticationToken", "Missing Authentication Token")

    def read(self, credential, names, signature):
        parts = credential.split("/")
        if len(parts) != 5 or parts[4] != "aws4_request":
            raise Refused("IncompleteSignature", f"Credential must have five parts: {credential}")
        self.access_key, self.day, self.region, self.service = parts[:4]
        self.names, self.signature = names.split(";"), signature


def verify(request, claim, secret, token, now):
    """Raises Refused as AWS would. request: method, path, query, headers, body."""
    try:
        signed_at = datetime.datetime.strptime(claim.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise Refused("IncompleteSignature", f"Date must be in ISO-8601 basic format: {claim.date!r}") from None
    age = now - signed_at
    if age > (SKEW_S if claim.expires_s is None else claim.expires_s):
        raise Refused("InvalidSignatureException", f"Signature expired: {claim.date} is now earlier than {now - SKEW_S:.0f}")
    if age < -SKEW_S:
        raise Refused("InvalidSignatureException", f"Signature not yet current: {claim.date} is still later than {now + SKEW_S:.0f}")
    if (claim.token or None) != (token or None):
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    if claim.date[:8] != claim.day:
        raise Refused("SignatureDoesNotMatch", "Date in Credential scope does not match the date of the request")
    for key, _ in request.headers:
        if (key.lower() == "host" or key.lower().startswith("x-amz-")) and key.lower() not in claim.names:
            raise Refused("SignatureDoesNotMatch", f"the header {key} is not signed")
    said = first(request.headers, "x-amz-content-sha256")
    digest = hashlib.sha256(request.body).hexdigest()
    if said and said not in (UNSIGNED, digest) and not said.startswith("STREAMING-"):
        raise Refused("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
    payload = said or (UNSIGNED if claim.presigned and claim.service == "s3" else EMPTY if claim.presigned else digest)
    canonical = "\n".join([request.method, canonical_path(request.path, claim.service),
                           canonical_query(request.query, ("X-Amz-Signature",) if claim.presigned else ()),
                           canonical_headers(request.headers, claim.names), ";".join(claim.names), payload])
    scope = f"{claim.day}/{claim.region}/{claim.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, claim.date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    wanted = hmac.new(chain(secret, claim.day, claim.region, claim.service), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, claim.signature):
        raise Refused("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "
                                                   f"The canonical request was: {canonical!r}")
