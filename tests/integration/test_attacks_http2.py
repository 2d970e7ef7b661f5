#!/usr/bin/env python3
"""Hostile and awkward HTTP/2 and gRPC clients against the calculator, with raw frames.  One calculator serves all rows; during
each a well-behaved client beside the attacker must be served, and afterwards the server's memory must be back."""
import contextlib
import gzip
import os
import pathlib
import re
import socket
import struct
import time

from h2_client import (CALM, CONTINUATION, FLOW_CONTROL_ERROR, INITIAL_WINDOW, MAX_FRAME, PREFACE, PRIORITY, PROTOCOL_ERROR,
                       PUSH_PROMISE, REFUSED_STREAM, SETTINGS_TIMEOUT, STREAM_CLOSED, TABLE_SIZE, UNKNOWN, Answer, Client, Neighbour,
                       field, headers, request, request_block, reset, settings, window)
from harness import Calculator, equal, main, test, wait_for
from peers import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, SETTINGS, h2_frame
from wire import field as message_field, flood, frame, number, slow, split

ROOT, SLOW, FLOOD, ECHO = "/Calculator/SquareRoot", "/Calculator/SlowSquareRoot", "/Calculator/Flood", "/Calculator/Echo"
SIXTEEN, FOUR = number(16), number(4)
MAX_GROWTH_KIB = 64 << 10  # a freed byte stays a while in the sanitizer's quarantine
LATE_PEERS = {}


def rss_kib(server):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server.process.pid}/status").read_text())[1])


def client(server, *pairs, **options):
    return Client(server.port("grpc"), *pairs, **options)


@contextlib.contextmanager
def calculator():
    """The server of all rows, and three peers whose time limit runs meanwhile."""
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", "")
    with Calculator("--workers", "1") as server:
        LATE_PEERS.update(opened=time.monotonic(), mute=client(server, greet=False), polite=client(server),
                          no_ack=client(server, acknowledge=False))
        LATE_PEERS["polite"].call(ROOT, SIXTEEN)
        yield server


@contextlib.contextmanager
def peace(server, max_growth_kib=MAX_GROWTH_KIB):
    """What must hold around every attack."""
    before = rss_kib(server)
    neighbour = Neighbour(server.port("grpc"), ROOT, SIXTEEN, FOUR)
    try:
        wait_for("the first calls beside it", lambda: neighbour.count >= 3 or neighbour.failure)
        yield
        count = neighbour.count
        wait_for("calls beside it go on", lambda: neighbour.count > count + 3 or neighbour.failure)
    finally:
        neighbour.stop()
    assert server.process.poll() is None, server.log()[-2000:]
    server.check_log()
    with client(server) as fresh:
        equal(fresh.call(ROOT, SIXTEEN).messages, [FOUR], "reply to a fresh client")
    wait_for(lambda: f"{rss_kib(server)} KiB, {before} before", lambda: rss_kib(server) - before < max_growth_kib, 3, 0.1)


def assert_thrown_out(c, *codes, reset_is_fine=False):
    """The server said why and closed.  Who goes on sending for a second meets a TCP reset, which destroys what was not read."""
    c.refill = False
    goaway = c.read_to_end()
    if goaway or not reset_is_fine:
        assert goaway and goaway[1] in codes, f"GOAWAY {goaway}, not one of {codes}"


# --- floods: (bytes before, bytes repeated) on a connection that reads, and on one that does not ---

def rapid_reset():
    for i in range(1, 12_000, 2):
        yield headers(i, SLOW) + reset(i)


def made_you_reset_by_zero_window_updates():
    for i in range(1, 12_000, 2):
        yield headers(i, SLOW) + window(i, 0)


def made_you_reset_by_window_overflow():
    for i in range(1, 12_000, 2):
        yield headers(i, SLOW) + window(i, 0x7fffffff)


def made_you_reset_by_content_length():
    for i in range(1, 12_000, 2):
        yield headers(i, SLOW, ("content-length", "1")) + h2_frame(DATA, END_STREAM, i, b"12345")


