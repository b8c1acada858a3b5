"""What module spark sends to EMR, EMR Serverless and Glue, judged by botocore's model of each service (PyPI): members, types, lengths,
patterns, choices. Every operation that the module has is sent: start, ask, look up, end."""
import json
import os
import subprocess
import sys

from tests.interop.cloud import python_folder
from tests.lib.tap import equal, test
from tests.lib.wait import until

OPERATIONS = {"emr": {"AddJobFlowSteps", "DescribeStep", "ListSteps", "CancelSteps"}, "emr_serverless": {"StartJobRun", "GetJobRun", "CancelJobRun"},
              "glue": {"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun"}}
MODELS = {"emr": "emr", "emr_serverless": "emr-serverless", "glue": "glue"}

# botocore's validator looks at members and types; what else the model says of a value is looked at here.
JUDGE = r'''
import json, re, sys
import botocore.session
from botocore.validate import ParamValidator
name, requests = json.load(sys.stdin)
model = botocore.session.get_session().get_service_model(name)

def look(shape, value, where):
    about = shape.metadata
    size = len(value) if isinstance(value, (str, list, dict)) else value
    assert size >= about.get("min", size) and size <= about.get("max", size), (where, value, about)
    if shape.type_name == "string":
        assert not about.get("enum") or value in about["enum"], (where, value)
        pattern = about.get("pattern")
        if pattern and "\\uD800" not in pattern:  # Java's surrogates are no Python
            assert re.fullmatch(pattern, value), (where, value, pattern)
    elif shape.type_name == "structure":
        for member, inner in value.items():
            assert member in shape.members, (where, member)
            look(shape.members[member], inner, f"{where}.{member}")
    elif shape.type_name == "list":
        for inner in value:
            look(shape.member, inner, where + "[]")
    elif shape.type_name == "map":
        for key, inner in value.items():
            look(shape.key, key, where + " key")
            look(shape.value, inner, f"{where}.{key}")

for operation, arguments in requests:
    shape = model.operation_model(operation).input_shape
    report = ParamValidator().validate(arguments, shape)
    assert not report.has_errors(), (operation, report.generate_report())
    look(shape, arguments, operation)
print("good")
'''


for TARGET in OPERATIONS:
    @test(f"spark at {TARGET}: botocore's model takes every request: start, ask, look up, end", timeout_s=120)
    def _(t, target=TARGET):
        from tests.fakes.aws import Fake
        from tests.scenario.test_spark_targets import Case, aws_target
        with Fake(seed=3) as fake:
            options, file, names, end, done, _, start = aws_target(target, fake)
            fake.script.add({"op": start, "do": "close", "times": 1, "after": True})  # its answer is lost: it is looked up
            args = ("--list", "{list}", "--batch", "{batch}", "--says", 'a "b" \\ ü')
            c = Case(t, target, file=file, env=fake.env(), args=args, job={"timeout": "3s", "retries": 1}, **options)
            until(lambda: len(names()) == 2, 60, "a second run, the first being ended at its timeout")
            end(names()[1], done)
            c.when("done", 1)
            calls = [(call[2], {k: v for k, v in call[3].items() if v is not None}) for call in fake.calls]
            equal({name for name, _ in calls}, OPERATIONS[target])
        result = subprocess.run([sys.executable, "-c", JUDGE], input=json.dumps([MODELS[target], calls]), capture_output=True, text=True,
                                env=dict(os.environ, PYTHONPATH=str(python_folder(t))), timeout=60)
        equal(result.stdout.strip(), "good", result.stderr[-2000:])
