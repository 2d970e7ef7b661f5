#!/usr/bin/env python3
"""What goes wrong in operation: clients that leave, upstreams that die, hang, talk nonsense or are not there yet, signals
under load, and wrong starts.  Every scenario ends with nothing live in the gateway and an orderly end of both programs."""
import contextlib
import http.client
import socket
import struct
import time

from harness import (CLIENTS, SCHEMA, Calculator, Gateway, Late, Server, bridge, curl, equal, free_port, main, program,
                     python_clients, run, test, wait_for)
from peers import (END_STREAM, DATA, GOAWAY, RST_STREAM, SETTINGS, H2Peer, Peer, connect, finish_call, h2_frame, head,
                   leave_fin, leave_half_closed, leave_rst, load, reply_head, reply_trailers, start_call)
from wire import answer, factors, flood, frame, number, slow

OPEN, STARTED = "drawbridge_upstream_calls_open", "drawbridge_upstream_calls_total"
ROOT_OF_16 = ("/Calculator/SquareRoot", frame(number(16)))
LONG = frame(slow(4, 45))


def root_of_16(gateway):
    """(status, message) of one ordinary call."""
    messages, trailers = finish_call(start_call(gateway, *ROOT_OF_16))
    return int(trailers["grpc-status"]), trailers.get("grpc-message", "") if trailers["grpc-status"] != "0" else messages


def assert_works(gateway, seconds=5.0):
    wait_for(lambda: f"the gateway does not recover: {root_of_16(gateway)}", lambda: root_of_16(gateway)[0] == 0, seconds, 0.05)


def wait_open(gateway, count):
    wait_for(lambda: f"{gateway.metric(OPEN)} of {count} calls are open", lambda: gateway.metric(OPEN) == count)


# --- upstreams that die ---

@test(40)
def test_upstream_killed_with_100_open_calls():
    address = f"127.0.0.1:{free_port()}"
    with Calculator(listen=address) as calculator, Gateway(address) as gateway:
        calls = [start_call(gateway, "/Calculator/SlowSquareRoot", LONG) for _ in range(50)]
        calls += [start_call(gateway, "/Calculator/PrimeFactors", frame(factors(2 ** 60, 1))) for _ in range(25)]
        calls += [start_call(gateway, "/Calculator/Flood", frame(flood(10 ** 9, 1000, 0.2))) for _ in range(25)]
        wait_open(gateway, 100)
        killed = time.monotonic()
        calculator.crash()
        statuses = [finish_call(s)[1]["grpc-status"] for s in calls]
        elapsed = time.monotonic() - killed
        equal(statuses, ["14"] * 100, "statuses")
        assert elapsed < 1, f"the last client heard of it after {elapsed:.2f} s"
        for s in calls:
            s.close()
        gateway.assert_nothing_live()
        equal(gateway.admin("/readyz")[0], 503, "status of /readyz without an upstream")
        with Calculator(listen=address):
            assert_works(gateway)
            gateway.wait_ready(5)
            gateway.assert_nothing_live()


@test(40)
def test_upstream_flaps():
    address = f"127.0.0.1:{free_port()}"
    with Gateway(address, ready=False) as gateway:
        with load(gateway, 4, *ROOT_OF_16, number(4)) as calls:
            for _ in range(4):
                with Calculator(listen=address) as calculator:
                    before = calls.count()
                    wait_for("calls succeed again", lambda: calls.count() > before + 20)
                    calculator.crash()
                wait_for("calls fail", lambda: calls.failures())
        odd = {k: v for k, v in calls.failures().items() if not k.startswith("status 14")}
        assert not odd, odd
        gateway.assert_nothing_live()