def repeated(piece, count=20_000, first=b""):
    def pieces():
        yield first
        for _ in range(count // 100):
            yield piece * 100
    return pieces


FLOODS = {
    "rapid_reset": rapid_reset,
    "made_you_reset_by_zero_window_updates": made_you_reset_by_zero_window_updates,
    "made_you_reset_by_window_overflow": made_you_reset_by_window_overflow,
    "made_you_reset_by_content_length": made_you_reset_by_content_length,
    "continuation": repeated(h2_frame(CONTINUATION, 0, 1, b"\0\1a\1b"), first=h2_frame(HEADERS, 0, 1, request_block(SLOW))),
    "empty_continuation": repeated(h2_frame(CONTINUATION, 0, 1), first=h2_frame(HEADERS, 0, 1, request_block(SLOW))),
    "ping": repeated(h2_frame(PING, 0, 0, bytes(8))),
    "ping_acks": repeated(h2_frame(PING, ACK, 0, bytes(8))),
    "settings": repeated(settings((INITIAL_WINDOW, 65535))),
    "empty_settings": repeated(settings()),
    "empty_data": repeated(h2_frame(DATA, 0, 1), first=headers(1, SLOW)),
    "priority": repeated(h2_frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)), first=headers(1, SLOW)),
    "window_update": repeated(window(0, 1)),
    "window_update_of_a_stream": repeated(window(1, 1), first=headers(1, SLOW)),
    "unknown_frames": repeated(h2_frame(UNKNOWN, 0, 0, b"x")),
}


def flood_test(name, pieces):
    # nghttp2 takes an increment of 0 for an error of the connection, as RFC 9113 section 6.9 allows.
    codes = (PROTOCOL_ERROR,) if name.endswith("zero_window_updates") else (CALM,)

    def one(server):
        with peace(server), client(server) as c:
            c.until("SETTINGS", lambda: c.acks)  # its acknowledgement must not cut a header block in two
            for piece in pieces():
                if not c.send(piece):
                    break
                c.read()
            assert_thrown_out(c, *codes)
        with peace(server), client(server, receive_buffer=4096, seconds=3) as c:
            for piece in pieces():
                if not c.send(piece):
                    break
            assert_thrown_out(c, *codes, reset_is_fine=True)
    one.__name__ = "test_flood_" + name
    test(30)(one)


for flood_name, flood_pieces in FLOODS.items():
    flood_test(flood_name, flood_pieces)


@test(30)
def test_padding_pays_for_nothing(server):
    """DATA that is only padding is bounded by the window, and buys no control frames."""
    empty = h2_frame(DATA, 8, 1, b"\0")  # PADDED
    with peace(server), client(server) as c:
        c.send(headers(1, SLOW))
        for _ in range(200):
            if not c.send((empty + h2_frame(PRIORITY, 0, 3, struct.pack(">IB", 0, 1)) * 5) * 20):
                break
            c.read()
        assert_thrown_out(c, CALM)


# --- limits of a connection ---

@test(30)
def test_hpack_bomb(server):
    """An entry of 4 KiB in the table and blocks of one-byte references to it: 600 MB when copied."""
    entry = field("x-bomb", b"a" * 4000, 0x40)
    with peace(server, 32 << 10), client(server) as c:
        stream = c.next_id()
        c.send(h2_frame(HEADERS, 0, stream, request_block(SLOW) + entry))
        for _ in range(7):
            c.send(h2_frame(CONTINUATION, 0, stream, b"\xbe" * 16384))
        c.send(h2_frame(CONTINUATION, END_HEADERS, stream, b"\xbe"))
        c.until("the stream is reset", lambda: c.answers.get(stream) and c.answers[stream].reset is not None)
        equal(c.answers[stream].reset, CALM, "code")
        equal(c.call(ROOT, SIXTEEN).messages, [FOUR], "the next call of this connection")


@test(30)
def test_stream_101(server):
    with peace(server), client(server) as c:
        c.until("SETTINGS", lambda: c.acks)
        equal(c.settings[3], 100, "MAX_CONCURRENT_STREAMS")
        streams = [c.start(SLOW, slow(16, 1.0)) for _ in range(100)]
        surplus = [c.start(ROOT, SIXTEEN) for _ in range(10)]
        for s in surplus:
            equal(c.finish(s).reset, REFUSED_STREAM, "code")
        equal({c.finish(s).status for s in streams}, {0}, "statuses of the first hundred")
        equal(c.call(ROOT, SIXTEEN).messages, [FOUR], "the next call")


@test(30)
def test_surplus_streams_for_ever(server):
    with peace(server), client(server) as c:
        for _ in range(100):
            c.start(SLOW, slow(16, 20))
        for i in range(300):
            if not c.send(b"".join(headers(c.next_id(), SLOW) for _ in range(10))):
                break
            c.read()
        assert_thrown_out(c, CALM)


@test(30)
def test_zero_window(server):
    with peace(server), client(server, (INITIAL_WINDOW, 0), refill=False) as c:
        streams = [c.start(FLOOD, flood(20, 1000)) for _ in range(80)]
        endless = [c.start(FLOOD, flood(10 ** 9, 1000)) for _ in range(20)]
        time.sleep(2)
        c.read(0.1)
        assert not any(c.answers[s].data for s in streams + endless), "DATA without a window"
        c.send(b"".join(reset(s) for s in endless))
        c.refill = True
        c.send(settings((INITIAL_WINDOW, 65535)))
        for s in streams:
            answer = c.finish(s)
            equal((answer.status, len(answer.messages)), (0, 20), "what comes with a window")


