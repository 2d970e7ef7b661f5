#!/usr/bin/env python3
"""gRPC-Web over WebSockets: every kind of call and every broken rule by hand, and the clients that people use."""
import contextlib
import resource
import socket
import struct
import threading
import time

from harness import (ROOT, SCHEMA, Calculator, Gateway, Late, bridge, curl, each_scenario, equal, main, node_clients, test,
                     wait_for)
from wire import factors, field, flood, frame, number, pair, slow, varint
from ws import BINARY, CLOSE, PING, PONG, TEXT, Closed, WebSocket, metadata, ws_frame

SQRT, TOTAL, STATISTICS = "/Calculator/SquareRoot", "/Calculator/RunningTotal", "/Calculator/Statistics"
ECHO, FLOOD, SLOW, FACTORS = "/Calculator/Echo", "/Calculator/Flood", "/Calculator/SlowSquareRoot", "/Calculator/PrimeFactors"


class Servers:
    def __init__(self, calculator, gateway):
        self.calculator, self.gateway = calculator, gateway
        self.port = gateway.port("http")

    def open(self, path, *headers, **how):
        return WebSocket(self.port, path, *headers, **how)

    def cancelled(self, method):
        return len(self.calculator.calls(method, "CANCELLED"))


@contextlib.contextmanager
def servers():
    with bridge() as (calculator, gateway):
        yield Servers(calculator, gateway)


def total_of(payload):
    """message RunningTotalReply"""
    assert payload[0] == 0x09, payload
    return struct.unpack("<d", payload[1:9])[0]


# --- calls ---

@test()
def test_unary(s):
    with s.open(SQRT) as ws:
        headers, messages, status = ws.start().request(number(16)).half_close().answer()
    equal(messages, [number(4)], "reply")
    equal(status["grpc-status"], "0", "status")
    equal(headers["content-type"], "application/grpc-web+proto", "content type")
    s.gateway.assert_nothing_live()
    line = s.gateway.events("call", protocol="websocket", code="OK")[-1]
    equal((line["http_status"], line["path"]), (101, SQRT), "log line")
    assert s.gateway.metric("grpc_server_handled_total") >= 1


@test()
def test_server_stream(s):
    with s.open(FACTORS) as ws:
        _, messages, _ = ws.start().request(factors(84)).half_close().answer()
    equal([m[1] for m in messages], [2, 2, 3, 7], "factors")


@test()
def test_client_stream(s):
    with s.open(STATISTICS) as ws:
        ws.start()
        for value in (1, 2, 3, 4):
            ws.request(number(value))
        _, messages, status = ws.half_close().answer()
    equal((messages[0][:2], status["grpc-status"]), (b"\x08\x04", "0"), "count")
    with s.open(STATISTICS) as ws:
        _, messages, status = ws.start().half_close().answer()
    equal(status["grpc-status"], "0", "status of an empty stream")


@test()
def test_full_duplex(s):
    """Each answer is read before the next request is sent."""
    with s.open(TOTAL) as ws:
        ws.start()
        total = 0
        for value in range(1, 21):
            total += value
            ws.request(number(value))
            block = ws.message()
            if block[0][0] == 0x80:
                block = ws.message()
            equal(total_of(block[0][1]), total, "total")
        ws.half_close()
        opcode, payload = ws.receive()
        assert (opcode, payload[0]) == (BINARY, 0x80) and b"grpc-status:0\r\n" in payload, payload
        equal(ws.close_code(), 1000, "close code")
        ws.close()
    s.gateway.assert_nothing_live()


@test()
def test_everything_in_one_segment(s):
    """The messages arrive together with the upgrade request."""
    early = ws_frame(metadata()) + ws_frame(b"\0" + frame(number(9))) + ws_frame(b"\1")
    with s.open(SQRT, early=early) as ws:
        _, messages, _ = ws.accepted().answer()
    equal(messages, [number(3)], "reply")


@test(30)
def test_single_bytes(s):
    """Every byte in a segment of its own, frames fragmented, control frames in between."""
    whole = (ws_frame(metadata()[:10], final=False) + ws_frame(b"a", PING) + ws_frame(metadata()[10:], 0) +
             ws_frame(b"\0" + frame(number(25))[:3], final=False) + ws_frame(b"", 0, final=False) + ws_frame(b"b", PONG) +
             ws_frame(frame(number(25))[3:], 0) + ws_frame(b"\1"))
    with s.open(SQRT) as ws:
        ws.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(whole)):
            ws.socket.sendall(whole[i:i + 1])
        equal(ws.accepted().receive(), (PONG, b"a"), "pong")
        _, messages, _ = ws.answer()
    equal(messages, [number(5)], "reply")