@test()
def test_upstream_stops_in_order_under_load():
    """A GOAWAY and a drained end: calls in progress finish; later ones hear UNAVAILABLE, never anything else."""
    address = f"127.0.0.1:{free_port()}"
    with Gateway(address, ready=False) as gateway:
        with Calculator(listen=address):
            gateway.wait_ready()
            slow_calls = [start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 0.6))) for _ in range(20)]
            wait_open(gateway, 20)
        equal([finish_call(s)[1]["grpc-status"] for s in slow_calls], ["0"] * 20, "statuses")
        for s in slow_calls:
            s.close()
        equal(root_of_16(gateway)[0], 14, "status without an upstream")


@test(30)
def test_connections_that_age_under_load():
    """GOAWAY every few hundred milliseconds: no call may fail."""
    argv = [python_clients(), CLIENTS / "python/upstream.py", "127.0.0.1:0", "400"]
    with Server(argv, ["grpc"]) as upstream, Gateway(upstream.addresses["grpc"], ready=False) as gateway:
        with load(gateway, 4, "/test.Upstream/Count", frame(b"abc"), b"1 3") as calls:
            wait_for("five connections per worker", lambda: gateway.metric("drawbridge_upstream_connects_total") >= 10, 15)
        equal(calls.failures(), {}, "failures")
        assert calls.count() > 100, calls.outcomes


# --- upstreams that are not there or make no sense ---

def hostile(behave, *flags):
    return contextlib.closing(_Hostile(behave, flags))


class _Hostile:
    """A gateway in front of a peer that behaves so; both ended by close()."""

    def __init__(self, peer, flags):
        self._stack = contextlib.ExitStack()
        self.peer = self._stack.enter_context(peer)
        self.gateway = self._stack.enter_context(Gateway(peer.address, "--upstream-connect-timeout", "500ms", *flags,
                                                         ready=False, workers=1))

    def call(self, *more, path="/test.Service/Method"):
        """(messages, status, message) of a call."""
        s = start_call(self.gateway, path, frame(b"request"), *more)
        messages, trailers = finish_call(s)
        s.close()
        return messages, int(trailers["grpc-status"]), trailers.get("grpc-message", "")

    def close(self):
        self.gateway.assert_nothing_live()
        self._stack.close()


@test()
def test_upstream_down_at_start():
    address = f"127.0.0.1:{free_port()}"
    with Gateway(address, ready=False) as gateway:
        wait_for("a failed attempt", lambda: gateway.metric("drawbridge_upstream_connect_failures_total") >= 1)
        status, text = gateway.admin("/readyz")
        assert status == 503 and "refused" in text and address in text, text
        equal(gateway.admin("/healthz")[0], 200, "status of /healthz")
        status, message = root_of_16(gateway)
        assert status == 14 and "refused" in message, (status, message)
        with Calculator(listen=address):
            gateway.wait_ready(5)
            equal(curl(gateway.url + "/Calculator/SquareRoot", '{"value":16}').json(), {"value": 4}, "reply")
            gateway.assert_nothing_live()


@test()
def test_upstream_accepts_and_stays_silent():
    with hostile(Peer(lambda connection: time.sleep(3))) as h:
        started = time.monotonic()
        equal(h.call("grpc-timeout: 100m")[1], 4, "status before the time limit of the connection")
        equal(h.call()[1], 14, "status")
        assert time.monotonic() - started < 3


def test_nonsense(name, nonsense):
    """Registers a test of an upstream that sends these bytes first, or does this with the connection."""
    def behave(connection):
        if callable(nonsense):
            nonsense(connection)
        else:
            connection.sendall(nonsense)
            time.sleep(2)

    def one():
        with hostile(Peer(behave)) as h:
            for _ in range(5):
                messages, status, message = h.call()
                assert (messages, status) == ([], 14) and message, (messages, status, message)
            assert h.peer.accepted < 50, f"{h.peer.accepted} attempts: no backoff"
    one.__name__ = "test_upstream_" + name
    test()(one)


test_nonsense("sends_garbage", bytes(range(256)) * 10)
test_nonsense("speaks_http_1", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
test_nonsense("resets_each_connection", leave_rst)
test_nonsense("closes_each_connection", leave_fin)
test_nonsense("sends_a_large_frame", h2_frame(SETTINGS, 0, 0) + h2_frame(DATA, 0, 1, bytes(70000)))
test_nonsense("goes_away_at_once", h2_frame(SETTINGS, 0, 0) + h2_frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))


