"""Jars from Maven Central, with all that they need, fetched once by Maven into ${XDG_CACHE_HOME:-~/.cache}/streamsteam/interop.
Needs mvn and java (packaging/setup.sh interop)."""
import subprocess

from tests.lib import cache

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

    def fill(work):
        (work / "pom.xml").write_text(POM % (group, artifact, version))
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={work / 'lib'}"]
        try:
            result = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            t.skip(f"Maven did not fetch {artifact} within {FETCH_TIMEOUT_S} s")
        if result.returncode != 0:
            t.skip(f"Maven cannot fetch {artifact}: {result.stdout.strip().splitlines()[-1:]}")
        return work / "lib"
    return cache.once(t, f"{artifact}-{version}", fill)
