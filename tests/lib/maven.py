"""Jars from Maven Central, with all that they need, fetched once by Maven into ${XDG_CACHE_HOME:-~/.cache}/streamsteam/interop.
Needs mvn and java (packaging/setup.sh interop)."""
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
        cache.fetch(t, artifact, ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={work / 'lib'}"],
                    FETCH_TIMEOUT_S, cwd=work)
        return work / "lib"
    return cache.once(t, f"{artifact}-{version}", fill)