@test(40)
def test_upstream_answers_badly():
    message = frame(b"reply")
    ok = ("grpc-status", "0")

    def large(s):  # the first half of a message
        return [h2_frame(DATA, 0, s, frame(bytes(96_000))[at:at + 16_000]) for at in (0, 16_000, 32_000)]
    rows = [  # What the upstream sends on stream s, the status, the messages.  "cut": so much of a message has gone to the
        # client that no frame can follow, so the response must be visibly incomplete.
        ("good", lambda s: [reply_head(s), h2_frame(DATA, 0, s, message), reply_trailers(s, ok)], 0, [b"reply"]),
        ("trailers only", lambda s: [reply_head(s, ("grpc-status", "5"), end=True)], 5, []),
        ("no grpc-status", lambda s: [reply_head(s), reply_trailers(s, ("x-a", "1"))], 2, []),
        ("grpc-status 99", lambda s: [reply_head(s), reply_trailers(s, ("grpc-status", "99"))], 99, []),
        ("grpc-status x", lambda s: [reply_head(s), reply_trailers(s, ("grpc-status", "x"))], 2, []),
        ("no trailers", lambda s: [reply_head(s), h2_frame(DATA, END_STREAM, s, message)], 13, [b"reply"]),
        ("too large trailers", lambda s: [reply_head(s), h2_frame(DATA, 0, s, message),
                                          reply_trailers(s, ok, *[(f"x-{i}", "v" * 60) for i in range(200)])], 8, [b"reply"]),
        ("cut message", lambda s: [reply_head(s), h2_frame(DATA, 0, s, message[:7]), reply_trailers(s, ok)], 13, []),
        ("cut large message", lambda s: [reply_head(s), *large(s), reply_trailers(s, ok)], "cut", None),
        ("compressed without encoding", lambda s: [reply_head(s), h2_frame(DATA, 0, s, b"\1" + message[1:]),
                                                   reply_trailers(s, ok)], 13, []),
        ("not gRPC", lambda s: [reply_head(s, content_type="text/html"), h2_frame(DATA, END_STREAM, s, b"<html>")], 2, []),
        ("HTTP 404", lambda s: [reply_head(s, http_status=404, content_type="text/html", end=True)], 12, []),
        ("HTTP 503", lambda s: [reply_head(s, http_status=503, content_type="text/html", end=True)], 14, []),
        ("reset CANCEL", lambda s: [reply_head(s), h2_frame(RST_STREAM, 0, s, struct.pack(">I", 8))], 1, []),
        ("reset INTERNAL_ERROR", lambda s: [h2_frame(RST_STREAM, 0, s, struct.pack(">I", 2))], 13, []),
        ("reset ENHANCE_YOUR_CALM", lambda s: [h2_frame(RST_STREAM, 0, s, struct.pack(">I", 11))], 8, []),
        ("refused for ever", lambda s: [h2_frame(RST_STREAM, 0, s, struct.pack(">I", 7))], 14, []),
        ("closed after the headers", lambda s: [reply_head(s), None], 14, []),
        ("closed in a message", lambda s: [reply_head(s), h2_frame(DATA, 0, s, message[:7]), None], 14, []),
        ("closed in a large message", lambda s: [reply_head(s), *large(s), None], "cut", None),
        ("reset in a message", lambda s: [reply_head(s), h2_frame(DATA, 0, s, message[:7]), 0.1, "rst"], 14, []),
        ("reset in a large message", lambda s: [reply_head(s), *large(s), 0.1, "rst"], "cut", None),
        ("control characters", lambda s: [reply_head(s), reply_trailers(s, ("grpc-status", "7"),
                                                                        ("grpc-message", "a%0D%0Agrpc-status:0"))], 7, []),
    ]
    wrong = []
    for name, reply, status, messages in rows:
        with hostile(H2Peer(reply)) as h:
            try:
                found = h.call()
            except (http.client.IncompleteRead, http.client.RemoteDisconnected):
                found = None, "cut", ""
            except (AssertionError, OSError, http.client.HTTPException) as failure:
                found = None, repr(failure), ""
            if found[1] != status or (messages is not None and found[0] != messages):
                wrong.append(f"{name}: {found}, not {status} with {messages}")
    assert not wrong, "\n".join(wrong)