@test(30)
def test_windows_of_one_byte(server):
    with peace(server), client(server, (INITIAL_WINDOW, 1), refill=False) as c:
        stream = c.start(ECHO, message_field(1, b"x" * 300))
        answer = c.answers[stream]
        for n in range(1, 308):
            c.until(f"byte {n}", lambda: len(answer.data) >= n)
            equal(len(answer.data), n, "bytes within the window")
            c.send(window(stream, 1))
        c.finish(stream)
        equal((answer.status, split(answer.data)[0][1][-300:]), (0, b"x" * 300), "answer")


@test(30)
def test_settings_change_in_the_middle(server):
    with peace(server), client(server) as c:
        stream = c.start(FLOOD, flood(300, 5000))
        for window_size, max_frame in ((1, 16384), (100_000, 1 << 20), (0, 16384), (65535, (1 << 24) - 1), (0x7fffffff, 16384)):
            c.read(0.01)
            c.send(settings((INITIAL_WINDOW, window_size), (MAX_FRAME, max_frame)))
        c.send(settings((INITIAL_WINDOW, 1 << 20)))
        answer = c.finish(stream, 20)
        equal((answer.status, len(answer.messages)), (0, 300), "answer")
        equal(c.acks, 7, "acknowledgements of SETTINGS")
        c.send(settings((INITIAL_WINDOW, 0x80000000)))
        assert_thrown_out(c, FLOW_CONTROL_ERROR)


