"""Apache Flink in a process of its own: its jars from PyPI (apache-flink-libraries), the connector for Kafka from Maven Central, run by Debian's Java."""
import os
import pathlib

from tests.interop import peers
from tests.lib import maven
from tests.lib.wait import until

VERSION, CONNECTOR = "1.20.5", "3.4.0-1.20"
START_TIMEOUT_S = 180
RUN_TIMEOUT_S = 240
HEAP = "-Xmx1500m"
JOB = pathlib.Path(__file__).resolve().parents[1] / "interop" / "FlinkJob.java"
# What Flink's own scripts give to a Java of this age.
OPENED = """java.lang java.net java.io java.nio sun.nio.ch java.lang.reflect java.text java.time java.util java.util.concurrent
java.util.concurrent.atomic java.util.concurrent.locks""".split()
LOG4J = """rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %p %c %m%n
"""


def classpath(t):
    """Skips the test where the jars cannot be had."""
    t.need("java")
    flink = peers.pip_packages(t, f"flink-{VERSION}", f"apache-flink-libraries=={VERSION}") / "pyflink"
    kafka = maven.jars(t, "org.apache.flink", "flink-connector-kafka", CONNECTOR)
    if not list(flink.glob(f"lib/flink-dist-{VERSION}.jar")):
        t.skip(f"apache-flink-libraries {VERSION} has no flink-dist")
    return f"{flink}/lib/*:{kafka}/*"


class Job:
    """A file of SQL that runs. t.defer ends it."""

    def __init__(self, t, name, sql):
        folder = t.tmp / name
        (folder / "tmp").mkdir(parents=True)
        (folder / "job.sql").write_text(sql)
        (folder / "log4j.properties").write_text(LOG4J)
        opened = [word for package in OPENED for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")]
        self.peer = peers.Peer(t, name, ["java", HEAP, "-XX:+UseSerialGC", *opened, f"-Dlog4j.configurationFile={folder / 'log4j.properties'}",
                                         f"-Djava.io.tmpdir={folder / 'tmp'}", "-cp", classpath(t), JOB, folder / "job.sql", folder / "tmp"])

    def lines(self):
        return self.peer.output().splitlines()

    def until_runs(self):
        def runs():
            if self.peer.process.poll() is not None:
                raise AssertionError(f"Flink ended with {self.peer.process.returncode}: {self.peer.output()[-3000:]}")
            return "running" in self.lines()
        until(runs, START_TIMEOUT_S, "Flink's job", 0.2)
        return self

    def wait(self):
        """Until a job whose input ends has ended."""
        code = self.peer.wait(RUN_TIMEOUT_S)
        if code != 0 or "done" not in self.lines():
            raise AssertionError(f"Flink ended with {code}: {self.peer.output()[-3000:]}")

    def cpu_s(self):
        return cpu_s(self.peer.process.pid)


def cpu_s(pid):
    """Seconds of processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    """The most memory that it ever had."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