@test()
def test_stream_that_fails_in_the_turn_of_its_head():
    def reply(s):
        yield (reply_head(s) + h2_frame(DATA, 0, s, frame(b"\x08\x02")) +
               reply_trailers(s, ("grpc-status", "13"), ("grpc-message", "broken")))
    with H2Peer(reply) as peer, Gateway(peer.address, "--descriptors", SCHEMA) as gateway:
        cut = curl(gateway.url + "/v1/factors/6")
        equal((cut.status, cut.exit_status), (200, 18), f"status, and curl's word for a body that breaks off, of {cut}")
        assert cut.body.startswith(b'[{"factor":"2"},{"error":{"code":13,"message":"broken"'), cut
        gateway.assert_nothing_live()


@test()
def test_metadata_that_fits_no_head():
    def reply(s):
        fields = [(f"x-{i}", "v" * 120) for i in range(90)]
        yield reply_head(s, *fields) + h2_frame(DATA, 0, s, frame(number(16))) + reply_trailers(s, ("grpc-status", "0"))
    long = ["x-long: " + "v" * 3000] * 4
    with H2Peer(reply) as peer, Gateway(peer.address, "--descriptors", SCHEMA) as gateway:
        whole = curl(gateway.url + "/v1/sqrt/16")
        equal((whole.status, len([n for n in whole.headers if n.startswith("x-")])), (200, 90), "status and fields")
        for path, data, status in ("/v1/sqrt/16", None, 429), ("/v1/factors/6", None, 429), (*ROOT_OF_16, 200):
            web = ["content-type: application/grpc-web+proto"] if data else []
            refused = curl(gateway.url + path, data, *long, *web)
            equal(refused.status, status, f"HTTP status of {refused}")
            text = refused.headers["grpc-message"] if data else refused.json()["message"]
            assert "metadata is too large" in text and refused.headers.get("grpc-status", "8") == "8", refused
            gateway.assert_nothing_live()


@test()
def test_refused_stream_is_retried_once():
    def reply(stream):
        if peer.requests == 1:
            return [h2_frame(RST_STREAM, 0, stream, struct.pack(">I", 7))]
        return [reply_head(stream), h2_frame(DATA, 0, stream, frame(b"second")), reply_trailers(stream, ("grpc-status", "0"))]
    peer = H2Peer(reply)
    with hostile(peer, "--descriptors", SCHEMA) as h:
        equal(h.call(), ([b"second"], 0, ""), "answer")
        equal(peer.requests, 2, "requests")


@test(30)
def test_deadlines_on_a_hanging_upstream():
    with hostile(H2Peer(lambda s: [])) as h:
        calls = [start_call(h.gateway, "/test.Service/Method", frame(b""), "grpc-timeout: 10m") for _ in range(500)]
        equal({finish_call(s)[1]["grpc-status"] for s in calls}, {"4"}, "statuses")
        for s in calls:
            s.close()


# --- clients that leave ---

def before_the_headers_are_complete(gateway):
    s = connect(gateway)
    s.sendall(head("/Calculator/SlowSquareRoot", len(LONG))[:60])
    wait_for("accepted", lambda: gateway.metric("drawbridge_connections_open") == 1)
    return s, None


def in_the_middle_of_the_body(gateway):
    s = connect(gateway)
    s.sendall(head("/Calculator/SlowSquareRoot", len(LONG)) + LONG[:7])
    wait_open(gateway, 1)
    return s, "SlowSquareRoot"


