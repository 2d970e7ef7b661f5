#!/usr/bin/env python3
"""How long it takes from a client's leaving to RST_STREAM at the upstream: 210 times in each state of a call, p99 within 50 ms.

Client and upstream are one process, so that one clock stamps both ends; what Python adds counts against the gateway.  The
claim is about the gateway and not about who else has the processor meanwhile: a state passes when one of up to three
batches does, and each batch's figures are printed.  Calls that still wait for a connection have nothing to cancel
upstream and are not measured.  DRAWBRIDGE_BIN_DIR=build/release measures the release."""
import contextlib
import queue
import random
import socket
import struct
import time

from h2_client import CANCEL, INITIAL_WINDOW, WINDOW_UPDATE, window
from harness import BIN_DIR, SCHEMA, Gateway, main, test
from peers import (ACK, DATA, HEADERS, PING, RST_STREAM, SETTINGS, H2Peer, Peer, h2_frame, head, leave_fin, leave_half_closed,
                   leave_rst, reply_head)
from wire import flood, frame, number, slow
from ws import WebSocket

BATCHES, TIMES, LIMIT_MS = 3, 210, 50
SLOW, STATISTICS, TOTAL, FLOOD = (f"/Calculator/{m}" for m in ("SlowSquareRoot", "Statistics", "RunningTotal", "Flood"))
PIECE = frame(bytes(16_000))


class Upstream(Peer):
    """An HTTP/2 server that stamps the resets; the end of a connection, which the gateway replaces after a hundred of them,
    cancels what is open on it just as well.  To each request it says nothing, one message (`mode` "one"), or as much as the
    windows let it ("flood")."""

    def __init__(self):
        self.mode = "nothing"
        self.opened, self.stalled, self.resets = queue.Queue(), queue.Queue(), queue.Queue()
        super().__init__(self._speak)

    def _speak(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        connection.sendall(h2_frame(SETTINGS, 0, 0))
        H2Peer._exactly(connection, 24)
        windows = {0: 65_535}
        try:
            self._follow(connection, windows)
        finally:
            for stream in windows.keys() - {0}:
                self.resets.put((time.monotonic(), stream, CANCEL))

    def _follow(self, connection, windows):
        """`windows` has the open streams, and the connection as 0."""
        initial, flooded = 65_535, set()
        while True:
            prefix = H2Peer._exactly(connection, 9)
            kind, flags, stream = prefix[3], prefix[4], struct.unpack(">I", prefix[5:])[0]
            payload = H2Peer._exactly(connection, int.from_bytes(prefix[:3], "big"))
            if kind == RST_STREAM:
                self.resets.put((time.monotonic(), stream, struct.unpack(">I", payload)[0]))
                flooded.discard(stream)
                windows.pop(stream, None)
            elif kind in (SETTINGS, PING) and not flags & ACK:
                connection.sendall(h2_frame(kind, ACK, 0, payload if kind == PING else b""))
                if kind == SETTINGS:
                    initial = dict(struct.iter_unpack(">HI", payload)).get(INITIAL_WINDOW, initial)
            elif kind == WINDOW_UPDATE and stream in windows:
                windows[stream] += struct.unpack(">I", payload)[0]
            elif kind == DATA and payload:
                connection.sendall(window(0, len(payload)))
            elif kind == HEADERS:
                windows[stream] = initial
                self._answer(connection, stream, flooded)
            for flooding in list(flooded):
                self._flood(connection, flooding, windows, flooded)

    def _answer(self, connection, stream, flooded):
        if self.mode != "nothing":
            connection.sendall(reply_head(stream))
        if self.mode == "one":
            connection.sendall(h2_frame(DATA, 0, stream, frame(b"one")))
        if self.mode == "flood":
            flooded.add(stream)
        self.opened.put(stream)

    def _flood(self, connection, stream, windows, flooded):
        while min(windows[0], windows[stream]) >= len(PIECE):
            connection.sendall(h2_frame(DATA, 0, stream, PIECE))
            windows[0] -= len(PIECE)
            windows[stream] -= len(PIECE)
        if windows[stream] < len(PIECE):
            self.stalled.put(stream)


# --- states: each gives a client in it ---

def open_http(gateway, path, body, length=None, receive_buffer=None):
    s = socket.socket()
    s.settimeout(5)
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.connect(("127.0.0.1", gateway.port("http")))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(head(path, length) + body)
    return s


def whole(gateway, path, message, **how):
    body = frame(message)
    return open_http(gateway, path, body, len(body), **how)


def waiting(gateway, upstream):
    """The request is sent, no reply yet."""
    return whole(gateway, SLOW, slow(4, 30))


def uploading(gateway, upstream):
    """In a client stream."""
    s = open_http(gateway, STATISTICS, b"%x\r\n%s\r\n" % (10, frame(number(1))))
    upstream.opened.put(upstream.opened.get(timeout=5))
    s.sendall(b"%x\r\n%s\r\n" % (10, frame(number(2))))
    return s


def streaming(gateway, upstream):
    """In a server stream, of which a message has come."""
    upstream.mode = "one"
    s = whole(gateway, FLOOD, flood(1, 1))
    got = b""
    while b"one" not in got:
        got += s.recv(4096)
    return s


def stalled(gateway, upstream):
    """In a server stream that the client does not read, with the upstream's window used up."""
    upstream.mode = "flood"
    s = whole(gateway, FLOOD, flood(1, 1), receive_buffer=4096)
    upstream.stalled.get(timeout=5)
    return s


def websocket(mode, path, **how):
    def start(gateway, upstream):
        upstream.mode = mode
        ws = WebSocket(gateway.port("http"), path, **how)
        ws.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as browsers do: else Close waits for an ACK
        ws.start().request(number(1))
        if mode == "one":
            while b"one" not in ws.receive()[1]:
                pass
        if mode == "flood":
            upstream.stalled.get(timeout=5)
        return ws
    return start


def leave_close(ws):
    ws.close()


def on_socket(leave):
    return lambda ws: leave(ws.socket)


HTTP = leave_fin, leave_rst, leave_half_closed
WEBSOCKET = leave_close, on_socket(leave_fin), on_socket(leave_rst)


# --- measuring ---

def measure(gateway, upstream, state, leave):
    """Milliseconds of one cancellation."""
    upstream.mode = "nothing"
    client = state(gateway, upstream)
    stream = upstream.opened.get(timeout=5)
    time.sleep(random.uniform(0, 0.003))
    left = time.monotonic()
    leave(client)
    try:
        seen, reset, code = upstream.resets.get(timeout=3)
    except queue.Empty:
        raise AssertionError("the upstream saw no RST_STREAM within 3 s") from None
    assert (reset, code) == (stream, CANCEL), f"stream {reset} was reset with {code}, not {stream} with {CANCEL}"
    with contextlib.suppress(OSError):
        getattr(client, "socket", client).close()
    while not upstream.stalled.empty():
        upstream.stalled.get()
    return (seen - left) * 1000


def percentile(sorted_values, share):
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]


