"""Runs inside the Python of the installed package device-detector. Writes files for tests/interop/with_device_detector.py:
agents.tsv (a user agent, a tab and its client hints where it has some), expected.jsonl (what the package's own
fixtures, those of the original, want of it) and reference.jsonl (what the package itself finds).

Every fixture is written; the package is asked about so many of them only, and about so many of the lists of
uap-core: it takes 20 ms each.

usage: device_reference.py OUT FIXTURE-SAMPLE UAP-FOLDER UAP-SAMPLE"""
import json
import os
import pathlib
import random
import re
import sys

import device_detector
import yaml_rs
from device_detector import DeviceDetector

FIXTURES = pathlib.Path(device_detector.__file__).parent / "tests" / "fixtures" / "upstream"
UAP_FILES = ("tests/test_ua.yaml", "tests/test_os.yaml", "tests/test_device.yaml",
             "test_resources/firefox_user_agent_strings.yaml", "test_resources/pgts_browser_list.yaml",
             "test_resources/opera_mini_user_agent_strings.yaml", "test_resources/podcasting_user_agent_strings.yaml",
             "test_resources/additional_os_tests.yaml")


def usable(agent):
    return isinstance(agent, str) and agent and not re.search(r"[\t\r\n]", agent) and len(agent) < 2000


def fixtures():
    for path in sorted(FIXTURES.glob("*.yml")):
        for case in yaml_rs.loads(path.read_text(encoding="utf-8")):
            if usable(str(case["user_agent"])):
                yield str(case["user_agent"]), case.get("headers"), case | {"file": path.name}


def uap(folder):
    """The lists are too simple to need a YAML parser: one quoted or plain text behind user_agent_string."""
    seen = set()
    for name in UAP_FILES:
        path = pathlib.Path(folder) / name
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"""\s*-?\s*user_agent_string:\s*(.*?)\s*$""", line)
            agent = found.group(1) if found else ""
            if agent[:1] in "'\"" and agent[-1:] == agent[:1] and len(agent) > 1:
                agent = agent[1:-1].replace("''", "'") if agent[0] == "'" else agent[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            if usable(agent) and agent not in seen:
                seen.add(agent)
                yield agent, None, None


def looked_up(agent, headers):
    found = DeviceDetector(agent, headers=headers or {}, check_cache=False).parse()
    if found.is_bot():
        return {"bot": found.all_details["bot"]}
    details = found.all_details
    return {"os": details.get("os", {}), "client": details.get("client", {}), "browser_family": details.get("client", {}).get("family"),
            "device": {"type": found.device_type(), "brand": found.device_brand(), "model": found.device_model()}}


def main():
    out, sample, folder = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    cases = list(fixtures())
    random.Random(5).shuffle(cases)
    lists = list(uap(folder)) if os.path.isdir(folder) else []
    random.Random(5).shuffle(lists)
    cases += lists[:int(sys.argv[4])]
    asked = 0
    with open(out / "agents.tsv", "w") as agents, open(out / "expected.jsonl", "w") as expected, open(out / "reference.jsonl", "w") as reference:
        for agent, headers, case in cases:
            agents.write(agent + ("\t" + json.dumps(headers) if headers else "") + "\n")
            expected.write(json.dumps(case) + "\n")
            ask = case is None or asked < sample
            asked += case is not None
            reference.write(json.dumps(looked_up(agent, headers) if ask else None, default=str) + "\n")


if __name__ == "__main__":
    main()