def while_a_client_stream_is_sent(gateway):
    s = connect(gateway)
    s.sendall(head("/Calculator/Statistics") + b"%x\r\n%s\r\n" % (len(ROOT_OF_16[1]), ROOT_OF_16[1]))
    wait_open(gateway, 1)
    return s, "Statistics"


def while_waiting_for_the_reply(gateway):
    s = start_call(gateway, "/Calculator/SlowSquareRoot", LONG)
    wait_open(gateway, 1)
    return s, "SlowSquareRoot"


def in_the_middle_of_a_stream(gateway):
    s = start_call(gateway, "/Calculator/PrimeFactors", frame(factors(2 ** 60, 0.3)))
    assert s.recv(1000).startswith(b"HTTP/1.1 200")
    return s, "PrimeFactors"


def in_a_json_stream(gateway):
    s = connect(gateway)
    body = b'{"number":"1152921504606846976","delay":"0.3s"}'
    s.sendall(head("/Calculator/PrimeFactors", len(body), "application/json") + body)
    assert s.recv(1000).startswith(b"HTTP/1.1 200")
    return s, "PrimeFactors"


def without_reading_a_large_stream(gateway):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", gateway.port("http")))
    body = frame(flood(10 ** 7, 10 ** 4))
    s.sendall(head("/Calculator/Flood", len(body)) + body)
    wait_open(gateway, 1)
    time.sleep(0.2)
    return s, "Flood"


@test(90)
def test_client_gone_in_each_state():
    wrong = []
    with bridge() as (calculator, gateway):
        for state in (before_the_headers_are_complete, in_the_middle_of_the_body, while_a_client_stream_is_sent,
                      while_waiting_for_the_reply, in_the_middle_of_a_stream, in_a_json_stream, without_reading_a_large_stream):
            for leave in (leave_fin, leave_rst, leave_half_closed):
                name = f"{state.__name__} {leave.__name__}"
                if (state, leave) == (without_reading_a_large_stream, leave_half_closed):
                    continue  # its end of file stands behind a full window: it is a stalled reader, which has a limit
                s, method = state(gateway)
                cancelled = len(calculator.calls(method, "CANCELLED"))
                leave(s)
                try:
                    gateway.assert_nothing_live(2)
                    if method:
                        wait_for("the backend sees the cancel", lambda m=method, n=cancelled:
                                 len(calculator.calls(m, "CANCELLED")) > n, 1)
                except (Late, AssertionError) as failure:
                    wrong.append(f"{name}: {failure}")
                s.close()
        assert not wrong, "\n".join(wrong)
        equal(root_of_16(gateway)[0], 0, "status afterwards")


@test(30)
def test_100_clients_gone_at_once():
    with bridge() as (calculator, gateway):
        calls = [start_call(gateway, "/Calculator/SlowSquareRoot", LONG) for _ in range(100)]
        wait_open(gateway, 100)
        left = time.monotonic()
        for n, s in enumerate(calls):
            (leave_fin, leave_rst)[n % 2](s)
        wait_for("all are cancelled upstream", lambda: len(calculator.calls("SlowSquareRoot", "CANCELLED")) == 100, 2)
        assert time.monotonic() - left < 1.5
        gateway.assert_nothing_live()


@test(30)
def test_slow_reader_keeps_memory_flat():
    with bridge(workers=1) as (_, gateway):
        s = start_call(gateway, "/Calculator/Flood", frame(flood(20_000, 10_000)))  # 200 MB
        quick = [finish_call(start_call(gateway, *ROOT_OF_16)) for _ in range(20)]
        time.sleep(0.5)
        buffered = gateway.metric("drawbridge_buffered_bytes")
        assert buffered < 4 << 20, f"{buffered} bytes are buffered for one client that does not read"
        equal(len(quick), 20, "calls beside it")
        leave_rst(s)


