"""A way to PostgreSQL that knows Redshift's COPY: what the client sends passes through, COPY from S3 becomes an INSERT of what stands in
the AWS fake's objects. It can lose the answer of a COMMIT."""
import socket
import struct
import threading

from tests.fakes.aws.services.redshift_data import COPY, Refused

STARTUP = 196608  # the protocol's version 3.0


def end(sock):
    """Also for the thread that waits for something from it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


class CopyProxy:
    def __init__(self, t, postgres, data):
        """data: the fake's service redshift-data, whose copy() translates."""
        self.postgres, self.data = postgres, data
        self.copies = self.lost = 0
        self.lose_commits = 0  # so many answers of COMMITs are lost
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        t.defer(self.server.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.postgres.port))
        except OSError:  # PostgreSQL is being restarted
            return end(client)
        losing = threading.Event()
        threading.Thread(target=self.answer, args=(server, client, losing), daemon=True).start()
        try:
            while self.startup(client, server):
                pass
            while True:
                self.forward(client, server, losing)
        except (OSError, EOFError):
            pass
        end(server)
        end(client)

    def answer(self, server, client, losing):
        try:
            while chunk := server.recv(65536):
                if losing.is_set():
                    self.lost += 1
                    break
                client.sendall(chunk)
        except OSError:
            pass
        end(client)
        end(server)

    @staticmethod
    def exactly(sock, count):
        data = b""
        while len(data) < count:
            chunk = sock.recv(count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def startup(self, client, server):
        """True: more of the like comes (a question for TLS is one)."""
        head = self.exactly(client, 4)
        body = self.exactly(client, struct.unpack("!I", head)[0] - 4)
        server.sendall(head + body)
        return struct.unpack("!I", body[:4])[0] != STARTUP

    def forward(self, client, server, losing):
        kind, head = self.exactly(client, 1), self.exactly(client, 4)
        body = self.exactly(client, struct.unpack("!I", head)[0] - 4)
        if kind == b"Q":
            text = body[:-1].decode()
            found = COPY.match(text)
            if found:
                body = self.copy(*found.groups()).encode() + b"\0"
                head = struct.pack("!I", len(body) + 4)
            elif text == "COMMIT" and self.lose_commits > 0:
                self.lose_commits -= 1
                losing.set()
        server.sendall(kind + head + body)

    def copy(self, table, bucket, key):
        self.copies += 1
        try:
            return self.data.copy(table, bucket, key)
        except Refused as refused:
            why = str(refused).removeprefix("ERROR: ").replace("'", "''")
            return f"DO $do$ BEGIN RAISE EXCEPTION USING MESSAGE = '{why}', ERRCODE = 'XX000'; END $do$"
