#!/usr/bin/env python3
"""Hostile HTTP/2 upstreams behind the gateway, with raw frames.  During each row the gateway answers its admin listener; after
it the same upstream behaves, and the gateway must serve calls again with nothing of the attack left open."""
import contextlib
import gzip
import http.client
import os
import pathlib
import re
import socket
import struct
import time

from h2_client import CONTINUATION, INITIAL_WINDOW, MAX_STREAMS, PRIORITY, PUSH_PROMISE, UNKNOWN, field, reset, settings, window
from harness import Calculator, Gateway, equal, main, test, wait_for
from peers import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, H2Peer, finish_call, h2_frame, leave_rst, load,
                   reply_head, reply_trailers, start_call)
from wire import frame, number, slow

PATH, BODY, OK = "/test.Service/Method", frame(b"request"), ("grpc-status", "0")
MESSAGE = frame(b"reply")
OPEN, CONNECTIONS = "drawbridge_upstream_calls_open", "drawbridge_upstream_connections_open"
MAX_GROWTH_KIB = 64 << 10
CONNECTION_KIB = 48  # of a client that waits: the HTTP library's pool, an exchange, a call; with sanitizers
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", "")


def good(stream):
    return [reply_head(stream) + h2_frame(DATA, 0, stream, MESSAGE) + reply_trailers(stream, OK)]


