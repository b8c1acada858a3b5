"""What speaks to Spark over plain HTTP and cannot be had from the registries: Apache Livy's batches, and the REST submission
server of a standalone master with its page, as far as the module spark uses them, with faults: "cut" carries the request
out and ends the connection, "busy" answers 503, "refuse" 400."""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE_MAX = 100
TEXT, WHOLE, TEXTS, MAP = "text", "whole", "texts", "map"
# Request bodies as Livy's REST API and Spark's rest package document them.
LIVY_BATCH = {"file": TEXT, "proxyUser": TEXT, "className": TEXT, "args": TEXTS, "jars": TEXTS, "pyFiles": TEXTS, "files": TEXTS, "driverMemory": TEXT,
              "driverCores": WHOLE, "executorMemory": TEXT, "executorCores": WHOLE, "numExecutors": WHOLE, "archives": TEXTS, "queue": TEXT, "name": TEXT,
              "conf": MAP}
SUBMISSION = {"action": TEXT, "clientSparkVersion": TEXT, "message": TEXT, "appResource": TEXT, "mainClass": TEXT, "appArgs": TEXTS, "sparkProperties": MAP,
              "environmentVariables": MAP}
SUBMISSION_NEEDS = {"action", "clientSparkVersion", "appResource", "mainClass", "appArgs", "sparkProperties", "environmentVariables"}


def is_of(kind, value):
    if kind == MAP:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    return isinstance(value, str if kind == TEXT else int)


def misshapen(body, shape, needed):
    """What is wrong with it; empty: nothing."""
    return sorted(needed - set(body)) + sorted(name for name, value in body.items() if name not in shape or not is_of(shape[name], value))


class Base:
    def __init__(self):
        self.lock, self.runs, self.faults, self.requests, self.refused = threading.Lock(), [], [], [], []
        self.get_faults = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with fake.lock:
                    fake.requests.append((self.command, self.path, dict(self.headers), body))
                    due = {"POST": fake.faults, "GET": fake.get_faults}.get(self.command)
                    fault = due.pop(0) if due else None
                    if fault == "busy":
                        status, answer = 503, {"msg": "busy"}
                    elif fault == "refuse":
                        status, answer = 400, {"msg": "no"}
                    else:
                        status, answer = fake.answer(self.command, self.path, json.loads(body or b"null"))
                        if status == 400:
                            fake.refused.append(answer)
                if fault == "cut":
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def names(self):
        with self.lock:
            return [run["name"] for run in self.runs]

    def end_all(self, state):
        with self.lock:
            for run in self.runs:
                run["state"] = state

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Livy(Base):
    def answer(self, method, path, body):
        found = re.match(r"^/batches(?:/(\d+))?(?:\?from=(\d+)&size=(\d+))?$", path)
        if not found:
            return 404, {"msg": path}
        if method == "POST":
            wrong = misshapen(body, LIVY_BATCH, {"file"})
            if wrong:
                return 400, {"msg": f"not a batch: {wrong}"}
            if any(run["name"] == body["name"] and run["state"] == "running" for run in self.runs):
                return 400, {"msg": f"Duplicate session name: {body['name']}"}
            self.runs.append({"id": len(self.runs), "name": body["name"], "state": "running", "body": body, "appId": None})
            return 201, self.runs[-1]
        if method == "DELETE":
            self.runs[int(found[1])]["state"] = "deleted"
            return 200, {"msg": "deleted"}
        if found[1] and int(found[1]) < len(self.runs) and self.runs[int(found[1])]["state"] == "deleted":
            return 404, {"msg": "not found"}
        if found[1]:
            return (200, self.runs[int(found[1])]) if int(found[1]) < len(self.runs) else (404, {"msg": "not found"})
        start, size = int(found[2] or 0), min(int(found[3] or PAGE_MAX), PAGE_MAX)
        return 200, {"from": start, "total": len(self.runs), "sessions": [r for r in self.runs if r["state"] != "deleted"][start:start + size]}


class Standalone(Base):
    """The master's page and the submission server at one address."""

    def answer(self, method, path, body):
        if path == "/json/":
            apps = [{"id": f"app-{i}", "name": r["name"], "state": r["state"]} for i, r in enumerate(self.runs)]
            return 200, {"activeapps": [a for a in apps if a["state"] == "RUNNING"], "completedapps": [a for a in apps if a["state"] != "RUNNING"]}
        if path == "/v1/submissions/create":
            wrong = misshapen(body, SUBMISSION, SUBMISSION_NEEDS)
            if wrong or body["action"] != "CreateSubmissionRequest" or body["sparkProperties"]["spark.driver.supervise"] not in ("true", "false"):
                return 400, {"action": "ErrorResponse", "message": f"not a submission: {wrong}"}
            self.runs.append({"name": body["sparkProperties"]["spark.app.name"], "state": "RUNNING", "id": f"driver-{len(self.runs):04d}", "body": body})
            return 200, {"action": "CreateSubmissionResponse", "success": True, "submissionId": self.runs[-1]["id"], "serverSparkVersion": "4.0.1"}
        found = re.match(r"^/v1/submissions/(status|kill)/([\w-]+)$", path)
        for run in self.runs:
            if found and run["id"] == found[2]:
                if found[1] == "kill":
                    run["state"] = "KILLED"
                return 200, {"action": "SubmissionStatusResponse", "driverState": run["state"], "success": True, "submissionId": run["id"]}
        return 200, {"action": "SubmissionStatusResponse", "success": False, "submissionId": found[2] if found else ""}