@test()
def test_large_messages(s):
    payload = bytes(range(256)) * 8192
    message = field(1, payload)
    with s.open(ECHO, seconds=15) as ws:
        ws.start().request(message).half_close()
        _, messages, _ = ws.answer()
    assert messages == [message], [len(m) for m in messages]


# --- statuses ---

@test()
def test_failures_have_a_trailer_block(s):
    rows = [
        ("/Calculator/DivNum", [pair(1, 0)], 3),
        ("/Calculator/Nothing", [b""], 12),
        ("/no.Such/Method", [b""], 12),
        (SQRT, [], 12), (SQRT, [number(1), number(1)], 12),
    ]
    for path, messages, code in rows:
        with s.open(path) as ws:
            ws.start().request(*messages).half_close()
            headers, replies, status = ws.answer()
        equal((int(status["grpc-status"]), replies), (code, []), f"status of {path} {messages}")
    s.gateway.assert_nothing_live()


def status_of(s, *messages, path=SQRT, fields=()):
    with s.open(path) as ws:
        ws.start(*fields)
        for message in messages:
            ws.send(message)
        return int(ws.answer()[2]["grpc-status"])


@test()
def test_misused_transport(s):
    equal(status_of(s, b"\2" + frame(number(1))), 13, "unknown kind of message")
    equal(status_of(s, b""), 13, "empty message")
    equal(status_of(s, b"\1\0"), 13, "long half close")
    equal(status_of(s, b"\1", b"\0" + frame(number(1)), path=TOTAL), 13, "message behind the half close")
    equal(status_of(s, b"\0" + frame(number(1), 2)), 13, "odd flags")
    equal(status_of(s, b"\0" + frame(number(1), 0x80)), 13, "trailers from a client")
    equal(status_of(s, b"\0" + frame(number(1), 1)), 13, "compressed without encoding")
    equal(status_of(s, b"\0" + frame(number(1))[:7], b"\1"), 13, "half close inside a message")
    equal(status_of(s, b"\0\0\xff\xff\xff\xff"), 8, "announced length")
    equal(status_of(s, fields=[("grpc-timeout", "5x")]), 3, "bad timeout")
    equal(status_of(s, fields=[("grpc-encoding", "snappy")]), 12, "unknown encoding")
    equal(status_of(s, fields=[("x-bin", "***")]), 3, "bad binary metadata")
    for first in (b"no colon here", b"\0" + frame(number(1)), b"bad name: x\r\n", b"x-split: a\rb: c\r\n"):
        with s.open(SQRT) as ws:
            ws.accepted().send(first)
            equal(ws.answer()[2]["grpc-status"], "3", f"status for {first}")
    s.gateway.assert_nothing_live()


@test()
def test_deadline(s):
    with s.open(SLOW) as ws:
        started = time.monotonic()
        _, _, status = ws.start(("grpc-timeout", "300m")).request(slow(4, 20)).half_close().answer()
    equal(status["grpc-status"], "4", "status")
    assert 0.25 < time.monotonic() - started < 2, time.monotonic() - started


# --- the handshake ---

