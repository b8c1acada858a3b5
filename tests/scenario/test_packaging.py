#!/usr/bin/env python3
"""The systemd unit and the container file: right by systemd's own checker, closed, and open enough for what the server does."""
import ctypes
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import http, lake, regexes
from tests.lib.server import build_dir, sanitized
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EXPOSURE_MAX = 1.5  # of 10, as `systemd-analyze security` counts


def unit(t, prefix):
    """The unit as `make install` writes it, below a prefix with the binary and the default configuration."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "etc" / "streamsteam").mkdir(parents=True)
    (prefix / "bin" / "streamsteam").symlink_to(build_dir() / "bin" / "streamsteam")
    (prefix / "etc" / "streamsteam" / "streamsteam.yaml").write_text((ROOT / "config" / "streamsteam.yaml").read_text())
    path = t.tmp / "streamsteam.service"
    path.write_text((ROOT / "packaging" / "systemd" / "streamsteam.service.in").read_text().replace("@PREFIX@", str(prefix)))
    return path


@test("the systemd unit is right, and closed")
def _(t):
    t.need("systemd-analyze")
    path = unit(t, t.tmp / "prefix")
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
    about = [line for line in said.stderr.splitlines() if "streamsteam" in line]
    equal((said.returncode, about), (0, []), said.stderr)
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", path], capture_output=True, text=True, timeout=60)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    check(exposure and float(exposure.group(1)) <= EXPOSURE_MAX, said.stdout + said.stderr)


def members(group, seen):
    """The system calls of one of systemd's groups, groups within it opened."""
    if group in seen:
        return set()
    seen.add(group)
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, timeout=60, check=True).stdout
    found = set()
    for line in said.splitlines()[1:]:
        word = line.split("#")[0].strip()
        if word:
            found |= members(word, seen) if word.startswith("@") else {word}
    return found


def traced(t):
    """Every system call of a server's life, with its arguments: start, events, reload, a killed module, stop."""
    trace = t.tmp / "trace"
    server = t.server(start=False, config={"receivers": {"matomo": {"enrich": ["privacy"]}}, "enrichers": {"privacy": {}}},
                      modules={"lake": {"path": "lake", "roll": {"age": "100ms"}}})
    binary = server.binary
    wrapper = t.tmp / "traced"
    wrapper.write_text(f"#!/bin/sh\nexec strace -f -qq -o {trace} {binary} \"$@\"\n")
    wrapper.chmod(0o755)
    process = subprocess.Popen([wrapper, "serve", "-c", server.file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=open(server.log_path, "ab"), env=server.environment())
    t.defer(process.kill)

    def ready():
        server.ports = server.read_ports()
        return "public" in server.ports and server.get("/readyz").status == 200
    until(ready, 60, "the traced server")
    for i in range(5):
        server.hit(f"a{i}")
    server.post("/matomo.php", '{"requests":["?idsite=1&rec=1&url=http%3A%2F%2Fh%2F"]}')
    until(lambda: list(server.lake.rglob("*.ndjson.gz")), 30, "a file in the lake")
    server.verb("reload", check=True)
    pid = server.status()["pid"]
    subprocess.run(["kill", "-TERM", str(pid)], check=True)
    process.wait(60)
    return trace.read_text(errors="replace").splitlines()


@test("the unit lets everything through that the server does")
def _(t):
    t.need("systemd-analyze")
    t.need("strace")
    if sanitized():
        t.skip("a sanitizer's runtime has system calls of its own")
    text = (ROOT / "packaging" / "systemd" / "streamsteam.service.in").read_text()
    allowed = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", text, re.M):
        names = set()
        for group in words.lstrip("~").split():
            names |= members(group, set()) if group.startswith("@") else {group}
        allowed = allowed - names if words.startswith("~") else allowed | names
    lines = traced(t)
    calls = {found.group(1) for line in lines if (found := re.match(r"\d+ +([a-z_0-9]+)\(", line))}
    check({"execveat", "memfd_create", "fdatasync", "epoll_wait"} <= calls, sorted(calls))  # it was traced, children too
    equal(sorted(calls - allowed), [])
    families = {found.group(1) for line in lines if (found := re.search(r"\bsocket\((\w+)", line))}
    named = set(re.search(r"^RestrictAddressFamilies=(.*)$", text, re.M).group(1).split())
    equal(sorted(families - named), [])


PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


@test("memory that is never written and run: expressions are interpreted then, everything works")
def _(t):
    def deny():
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
            os._exit(77)
    if sanitized():
        t.skip("a sanitizer's runtime may need such memory")
    tried = subprocess.run(["true"], preexec_fn=deny)
    if tried.returncode == 77:
        t.skip("the kernel has no PR_SET_MDWE")
    server = t.server(start=False, config={"receivers": {"matomo": {"enrich": ["device"], "sites": {1: {"excluded_ips": ["203.0.113.0/24"]}}}},
                                           "enrichers": {"device": {"regexes": str(regexes.regexes(t))}}})
    process = subprocess.Popen([server.binary, "serve", "-c", server.file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=open(server.log_path, "ab"), env=server.environment(), preexec_fn=deny)
    t.defer(process.kill)
    server.process = process
    server.wait_ready()
    for i in range(300):  # enough for expressions to be worth compiling
        server.get(http.hit(f"a{i}"), [("User-Agent", f"Mozilla/5.0 (Linux; Android 1{i % 5}; GM-X{i % 9}) Chrome/{i}.0")])
    equal(server.stop(), 0)
    lines = lake.lines(server.lake)
    equal(len(lines), 300)
    equal({(line["device_info"]["os"]["family"], line["device_info"]["browser"]["name"]) for line in lines}, {("Android", "Chrome")})


@test("the container file installs what binary and plugins load")
def _(t):
    t.need("dpkg")
    text = (ROOT / "packaging" / "container" / "Containerfile").read_text()
    installed = set(re.findall(r"\blib[a-z0-9.+-]+\b|zlib1g", text.split("FROM debian:bookworm-slim\n", 1)[1]))
    needed = {}
    for path in [build_dir() / "bin" / "streamsteam", *(build_dir() / "plugins").glob("*.so"), *(build_dir() / "lib").glob("*.so")]:
        said = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"NEEDED +(\S+)", said):
            needed.setdefault(name, path.name)
    for name, by in sorted(needed.items()):
        if re.match(r"lib(asan|ubsan|tsan|clang_rt)", name):
            continue
        said = subprocess.run(["dpkg", "-S", f"*/{name}"], capture_output=True, text=True)
        packages = {line.split(":")[0] for line in said.stdout.splitlines()}
        check(packages & (installed | {"libc6", "libgcc-s1"}), f"{by} loads {name}, of {packages or 'no package'}")


if __name__ == "__main__":
    sys.exit(main())
