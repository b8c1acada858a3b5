"""A real broker of Apache Kafka (one node, KRaft), from Maven Central, run by Debian's Java."""
import base64
import contextlib
import os
import signal
import socket
import subprocess
import uuid

from tests.lib import maven
from tests.lib.ports import free_port
from tests.lib.wait import until

ARTIFACT, VERSION = "kafka_2.13", "3.9.1"
START_TIMEOUT_S = 90
HEAP = "-Xmx512m"


class Broker:
    """t.defer ends it. brokers: "127.0.0.1:PORT". Topics are made when they are first used, with `partitions`."""

    def __init__(self, t, partitions=3, **properties):
        """listeners.extra: one more listener; its security protocol is in listener.security.protocol.map."""
        extra = properties.pop("listeners.extra", None)
        self.classpath = str(maven.jars(t, "org.apache.kafka", ARTIFACT, VERSION)) + "/*"
        self.folder = t.tmp / "kafka"
        self.folder.mkdir()
        self.port, controller = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.process = None
        settings = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.brokers}", "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data", "num.partitions": partitions, "auto.create.topics.enable": "true",
            "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1, "group.initial.rebalance.delay.ms": 0,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1, "group.min.session.timeout.ms": 1000,
            **properties}
        if extra:
            settings["listeners"] += f",{extra}"
            settings["advertised.listeners"] += f",{extra}"
        self.file = self.folder / "server.properties"
        self.file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        t.defer(self.kill)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22].replace("-", "A")  # one that begins with - is an option for the tool
        subprocess.run(["java", HEAP, "-cp", self.classpath, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self.file)],
                       check=True, capture_output=True, timeout=START_TIMEOUT_S)
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["java", HEAP, "-cp", self.classpath, "kafka.Kafka", str(self.file)], stdout=log, stderr=log,
                                            cwd=self.folder, env={**os.environ, "LOG_DIR": str(self.folder)})

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"the broker ended with {self.process.returncode}: {(self.folder / 'log').read_text()[-2000:]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False
        until(answers, START_TIMEOUT_S, "a broker that listens", 0.2)

    def run_tool(self, name, *words):
        """One of Kafka's own programs, by its class."""
        subprocess.run(["java", HEAP, "-cp", self.classpath, name, *map(str, words)], check=True, capture_output=True, timeout=START_TIMEOUT_S, cwd=self.folder)

    def kill(self):
        """SIGKILL."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def restart(self):
        self.kill()
        self.start()
