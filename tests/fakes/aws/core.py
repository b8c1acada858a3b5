"""The core: HTTP, signatures, faults, and which service a request is for. A service is a file in services/."""
import importlib
import json
import pathlib
import socket
import threading
import time
import uuid
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.aws import signature
from tests.fakes.aws.faults import Script

HANG_MS = 60000
SERVICES = pathlib.Path(__file__).resolve().parent / "services"
ACCESS_KEY, SECRET = "AKIDFAKE", "fake/secret+key"


class Failure(Exception):
    """A service's error: what the client gets."""

    def __init__(self, code, message="", status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, self.query = target.partition("?")
        self.id = str(uuid.uuid4())

    def header(self, name):
        return signature.first(self.headers, name.lower())


class Service:
    """A JSON service: operations are methods named as AWS names them, dict -> dict. Others override route() and answer()."""
    name, target, content_type = None, None, "application/x-amz-json-1.1"
    throttle = ("ProvisionedThroughputExceededException", 400)
    expired = ("ExpiredTokenException", 400)

    def __init__(self, fake):
        self.fake, self.lock = fake, threading.RLock()

    def route(self, request):
        """(operation, arguments) of a request."""
        try:
            arguments = json.loads(request.body or b"{}")
        except ValueError:
            raise Failure("SerializationException", "not JSON") from None
        return (request.header("x-amz-target") or "").partition(".")[2], arguments

    def call(self, operation, arguments, fault):
        """Carries it out: the answer's dict. fault: the service's own to make (records, shuffle), or None."""
        method = getattr(self, operation, None)
        if operation[:1].islower() or method is None:
            raise Failure("UnknownOperationException", f"{self.name} of the fake does not know {operation}")
        with self.lock:
            answer = method(arguments)
            return self.spoil(operation, arguments, answer, fault) if fault else answer

    def spoil(self, operation, arguments, answer, fault):
        raise Failure("NotImplemented", f"{self.name} has no fault {fault.do} for {operation}", 501)

    def answer(self, request, result):
        """(status, headers, body)"""
        return 200, {"Content-Type": self.content_type}, json.dumps(result).encode()

    def refusal(self, request, failure):
        body = json.dumps({"__type": failure.code, "message": failure.message}).encode()
        return failure.status, {"Content-Type": self.content_type}, body

    def state(self):
        return {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *args):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, list(self.headers.items()), self.rfile.read(length))
        try:
            if request.path.startswith("/_fake/"):
                self.send(*self.fake.control(request), request)
            else:
                self.serve(request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def serve(self, request):
        fake = self.fake
        service, operation, arguments = fake.find(request), "", {}
        try:
            operation, arguments = service.route(request)
            fault = fake.script.choose(service.name, operation, arguments)
            fake.note(service, operation, arguments, fault)
            if fault and fault.do in ("close", "hang") and not fault.after:
                return self.vanish(fault)
            if fault and fault.do == "slow":
                time.sleep((fault.delay_ms or 0) / 1000)
            fake.verify(request)
            answer = self.carry_out(service, request, operation, arguments, fault)
        except (Failure, signature.Refused) as failure:
            if isinstance(failure, signature.Refused):
                failure = Failure(failure.code, failure.message, 403 if service.name == "s3" else 400)
                fake.refused.append((operation, str(failure)))
            return self.send(*service.refusal(request, failure), request)
        if fault and fault.do in ("close", "hang"):
            return self.vanish(fault)
        if fault and fault.do == "cut":
            return self.cut(*answer, fault, request)
        return self.send(*answer, request)

    def carry_out(self, service, request, operation, arguments, fault):
        own = fault if fault and fault.do in ("records", "shuffle", "checksum") else None
        early = None
        if fault and fault.do == "garbage":
            if fault.after:
                service.call(operation, arguments, own)
            return fault.status or 200, {"Content-Type": "text/html"}, b"<html><body>It works!"
        if fault and fault.do in ("error", "throttle", "expired_token"):
            early = self.failure_of(service, fault)
            if not fault.after:
                raise early
        if fault and fault.do == "skew":
            raise Failure("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403)
        result = service.call(operation, arguments, own)
        if early:
            raise early
        return service.answer(request, result)

    def failure_of(self, service, fault):
        code, status = {"throttle": service.throttle, "expired_token": service.expired}.get(fault.do, ("InternalFailure", 500))
        return Failure(fault.code or code, fault.message or "the script wants it", fault.status or status)

    def send(self, status, headers, body, request):
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.fake.now(), usegmt=True))
        self.send_header("x-amzn-RequestId", request.id)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(body)

    def cut(self, status, headers, body, fault, request):
        """The head promises all of the body, a part of it comes."""
        part = fault.part if fault.part is not None else 0.5
        headers = dict(headers, **{"Content-Length": str(max(len(body), 1))})
        self.send(status, headers, body[:int(len(body) * part)], request)
        self.wfile.flush()
        self.vanish(fault)

    def vanish(self, fault):
        if fault.do == "hang":
            self.fake.stopping.wait((fault.delay_ms or HANG_MS) / 1000)
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request, client_address):
        import sys
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Fake:
    """with Fake() as fake: fake.url, fake.env(), fake.script.add({...}), fake.service("kinesis"), fake.calls"""

    def __init__(self, seed=None, region="eu-central-1", keys=None, port=0):
        self.region, self.script, self.skew_s = region, Script(seed), 0
        self.keys = dict(keys or {ACCESS_KEY: (SECRET, None)})  # access key -> (secret, session token)
        self.calls, self.refused, self.stopping = [], [], threading.Event()
        self.services = {}
        for file in sorted(SERVICES.glob("[a-z]*.py")):
            service = importlib.import_module(f"tests.fakes.aws.services.{file.stem}").SERVICE(self)
            self.services[service.name] = service
        handler = type("FakeHandler", (Handler,), {"fake": self})
        self.server = Server(("127.0.0.1", port), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def env(self):
        """What a client needs; its own AWS configuration is left out."""
        access, (secret, token) = next(iter(self.keys.items()))
        env = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region,
               "AWS_ENDPOINT_URL": self.url,
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        return dict(env, AWS_SESSION_TOKEN=token) if token else env

    def service(self, name):
        return self.services[name]

    def now(self):
        return time.time() + self.skew_s

    def find(self, request):
        target = (request.header("x-amz-target") or "").partition(".")[0]
        for service in self.services.values():
            if service.target and service.target == target:
                return service
        try:
            name = signature.Claim(request).service
        except (signature.Refused, ValueError):
            name = "s3"
        return self.services.get(name) or next(iter(self.services.values()))

    def note(self, service, operation, arguments, fault):
        self.calls.append((time.time(), service.name, operation, arguments, fault.do if fault else None))

    def count(self, operation):
        return sum(1 for call in list(self.calls) if call[2] == operation)

    def verify(self, request):
        claim = signature.Claim(request)
        if claim.access_key not in self.keys:
            raise signature.Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        secret, token = self.keys[claim.access_key]
        if claim.region != self.region:
            raise signature.Refused("InvalidSignatureException", f"Credential should be scoped to a valid region, not '{claim.region}'.")
        signature.verify(request, claim, secret, token, self.now())

    def control(self, request):
        """/_fake/faults: POST adds, DELETE clears, GET tells. /_fake/state, /_fake/calls, /_fake/skew (POST seconds)."""
        what, body = request.path[len("/_fake/"):], None
        if what == "faults" and request.method == "POST":
            try:
                self.script.add(json.loads(request.body))
            except ValueError as error:
                return 400, {"Content-Type": "text/plain"}, f"{error}\n".encode()
        elif what == "faults" and request.method == "DELETE":
            self.script.clear()
        elif what == "skew" and request.method == "POST":
            self.skew_s = float(request.body)
        if what == "faults":
            body = self.script.state()
        elif what == "state":
            body = {name: service.state() for name, service in self.services.items()}
        elif what == "calls":
            body = [{"service": call[1], "op": call[2], "fault": call[4]} for call in list(self.calls)]
        elif what == "skew":
            body = self.skew_s
        return (404 if body is None else 200), {"Content-Type": "application/json"}, json.dumps(body).encode()

    def close(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