@test()
def test_refused_handshakes(s):
    rows = [
        (400, {"headers": ["Connection: keep-alive"]}), (426, {"headers": ["Sec-WebSocket-Version: 8"]}),
        (426, {"drop": ["Sec-WebSocket-Version"]}), (400, {"drop": ["Sec-WebSocket-Key"]}),
        (400, {"headers": ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"]}), (400, {"headers": ["Sec-WebSocket-Key: " + "=" * 24]}),
        (400, {"drop": ["Sec-WebSocket-Protocol"]}), (400, {"headers": ["Sec-WebSocket-Protocol: chat"]}),
        (400, {"headers": ["Content-Length: 3"], "early": b"abc"}),
        (403, {"headers": ["Origin: null"]}), (403, {"headers": ["Origin: https://localhost.evil.example"]}),
        (403, {"headers": ["Origin: https://evil.example"]}), (403, {"headers": ["Origin: "]}),
        (403, {"headers": ["Host: evil.example", "Origin: http://evil.example"]}),
    ]
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for status, how in rows:
        with s.open(SQRT, *how.pop("headers", ()), **how) as ws:
            equal(ws.status, status, f"HTTP status of {ws.head}")
            if status == 426:
                equal(ws.headers["sec-websocket-version"], "13", "offered version")
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")
    s.gateway.assert_nothing_live()


@test()
def test_accepted_handshakes(s):
    for headers in (["Origin: http://localhost:5173"], ["Connection: keep-alive, Upgrade"], ["Upgrade: WebSocket"],
                    ["Sec-WebSocket-Protocol: chat, grpc-websockets"], [f"Origin: http://127.0.0.1:{s.port}"]):
        with s.open(SQRT, *headers) as ws:
            equal(ws.start().request(number(16)).half_close().answer()[1], [number(4)], f"reply with {headers}")
    reply = curl(s.gateway.url + SQRT, frame(number(16)), "content-type: application/grpc-web", "upgrade: websocket",
                 "connection: upgrade")
    equal(reply.status, 200, "a POST that mentions upgrades")


@test()
def test_listed_origins(s):
    with Gateway(s.calculator.address, "--cors-origin", "https://good.example") as gateway:
        for origin, status in (("https://good.example", 101), ("https://good.example.evil", 403), ("http://good.example", 403),
                               ("https://good.example:444", 403), ("null", 403)):
            with WebSocket(gateway.port("http"), SQRT, "Origin: " + origin) as ws:
                equal(ws.status, status, f"HTTP status for {origin}")


# --- the framing rules ---

@test()
def test_broken_frames(s):
    rows = [
        (1002, ws_frame(b"\0", masked=False)), (1002, ws_frame(b"\0", rsv=4)), (1002, ws_frame(b"\0", rsv=1)),
        (1002, ws_frame(b"", 3)), (1002, ws_frame(b"", 7)), (1002, ws_frame(b"", 11)), (1002, ws_frame(b"", 15)),
        (1002, ws_frame(b"x", PING, final=False)), (1002, ws_frame(b"x" * 126, PING)), (1002, ws_frame(b"x", 0)),
        (1002, ws_frame(b"\0", final=False) + ws_frame(b"\0")), (1002, b"\x82\xfe\x00\x05abcdefghi"),
        (1002, ws_frame(b"\0", final=False) + ws_frame(b"", 0, final=False) * 1024),
        (1002, ws_frame(b"\3", CLOSE)), (1002, ws_frame(struct.pack(">H", 1005), CLOSE)),
        (1002, ws_frame(struct.pack(">H", 999), CLOSE)), (1007, ws_frame(struct.pack(">H", 1000) + b"\xff", CLOSE)),
        (1003, ws_frame(b"text", TEXT)), (1009, ws_frame(b"\0" * 70000, length=5 << 20)),
        (1009, ws_frame(b"\0", length=(1 << 63) - 1)),
    ]
    for code, data in rows:
        before = s.cancelled("RunningTotal")
        with s.open(TOTAL) as ws:
            ws.start().request(number(1))
            ws.message()  # headers: the call is running
            ws.socket.sendall(data)
            equal(ws.close_code(), code, f"close code for {data[:40]}")
            assert ws.at_end(), "bytes behind Close"
        wait_for("the call is cancelled", lambda: s.cancelled("RunningTotal") == before + 1)
    s.gateway.assert_nothing_live()


@test()
def test_too_large_has_a_status(s):
    with s.open(ECHO) as ws:
        ws.start().socket.sendall(ws_frame(b"\0" * 1000, length=5 << 20))
        block = ws.message()
        assert block[0][0] == 0x80 and b"grpc-status:8" in block[0][1], block
        equal(ws.close_code(), 1009, "close code")


@test()
def test_close_is_answered(s):
    for code, wanted in ((1000, 1000), (1001, 1001), (4321, 4321), (None, None)):
        before = s.cancelled("RunningTotal")
        with s.open(TOTAL) as ws:
            ws.start().request(number(1))
            ws.message()
            ws.close(code)
            equal(ws.close_code(), wanted, "echoed code")
            assert ws.at_end()
        wait_for("the call is cancelled", lambda: s.cancelled("RunningTotal") == before + 1)
    with s.open(TOTAL) as ws:  # before any metadata
        ws.accepted().close()
        equal(ws.close_code(), 1000, "echoed code")
    s.gateway.assert_nothing_live()


@test()
def test_clients_that_leave(s):
    """Without Close, in each state: nothing is left and the upstream call is cancelled at once."""
    leave = [lambda ws: ws.socket.close(), WebSocket.reset, lambda ws: ws.socket.shutdown(socket.SHUT_WR)]
    for go in leave:
        go(s.open(SQRT))
        go(s.open(SQRT).start())
        ws = s.open(SQRT).start()
        ws.socket.sendall(ws_frame(b"\0" + frame(number(1)))[:5])
        go(ws)
        before = s.cancelled("SlowSquareRoot")
        ws = s.open(SLOW).start().request(slow(4, 20)).half_close()
        wait_for("the call", lambda: s.gateway.metric("drawbridge_upstream_streams_open") >= 1)
        started = time.monotonic()
        go(ws)
        wait_for("the call is cancelled", lambda: s.cancelled("SlowSquareRoot") == before + 1, 2)
        assert time.monotonic() - started < 1
        s.gateway.assert_nothing_live()


def pour(ws, data, most, patience=0.5):
    """Sends `data` over and over until the server takes no more; how many bytes it took."""
    ws.socket.settimeout(patience)
    sent, at = 0, 0
    try:
        while sent < most:
            count = ws.socket.send(data[at:])
            sent, at = sent + count, (at + count) % len(data)
    except TimeoutError:
        pass
    return sent


@test()
def test_ping_flood(s):
    """A client that pings without reading is not read any more once its pongs pile up; memory stays flat."""
    with s.open(TOTAL, receive_buffer=4096) as ws:
        sent = pour(ws.start(), ws_frame(b"x" * 125, PING) * 500, 64 << 20)
        assert sent < 32 << 20, f"{sent} bytes were taken"
        buffered = s.gateway.metric("drawbridge_buffered_bytes")
        assert 0 < buffered < 1 << 20, buffered
        with s.open(SQRT) as other:
            equal(other.start().request(number(16)).half_close().answer()[1], [number(4)], "reply to another client")
    s.gateway.assert_nothing_live()


@test(40)
def test_slow_reader(s):
    """256 MiB that nobody reads: the upstream is paused, memory stays flat, others go on; then all of it arrives."""
    with s.open(FLOOD, receive_buffer=16384, seconds=20) as ws:
        ws.start().request(flood(4096, 65536)).half_close()
        wait_for("a full buffer", lambda: s.gateway.metric("drawbridge_buffered_bytes") > 60000)
        time.sleep(0.5)
        assert s.gateway.metric("drawbridge_buffered_bytes") < 2 << 20
        with s.open(SQRT) as other:
            equal(other.start().request(number(16)).half_close().answer()[1], [number(4)], "reply to another client")
        received = 0
        ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while received < 16 << 20:
            received += len(ws.receive()[1])
        assert s.gateway.metric("drawbridge_buffered_bytes") < 2 << 20
    wait_for("the call is cancelled", lambda: s.cancelled("Flood") >= 1)
    s.gateway.assert_nothing_live()


@test(40)
def test_slow_upstream(s):
    """An upload that the upstream does not take stops being read."""
    with s.open(TOTAL) as ws:
        sent = pour(ws.start(), ws_frame(b"\0" + frame(number(1)) * 6000), 256 << 20)
        # It answers each number, and nobody reads the answers.
        assert sent < 128 << 20, f"{sent} bytes were taken"
        assert s.gateway.metric("drawbridge_buffered_bytes") < 2 << 20
    s.gateway.assert_nothing_live()


# --- time limits ---

@test(30)
def test_time_limits(s):
    with Gateway(s.calculator.address, "--header-timeout", "400ms", "--stall-timeout", "400ms") as gateway:
        port = gateway.port("http")
        with WebSocket(port, TOTAL) as ws:  # no metadata
            equal(ws.accepted().close_code(), 1008, "close code")
        with WebSocket(port, TOTAL) as ws:  # answers pings
            ws.start()
            for _ in range(4):
                equal(ws.receive(), (PING, b""), "ping")
                ws.send(b"", PONG)
            ws.request(number(3))
            equal(total_of([m for m in (ws.message(), ws.message())][1][0][1]), 3, "total")
            started = time.monotonic()  # does not
            equal(ws.receive()[0], PING, "ping")
            assert ws.at_end()
            assert 0.5 < time.monotonic() - started < 2, time.monotonic() - started
        wait_for("the log line", lambda: gateway.events("call", code="CANCELLED", message="the client does not answer pings"))
        with WebSocket(port, FLOOD, receive_buffer=4096) as ws:  # takes nothing
            ws.start().request(flood(1000, 65536)).half_close()
            wait_for("cut", lambda: gateway.metric("drawbridge_connections_cut_total") >= 1, 10)
            gateway.assert_nothing_live()
        with WebSocket(port, SQRT, seconds=8) as ws:  # owes its Close
            ws.start().request(number(16)).half_close()
            equal(ws.close_code(), 1000, "close code")
            started = time.monotonic()
            assert ws.at_end()
            assert 4 < time.monotonic() - started < 7, time.monotonic() - started


@test(30)
def test_drain(s):
    """SIGTERM: a call in progress finishes, then the gateway ends."""
    with Gateway(s.calculator.address) as gateway:
        with WebSocket(gateway.port("http"), TOTAL) as ws:
            ws.start().request(number(1))
            ws.message()
            gateway.terminate()
            time.sleep(0.2)
            ws.request(number(2)).half_close()
            frames = [ws.message(), ws.message()]
            equal(total_of(frames[-1][0][1]), 3, "total")
            equal(ws.close_code(), 1000, "close code")
            ws.close()
        gateway.wait(5)


@test(30)
def test_drain_timeout(s):
    """What is still open then hears the status UNAVAILABLE and Close 1001; one that reads nothing does not hold up the end."""
    with Gateway(s.calculator.address, "--drain-timeout", "500ms") as gateway:
        port = gateway.port("http")
        with WebSocket(port, TOTAL) as ws, WebSocket(port, FLOOD, receive_buffer=4096) as full, WebSocket(port, SQRT) as silent:
            ws.start().request(number(1))
            full.start().request(flood(10000, 65536)).half_close()
            equal((ws.message()[0][0], total_of(ws.message()[0][1])), (0x80, 1), "first answer")
            wait_for("a full buffer", lambda: gateway.metric("drawbridge_buffered_bytes") > 60000)
            started = time.monotonic()
            gateway.terminate()
            goes_away(silent.accepted())  # no call has begun on it: it would only hold up the drain
            assert time.monotonic() - started < 0.4, "a WebSocket without a call waited for the drain's end"
            goes_away(ws)
            assert time.monotonic() - started >= 0.4, "a call in progress was not waited for"
            equal(gateway.wait(5), 0, "exit status")
            assert time.monotonic() - started < 2.5, time.monotonic() - started


def goes_away(ws):
    block = ws.message()
    assert block[0][0] == 0x80 and b"grpc-status:14\r\n" in block[0][1], block
    equal(ws.close_code(), 1001, "close code")
    ws.close(1001)
    assert ws.at_end()


# --- many ---

@test(60)
def test_thousand_open(s):
    """1,000 WebSockets with a running call each; unary calls go on beside them, and all end."""
    with Gateway(s.calculator.address) as gateway:
        gateway.workers = 20  # upstream connections that 1,000 streams need, and that stay open behind them
        thousand(gateway)


def thousand(gateway):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    sockets = []
    try:
        for _ in range(1000):
            sockets.append(WebSocket(gateway.port("http"), TOTAL).start().request(number(1)))
        for ws in sockets:
            ws.message()
            equal(total_of(ws.message()[0][1]), 1, "total")
        equal(gateway.metric("drawbridge_exchanges_open"), 1000, "exchanges")
        for _ in range(50):
            equal(curl(gateway.url + SQRT, '{"value":16}').json(), {"value": 4}, "unary call")
        for ws in sockets[::2]:
            ws.half_close()
        for ws in sockets[::2]:
            equal(ws.close_code(), 1000, "close code")
            ws.close()
    finally:
        for ws in sockets:
            ws.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    gateway.assert_nothing_live(10)


# --- clients of other projects ---

def node_scenarios(s, client):
    return each_scenario(["node", node_clients() / client], s.gateway.url, s.gateway.assert_nothing_live,
                         {"PROTO": str(ROOT / "proto/calculator.proto"), "SCHEMA": str(SCHEMA)})


@test(90)
def test_npm_improbable_grpc_web(s):
    return node_scenarios(s, "improbable_websocket.mjs")


@test(90)
def test_npm_nice_grpc_web(s):
    return node_scenarios(s, "nice_websocket.mjs")


if __name__ == "__main__":
    main(servers)