def slow_reader(gateway):
    """A stream that nobody reads."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", gateway.port("http")))
    body = frame(flood(2_000, 60_000))
    s.sendall(head("/Calculator/Flood", len(body)) + body)
    return s


def settled_buffers(gateway):
    """The bytes that wait when nothing moves any more."""
    seen = []

    def settled():
        seen.append(gateway.metric("drawbridge_buffered_bytes"))
        return len(set(seen[-20:])) == 1 and len(seen) > 20
    wait_for(lambda: f"all readers are blocked: {seen[-40:]}", settled, 20)
    return seen[-1]


@test(120)
def test_memory_of_slow_readers_is_limited():
    """What paused calls hold counts: near the limit connections are not kept alive, at the limit requests are refused."""
    limit = 48 << 20  # a reader is about 2 % of it: fine enough to stop between two bounds
    answers = {}
    with bridge("--max-buffered-bytes", limit, workers=1) as (_, gateway):
        readers = [slow_reader(gateway) for _ in range(36)]
        for _ in range(60):
            share = settled_buffers(gateway) / limit
            reply = curl(gateway.url + "/Calculator/SquareRoot", '{"value":16}')
            wanted = (503, "close") if share >= 0.95 else (200, "close") if share >= 0.92 else (200, "")
            if min(abs(share - bound) for bound in (0.92, 0.95)) > 0.001:
                equal((reply.status, reply.headers.get("connection", "").lower()), wanted, f"answer at {share:.1%}")
                answers[wanted] = reply
            if len(answers) == 3:
                break
            if share < 0.95:
                readers.append(slow_reader(gateway))
            else:
                leave_rst(readers.pop())
        equal(len(answers), 3, f"of kept alive, closed and refused were seen: {sorted(answers)}")
        refused = answers[503, "close"].json()
        assert refused["code"] == 14 and "slow clients" in refused["message"], refused
        for s in readers:
            leave_rst(s)
        wait_for("it serves again", lambda: curl(gateway.url + "/v1/sqrt/16").status == 200)


# --- calls that stream in both directions over HTTP/1.1, where the response waits for the end of the request ---

def upload(gateway, path, content_type, piece, most, *more):
    """Sends the piece over and over, `most` bytes in all; the response."""
    s = connect(gateway, 15)
    s.sendall(head(path, content_type=content_type).replace(b"\r\n\r\n", b"\r\n" + "".join(m + "\r\n" for m in more).encode()
                                                            + b"\r\n"))
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    greatest = 0
    for n in range(most // len(piece)):
        s.sendall(chunk)
        if n % 100 == 99:
            greatest = max(greatest, gateway.metric("drawbridge_buffered_bytes"))
    s.sendall(b"0\r\n\r\n")
    reply = http.client.HTTPResponse(s)
    reply.begin()
    body = reply.read()
    s.close()
    assert greatest < 2 << 20, f"{greatest} bytes were buffered"
    return reply.status, body


@test(60)
def test_upload_and_replies_that_wait_for_each_other():
    """The service stops reading because its replies are not read: a status after the stall time-out, and flat memory."""
    numbers = frame(number(1)) * 6500
    with bridge("--stall-timeout", "1s", workers=1) as (calculator, gateway):
        started = time.monotonic()
        status, body = upload(gateway, "/Calculator/RunningTotal", "application/grpc-web+proto", numbers, 100 << 20)
        trailers = answer(body)[1]
        equal((status, trailers["grpc-status"]), (200, "8"), "gRPC-Web")
        assert "WebSocket" in trailers["grpc-message"], trailers
        assert time.monotonic() - started < 15
        status, body = upload(gateway, "/Calculator/RunningTotal", "application/connect+proto", numbers, 20 << 20)
        assert status == 200 and b'"code":"resource_exhausted"' in body[-400:], body[-400:]
        status, body = upload(gateway, "/v1/total", "application/x-ndjson", b'{"value":1}\n' * 5000, 20 << 20,
                              "accept: application/x-ndjson")
        assert status == 200 and b'{"error":{"code":8,' in body[-400:], body[-400:]
        wait_for("the backend sees three cancellations", lambda: len(calculator.calls("RunningTotal", "CANCELLED")) == 3)


@test()
def test_silent_upload_behind_its_answer():
    """A call that is over does not keep the connection of a client that neither sends nor ends its upload."""
    with bridge("--body-grace", "500ms", workers=1) as (_, gateway):
        start = head("/Calculator/RunningTotal").replace(b"\r\n\r\n", b"\r\ngrpc-timeout: 200m\r\n\r\n")
        message = frame(number(1))
        with connect(gateway) as waiting, connect(gateway) as ending:
            for s in waiting, ending:
                s.sendall(start + b"%x\r\n%s\r\n" % (len(message), message))
            time.sleep(0.5)
            ending.sendall(b"0\r\n\r\n")
            equal(finish_call(ending)[1]["grpc-status"], "4", "status")
            equal(waiting.recv(1), b"", "what the silent one hears")
            ending.close()
            gateway.assert_nothing_live()


@test(30)
def test_upload_whose_replies_fit():
    """Half-duplex calls go on as long as the service reads."""
    with bridge("--stall-timeout", "1s", workers=1) as (_, gateway):
        status, body = upload(gateway, "/Calculator/RunningTotal", "application/grpc-web+proto", frame(number(1)) * 1000, 300_000)
        messages, trailers = answer(body)
        equal((status, len(messages), trailers["grpc-status"]), (200, 30_000, "0"), "answer")


# --- signals ---

@test(40)
def test_sigterm_under_load():
    """All that was started is answered; then both programs end with 0."""
    with Calculator("--workers", "2") as calculator, Gateway(calculator.address) as gateway:
        slow_calls = [start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 1.2))) for _ in range(50)]
        streams = [start_call(gateway, "/Calculator/PrimeFactors", frame(factors(1024, 0.12))) for _ in range(20)]
        with load(gateway, 8, *ROOT_OF_16, number(4)) as calls:
            wait_for("the load runs", lambda: calls.count() > 200)
            gateway.terminate()
            time.sleep(0.3)
            assert gateway.process.poll() is None, "it ended before its calls did"
            equal({finish_call(s)[1]["grpc-status"] for s in slow_calls}, {"0"}, "statuses of slow calls")
            results = [finish_call(s) for s in streams]
            equal({(len(m), t["grpc-status"]) for m, t in results}, {(10, "0")}, "messages and statuses of streams")
            equal(gateway.wait(10), 0, f"exit status: {gateway.log()[-500:]}")
        equal(calls.failures("refused", "closed"), {}, "failures of the load")
        assert calls.count("closed") <= 8, f"{calls.outcomes}: a connection may meet its end between two requests once"


@test()
def test_second_sigterm_ends_at_once():
    with Calculator() as calculator, Gateway(calculator.address) as gateway:
        s = start_call(gateway, "/Calculator/SlowSquareRoot", LONG)
        wait_open(gateway, 1)
        gateway.terminate()
        time.sleep(0.4)
        assert gateway.process.poll() is None, "the first SIGTERM did not wait for the call"
        second = time.monotonic()
        gateway.terminate()
        equal(gateway.wait(5), 0, f"exit status: {gateway.log()[-500:]}")
        assert time.monotonic() - second < 2
        s.close()
        wait_for("the backend sees the cancel", lambda: calculator.calls("SlowSquareRoot"), 2)


@test()
def test_drain_timeout():
    with Calculator() as calculator, Gateway(calculator.address, "--drain-timeout", "600ms") as gateway:
        s = start_call(gateway, "/Calculator/SlowSquareRoot", LONG)
        wait_open(gateway, 1)
        stream = start_call(gateway, "/Calculator/PrimeFactors", frame(factors(2 ** 60, 0.1)))
        first = time.monotonic()
        gateway.terminate()
        equal(finish_call(s), ([], {"grpc-status": "14", "grpc-message": "the gateway shuts down"}), "answer")
        messages, trailers = finish_call(stream)
        assert messages and trailers["grpc-status"] == "14", (messages, trailers)
        equal(gateway.wait(5), 0, f"exit status: {gateway.log()[-500:]}")
        assert 0.5 < time.monotonic() - first < 3, time.monotonic() - first
        s.close()
        stream.close()


@test()
def test_draining_is_visible():
    with Calculator() as calculator, Gateway(calculator.address) as gateway:
        s = start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 1)))
        wait_open(gateway, 1)
        gateway.terminate()
        wait_for("/readyz says so", lambda: gateway.admin("/readyz")[0] == 503)
        assert "draining" in gateway.admin("/readyz")[1]
        equal(finish_call(s)[1]["grpc-status"], "0", "status of the call in progress")
        equal(gateway.wait(5), 0, "exit status")


@test()
def test_sigterm_of_the_calculator_with_open_calls():
    with Gateway(f"127.0.0.1:{free_port()}", ready=False), Calculator("--drain-timeout", "400ms") as calculator, \
            Gateway(calculator.address) as gateway:
        s = start_call(gateway, "/Calculator/SlowSquareRoot", LONG)
        wait_open(gateway, 1)
        calculator.terminate()
        equal(calculator.wait(5), 0, "exit status")
        equal(finish_call(s)[1]["grpc-status"], "14", "status of the call that was cut")
        s.close()


@test()
def test_idle_connections_do_not_hold_up_the_end():
    with Calculator() as calculator, Gateway(calculator.address, "--header-timeout", "1s") as gateway:
        kept = [start_call(gateway, *ROOT_OF_16) for _ in range(50)]
        assert all(s.recv(1000).startswith(b"HTTP/1.1 200") for s in kept)
        silent = [connect(gateway) for _ in range(10)]  # their first request may be on its way
        wait_for("all are accepted", lambda: gateway.metric("drawbridge_connections_open") == 60)
        gateway.terminate()
        started = time.monotonic()
        assert all(s.recv(1000) == b"" for s in kept)
        assert time.monotonic() - started < 0.5, "connections kept alive were not closed at once"
        equal(gateway.wait(5), 0, "exit status")
        for s in kept + silent:
            s.close()


# --- wrong starts ---

def start_fails(argv, status, *wanted):
    done = run([program(argv[0]), *argv[1:]], 10)
    text = done.stderr.decode()
    equal(done.returncode, status, f"exit status of {argv}: {text}")
    for word in wanted:
        assert word in text, f"{argv}: {text!r} lacks {word!r}"


@test()
def test_port_in_use():
    with bridge() as (calculator, gateway):
        start_fails(["drawbridge", "serve", "--upstream", calculator.address, "--listen", gateway.address, "--admin", "off"],
                    1, "in use", gateway.address)
        start_fails(["drawbridge", "serve", "--upstream", calculator.address, "--listen", "127.0.0.1:0",
                     "--admin", gateway.addresses["admin"]], 1, "in use")
        start_fails(["calculator", "--listen", calculator.address], 1, "in use", calculator.address)
        equal(root_of_16(gateway)[0], 0, "status beside the attempts")


@test()
def test_wrong_flags():
    start_fails(["drawbridge", "serve"], 2, "--upstream")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--lisen", "b:2"], 2, "--lisen", "--listen")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--workers", "many"], 2, "--workers")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--drain-timeout", "5 parsecs"], 2, "--drain-timeout")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--tls-cert", "x"], 2, "not built")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--cors-origin", "https://A/path"], 2, "--cors-origin")
    start_fails(["drawbridge", "sevre"], 2, "serve")
    start_fails(["calculator", "--prot", "1"], 2, "--port")
    start_fails(["calculator", "--tls-cert", "x"], 2, "not built")
    start_fails(["calculator", "--listen", "nonsense"], 2, "nonsense")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "off",
                 "--descriptors", "/no/such/file"], 1, "/no/such/file")
    start_fails(["drawbridge", "serve", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "off",
                 "--descriptors", program("drawbridge")], 1, "drawbridge")


if __name__ == "__main__":
    main()
