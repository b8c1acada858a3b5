"""Where machines get their keys: the metadata service of instances (IMDSv2 only) and the one of containers."""
import datetime
import json

ROLE = "fake-role"


def lent(fake):
    """New keys as both services write them."""
    access, secret, token, ends = fake.lend()
    expires = datetime.datetime.fromtimestamp(ends, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"Code": "Success", "AccessKeyId": access, "SecretAccessKey": secret, "Token": token, "Expiration": expires}


def answer(fake, request):
    """(status, headers, body), or None: the request is for somebody else."""
    plain = {"Content-Type": "text/plain"}
    if request.path == "/latest/api/token":
        if request.method != "PUT" or not request.header("x-aws-ec2-metadata-token-ttl-seconds"):
            return 400, plain, b""
        return 200, plain, fake.instance_token.encode()
    if request.path.startswith("/latest/meta-data/iam/security-credentials/"):
        if request.header("x-aws-ec2-metadata-token") != fake.instance_token:
            return 401, plain, b""
        fake.asked.append("instance")
        name = request.path.rpartition("/")[2]
        return (200, plain, ROLE.encode()) if not name else (200, plain, json.dumps(lent(fake)).encode())
    if request.path == "/container":
        fake.asked.append(f"container {request.header('authorization')}")
        if request.header("authorization") != fake.container_token:
            return 401, plain, b"{}"
        return 200, {"Content-Type": "application/json"}, json.dumps(lent(fake)).encode()
    return None
