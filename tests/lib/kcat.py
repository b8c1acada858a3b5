"""What is in a topic, as kcat (Debian's) reads it."""
import collections
import json
import subprocess

Message = collections.namedtuple("Message", "partition offset key headers value")


def consume(brokers, topic, *options):
    """All messages that are there now."""
    command = ["kcat", "-b", brokers, "-t", topic, "-C", "-e", "-q", "-J", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if result.returncode != 0 and "Unknown topic" not in result.stderr:
        raise AssertionError(f"{' '.join(command)}: {result.stderr}")
    found = []
    for line in result.stdout.splitlines():
        m = json.loads(line)
        headers = m.get("headers") or []
        found.append(Message(m["partition"], m["offset"], m.get("key"), dict(zip(headers[::2], headers[1::2])), m["payload"]))
    return found
