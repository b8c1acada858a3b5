"""Matomo's own log importer, unchanged. No package registry carries it: STREAMSTEAM_IMPORT_LOGS names the script."""
import os
import subprocess
import sys

from tests.lib import lake
from tests.lib.tap import check, equal, test

LINES, VISITORS = 30, 3
CONFIG = {"receivers": {"matomo": {"tokens": [{"secret": "s3cret", "role": "superuser"}],
                                   "sites": {"1": {"hosts": ["example.org"]}, "2": {"hosts": ["https://two.example"]}}}}}


def line(host, client, second, path):
    return (f'{host} 10.0.0.{client} - - [10/Feb/2012:16:{second:02d}:46 -0500] "GET {path} HTTP/1.1" 200 {second + 100} "http://ref.example/"'
            ' "Mozilla/5.0 (X11; Linux x86_64) Firefox/90.0"\n')


def run(t, server, log, *options):
    script = os.environ.get("STREAMSTEAM_IMPORT_LOGS")
    if not script:
        t.skip("STREAMSTEAM_IMPORT_LOGS does not name import_logs.py")
    command = [sys.executable, script, f"--url=http://127.0.0.1:{server.port}", "--retry-max-attempts=1", *options, str(log)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@test("import_logs.py: by host, by website, and what it cannot have")
def _(t):
    server = t.server(config=CONFIG)
    log = t.tmp / "access.log"
    log.write_text("".join(line("example.org", i % VISITORS, i, f"/page/{i}") for i in range(LINES))
                   + line("two.example", 9, 0, "/other") + line("nowhere.example", 9, 0, "/"))
    result = run(t, server, log, "--token-auth=s3cret", "--log-format-name=common_complete")
    equal(result.returncode, 0, result.stdout + result.stderr)
    for said in ("imported to 2 sites", "1 distinct hostnames did not match any existing site"):
        check(said in result.stdout, result.stdout)
    plain = t.tmp / "plain.log"
    plain.write_text(line("x", 7, 50, "/plain").split(" ", 1)[1])
    result = run(t, server, plain, "--token-auth=s3cret", "--idsite=2")
    equal(result.returncode, 0, result.stdout + result.stderr)
    for options, said in ((["--token-auth=s3cret", "--idsite=7"], "website id was set to '7'"),
                          (["--token-auth=wrong", "--idsite=1"], "token_auth is missing"),
                          (["--login=a", "--password=b", "--idsite=1"], "use --token-auth")):
        result = run(t, server, plain, *options)
        check(result.returncode != 0 and said in result.stderr, result.stdout + result.stderr)
    server.stop()
    events = list(lake.lines(server.lake))
    equal(len(events), LINES + 2)
    equal(len({e["visit_id"] for e in events if e["site_id"] == "1"}), VISITORS)
    equal(sum(e["is_new_visit"] for e in events), VISITORS + 2)
    equal([e["page_view_url"] for e in events if e["site_id"] == "2"], ["http://two.example/other", "https://two.example/plain"])
