"""Peers that misbehave: HTTP/1.1 clients that leave at any moment, and HTTP/2 servers that answer with whatever bytes a test
wants.  Also a load of well-behaved calls that counts how each ended."""
import contextlib
import http.client
import selectors
import socket
import struct
import threading
import time

from wire import answer

WEB_TYPE = "application/grpc-web+proto"


# --- clients ---

def connect(gateway, seconds=5):
    return socket.create_connection(("127.0.0.1", gateway.port("http")), timeout=seconds)


def head(path, length=None, content_type=WEB_TYPE):
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n".encode()


def start_call(gateway, path, body, *more):
    """A connection with one whole request on its way."""
    s = connect(gateway)
    s.sendall(head(path, len(body)).replace(b"\r\n\r\n", b"\r\n" + b"".join(m.encode() + b"\r\n" for m in more) + b"\r\n") + body)
    return s


def finish_call(s, seconds=5):
    """(messages, trailers) of the one answer on that connection."""
    s.settimeout(seconds)
    reply = http.client.HTTPResponse(s)
    reply.begin()
    assert reply.status == 200, f"HTTP status {reply.status}"
    return answer(reply.read())


def leave_fin(s):
    s.close()


def leave_rst(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def leave_half_closed(s):
    """Says that nothing more will come, and keeps listening."""
    s.shutdown(socket.SHUT_WR)


class Load:
    """Threads that make unary calls, one after the other on a connection each, until stop().  Every call ends in one of:
    ok; a grpc-status; refused (no connection: nothing was started); closed (a connection used before was closed before the
    first byte of an answer, which HTTP allows between requests); or the text of what went wrong."""

    def __init__(self, gateway, threads, path, body, wanted):
        self.outcomes = {}
        self._gateway, self._path, self._body, self._wanted = gateway, path, body, wanted
        self._end, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for t in self._threads:
            t.start()

    def count(self, outcome="ok"):
        with self._lock:
            return self.outcomes.get(outcome, 0)

    def failures(self, *allowed):
        with self._lock:
            return {k: v for k, v in self.outcomes.items() if k not in ("ok", *allowed)}

    def _one(self, connection, used):
        try:
            connection.request("POST", self._path, self._body, {"content-type": WEB_TYPE})
            reply = connection.getresponse()
            body = reply.read()
        except ConnectionRefusedError:
            return "refused"
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as gone:
            return "closed" if used else f"fresh connection: {gone!r}"
        except Exception as wrong:  # pylint: disable=broad-except
            return repr(wrong)
        if reply.status != 200:
            return f"HTTP {reply.status}"
        try:
            messages, trailers = answer(body)
        except AssertionError as wrong:
            return repr(wrong)
        if trailers["grpc-status"] != "0":
            return f"status {trailers['grpc-status']}: {trailers.get('grpc-message')}"
        return "ok" if messages == [self._wanted] else f"reply {messages}"

    def _run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port("http"), timeout=10)
        used = False
        while not self._end.is_set():
            outcome = self._one(connection, used)
            with self._lock:
                self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            used = outcome == "ok" and connection.sock is not None
            if outcome != "ok":
                connection.close()
                time.sleep(0.01)
        connection.close()

    def stop(self):
        self._end.set()
        for t in self._threads:
            t.join(15)
            assert not t.is_alive(), "a call never ends"


@contextlib.contextmanager
def load(gateway, threads, path, body, wanted):
    running = Load(gateway, threads, path, body, wanted)
    try:
        yield running
    finally:
        running.stop()


# --- servers ---

class Peer:
    """A TCP server in a thread: `behave(connection)` runs for each connection in a thread of its own."""

    def __init__(self, behave, port=0):
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.accepted = 0
        self._wake, self._woken = socket.socketpair()
        self._open = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in ready.select()):
                connection, _ = self._listener.accept()
                self.accepted += 1
                connection.settimeout(10)
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._behave(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wake.send(b"x")
        self._thread.join(5)
        for s in (*self._open, self._listener, self._wake, self._woken):
            s.close()


SETTINGS, GOAWAY, HEADERS, DATA, RST_STREAM, PING = 4, 7, 1, 0, 3, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def h2_frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field without indexing (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def status_field(code):
    return b"\x88" if code == 200 else literal(":status", str(code))


def reply_head(stream, *fields, http_status=200, content_type="application/grpc", end=False):
    block = status_field(http_status) + literal("content-type", content_type) + b"".join(literal(*f) for f in fields)
    return h2_frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


def reply_trailers(stream, *fields):
    return h2_frame(HEADERS, END_HEADERS | END_STREAM, stream, b"".join(literal(*f) for f in fields))


class H2Peer(Peer):
    """A minimal HTTP/2 server.  `reply(stream)` gives what to send when a request's HEADERS arrive: bytes, seconds to wait,
    None to end the connection with FIN, "rst" to reset it.  Requests are numbered over all connections in `requests`;
    `head` is the header block of the last."""

    def __init__(self, reply, port=0):
        self.requests, self.head = 0, b""
        self._reply = reply
        super().__init__(self._speak, port)

    def _speak(self, connection):
        connection.sendall(h2_frame(SETTINGS, 0, 0))
        data = self._exactly(connection, 24)
        assert data.startswith(b"PRI")
        while True:
            prefix = self._exactly(connection, 9)
            kind, flags, stream = prefix[3], prefix[4], struct.unpack(">I", prefix[5:])[0]
            payload = self._exactly(connection, int.from_bytes(prefix[:3], "big"))
            if kind in (SETTINGS, PING) and not flags & ACK:
                connection.sendall(h2_frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind == HEADERS:
                self.head = payload
                if not self._answer(connection, stream):
                    return

    def _answer(self, connection, stream):
        self.requests += 1
        for piece in self._reply(stream):
            if piece is None:
                connection.shutdown(socket.SHUT_RDWR)
                return False
            if isinstance(piece, float):
                time.sleep(piece)
                continue
            if piece == "rst":
                leave_rst(connection)
                return False
            connection.sendall(piece)
        return True

    @staticmethod
    def _exactly(connection, count):
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data
