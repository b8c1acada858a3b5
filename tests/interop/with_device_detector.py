"""The device enricher against PyPI's device-detector, with the regex files of that package: what the package's
fixtures (those of the original) expect, and what the package itself finds, there and on the lists of uap-core.

Every difference is written to build/device-differences.txt, with who stands alone: us, or the Python port."""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys

from tests.interop.peers import pip_packages
from tests.lib.tap import check, test

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE, VERSION = "device-detector", "6.5.1"
UAP = "/usr/share/uap-core"
SAMPLE, UAP_SAMPLE = 1000, 1000  # that the package is asked about as well; it takes 20 ms each
AT_LEAST = 10000
AGREEMENT = 0.995


def installed(t):
    return pip_packages(t, f"{PACKAGE}-{VERSION}", f"{PACKAGE}=={VERSION}")


def regexes(t, package):
    folder = t.tmp / "regexes"
    shutil.copytree(package / "regexes" / "upstream", folder)
    names = subprocess.run([sys.executable, str(ROOT / "packaging" / "device_data.py"), "--names", str(package)], capture_output=True, text=True)
    check(names.returncode == 0, names.stderr)
    (folder / "names.yml").write_text(names.stdout, encoding="utf-8")
    return folder


def text(value):
    return "" if value in (None, "None", "Unknown", [], {}) else str(value)


def flat(found):
    """The fields that are compared, from the shape that fixtures and package share. Only what is there counts."""
    if found.get("bot"):
        bot = found["bot"]
        producer = bot.get("producer") or {}
        return {"bot_name": text(bot.get("name")), "bot_category": text(bot.get("category")), "bot_url": text(bot.get("url")),
                "bot_producer": text(producer.get("name")), "bot_producer_url": text(producer.get("url"))}
    system, client, device = found.get("os") or {}, found.get("client") or {}, found.get("device") or {}
    fields = {"bot_name": "", "os_name": text(system.get("name")), "os_version": text(system.get("version")),
              "os_platform": text(system.get("platform")), "client_type": text(client.get("type")), "client_name": text(client.get("name")),
              "client_version": text(client.get("version")), "engine": text(client.get("engine")),
              "engine_version": text(client.get("engine_version")), "type": text(device.get("type")), "brand": text(device.get("brand")),
              "model": text(device.get("model"))}
    if found.get("os_family"):
        fields["os_family"] = text(found["os_family"])
    if found.get("browser_family") and "os_family" in found:
        fields["browser_family"] = text(found["browser_family"])
    return fields


def differences(ours, wanted):
    return {name: (value, ours[name]) for name, value in wanted.items() if ours[name] != value}


class Comparison:
    def __init__(self):
        self.count = self.wrong = 0
        self.fields = collections.Counter()

    def add(self, found):
        self.count += 1
        self.wrong += bool(found)
        self.fields.update(found.keys())

    def __str__(self):
        share = 100 * (1 - self.wrong / max(self.count, 1))
        fields = ", ".join(f"{name} {n}" for name, n in self.fields.most_common())
        return f"{self.count} user agents, {share:.3f} % agree in every field{'; differ: ' + fields if fields else ''}"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@test("device: at least 99.5 % of the reference's user agents agree in every field", timeout_s=900)
def _(t):
    tool = pathlib.Path(os.environ["STREAMSTEAM_BUILD"]) / "tests" / "device_lines"
    check(tool.exists(), f"make {tool} first")
    site = installed(t)
    run = subprocess.run([sys.executable, str(HERE / "device_reference.py"), str(t.tmp), str(SAMPLE), UAP, str(UAP_SAMPLE)], capture_output=True, text=True,
                         env=dict(os.environ, PYTHONPATH=str(site)))
    check(run.returncode == 0, run.stderr[-2000:])
    with open(t.tmp / "agents.tsv", "rb") as agents:
        ours = subprocess.run([str(tool), str(regexes(t, site / "device_detector"))], stdin=agents, capture_output=True)
    check(ours.returncode == 0, ours.stderr.decode())
    ours = [json.loads(line) for line in ours.stdout.splitlines()]
    agents, expected, reference = (t.tmp / "agents.tsv").read_text().splitlines(), lines(t.tmp / "expected.jsonl"), lines(t.tmp / "reference.jsonl")
    check(len(ours) == len(agents) == len(expected), (len(ours), len(agents), len(expected)))
    fixtures, port, port_alone, lists, lists_aside = (Comparison() for _ in range(5))
    out = pathlib.Path(os.environ["STREAMSTEAM_BUILD"]) / "device-differences.txt"
    with open(out, "w") as listing:
        for agent, mine, want, theirs in zip(agents, ours, expected, reference):
            differs = differences(mine, flat(want)) if want else {}
            from_port = differences(mine, flat(theirs)) if theirs else {}
            if want:
                fixtures.add(differs)
            if theirs:
                (port if want else lists).add(from_port)
                if want:
                    port_alone.add({} if differs else from_port)
                else:
                    lists_aside.add({name: pair for name, pair in from_port.items() if not name.startswith("engine")})
            if differs or from_port:
                who = "we differ from the fixture" if differs else "the port differs from the fixture" if want else "we differ from the port"
                listing.write(f"{who}: {differs or from_port}\n    {agent}\n")
    print(f"# against the fixtures: {fixtures}")
    print(f"# against the package on {port.count} of them: {port}")
    print(f"# of those differences, where we are as the fixture says: {port_alone.wrong}")
    print(f"# against the package on uap-core's lists: {lists}")
    print(f"# the same without engines, which the package takes from its files by a rule of its own: {lists_aside}")
    print(f"# listed in {out}")
    check(fixtures.count >= AT_LEAST, f"only {fixtures.count} user agents")
    check(1 - fixtures.wrong / fixtures.count >= AGREEMENT, str(fixtures))
