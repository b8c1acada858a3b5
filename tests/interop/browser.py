"""Headless Chromium, the origin that its pages come from, and what it says on the wire to another."""
import http.server
import json
import os
import shutil
import socket
import threading
import urllib.parse

from tests.interop.peers import HERE, PEER_TIMEOUT_S, Peer, npm_package
from tests.lib.wait import until

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Pages:
    """An origin of its own: files by path; a module's name may lack its .js, as bundlers have it."""

    def __init__(self, t, files, folders=None):
        self.files, self.folders = files, folders or {}
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = pages.find(urllib.parse.urlsplit(self.path).path)
                body = path.read_bytes() if path else b"not here\n"
                self.send_response(200 if path else 404)
                self.send_header("Content-Type", TYPES.get(path.suffix, "text/plain") if path else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        t.defer(self.server.server_close)
        t.defer(self.server.shutdown)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def find(self, path):
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                inside = folder / path[len(prefix):]
                inside = inside if inside.suffix else inside.with_suffix(".js")
                return inside if inside.is_file() and folder in inside.resolve().parents else None
        return self.files.get(path)


class Wire:
    """A relay in front of the server that keeps what was sent to it, byte for byte."""

    def __init__(self, t, port):
        self.port_behind, self.streams = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        t.defer(self.listener.close)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port_behind))
            kept = bytearray()
            self.streams.append(kept)
            threading.Thread(target=self.relay, args=(client, server, kept), daemon=True).start()
            threading.Thread(target=self.relay, args=(server, client, None), daemon=True).start()

    @staticmethod
    def relay(source, target, kept):
        try:
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def requests(self):
        """[(method, path, query, headers in lower case, body)] of every connection."""
        found = []
        for stream in self.streams:
            rest = bytes(stream)
            while b"\r\n\r\n" in rest:
                head, rest = rest.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
                length = int(headers.get("content-length", 0))
                path, _, query = target.partition("?")
                found.append((method, path, query, headers, rest[:length].decode()))
                rest = rest[length:]
        return found


def names(query):
    """The names of a query, in order."""
    return [part.partition("=")[0] for part in query.split("&") if part]


class Chromium:
    """One page in a browser of its own, whose state is all below the test's folder."""

    def __init__(self, t, url):
        modules = npm_package(t, "playwright-core", "1.65.1")
        home = t.tmp / "home"
        home.mkdir()
        env = {**os.environ, "NODE_PATH": str(modules), "HOME": str(home), "TMPDIR": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
        self.driver = Peer(t, "browser", ["node", HERE / "drive.js", chromium(t), home / "profile", url], env)

    def lines(self):
        return [json.loads(line) for line in self.driver.output().split("\n")[:-1] if line.startswith("{")]

    def said(self, key, timeout_s=PEER_TIMEOUT_S):
        """The first line that has the key; an error ends the waiting."""
        def look():
            for line in self.lines():
                if "error" in line:
                    raise AssertionError(f"the page or its browser: {line['error']}")
                if key in line:
                    return line
            if self.driver.process.poll() is not None:
                raise AssertionError(f"the browser's driver ended early: {self.driver.output()}")
        return until(look, timeout_s, f"{key} from the browser", 0.05)[key]

    def close(self):
        code = self.driver.wait()
        if code:
            raise AssertionError(f"the browser's driver ended with {code}: {self.driver.output()}")


def chromium(t):
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    t.skip("chromium is not installed")
