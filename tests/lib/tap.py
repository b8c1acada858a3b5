"""Tests as functions, results as TAP. One function = one promise.

    @test("a hit is answered with the GIF")
    def _(t): ...

t.tmp is a fresh directory, t.server(...) a server that is ended afterwards, t.skip(why) gives up politely."""
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import traceback

TESTS = []
TEST_TIMEOUT_S = 180


class Skip(Exception):
    pass


class Overdue(BaseException):
    """Not an Exception, so that no retry loop in a test swallows it."""


class Context:
    def __init__(self, name):
        self.name = name
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="streamsteam-test-"))
        os.chmod(self.tmp, 0o755)
        self.cleanups = []
        self.servers = []

    def skip(self, why):
        raise Skip(why)

    def need(self, program):
        path = shutil.which(program)
        if not path:
            raise Skip(f"{program} is not installed")
        return path

    def defer(self, function, *args):
        self.cleanups.append((function, args))

    def server(self, **options):
        from tests.lib.server import Server
        start = options.pop("start", True)
        name = f"server{len(self.servers)}" if self.servers else "server"
        server = Server(self.tmp / name, **options)
        self.servers.append(server)
        self.defer(server.destroy)
        if start:
            server.start()
        return server

    def close(self):
        for function, args in reversed(self.cleanups):
            try:
                function(*args)
            except Exception:  # the other cleanups must still run
                traceback.print_exc(file=sys.stdout)
        shutil.rmtree(self.tmp, ignore_errors=True)


def test(name, timeout_s=TEST_TIMEOUT_S):
    def add(function):
        TESTS.append((name, function, timeout_s))
        return function
    return add


def overdue(signum, frame):
    raise Overdue("the test did not end in its time")


def indent(text):
    for line in text.rstrip().splitlines():
        print("# " + line)


def run_one(number, name, function, timeout_s):
    context = Context(name)
    try:
        signal.signal(signal.SIGALRM, overdue)
        signal.alarm(timeout_s * (4 if "san" in os.environ.get("STREAMSTEAM_BUILD", "") else 1))
        function(context)
        signal.alarm(0)
        print(f"ok {number} - {name}")
        return "ok"
    except Skip as why:
        signal.alarm(0)
        print(f"ok {number} - {name} # SKIP {why}")
        return "skipped"
    except (Exception, Overdue):
        signal.alarm(0)
        indent(traceback.format_exc())
        for server in context.servers:
            indent(server.log_tail())
        print(f"not ok {number} - {name}")
        return "failed"
    finally:
        signal.alarm(0)
        context.close()
        sys.stdout.flush()


def main():
    wanted = sys.argv[1:]
    chosen = [(n, f, s) for n, f, s in TESTS if not wanted or any(w in n for w in wanted)]
    print(f"1..{len(chosen)}")
    failures = 0
    for number, (name, function, timeout_s) in enumerate(chosen, 1):
        failures += run_one(number, name, function, timeout_s) == "failed"
    return 1 if failures else 0


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what + ': ' if what else ''}got {got!r}, want {want!r}")
