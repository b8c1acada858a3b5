"""Jars from Maven Central, with all that they need, fetched once by Maven into ${XDG_CACHE_HOME:-~/.cache}/streamsteam/interop.
Needs mvn and java (packaging/setup.sh interop)."""
import os
import pathlib
import shutil
import subprocess
import tempfile

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>streamsteam</groupId><artifactId>interop</artifactId><version>1</version>
<dependencies><dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency></dependencies>
</project>
"""
FETCH_TIMEOUT_S = 600


def jars(t, group, artifact, version):
    """The folder with the jars; skips the test where they cannot be had."""
    for program in ("java", "mvn"):
        t.need(program)
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "streamsteam" / "interop"
    folder = base / f"{artifact}-{version}"
    if folder.is_dir():
        return folder
    base.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=base))
    t.defer(shutil.rmtree, work, True)
    (work / "pom.xml").write_text(POM % (group, artifact, version))
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={work / 'lib'}"]
    try:
        result = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        t.skip(f"Maven did not fetch {artifact} within {FETCH_TIMEOUT_S} s")
    if result.returncode != 0:
        t.skip(f"Maven cannot fetch {artifact}: {result.stdout.strip().splitlines()[-1:]}")
    (work / "lib").rename(folder)
    return folder
