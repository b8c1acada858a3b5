"""Amazon EMR Serverless: job runs of applications. A clientToken that was there gives the same run back."""
import json
import re

from tests.fakes.aws.core import Failure, Service

TOKEN = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
PATH = re.compile(r"^/applications/([0-9a-z]{1,64})/jobruns(?:/([0-9a-z]{1,64}))?$")
MEMBERS = {"clientToken", "executionRoleArn", "jobDriver", "name", "executionTimeoutMinutes"}
DRIVER = {"entryPoint", "entryPointArguments", "sparkSubmitParameters"}


class EmrServerless(Service):
    name, content_type = "emr-serverless", "application/json"
    throttle = ("ThrottlingException", 429)

    def __init__(self, fake):
        super().__init__(fake)
        self.applications = {}

    # ---- for tests, without a request ----

    def make(self, application):
        with self.lock:
            self.applications[application] = []

    def runs(self, application):
        with self.lock:
            return [dict(run) for run in self.applications[application]]

    def end(self, application, name, state, details=""):
        with self.lock:
            for run in self.applications[application]:
                if run["name"] == name:
                    run["state"], run["stateDetails"] = state, details

    # ---- requests ----

    def route(self, request):
        found = PATH.match(request.path)
        operation = {("POST", False): "StartJobRun", ("GET", True): "GetJobRun", ("DELETE", True): "CancelJobRun",
                     ("GET", False): "ListJobRuns"}.get((request.method, bool(found and found[2]))) if found else None
        if not operation:
            raise Failure("UnknownOperationException", f"{request.method} {request.path}", 404)
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            raise Failure("ValidationException", "not JSON") from None
        return operation, {**body, "applicationId": found[1], "jobRunId": found[2]}

    def refusal(self, request, failure):
        body = json.dumps({"message": failure.message}).encode()
        return failure.status, {"Content-Type": self.content_type, "x-amzn-ErrorType": failure.code}, body

    def runs_of(self, arguments):
        if arguments["applicationId"] not in self.applications:
            raise Failure("ResourceNotFoundException", f"Application {arguments['applicationId']} does not exist", 404)
        return self.applications[arguments["applicationId"]]

    def StartJobRun(self, arguments):
        runs = self.runs_of(arguments)
        body = {k: v for k, v in arguments.items() if k not in ("applicationId", "jobRunId")}
        if set(body) - MEMBERS or set(body["jobDriver"]) != {"sparkSubmit"} or set(body["jobDriver"]["sparkSubmit"]) - DRIVER:
            raise Failure("ValidationException", f"unknown members in {body}")
        if not TOKEN.match(body["clientToken"]):
            raise Failure("ValidationException", "clientToken")
        for run in runs:
            if run["body"]["clientToken"] == body["clientToken"]:
                if run["body"] != body:
                    raise Failure("ConflictException", "the token was used for another run", 409)
                return self.told(run)
        run = {"body": body, "name": body.get("name"), "state": "SUBMITTED", "stateDetails": "", "jobRunId": f"{len(runs):016x}",
               "applicationId": arguments["applicationId"]}
        runs.append(run)
        return self.told(run)

    def told(self, run):
        return {"applicationId": run["applicationId"], "jobRunId": run["jobRunId"],
                "arn": f"arn:aws:emr-serverless:{self.fake.region}:000000000000:/applications/{run['applicationId']}/jobruns/{run['jobRunId']}"}

    def run(self, arguments):
        for run in self.runs_of(arguments):
            if run["jobRunId"] == arguments["jobRunId"]:
                return run
        raise Failure("ResourceNotFoundException", "no such job run", 404)

    def GetJobRun(self, arguments):
        run = self.run(arguments)
        return {"jobRun": {**self.told(run), "name": run["name"], "state": run["state"], "stateDetails": run["stateDetails"],
                           "jobDriver": run["body"]["jobDriver"], "executionRole": run["body"]["executionRoleArn"]}}

    def CancelJobRun(self, arguments):
        run = self.run(arguments)
        run["state"] = "CANCELLED"
        return {"applicationId": run["applicationId"], "jobRunId": run["jobRunId"]}

    def state(self):
        return {name: [run["name"] for run in runs] for name, runs in self.applications.items()}


SERVICE = EmrServerless