class Turncoat(H2Peer):
    """Hostile until `good` is set.  `first` goes out before anything else on each connection."""

    def __init__(self, attack, *first):
        self.good = False
        self.connections = []
        self._first = b"".join(first)
        super().__init__(lambda stream: good(stream) if self.good else attack(stream))

    def _speak(self, connection):
        self.connections.append(connection)
        connection.sendall(b"" if self.good else self._first)
        super()._speak(connection)

    def hang_up(self):
        """Ends all connections so far; their threads may be reading."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def outcome(s, seconds=8):
    """(grpc-status, messages) of one call, or ("cut", None) when its response was broken off."""
    try:
        messages, trailers = finish_call(s, seconds)
        return int(trailers["grpc-status"]), messages
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError):
        return "cut", None
    finally:
        s.close()


def rss_kib(server):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server.process.pid}/status").read_text())[1])


@contextlib.contextmanager
def facing(peer, *flags, growth=MAX_GROWTH_KIB):
    """A gateway in front of the peer, which turns good at the end."""
    with peer, Gateway(peer.address, "--upstream-connect-timeout", "500ms", *flags, ready=False, workers=1) as gateway:
        before = rss_kib(gateway)
        yield gateway
        equal(gateway.admin("/healthz", 2)[0], 200, "status of /healthz")
        peer.good = True
        wait_for("good calls", lambda: outcome(start_call(gateway, PATH, BODY)) == (0, [b"reply"]), 6, 0.05)
        for _ in range(5):
            equal(outcome(start_call(gateway, PATH, BODY)), (0, [b"reply"]), "a good call")
        gateway.assert_nothing_live()
        assert rss_kib(gateway) - before < growth, f"{rss_kib(gateway)} KiB, {before} before"


def header_block(*pairs):
    return b"\x88" + field("content-type", "application/grpc") + b"".join(field(*p) for p in pairs)


def with_continuations(stream, pieces):
    return (h2_frame(HEADERS, 0, stream, pieces[0]) + b"".join(h2_frame(CONTINUATION, 0, stream, p) for p in pieces[1:-1]) +
            h2_frame(CONTINUATION, END_HEADERS, stream, pieces[-1]))


def gzip_reply(stream, payload):
    return [reply_head(stream, ("grpc-encoding", "gzip")) + b"".join(
        h2_frame(DATA, 0, stream, frame(payload, 1)[at:at + 16384]) for at in range(0, len(payload) + 5, 16384)) +
            reply_trailers(stream, OK)]


def hpack_bomb(stream):
    pieces = [header_block() + field("x-bomb", b"a" * 4000, 0x40)] + [b"\xbe" * 16384] * 6
    return [with_continuations(stream, pieces)]


def flood(piece, first=lambda stream: reply_head(stream)):
    return lambda stream: [first(stream), (piece(stream) if callable(piece) else piece) * 30_000]


GZIP = ("grpc-accept-encoding: gzip",)
SOON = ("grpc-timeout: 300m",)
LOST, BROKEN = (14,), (13, 14)
BIG = frame(b"x" * 40_000)
BOMB = gzip.compress(bytes(64 << 20))
ROWS = {  # name: (what the upstream sends on stream s, what a call may end with, more request headers)
    "garbage": (lambda s: [b"\xde\xad\xbe\xef" * 5000], LOST),
    "garbage_in_a_reply": (lambda s: [reply_head(s), b"\xde\xad\xbe\xef" * 5000], LOST),
    "silence": (lambda s: [], (4,), SOON),
    "silence_after_headers": (lambda s: [reply_head(s)], (4,), SOON),
    "hangs_in_a_short_message": (lambda s: [reply_head(s), h2_frame(DATA, 0, s, MESSAGE[:7])], (4,), SOON),
    "hangs_in_a_long_message": (lambda s: [reply_head(s), h2_frame(DATA, 0, s, BIG[:16384]), h2_frame(DATA, 0, s, BIG[16384:30000])],
                                ("cut",), SOON),
    "data_before_headers": (lambda s: [h2_frame(DATA, 0, s, MESSAGE), reply_head(s)], BROKEN),
    "trailers_before_headers": (lambda s: [reply_trailers(s, OK)], (2, *BROKEN)),
    "two_headers": (lambda s: [reply_head(s), reply_head(s), reply_trailers(s, OK)], BROKEN),
    "data_after_the_end": (lambda s: [*good(s), h2_frame(DATA, END_STREAM, s, MESSAGE)], (0, *BROKEN)),
    "status_twice": (lambda s: [reply_head(s), reply_trailers(s, OK, ("grpc-status", "5"))], (2,)),
    "reset_at_once": (lambda s: [reset(s, 2)], (13,)),
    "reset_refused_for_ever": (lambda s: [reset(s, 7)], LOST),
    "reset_no_error_at_once": (lambda s: [reset(s, 0)], (13,)),
    "reset_after_headers": (lambda s: [reply_head(s), reset(s, 8)], (1,)),
    "reset_refused_after_headers": (lambda s: [reply_head(s), reset(s, 7)], LOST),
    "reset_after_a_message": (lambda s: [reply_head(s), h2_frame(DATA, 0, s, MESSAGE), reset(s, 11)], (8,)),
    "reset_after_trailers": (lambda s: [*good(s), reset(s, 8)], (0,)),
    "resets_of_idle_streams": (lambda s: [reset(s + 100, 8)], LOST),
    "headers_of_20_kb": (lambda s: [with_continuations(s, [header_block(), *(field(f"x-{i}", "v" * 4000) for i in range(5))])], (8,)),
    "headers_of_100_kb": (lambda s: [with_continuations(s, [header_block(), *(field(f"x-{i}", "v" * 16000) for i in range(6))])],
                          (8,)),
    "headers_of_1_mb": (lambda s: [with_continuations(s, [header_block(), *(field(f"x-{i}", "v" * 16000) for i in range(64))])],
                        (8, 14)),
    "hpack_bomb": (hpack_bomb, (8,)),
    "trailers_of_20_kb": (lambda s: [reply_head(s), with_continuations(
        s, [field(*OK), *(field(f"x-{i}", "v" * 4000) for i in range(5))])], (8, *BROKEN)),
    "endless_1xx": (lambda s: [h2_frame(HEADERS, END_HEADERS, s, field(":status", "103")) * 5000], (8,)),
    "ping_flood": (flood(h2_frame(PING, 0, 0, bytes(8))), LOST),
    "ping_ack_flood": (flood(h2_frame(PING, ACK, 0, bytes(8))), LOST),
    "settings_flood": (flood(settings((INITIAL_WINDOW, 65535))), LOST),
    "empty_data_flood": (flood(lambda s: h2_frame(DATA, 0, s)), LOST),
    "priority_flood": (flood(lambda s: h2_frame(PRIORITY, 0, s, bytes(5))), LOST),
    "window_update_flood": (flood(window(0, 1)), LOST),
    "unknown_frames_flood": (flood(h2_frame(UNKNOWN, 0, 0, b"x")), LOST),
    "continuation_flood": (lambda s: [h2_frame(HEADERS, 0, s, header_block()), h2_frame(CONTINUATION, 0, s) * 20_000], LOST),
    "goaway_flood": (flood(h2_frame(GOAWAY, 0, 0, struct.pack(">II", 0x7fffffff, 0))), LOST),
    "window_overflow": (lambda s: [window(0, 0x7fffffff)], LOST),
    "window_overflow_of_the_stream": (lambda s: [window(s, 0x7fffffff)], BROKEN),
    "push_promise": (lambda s: [h2_frame(PUSH_PROMISE, END_HEADERS, s, struct.pack(">I", 2) + b"\x82")], LOST),
    "headers_on_an_even_stream": (lambda s: [reply_head(2)], LOST),
    "a_frame_of_16_mib": (lambda s: [struct.pack(">I", 0xffffff)[1:] + b"\0\0" + struct.pack(">I", s) + bytes(70000)], LOST),
    "message_of_4_gib": (lambda s: [reply_head(s), h2_frame(DATA, 0, s, b"\0\xff\xff\xff\xff")], (8,)),
    "flags_0x40": (lambda s: [reply_head(s), h2_frame(DATA, 0, s, b"\x40" + MESSAGE[1:]), reply_trailers(s, OK)], (13,)),
    "gzip_bomb": (lambda s: gzip_reply(s, BOMB), (8,)),
    "gzip_bomb_for_one_who_reads_gzip": (lambda s: gzip_reply(s, BOMB), (8,), GZIP),
    "gzip_cut": (lambda s: gzip_reply(s, gzip.compress(b"reply")[:-4]), (13,)),
    "gzip_cut_for_one_who_reads_gzip": (lambda s: gzip_reply(s, gzip.compress(b"reply")[:-4]), (13,), GZIP),
    "closed_after_headers": (lambda s: [reply_head(s), None], LOST),
    "rst_after_headers": (lambda s: [reply_head(s), 0.05, "rst"], LOST),
}


def row_test(name, attack, wanted, more=()):
    def one():
        with facing(Turncoat(attack)) as gateway:
            for _ in range(2):
                calls = [start_call(gateway, PATH, BODY, *more) for _ in range(4)]
                found = [outcome(s)[0] for s in calls]
                # A neighbour on the same connection may fall with it.
                assert found[0] in wanted and set(found) <= {*wanted, 14}, f"{found}, not {wanted}"
    one.__name__ = "test_" + name
    test(25)(one)


for row_name, row in ROWS.items():
    row_test(row_name, *row)


@test(30)
def test_goaway_under_load():
    """Every fifth request brings a GOAWAY with its own identifier, and the end of the connection a moment later."""
    def reply(stream):
        if peer.requests % 5:
            return good(stream)
        return [h2_frame(GOAWAY, 0, 0, struct.pack(">II", stream, 0)), *good(stream), 0.2, None]
    peer = Turncoat(reply)
    with facing(peer) as gateway:
        with load(gateway, 4, PATH, BODY, b"reply") as calls:
            wait_for("20 connections", lambda: peer.accepted >= 20, 15)
        equal(calls.failures(), {}, "failures")
        assert calls.count() > 80, calls.outcomes


@test(30)
def test_no_streams_then_some():
    peer = Turncoat(good, settings((MAX_STREAMS, 0)))
    with facing(peer) as gateway:
        equal({outcome(start_call(gateway, PATH, BODY, *SOON))[0] for _ in range(3)}, {4}, "statuses without streams")
        equal(peer.requests, 0, "requests that came")
        waiting = [start_call(gateway, PATH, BODY) for _ in range(5)]
        wait_for("five calls wait", lambda: gateway.metric("drawbridge_upstream_calls_queued") == 5)
        for connection in peer.connections:
            connection.sendall(settings((MAX_STREAMS, 10)))
        equal({outcome(s)[0] for s in waiting}, {0}, "statuses with streams")


@test(30)
def test_one_stream_per_connection():
    peer = Turncoat(lambda s: [0.05, *good(s)], settings((MAX_STREAMS, 1)))
    with facing(peer) as gateway:
        calls = [start_call(gateway, PATH, BODY) for _ in range(30)]
        equal({outcome(s) == (0, [b"reply"]) for s in calls}, {True}, "all served")
        peer.hang_up()  # or they stay until they were idle for 30 s


@test(30)
def test_more_calls_than_may_wait():
    """1024 in flight, 1024 in the queue, the rest at once."""
    with facing(Turncoat(lambda s: []), growth=2068 * CONNECTION_KIB) as gateway:
        calls = [start_call(gateway, PATH, BODY) for _ in range(2048)]
        wait_for(lambda: f"{gateway.metric(OPEN)} of 2048 calls are open", lambda: gateway.metric(OPEN) == 2048, 15)
        equal(gateway.metric("drawbridge_upstream_streams_open"), 1024, "streams")
        surplus = [start_call(gateway, PATH, BODY) for _ in range(20)]
        equal({outcome(s, 3)[0] for s in surplus}, {14}, "statuses of the surplus")
        for s in calls:
            s.close()
        wait_for("all are cancelled", lambda: gateway.metric(OPEN) == 0, 10)


class Mute(Turncoat):
    """Says SETTINGS and never acknowledges any, until it is good."""

    def _speak(self, connection):
        if self.good:
            super()._speak(connection)
            return
        self.connections.append(connection)
        connection.settimeout(None)
        connection.sendall(settings())
        while connection.recv(65536):
            pass


@test(30)
def test_settings_never_acknowledged():
    peer = Mute(good)
    with facing(peer) as gateway:
        started = time.monotonic()
        equal(outcome(start_call(gateway, PATH, BODY), 15)[0], 14, "status")
        assert 8 < time.monotonic() - started < 13, f"after {time.monotonic() - started:.1f} s"
        peer.good = True
        peer.hang_up()


@test(40)
def test_cancelled_calls_cost_others_nothing():
    """Servers throw out a connection that resets too many streams; here it carries everybody's calls."""
    request = frame(slow(4, 20))
    with Calculator() as calculator, Gateway(calculator.address, workers=1) as gateway:
        with load(gateway, 2, "/Calculator/SquareRoot", frame(number(16)), number(4)) as calls:
            patient = [start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(16, 4))) for _ in range(20)]
            for _ in range(60):
                many = [start_call(gateway, "/Calculator/SlowSquareRoot", request) for _ in range(50)]
                wait_for("50 calls and 20", lambda: gateway.metric("drawbridge_upstream_streams_open") >= 70, every=0.002)
                for s in many:
                    leave_rst(s)
        equal(calls.failures(), {}, "failures")
        equal({outcome(s)[0] for s in patient}, {0}, "statuses of slow calls beside it")
        gateway.assert_nothing_live()
        seen = [e["status"] for e in calculator.calls("SlowSquareRoot")]  # some were cancelled before they had a stream
        assert set(seen) == {"OK", "CANCELLED"} and seen.count("CANCELLED") > 2000, {s: seen.count(s) for s in seen}


@test()
def test_dead_hosts_are_noticed():
    """The kernel's keepalive watches connections without traffic: timer 2 of proc(5)'s net/tcp."""
    peer = Turncoat(good)
    with facing(peer) as gateway:
        equal(outcome(start_call(gateway, PATH, BODY))[0], 0, "status")
        port = "%04X" % int(peer.address.rpartition(":")[2])
        time.sleep(0.3)  # after the acknowledgement of the last data
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        timers = [r[5][:2] for r in rows if r[2].endswith(":" + port) and r[3] == "01"]
        equal(set(timers), {"02"}, "timers of connections to the upstream")


if __name__ == "__main__":
    main()
