"""Clients that cost a gateway memory rather than time: many idle connections, a slow reader of a long stream, calls that
wait."""

import http.client
import select
import socket
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import load
from load import Mismatch

sys.path.append(str(load.FOLDER.parent / "integration"))
import ws

CHUNK = 64 * 1024
PAUSE = 0.032                 # between chunks: 2 MB/s


@contextmanager
def idle(port, scenario, count):
    """Holds `count` kept-alive HTTP/1.1 connections that each made one right call; yields a check that all are open."""
    held = []

    def check_open():
        poll = select.poll()
        for connection in held:
            poll.register(connection.sock, select.POLLIN)
        if closed := len(poll.poll(0)):
            raise Mismatch(f"{closed} of {count} idle connections were closed")

    try:
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            held.append(connection)
            _call(connection, scenario)
        yield check_open
    finally:
        for connection in held:
            connection.close()


def _call(connection, scenario):
    request = scenario.request
    connection.request(request.method, request.path, request.body, request.headers)
    response = connection.getresponse()
    scenario.check(load.Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()))
    if connection.sock is None:
        raise Mismatch("the gateway closed the connection after the call")


@contextmanager
def open_streams(port, count, request, stalled):
    """`count` gRPC-Web streams that have delivered a message and go on, and one of many large messages that nobody reads."""
    held = []

    def start(what):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        held.append(connection)
        connection.request(what.method, what.path, what.body, what.headers)
        return connection

    try:
        start(stalled)
        opened = [start(request) for _ in range(count)]
        responses = [connection.getresponse() for connection in opened]
        for response in responses:
            _read_message(response)
        yield
        for response in responses:
            _read_message(response)
    finally:
        for connection in held:
            connection.close()


@contextmanager
def open_web_sockets(port, count, request, stalled):
    """open_streams() on gRPC-Web's WebSockets, one for each stream."""
    def start(what):
        socket = held.enter_context(ws.WebSocket(port, what.path, seconds=20))
        return socket.start().request(what.body[5:]).half_close()

    with ExitStack() as held:
        try:
            start(stalled)
            opened = [start(request) for _ in range(count)]
            for socket in opened:
                _receive_message(socket)
            yield
            for socket in opened:
                _receive_message(socket)
        except (AssertionError, ws.Closed) as wrong:
            raise Mismatch(f"a WebSocket does not go on: {wrong}") from wrong


def _receive_message(socket):
    """Of the stream; the block of response fields comes before the first."""
    while (found := socket.message()[0])[0] & 0x80:
        if b"grpc-status" in found[1]:
            raise Mismatch(f"a WebSocket's stream has ended: {found[1]!r}")


def _read_message(response):
    prefix = response.read(5)
    if response.status != 200 or len(prefix) < 5 or prefix[0] != 0:
        raise Mismatch(f"a stream does not go on: HTTP {response.status} {prefix!r}")
    response.read(int.from_bytes(prefix[1:], "big"))


@dataclass
class Stream:
    """A gRPC-Web body as it arrives: counts messages and bytes, keeps the trailer frame."""
    messages: int = 0
    size: int = 0
    trailers: bytes = b""

    def __post_init__(self):
        self._pending = bytearray()

    def add(self, data):
        self.size += len(data)
        self._pending += data
        while len(self._pending) >= 5:
            end = 5 + int.from_bytes(self._pending[1:5], "big")
            if len(self._pending) < end:
                return
            if self._pending[0] & 0x80:
                self.trailers = bytes(self._pending[5:end])
            else:
                self.messages += 1
            del self._pending[:end]

    def status(self):
        """The grpc-status of a complete body; None when the body was cut."""
        for line in self.trailers.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name == b"grpc-status" and not self._pending:
                return int(value)
        return None


@dataclass
class JsonStream:
    """A stream of flat JSON objects as it arrives, by lines or as an array; complete with `wanted` of them."""
    wanted: int
    messages: int = 0
    size: int = 0

    def __post_init__(self):
        self._end = b""

    def add(self, data):
        self.size += len(data)
        self.messages += data.count(b"{")
        self._end = data[-1:]

    def status(self):
        return 0 if self.messages == self.wanted and self._end in (b"\n", b"]") else None


def read_slowly(port, request, stream, slow_seconds, sample):
    """Reads a stream at 2 MB/s for a while and the rest at full speed into `stream`, calling sample() with every chunk."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        response = connection.getresponse()
        if response.getheader("grpc-status"):
            stream.trailers = b"grpc-status:" + response.getheader("grpc-status").encode()
        end = time.monotonic() + slow_seconds
        while data := response.read1(CHUNK):
            stream.add(data)
            sample()
            if time.monotonic() < end:
                time.sleep(PAUSE)
    finally:
        connection.close()


class HeldCalls:
    """Calls whose bodies are sent as far as the gateway takes them, and whose replies nobody reads until replies().
    A context manager: leaving it closes the connections."""

    def __init__(self, port, count, request):
        self._calls = {}
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.sock = socket.socket()
            # The kernel is not to hold the reply in the gateway's stead.
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sock.settimeout(30)
            self._calls[connection] = memoryview(request.body)
            connection.sock.connect(("127.0.0.1", port))
            connection.request(request.method, request.path, None,
                               request.headers | {"content-length": str(len(request.body))})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self._calls:
            connection.close()

    def send(self, quiet_seconds):
        """Sends until the gateway has taken nothing for that long."""
        end = time.monotonic() + quiet_seconds
        while (left := end - time.monotonic()) > 0:
            unsent = {connection.sock: connection for connection, rest in self._calls.items() if rest}
            for ready in select.select([], unsent, [], left)[1]:
                rest = self._calls[unsent[ready]]
                self._calls[unsent[ready]] = rest[ready.send(rest[:CHUNK], socket.MSG_DONTWAIT):]
                end = time.monotonic() + quiet_seconds

    def replies(self):
        for connection in self._calls:
            response = connection.getresponse()
            yield load.Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
