"""A small OpenSearch of ours that fails on demand: _bulk with ids, versions and mappings of one kind, index templates, policies, saved
objects. Faults are {"do": ..., "times": N} of tests/scenario/test_opensearch.py; what it holds is in `documents`."""
import base64
import gzip
import json
import random
import re
import threading
import time
import types

from tests.fakes.aws import signature
from tests.fakes.http_fake import HttpFake

BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected execution of primary operation"}
MAPPING = {"type": "mapper_parsing_exception", "reason": "failed to parse field [n] of type [byte]",
           "caused_by": {"type": "illegal_argument_exception", "reason": "value out of range"}}


class Fake(HttpFake):
    def __init__(self, seed=1, user=None, limit=None, refuse=None, delay_s=0, tls=None, keys=None, service="es"):
        """user: "name:password" that is asked for; limit: bytes of a body; refuse(document): True = a mapping error; tls: files of a
        certificate and its key; keys: {access key: secret} with which requests have to be signed for that service."""
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.user, self.limit, self.refuse, self.delay_s = user, limit, refuse, delay_s
        self.keys, self.service, self.unsigned = keys, service, []  # unsigned: why signatures were refused
        self.faults, self.made = [], []
        self.documents, self.versions, self.templates, self.policies, self.objects = {}, {}, {}, {}, {}
        self.bulks, self.requests, self.nameless = [], [], 0
        self.listen(tls)

    # ---- requests ------------------------------------------------------------------------------------

    def handle(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        problem = self.signed(h, body) if self.keys else None
        if problem:
            with self.lock:
                self.unsigned.append(problem)
            return self.say(h, 403, {"message": problem})
        if h.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with self.lock:
            self.requests.append((h.command, h.path, dict(h.headers)))
        if self.user and h.headers.get("Authorization") != "Basic " + base64.b64encode(self.user.encode()).decode():
            return self.say(h, 401, {"error": {"type": "security_exception", "reason": "no permissions"}, "status": 401})
        path = h.path.partition("?")[0]
        if path == "/_bulk":
            return self.bulk(h, body)
        if path == "/":
            return self.say(h, 200, {"name": "fake", "version": {"distribution": "opensearch", "number": "2.19.1"}})
        kinds = {"/_index_template/": self.templates, "/_plugins/_ism/policies/": self.policies, "/api/saved_objects/": self.objects}
        for prefix, store in kinds.items():
            if path.startswith(prefix):
                return self.thing(h, store, path[len(prefix):], body)
        return self.say(h, 404, {"error": "no handler found for uri"})

    def signed(self, h, body):
        """None, or what is wrong with the signature."""
        path, _, query = h.path.partition("?")
        request = types.SimpleNamespace(method=h.command, path=path, query=query, headers=h.headers.items(), body=body)
        try:
            claim = signature.Claim(request)
            if claim.access_key not in self.keys or claim.service != self.service:
                return f"The security token included in the request is invalid: {claim.access_key} for {claim.service}"
            signature.verify(request, claim, self.keys[claim.access_key], None, time.time())
        except signature.Refused as refused:
            return refused.message
        return None

    def thing(self, h, store, name, body):
        with self.lock:
            if name == "_import":
                for line in body.decode().splitlines():
                    if line.startswith("{"):
                        thing = json.loads(line)
                        store[f"{thing['type']}/{thing['id']}"] = thing
                return self.say(h, 200, {"successCount": len(store), "success": True} if h.headers.get("osd-xsrf") else {"success": False})
            if h.command == "PUT":
                store[name] = json.loads(body)
                return self.say(h, 200, {"acknowledged": True})
            if name not in store:
                return self.say(h, 404, {"error": {"type": "resource_not_found_exception", "reason": name}, "status": 404})
            if h.command == "DELETE":
                del store[name]
                return self.say(h, 200, {"acknowledged": True})
            return self.say(h, 200, {"_seq_no": 7, "_primary_term": 1, "thing": store[name]})

    def say(self, h, status, answer, part=1.0, headers=()):
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        h.send_response(status)
        h.send_header("Content-Type", "application/json")
        h.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            h.send_header(name, value)
        h.end_headers()
        if part < 1:
            h.close_connection = True
        h.wfile.write(data[:int(len(data) * part)])

    # ---- _bulk ---------------------------------------------------------------------------------------

    def fault(self):
        with self.lock:
            for f in self.faults:
                if f.get("times", 1) > 0 and self.random.random() < f.get("chance", 1):
                    f["times"] = f.get("times", 1) - 1
                    self.made.append(f["do"])
                    return f
        return {"do": None}

    def bulk(self, h, body):
        if self.delay_s:
            time.sleep(self.delay_s)
        fault = self.fault()
        do = fault["do"]
        if self.limit and len(body) > self.limit:
            return self.say(h, 413, b"")
        if not body.endswith(b"\n"):
            return self.say(h, 400, {"error": {"type": "illegal_argument_exception", "reason": "The bulk request must be terminated by a newline [\\n]"}})
        if do in ("429", "503", "500", "502"):
            return self.say(h, int(do), {"error": BUSY, "status": int(do)}, headers=fault.get("headers", ()))
        if do == "close":
            h.close_connection = True
            return None
        answer = self.apply(body, fault)
        if do == "cut":
            return self.say(h, 200, answer, fault.get("part", 0.5))
        if do == "garbage":
            return self.say(h, 200, b"<html>a page of a proxy</html>")
        if do == "short":
            return self.say(h, 200, {"errors": False, "items": answer["items"][:-1]})
        if do == "close after":
            h.close_connection = True
            return None
        if do == "hang":
            time.sleep(fault.get("s", 3))
        return self.say(h, 200, answer)

    def apply(self, body, fault):
        lines = body.split(b"\n")[:-1]
        items = []
        with self.lock:
            self.bulks.append(len(lines) // 2)
            for action, source in zip(lines[::2], lines[1::2]):
                (op, meta), = json.loads(action).items()
                busy = fault["do"] == "items" and self.random.random() < fault.get("part", 0.5)
                items.append({op: self.one(op, meta, json.loads(source), busy)})
        return {"took": 1, "errors": any("error" in next(iter(i.values())) for i in items), "items": items}

    def one(self, op, meta, source, busy):
        index = meta["_index"]
        if busy:
            return {"_index": index, "status": 429, "error": BUSY}
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", index):
            return {"_index": index, "status": 400, "error": {"type": "invalid_index_name_exception", "reason": index}}
        if self.refuse and self.refuse(source):
            return {"_index": index, "status": 400, "error": MAPPING}
        self.nameless += "_id" not in meta
        key = (index, meta.get("_id", f"nameless-{self.nameless}"))
        conflict = {"_index": index, "status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "version conflict"}}
        if op == "create" and key in self.documents:
            return conflict
        if "version" in meta:
            assert meta["version_type"] == "external_gte"
            if self.versions.get(key, -1) > meta["version"]:
                return conflict
            self.versions[key] = meta["version"]
        self.documents[key] = source
        return {"_index": index, "status": 201}
