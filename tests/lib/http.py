"""A raw HTTP/1.1 client: it sends exactly what it is told to, and can be as wrong as a test wants."""
import gzip
import socket
import urllib.parse


class Closed(Exception):
    """The server closed the connection before a whole answer had come."""


class Answer:
    def __init__(self, status, headers, body, version):
        self.status, self.headers, self.body, self.version = status, headers, body, version

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout_s=20):
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed("closed after %r" % self.left[:100])
        self.left += data

    def read_line(self):
        while b"\r\n" not in self.left:
            self.more()
        line, self.left = self.left.split(b"\r\n", 1)
        return line

    def read_exact(self, count):
        while len(self.left) < count:
            self.more()
        data, self.left = self.left[:count], self.left[count:]
        return data

    def read_rest(self):
        try:
            while True:
                self.more()
        except Closed:
            data, self.left = self.left, b""
            return data

    def read_head(self):
        parts = self.read_line().decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = self.read_line()
            if not line:
                return parts[0], int(parts[1]), headers
            key, _, value = line.decode("latin-1").partition(":")
            headers.append((key.strip(), value.strip()))

    def read_answer(self, head=False):
        """The next final answer; 1xx ones are skipped."""
        while True:
            version, status, headers = self.read_head()
            if status >= 200:
                break
        answer = Answer(status, headers, b"", version)
        if head or status in (204, 304):
            return answer
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            answer.body = self.read_chunked()
        elif answer.header("Content-Length") is not None:
            answer.body = self.read_exact(int(answer.header("Content-Length")))
        else:
            answer.body = self.read_rest()
        return answer

    def read_chunked(self):
        body = b""
        while True:
            size = int(self.read_line().split(b";")[0], 16)
            body += self.read_exact(size)
            if size:
                self.read_line()
                continue
            while self.read_line():
                pass
            return body

    def request(self, method, target, headers=(), body=None, chunked=False):
        self.send(encode(method, target, headers, body, chunked))
        return self.read_answer(head=method == "HEAD")

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def post(self, target, body, headers=(), **options):
        return self.request("POST", target, headers, body, **options)

    def closed_by_peer(self):
        """True where the next thing the server does is to close (not: to answer)."""
        try:
            return self.left == b"" and self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False


def encode(method, target, headers=(), body=None, chunked=False, version="HTTP/1.1"):
    lines = [f"{method} {target} {version}", "Host: 127.0.0.1"]
    lines += [f"{key}: {value}" for key, value in headers]
    if isinstance(body, str):
        body = body.encode()
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        step = max(1, len(body) // 3)
        parts = [body[i:i + step] for i in range(0, len(body), step)] + [b""]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def query(**fields):
    return urllib.parse.urlencode({key: value for key, value in fields.items() if value is not None})


def hit(name, path="/matomo.php", **fields):
    """The target of one Matomo event whose event_value_name is `name`."""
    given = {"idsite": 1, "rec": 1, "url": "http://h.example/p", "e_c": "c", "e_a": "a", "e_n": name}
    given.update(fields)
    return f"{path}?{query(**given)}"


def get(port, target, headers=(), timeout_s=20):
    with Connection(port, timeout_s=timeout_s) as connection:
        return connection.get(target, list(headers) + [("Connection", "close")])


def post(port, target, body, headers=(), timeout_s=20, **options):
    with Connection(port, timeout_s=timeout_s) as connection:
        return connection.post(target, body, list(headers) + [("Connection", "close")], **options)


def gzipped(body):
    return gzip.compress(body.encode() if isinstance(body, str) else body)
