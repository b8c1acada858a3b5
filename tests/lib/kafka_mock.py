"""A cluster of librdkafka's mock brokers, in a process of its own (tests/fakes/kafka_cluster.c)."""
import contextlib
import subprocess

from tests.lib.server import build_dir
from tests.lib.tap import Skip


class Cluster:
    def __init__(self, brokers=None):
        """brokers: be a client of those instead."""
        if "san-thread" in build_dir().name:
            raise Skip("ThreadSanitizer does not know C11's threads, which librdkafka has: whoever loads it ends with a fault")
        program = build_dir() / "tests" / "kafka_cluster"
        self.process = subprocess.Popen([str(program)] + ([brokers] if brokers else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.brokers = self.process.stdout.readline().split()[1]

    def tell(self, *words):
        """One command; the number of partitions that the other consumer has."""
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise AssertionError(f"kafka_cluster: {words} failed")
        return int(answer[1])

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