def judge(name, state, leaves):
    with Upstream() as upstream, Gateway(upstream.address, "--descriptors", SCHEMA, ready=False, workers=1) as gateway:
        best = None
        for batch in range(1, BATCHES + 1):
            times = sorted(measure(gateway, upstream, state, leaves[n % len(leaves)]) for n in range(TIMES))
            p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
            print(f"  {name}, batch {batch}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, greatest {times[-1]:.2f} ms "
                  f"({BIN_DIR.name})", flush=True)
            best = p99 if best is None else min(best, p99)
            if best <= LIMIT_MS:
                break
        gateway.assert_nothing_live()
        assert best <= LIMIT_MS, f"p99 is {best:.1f} ms in the best of {BATCHES} batches"


@test(90)
def test_waiting_for_the_reply():
    judge("waiting for the reply", waiting, HTTP)


@test(90)
def test_uploading_a_client_stream():
    judge("uploading", uploading, HTTP)


@test(90)
def test_in_a_server_stream():
    judge("in a server stream", streaming, HTTP)


@test(90)
def test_reader_stalled():
    # One that only ends its side may still read: it stays a slow reader, which has a limit.
    judge("reader stalled", stalled, (leave_fin, leave_rst))


@test(90)
def test_websocket_waiting():
    judge("WebSocket, waiting", websocket("nothing", SLOW), WEBSOCKET)


@test(90)
def test_websocket_in_both_directions():
    judge("WebSocket, in both directions", websocket("one", TOTAL), WEBSOCKET)


@test(90)
def test_websocket_reader_stalled():
    judge("WebSocket, reader stalled", websocket("flood", TOTAL, receive_buffer=4096), WEBSOCKET)


if __name__ == "__main__":
    main()