@test(30)
def test_goaway_races(server):
    with peace(server):
        with client(server) as c:  # a client that goes away waits for its answers
            streams = [c.start(SLOW, slow(16, 0.2)) for _ in range(20)]
            c.send(h2_frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
            equal({c.finish(s).status for s in streams}, {0}, "statuses")
            c.read_to_end()
        with client(server) as c:  # it goes away and starts a stream all the same
            c.send(h2_frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
            c.start(ROOT, SIXTEEN)
            c.read_to_end()
        with client(server) as c:  # twice, with an error and text
            c.start(SLOW, slow(16, 20))
            c.send(h2_frame(GOAWAY, 0, 0, struct.pack(">II", 0, PROTOCOL_ERROR) + b"bye\r\n\0") * 2)
            c.socket.close()
    with Calculator() as other, client(other) as c:  # the server goes away while streams start
        started = [c.start(SLOW, slow(16, 0.3)) for _ in range(10)]
        other.terminate()
        end = time.monotonic() + 5
        while not c.closed and time.monotonic() < end:
            if len(started) < 60:
                started.append(c.start(ROOT, SIXTEEN))
            c.read(0.02)
        last = c.goaway[0]
        for s in started:
            if s <= last:
                equal(c.answers[s].status, 0, f"status of stream {s}, the last is {last}")
            else:
                assert not c.answers[s].head, f"stream {s} was answered, the last is {last}"
        equal(other.wait(), 0, "exit status")


# --- resets and frames in the wrong state ---

@test(30)
def test_reset_in_every_state(server):
    body = frame(slow(16, 20))
    with peace(server), client(server) as c:
        before = len(server.calls("SlowSquareRoot", "CANCELLED"))
        for cut in (None, 0, 3, len(body), "end"):
            stream = c.open(SLOW)
            if cut is not None:
                c.send(h2_frame(DATA, END_STREAM if cut == "end" else 0, stream, body if cut == "end" else body[:cut]))
            c.read(0.02)
            c.send(reset(stream))
        wait_for("the server sees five cancelled calls",
                 lambda: len(server.calls("SlowSquareRoot", "CANCELLED")) == before + 5)
        stream = c.start(FLOOD, flood(10 ** 9, 1000))
        c.until("replies", lambda: len(c.answers[stream].data) > 10_000)
        c.send(reset(stream))
        finished = c.start(ROOT, SIXTEEN)
        c.finish(finished)
        c.send(reset(finished) + reset(finished))  # after its end
        equal(c.call(ROOT, SIXTEEN).messages, [FOUR], "the next call")
        c.send(reset(c.next_id() + 100))  # idle (RFC 9113 section 6.4)
        assert_thrown_out(c, PROTOCOL_ERROR)


WRONG_FRAMES = [  # (name, bytes behind the preface, codes of GOAWAY)
    ("data_on_an_idle_stream", h2_frame(DATA, 0, 1, b"x"), (PROTOCOL_ERROR,)),
    ("headers_on_an_even_stream", headers(2, ROOT), (PROTOCOL_ERROR,)),
    ("headers_on_stream_0", headers(0, ROOT), (PROTOCOL_ERROR,)),
    ("stream_ids_that_go_down", headers(5, SLOW) + headers(3, SLOW), (PROTOCOL_ERROR, STREAM_CLOSED)),
    ("settings_on_a_stream", h2_frame(SETTINGS, 0, 1), (PROTOCOL_ERROR,)),
    ("settings_of_5_bytes", h2_frame(SETTINGS, 0, 0, bytes(5)), (6,)),
    ("window_overflow", window(0, 0x7fffffff), (FLOW_CONTROL_ERROR,)),
    ("push_promise", h2_frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), (PROTOCOL_ERROR,)),
    ("continuation_alone", h2_frame(CONTINUATION, END_HEADERS, 1, b"\x82"), (PROTOCOL_ERROR,)),
    ("headers_broken_by_a_ping", h2_frame(HEADERS, 0, 1, b"\x82") + h2_frame(PING, 0, 0, bytes(8)), (PROTOCOL_ERROR,)),
    ("bad_hpack_index", h2_frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x0f"), (9,)),
    ("padding_beyond_the_frame", headers(1, SLOW) + h2_frame(DATA, 8, 1, b"\xff"), (PROTOCOL_ERROR,)),
    ("ping_of_7_bytes", h2_frame(PING, 0, 0, bytes(7)), (6,)),
    ("a_frame_of_16_mib", struct.pack(">I", 0xffffff)[1:] + b"\0\0\0\0\0\1", (6, PROTOCOL_ERROR)),
]


@test(40)
def test_frames_in_the_wrong_state(server):
    wrong = []
    with peace(server):
        for name, data, codes in WRONG_FRAMES:
            with client(server) as c:
                c.send(data)
                try:
                    assert_thrown_out(c, *codes)
                except AssertionError as failure:
                    wrong.append(f"{name}: {failure}")
    assert not wrong, "\n".join(wrong)
    return len(WRONG_FRAMES)


@test(30)
def test_other_protocols_on_the_port(server):
    hello = bytes.fromhex("16030100a5010000a10303") + bytes(range(155))
    with peace(server):
        for words in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", hello, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", bytes(4096),
                      b"\xff" * 100, b"\r\n" * 12):
            with client(server, greet=False) as c:
                c.send(words)
                started = time.monotonic()
                c.read_to_end(4)
                assert time.monotonic() - started < 3, f"{words[:20]}: closed late"


@test(30)
def test_cut_at_every_byte(server):
    whole = PREFACE + settings((INITIAL_WINDOW, 65535)) + request(1, SLOW, frame(slow(16, 20))) + reset(1)
    with peace(server):
        for n in range(len(whole)):
            with socket.create_connection(("127.0.0.1", server.port("grpc"))) as s:
                s.sendall(whole[:n])
        with client(server, greet=False) as c:  # and one byte at a time
            c.answers[1] = Answer()
            for byte in PREFACE + settings((TABLE_SIZE, 0)) + request(1, ROOT, frame(SIXTEEN)):
                c.send(bytes([byte]))
            equal(c.finish(1).messages, [FOUR], "reply")


@test(30)
def test_1000_connections_come_and_go(server):
    with peace(server):
        for _ in range(10):
            many = [client(server) for _ in range(100)]
            streams = [(c, c.start(SLOW, slow(16, 20))) for c in many]
            for i, (c, _) in enumerate(streams):
                (c.abort if i % 2 else c.socket.close)()
        wait_for("no descriptor stays open", lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) < 60)


# --- gRPC ---

