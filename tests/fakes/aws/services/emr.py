"""Amazon EMR: steps of clusters. AddJobFlowSteps has no token: who sends it twice has two steps."""
from tests.fakes.aws.core import Failure, Service

STEPS_MAX = 256
PAGE = 50
ARGS_BYTES_MAX = 10240


class Emr(Service):
    name, target = "elasticmapreduce", "ElasticMapReduce"
    throttle = ("ThrottlingException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.clusters = {}

    # ---- for tests, without a request ----

    def make(self, cluster):
        with self.lock:
            self.clusters[cluster] = []

    def steps(self, cluster):
        with self.lock:
            return [dict(step) for step in self.clusters[cluster]]

    def end(self, cluster, name, state, message=""):
        with self.lock:
            for step in self.clusters[cluster]:
                if step["Name"] == name:
                    step["State"], step["Message"] = state, message

    # ---- operations ----

    def steps_of(self, arguments, key="ClusterId"):
        if arguments.get(key) not in self.clusters:
            raise Failure("InvalidRequestException", f"Cluster id '{arguments.get(key)}' is not valid.")
        return self.clusters[arguments[key]]

    def AddJobFlowSteps(self, arguments):
        steps = self.steps_of(arguments, "JobFlowId")
        ids = []
        for step in arguments["Steps"]:
            jar = step["HadoopJarStep"]
            if set(step) - {"Name", "ActionOnFailure", "HadoopJarStep"} or not step["Name"] or not jar["Jar"]:
                raise Failure("ValidationException", f"unknown members in {step}")
            if sum(len(a) + 1 for a in jar["Args"]) > ARGS_BYTES_MAX or len(steps) >= STEPS_MAX:
                raise Failure("ValidationException", "Size of an individual step exceeded the maximum limit")
            ids.append(f"s-{len(steps):013d}")
            steps.append({"Id": ids[-1], "Name": step["Name"], "Jar": jar["Jar"], "Args": jar["Args"], "State": "PENDING", "Message": ""})
        return {"StepIds": ids}

    def shown(self, step):
        status = {"State": step["State"], "StateChangeReason": {}, "Timeline": {"CreationDateTime": self.fake.now()}}
        if step["Message"]:
            status["FailureDetails"] = {"Reason": "Unknown Error.", "Message": step["Message"]}
        return {"Id": step["Id"], "Name": step["Name"], "Config": {"Jar": step["Jar"], "Args": step["Args"], "Properties": {}}, "Status": status}

    def ListSteps(self, arguments):
        steps = self.steps_of(arguments)[::-1]
        start = int(arguments.get("Marker") or 0)
        answer = {"Steps": [self.shown(s) for s in steps[start:start + PAGE]]}
        if start + PAGE < len(steps):
            answer["Marker"] = str(start + PAGE)
        return answer

    def DescribeStep(self, arguments):
        for step in self.steps_of(arguments):
            if step["Id"] == arguments["StepId"]:
                return {"Step": self.shown(step)}
        raise Failure("InvalidRequestException", f"Step id '{arguments['StepId']}' is not valid.")

    def CancelSteps(self, arguments):
        for step in self.steps_of(arguments):
            if step["Id"] in arguments["StepIds"] and step["State"] in ("PENDING", "RUNNING"):
                step["State"] = "CANCELLED"
        return {"CancelStepsInfoList": [{"StepId": i, "Status": "SUBMITTED"} for i in arguments["StepIds"]]}

    def state(self):
        return {cluster: [s["Name"] for s in steps] for cluster, steps in self.clusters.items()}


SERVICE = Emr
