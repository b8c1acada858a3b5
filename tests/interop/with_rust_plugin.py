"""The Rust plugin of docs/rust-plugin.md, compiled as it stands and loaded into the real server."""
import json
import pathlib
import re
import subprocess

from tests.lib import lake
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "rust-plugin.md"


@test("a plugin in Rust, without bindgen: its events are stored, what it refuses is not")
def _(t):
    t.need("rustc")
    source, plugin = t.tmp / "ferris.rs", t.tmp / "receiver-ferris.so"
    page = PAGE.read_text()
    source.write_text(re.search(r"^```rust\n(.*?)^```$", page, re.M | re.S).group(1))
    command = re.search(r"^rustc .*$", page, re.M).group(0).split()
    result = subprocess.run(command, cwd=t.tmp, capture_output=True, text=True, timeout=300)
    equal((result.returncode, "warning" in result.stderr), (0, False), result.stderr)
    exported = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout
    equal([line.split()[-1] for line in exported.splitlines()], ["ss_plugin_v0"])
    config = {"server": {"plugin_dirs": [str(t.tmp), str(build_dir() / "plugins")]}, "receivers": {"ferris": {}, "matomo": None}}
    server = t.server(config=config)
    answer = server.post("/ferris", "grüße".encode())
    equal((answer.status, answer.body), (200, b"stored\n"))
    equal(server.post("/ferris", b"\xff\xfe").status, 400)
    equal(server.post("/ferris", b"").status, 200)
    until(lambda: len(lake.lines(server.lake)) == 2, 30, "two events in the lake")
    equal([event["text"] for event in lake.lines(server.lake)], ["GRÜSSE", ""])
    check("ferris is here" in json.dumps(list(server.log_lines())), "its log line")
    server.reload()
    equal(server.stop(), 0)
    server.verify()
