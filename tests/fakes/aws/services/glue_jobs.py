"""AWS Glue: runs of jobs, beside its catalog where the fake has that. StartJobRun has no token; a job has so many runs at a time."""
from tests.fakes.aws.core import Failure, Service

try:
    from tests.fakes.aws.services.glue import SERVICE as Catalog
except ImportError:
    Catalog = Service

PAGE = 2  # small, so that look-ups meet pages
GOING = ("STARTING", "RUNNING", "STOPPING", "WAITING")


class GlueJobs(Catalog):
    name, target = "glue", "AWSGlue"
    throttle = ("ThrottlingException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.jobs = {}

    # ---- for tests, without a request ----

    def make_job(self, job, concurrent=10):
        with self.lock:
            self.jobs[job] = {"concurrent": concurrent, "runs": []}

    def job_runs(self, job):
        with self.lock:
            return [dict(run) for run in self.jobs[job]["runs"]]

    def end_run(self, job, name, state, message=""):
        with self.lock:
            for run in self.jobs[job]["runs"]:
                if run["Arguments"].get("--streamsteam_run") == name:
                    run["JobRunState"], run["ErrorMessage"] = state, message

    # ---- operations ----

    def job(self, arguments):
        if arguments.get("JobName") not in self.jobs:
            raise Failure("EntityNotFoundException", f"Failed to start job run due to missing metadata: {arguments.get('JobName')}")
        return self.jobs[arguments["JobName"]]

    def StartJobRun(self, arguments):
        job = self.job(arguments)
        if set(arguments) - {"JobName", "Arguments", "Timeout", "JobRunQueuingEnabled"} or not all(k.startswith("--") for k in arguments["Arguments"]):
            raise Failure("InvalidInputException", f"unknown members in {arguments}")
        if sum(run["JobRunState"] in GOING for run in job["runs"]) >= job["concurrent"]:
            raise Failure("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {arguments['JobName']}")
        run = {"Id": f"jr_{len(job['runs']):064x}", "JobName": arguments["JobName"], "Arguments": arguments["Arguments"], "JobRunState": "RUNNING",
               "ErrorMessage": "", "Timeout": arguments.get("Timeout")}
        job["runs"].append(run)
        return {"JobRunId": run["Id"]}

    def GetJobRuns(self, arguments):
        runs, start = self.job(arguments)["runs"][::-1], int(arguments.get("NextToken") or 0)
        answer = {"JobRuns": runs[start:start + PAGE]}
        if start + PAGE < len(runs):
            answer["NextToken"] = str(start + PAGE)
        return answer

    def GetJobRun(self, arguments):
        for run in self.job(arguments)["runs"]:
            if run["Id"] == arguments["RunId"]:
                return {"JobRun": run}
        raise Failure("EntityNotFoundException", "no such run")

    def BatchStopJobRun(self, arguments):
        for run in self.job(arguments)["runs"]:
            if run["Id"] in arguments["JobRunIds"]:
                run["JobRunState"] = "STOPPED"
        return {"SuccessfulSubmissions": [], "Errors": []}

    def state(self):
        return {**super().state(), "jobs": {name: [r["Arguments"] for r in job["runs"]] for name, job in self.jobs.items()}}


SERVICE = GlueJobs