def bodies():
    zeros = gzip.compress(bytes(64 << 20), 9)
    packed = gzip.compress(SIXTEEN)
    encoding = ("grpc-encoding", "gzip")
    return [  # (name, path, body, more fields, status)
        ("good", ROOT, frame(SIXTEEN), (), 0),
        ("length 0xFFFFFFFF", ROOT, b"\0\xff\xff\xff\xff", (), 8),
        ("length of the limit and one", ROOT, struct.pack(">BI", 0, (4 << 20) + 1), (), 8),
        ("no message", ROOT, b"", (), 12),
        ("two messages", ROOT, frame(SIXTEEN) * 2, (), 12),
        ("cut prefix", ROOT, b"\0\0\0", (), 13),
        ("cut message", ROOT, frame(SIXTEEN)[:-1], (), 13),
        ("flags 0x02", ROOT, frame(SIXTEEN, 2), (), 13),
        ("flags 0x80", ROOT, frame(SIXTEEN, 0x80), (), 13),
        ("compressed without encoding", ROOT, frame(packed, 1), (), 13),
        ("gzip", ROOT, frame(packed, 1), (encoding,), 0),
        ("gzip bomb", ECHO, frame(zeros, 1), (encoding,), 8),
        ("gzip cut", ROOT, frame(packed[:-5], 1), (encoding,), 13),
        ("gzip of nothing", ROOT, frame(b"", 1), (encoding,), 13),
        ("not gzip", ROOT, frame(b"\x1f\x8b" + bytes(100), 1), (encoding,), 13),
        ("gzip with more behind it", ROOT, frame(packed + b"x", 1), (encoding,), 13),
        ("unknown encoding", ROOT, frame(SIXTEEN), (("grpc-encoding", "br"),), 12),
        ("invalid UTF-8", "/Calculator/ListHistory", frame(message_field(2, b"\xff")), (), 3),
        ("wrong wire type", ROOT, frame(b"\x08\x01"), (), 3),
        ("endless varint", ROOT, frame(b"\x10" + b"\xff" * 20), (), 3),
        ("two million empty sub-messages", "/Calculator/Batch", frame(b"\x0a\x00" * 2_000_000), (), 8),
        ("100,001 elements", "/Calculator/Batch", frame(b"\x0a\x00" * 100_001), (), 8),
        ("a million merges", SLOW, frame(b"\x12\x00" * 1_000_000), (), 8),
        ("unknown fields 10,000 deep", ROOT, frame(nested(10_000) + SIXTEEN), (), 0),
    ]


def nested(depth):
    """Field 15 in field 15 and so on."""
    data = b""
    for _ in range(depth):
        data = message_field(15, data)
    return data


@test(40)
def test_bodies(server):
    wrong, rows = [], bodies()
    with peace(server), client(server) as c:
        for name, path, body, more, status in rows:
            stream = c.open(path, *more)
            for at in range(0, max(len(body), 1), 16384):
                while c.read():
                    pass
                if not c.answers[stream].over:
                    c.send(h2_frame(DATA, END_STREAM if at + 16384 >= len(body) else 0, stream, body[at:at + 16384]))
            found = c.finish(stream).status
            if found != status:
                wrong.append(f"{name}: {found}, not {status}")
    assert not wrong, "\n".join(wrong)
    return len(rows)


TIMEOUTS = {
    0: ("1H", "1M", "10S", "10000m", "99999999u", "99999999H", "99999999S", "00000009S"),
    4: ("0H", "0M", "0S", "0m", "0u", "0n", "1n", "1u", "00000000n", "5m"),
    13: ("", "1", "S", "1s", "1h", "-1S", "+1S", "1.5S", "1 S", "123456789S", "1mm", "0x1S", "1S,2S", "\xa01S", "1\tS"),
}


@test(30)
def test_timeouts(server):
    wrong = []
    with peace(server), client(server) as c:
        for status, texts in TIMEOUTS.items():
            for text in texts:
                try:
                    found = c.call(SLOW, slow(16, 0.05), ("grpc-timeout", text.encode("latin-1"))).status
                except AssertionError as failure:
                    found = str(failure)
                if found != status:
                    wrong.append(f"grpc-timeout {text!r}: {found}, not {status}")
    assert not wrong, "\n".join(wrong)
    return sum(map(len, TIMEOUTS.values()))


@test(40)
def test_2000_short_deadlines(server):
    with peace(server):
        for _ in range(2):
            clients = [client(server) for _ in range(10)]
            calls = [(c, c.start(SLOW, slow(16, 30), ("grpc-timeout", "10m"))) for c in clients for _ in range(100)]
            equal({c.finish(s).status for c, s in calls}, {4}, "statuses")
            for c in clients:
                c.socket.close()


# --- time ---

@test(30)
def test_a_peer_that_never_says_http2(server):
    """Last: the peers were opened at the start."""
    with peace(server):
        mute, no_ack, polite = LATE_PEERS["mute"], LATE_PEERS["no_ack"], LATE_PEERS["polite"]
        equal(no_ack.read_to_end(14)[1], SETTINGS_TIMEOUT, "code for one that does not acknowledge SETTINGS")
        mute.read_to_end(3)
        assert time.monotonic() - LATE_PEERS["opened"] > 9, "closed early"
        equal(polite.call(ROOT, SIXTEEN).messages, [FOUR], "reply to one that did, and was idle")
        polite.socket.close()


if __name__ == "__main__":
    main(calculator, "the calculator ends in order")
