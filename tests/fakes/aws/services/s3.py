"""S3: buckets of objects, path style and virtual hosts. PutObject with If-None-Match and checksums, GetObject, HeadObject, DeleteObject,
ListObjectsV2, HeadBucket, CreateBucket; errors as XML."""
import base64
import hashlib
import time
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape

from tests.fakes.aws.core import Failure, Service

OBJECT_BYTES_MAX = 5 * 1024 ** 3
LIST_MAX = 1000
KEY_BYTES_MAX = 1024
KEPT_HEADERS = ("content-type", "content-encoding", "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")


class Redirect(Failure):
    def __init__(self, region):
        super().__init__("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", 301)
        self.region = region


class S3(Service):
    name, content_type = "s3", "application/xml"
    throttle = ("SlowDown", 503)
    expired = ("ExpiredToken", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.buckets = {}

    # ---- for tests, without a request ----

    def make(self, bucket, conditional=True, region=None, owner="000000000000"):
        """conditional: False for a store that does not know If-None-Match. region: where it is, if not here."""
        with self.lock:
            self.buckets[bucket] = {"objects": {}, "conditional": conditional, "region": region or self.fake.region, "owner": owner, "puts": {}}

    def put(self, bucket, key, body, metadata=None, **headers):
        with self.lock:
            self.buckets[bucket]["objects"][key] = self.made(body, dict(metadata or {}), headers, {})

    def stored(self, bucket):
        """{key: bytes}"""
        with self.lock:
            return {key: o["body"] for key, o in sorted(self.buckets[bucket]["objects"].items())}

    def about(self, bucket, key):
        """body, metadata, headers, tags of one object."""
        with self.lock:
            return self.buckets[bucket]["objects"][key]

    def puts(self, bucket):
        """{key: how often it was written}"""
        with self.lock:
            return dict(self.buckets[bucket]["puts"])

    # ---- from HTTP and back ----

    def route(self, request):
        host, path = (request.header("host") or "").partition(":")[0], request.path
        parts = host.split(".")
        bucket = None
        if host.endswith(".localhost"):
            bucket = host[:-len(".localhost")]
        elif len(parts) > 4 and all(p.isdigit() for p in parts[-4:]):
            bucket = ".".join(parts[:-4])
        path = urllib.parse.unquote(path.lstrip("/"))
        if bucket is None:
            bucket, _, path = path.partition("/")
        arguments = {"Bucket": bucket, "Key": path, "headers": {k.lower(): v for k, v in request.headers}, "body": request.body,
                     "query": dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))}
        kind = "Object" if path else "Bucket"
        operation = {"PUT": "Put", "GET": "Get", "HEAD": "Head", "DELETE": "Delete"}.get(request.method, request.method) + kind
        return {"PutBucket": "CreateBucket", "GetBucket": "ListObjectsV2"}.get(operation, operation), arguments

    def answer(self, request, result):
        return result

    def refusal(self, request, failure):
        code = {"InvalidSignatureException": "SignatureDoesNotMatch", "UnrecognizedClientException": "InvalidAccessKeyId"}.get(failure.code, failure.code)
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code><Message>{escape(failure.message)}</Message>'
                f"<RequestId>{request.id}</RequestId></Error>")
        headers = {"Content-Type": "application/xml", "x-amz-request-id": request.id}
        if isinstance(failure, Redirect):
            headers["x-amz-bucket-region"] = failure.region
        if request.method == "HEAD":
            return failure.status, dict(headers, **{"Content-Length": "0"}), b""
        return failure.status, headers, body.encode()

    def spoil(self, operation, arguments, answer, fault):
        """checksum: the answer of a PutObject has another checksum than what was stored."""
        if operation != "PutObject" or fault.do != "checksum":
            return super().spoil(operation, arguments, answer, fault)
        status, headers, body = answer
        return status, dict(headers, **{"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"another").digest()).decode()}), body

    # ---- operations ----

    def bucket(self, arguments):
        bucket = self.buckets.get(arguments["Bucket"])
        if bucket is None:
            raise Failure("NoSuchBucket", "The specified bucket does not exist", 404)
        if bucket["region"] != self.fake.region:
            raise Redirect(bucket["region"])
        if arguments["headers"].get("x-amz-expected-bucket-owner", bucket["owner"]) != bucket["owner"]:
            raise Failure("AccessDenied", "Access Denied", 403)
        return bucket

    def object(self, arguments):
        found = self.bucket(arguments)["objects"].get(arguments["Key"])
        if found is None:
            raise Failure("NoSuchKey", "The specified key does not exist.", 404)
        return found

    def made(self, body, metadata, headers, tags):
        return {"body": body, "metadata": metadata, "headers": headers, "tags": tags, "etag": f'"{hashlib.md5(body).hexdigest()}"', "at": time.time()}

    def CreateBucket(self, arguments):
        if arguments["Bucket"] in self.buckets:
            raise Failure("BucketAlreadyOwnedByYou", "you own it", 409)
        self.make(arguments["Bucket"])
        return 200, {}, b""

    def HeadBucket(self, arguments):
        return 200, {"x-amz-bucket-region": self.bucket(arguments)["region"], "Content-Length": "0"}, b""

    def PutObject(self, arguments):
        bucket, headers, body = self.bucket(arguments), arguments["headers"], arguments["body"]
        if len(body) > OBJECT_BYTES_MAX:
            raise Failure("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        if len(arguments["Key"].encode()) > KEY_BYTES_MAX:
            raise Failure("KeyTooLongError", "Your key is too long")
        checksum = headers.get("x-amz-checksum-sha256")
        real = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if checksum and checksum != real:
            raise Failure("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        condition = headers.get("if-none-match")
        if condition and not bucket["conditional"]:
            raise Failure("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
        if condition and condition != "*":
            raise Failure("NotImplemented", "If-None-Match takes * alone", 501)
        if condition and arguments["Key"] in bucket["objects"]:
            raise Failure("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
        metadata = {k[len("x-amz-meta-"):]: v for k, v in headers.items() if k.startswith("x-amz-meta-")}
        tags = dict(urllib.parse.parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
        made = self.made(body, metadata, {k: headers[k] for k in KEPT_HEADERS if k in headers}, tags)
        made["checksum"] = checksum
        bucket["objects"][arguments["Key"]] = made
        bucket["puts"][arguments["Key"]] = bucket["puts"].get(arguments["Key"], 0) + 1
        return 200, dict({"ETag": made["etag"]}, **({"x-amz-checksum-sha256": checksum} if checksum else {})), b""

    def described(self, found):
        headers = {"ETag": found["etag"], "Last-Modified": formatdate(found["at"], usegmt=True), "Content-Length": str(len(found["body"]))}
        headers.update(found["headers"])
        headers.update({f"x-amz-meta-{k}": v for k, v in found["metadata"].items()})
        return headers

    def HeadObject(self, arguments):
        return 200, self.described(self.object(arguments)), b""

    def GetObject(self, arguments):
        found = self.object(arguments)
        return 200, self.described(found), found["body"]

    def DeleteObject(self, arguments):
        self.bucket(arguments)["objects"].pop(arguments["Key"], None)
        return 204, {}, b""

    def ListObjectsV2(self, arguments):
        bucket, query = self.bucket(arguments), arguments["query"]
        prefix, most = query.get("prefix", ""), min(int(query.get("max-keys", LIST_MAX)), LIST_MAX)
        after = query.get("continuation-token", query.get("start-after", ""))
        keys = [k for k in sorted(bucket["objects"]) if k.startswith(prefix) and k > after]
        entries = "".join(f"<Contents><Key>{escape(k)}</Key><Size>{len(bucket['objects'][k]['body'])}</Size>"
                          f"<ETag>{escape(bucket['objects'][k]['etag'])}</ETag></Contents>" for k in keys[:most])
        more = len(keys) > most > 0
        token = f"<NextContinuationToken>{escape(keys[most - 1])}</NextContinuationToken>" if more else ""
        return 200, {"Content-Type": "application/xml"}, (
            f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>{escape(arguments['Bucket'])}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(keys[:most])}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{entries}{token}"
            "</ListBucketResult>").encode()

    def state(self):
        with self.lock:
            return {name: {key: len(o["body"]) for key, o in sorted(bucket["objects"].items())} for name, bucket in self.buckets.items()}


SERVICE = S3
