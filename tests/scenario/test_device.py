#!/usr/bin/env python3
"""The enricher device in the real server, over a small directory of regex files of its own."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import lake
from tests.lib.regexes import FILES, regexes
from tests.lib.server import wait_until_lake_holds
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"


def configured(folder, **options):
    return {"enrichers": {"device": {"regexes": str(folder), **options}}, "receivers": {"matomo": {"enrich": ["device"]}}}


def stored(server, name):
    return next(e for e in lake.lines(server.lake) if e["event_value_name"] == name)["device_info"]


@test("a telephone, with the model from the headers; a crawler; nothing")
def _(t):
    server = t.server(config=configured(regexes(t)))
    equal(server.get("/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=phone",
                     [("User-Agent", PHONE), ("Sec-CH-UA-Model", '"GM-X7"'), ("Sec-CH-UA", '"Chromium";v="120"')]).status, 200)
    equal(server.get("/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=robot&ua=ExampleBot/1").status, 200)
    wait_until_lake_holds(server, ["phone", "robot"])
    server.stop()
    phone, robot = stored(server, "phone"), stored(server, "robot")
    equal(phone["device"], {"is_mobile_device": True, "type": "smartphone", "brand": "Gamma", "brand_code": "gamma", "name": "X7"})
    equal(phone["os"]["name"], "Android 10")
    equal(phone["browser"]["engine"], "Blink")
    equal(robot["crawler"], {"is_crawler": True, "category": "Search bot", "name": "ExampleBot"})


SETTINGS = """
import os  # is not run
OPERATING_SYSTEMS = {'AND': 'Android', 'UNK': 'Unknown', 'CAI': 'Caixa M\u00e1gica', 'XXX': "L'OS"}
OS_FAMILIES = {'Android': ['AND'], 'GNU/Linux': ['CAI']}
AVAILABLE_BROWSERS = {'CH': 'Chrome', '1': 'Solo'}
BROWSER_FAMILIES = {'Chrome': ['CH']}
MOBILE_ONLY_BROWSERS = {'1'}
exit('nor is this')
"""
NAMES = """# Made by packaging/device_data.py.
operating_systems:
  - {name: 'Android', family: 'Android'}
  - {name: 'Caixa M\u00e1gica', family: 'GNU/Linux'}
  - {name: 'L''OS'}
browsers:
  - {name: 'Chrome', family: 'Chrome'}
  - {name: 'Solo', mobile_only: true}
"""


@test("names.yml is made from a package's tables, which are read and not run")
def _(t):
    (t.tmp / "parser").mkdir()
    (t.tmp / "parser" / "settings.py").write_text(SETTINGS, encoding="utf-8")
    tool = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "device_data.py"
    said = subprocess.run([sys.executable, str(tool), "--names", str(t.tmp)], capture_output=True, text=True, encoding="utf-8")
    equal((said.returncode, said.stdout, said.stderr), (0, NAMES, ""))
    (t.tmp / "parser" / "settings.py").write_text(SETTINGS.replace("OS_FAMILIES", "FAMILIES"), encoding="utf-8")
    said = subprocess.run([sys.executable, str(tool), "--names", str(t.tmp)], capture_output=True, text=True)
    check(said.returncode != 0 and "no OS_FAMILIES" in said.stderr, said.stderr)


@test("a damaged file refuses the start with its name and line; one that is damaged later changes nothing")
def _(t):
    folder = regexes(t)
    server = t.server(config=configured(folder, reload_every="1s"))
    (folder / "oss.yml").write_text("- regex: 'Android('\n")
    until(lambda: "oss.yml:1: " in server.log_text(), 30, "a word about the damaged file")
    equal(server.get("/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=still", [("User-Agent", PHONE)]).status, 200)
    wait_until_lake_holds(server, ["still"])
    equal(stored(server, "still")["os"]["name"], "Android 10")
    said = server.verb("check")
    check(said.returncode != 0 and "oss.yml:1: " in said.stdout + said.stderr, said.stdout + said.stderr)
    (folder / "oss.yml").write_text(FILES["oss.yml"].replace("'Android'", "'Robot OS'"))
    until(lambda: "read again" in server.log_text(), 30, "the new file in use")
    server.get("/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=new", [("User-Agent", PHONE)])
    wait_until_lake_holds(server, ["new"])
    equal(stored(server, "new")["os"]["name"], "Robot OS 10")
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
