"""The admin API, called by those who sign for AWS: botocore and boto3 from PyPI with requests, in the header and the presigned
form, and npm's aws4, which is what Postman signs with."""
import json
import os
import pathlib
import subprocess
import sys

from tests.interop.peers import npm_package, pip_packages
from tests.lib.tap import check, equal, test

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE, VERSION, REQUESTS = "boto3", "1.43.11", "2.32.3"
AWS4 = "1.13.2"
APPS = "/live/applications"

# Runs with the package's own folder as PYTHONPATH: what is installed for the tests is not for the server.
CALLS = r'''
import json, sys
import boto3, botocore.auth, botocore.awsrequest, requests
port, access, secret, token = sys.argv[1:5]
session = boto3.Session(access, secret, token or None, region_name="eu-central-1")
base = f"http://127.0.0.1:{port}"
out = []

def call(method, path, body=None, presigned=0, headers=()):
    credentials = session.get_credentials().get_frozen_credentials()
    data = json.dumps(body) if body is not None else None
    headers = dict(headers)
    if data is not None and not presigned:
        headers["Content-Type"] = "application/json"
    request = botocore.awsrequest.AWSRequest(method, base + path, headers=headers, data=data)
    if presigned:
        botocore.auth.SigV4QueryAuth(credentials, "execute-api", session.region_name, expires=presigned).add_auth(request)
    else:
        botocore.auth.SigV4Auth(credentials, "execute-api", session.region_name).add_auth(request)
    sent = request.prepare()
    answer = requests.request(method, sent.url, headers=dict(sent.headers), data=sent.body)
    out.append([answer.status_code, answer.json() if answer.content else None])
    return answer

app = call("POST", "/live/applications", {"Name": "Übermut 🎮", "Description": "d"}).json()["ApplicationId"]
one = f"/live/applications/{app}"
key = call("POST", one + "/authorizations", {"Name": "k"}).json()["ApiKeyId"]
call("PUT", f"{one}/authorizations/{key}", {"Enabled": False})
call("GET", one)
call("GET", one + "/authorizations?b=2&a=x%20y&c=%2F&a=1")
call("GET", "/live/applications/a%20b~c")
call("GET", "/live/applications", headers={"X-Amz-Meta": "two   words", "Accept": "*/*"})
call("GET", "/live/applications", presigned=60)
call("GET", one + "?z=1&a=%C3%BC", presigned=604800)
call("POST", "/live/redshift/setup", presigned=60)  # signed well, and refused: no such module
call("DELETE", f"{one}/authorizations/{key}", presigned=60)
call("HEAD", "/live/applications")
call("DELETE", one)
print(json.dumps(out))
'''
WANTED = [200, 200, 200, 200, 200, 404, 200, 200, 200, 400, 200, 200, 200]


def installed(t):
    return pip_packages(t, f"{PACKAGE}-{VERSION}", f"{PACKAGE}=={VERSION}", f"requests=={REQUESTS}")


def new_server(t, *words):
    server = t.server(config={"server": {"applications": {}}})
    return server, json.loads(server.verb("iam", "create", "--json", *words, check=True).stdout)


def run_calls(t, folder, server, key):
    script = t.tmp / "calls.py"
    script.write_text(CALLS)
    words = [str(server.port), key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken", "")]
    result = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, timeout=120,
                            env={**os.environ, "PYTHONPATH": str(folder)})
    check(result.returncode == 0, result.stderr)
    return json.loads(result.stdout)


@test("botocore and boto3 sign, requests sends: header and presigned forms, lasting and temporary keys")
def _(t):
    folder = installed(t)
    for words in ((), ("--session", "1h")):
        server, key = new_server(t, *words)
        answers = run_calls(t, folder, server, key)
        equal([status for status, _ in answers], WANTED, json.dumps(answers))
        equal(answers[0][1]["ApplicationName"], "Übermut 🎮")
        wrong = {**key, "SecretAccessKey": "x" * 40}
        script = subprocess.run([sys.executable, str(t.tmp / "calls.py"), str(server.port), wrong["AccessKeyId"], wrong["SecretAccessKey"], ""],
                                capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(folder)})
        check("KeyError: 'ApplicationId'" in script.stderr, script.stderr)
        check(server.log_text().count("admin: refused") >= 1, "the reason is in the log")
        server.stop()


@test("npm's aws4 signs, as Postman: with the service named, and with none")
def _(t):
    modules = npm_package(t, "aws4", AWS4)
    server, key = new_server(t)
    calls = [{"method": "POST", "path": APPS, "body": '{"Name":"TestGame"}', "service": "execute-api"},
             {"method": "GET", "path": APPS, "service": "execute-api"},
             {"method": "GET", "path": APPS, "service": ""},
             {"method": "GET", "path": APPS + "?b=2&a=x%20y", "service": "execute-api"},
             {"method": "GET", "path": APPS + "/a%20b", "service": "execute-api"},
             {"method": "GET", "path": APPS, "service": "execute-api", "query": True},
             {"method": "DELETE", "path": APPS + "/d76d064f-ca8b-41ff-839f-4735e9a4b69d", "service": ""},
             {"method": "GET", "path": APPS, "service": "s3"}]
    result = subprocess.run(["node", str(HERE / "aws4.js"), str(server.port), key["AccessKeyId"], key["SecretAccessKey"], json.dumps(calls)],
                            capture_output=True, text=True, timeout=60, env={**os.environ, "NODE_PATH": str(modules)})
    check(result.returncode == 0, result.stderr)
    answers = json.loads(result.stdout)
    equal([a["status"] for a in answers], [200, 200, 200, 200, 404, 200, 200, 400], result.stdout)
