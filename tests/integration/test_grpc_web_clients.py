#!/usr/bin/env python3
"""gRPC-Web through the gateway: npm grpc-web, @connectrpc/connect-web, and curl for every byte of the framing, for metadata,
deadlines and CORS."""
import base64
import contextlib
import gzip
import http.client
import json
import time

from harness import (CLIENTS, ROOT, SCHEMA, Calculator, Gateway, Server, curl, each_scenario, equal, main, node_clients,
                     python_clients, test, wait_for)
from wire import answer, field, frame, number, pair, slow, split, varint

WEB = "content-type: application/grpc-web+proto"
PAGE = "http://localhost:5173"
ANSWER_OF_SQUARE_ROOT = frame(number(4)) + frame(b"grpc-status:0\r\n", 0x80)


class Servers:
    """The calculator behind a gateway; the metadata server behind another, made when first asked for."""

    def __init__(self, stack):
        self._stack = stack
        self.calculator = stack.enter_context(Calculator("--workers", "2"))
        self.gateway = stack.enter_context(Gateway(self.calculator.address))
        self._bare = None

    @property
    def bare(self):
        """The gateway in front of the server without reflection."""
        if not self._bare:
            argv = [python_clients(), CLIENTS / "python/upstream.py", "127.0.0.1:0"]
            upstream = self._stack.enter_context(Server(argv, ["grpc"]))
            self._bare = self._stack.enter_context(Gateway(upstream.addresses["grpc"], ready=False))
            wait_for("connected", lambda: self._bare.metric("drawbridge_upstream_connections_open") >= 2)
        return self._bare


@contextlib.contextmanager
def servers():
    with contextlib.ExitStack() as stack:
        yield Servers(stack)


def call(gateway, path, body, *headers, **options):
    """(messages, trailers) of a call by curl that must be answered with HTTP 200."""
    reply = curl(gateway.url + path, body, *(headers or (WEB,)), **options)
    equal(reply.status, 200, f"HTTP status of {path}: {reply}")
    result = answer(reply.body)
    gateway.assert_nothing_live()
    return result


def status_of(gateway, path, body, *headers):
    messages, trailers = call(gateway, path, body, *headers)
    assert not messages, messages
    return int(trailers["grpc-status"])


# --- clients of other projects ---

def node_scenarios(s, client):
    folder = node_clients()
    return each_scenario(["node", folder / client], s.gateway.url, s.gateway.assert_nothing_live,
                         {"PROTO": str(ROOT / "proto/calculator.proto"), "SCHEMA": str(SCHEMA)})


def assert_backend_saw_cancels(s, method, count):
    """Calls with delays of many seconds can end early only because the gateway reset them."""
    wait_for(lambda: f"{count} cancelled {method}: {s.calculator.calls(method)}",
             lambda: sum(c["status"] in ("CANCELLED", "DEADLINE_EXCEEDED") for c in s.calculator.calls(method)) >= count, 3)
    slowest = max(c["duration_ms"] for c in s.calculator.calls(method))
    assert slowest < 5000, f"a call of {method} took {slowest} ms"


@test(90)
def test_npm_grpc_web(s):
    count = node_scenarios(s, "grpc_web.mjs")
    assert_backend_saw_cancels(s, "SlowSquareRoot", 1)
    assert_backend_saw_cancels(s, "PrimeFactors", 1)
    return count


@test(90)
def test_connect_web(s):
    count = node_scenarios(s, "connect_web.mjs")
    assert_backend_saw_cancels(s, "SlowSquareRoot", 1)
    assert_backend_saw_cancels(s, "PrimeFactors", 2)
    assert_backend_saw_cancels(s, "Flood", 1)
    return count


# --- framing ---

@test()
def test_unary_to_the_byte(s):
    reply = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), WEB)
    equal((reply.status, reply.body), (200, ANSWER_OF_SQUARE_ROOT), "answer")
    equal(reply.headers["content-type"], "application/grpc-web+proto", "content type")
    equal(reply.headers.get("content-length"), str(len(ANSWER_OF_SQUARE_ROOT)), "content length")
    assert "transfer-encoding" not in reply.headers and "grpc-encoding" not in reply.headers, reply


@test()
def test_zero_length_message_is_a_message(s):
    equal(call(s.gateway, "/Calculator/AddNum", frame(b""))[0], [b""], "messages")


@test()
def test_error_is_one_trailer_frame(s):
    messages, trailers = call(s.gateway, "/Calculator/DivNum", frame(pair(1, 0)))
    equal((messages, trailers["grpc-status"]), ([], "3"), "answer")
    assert "zero" in trailers["grpc-message"], trailers
    details = trailers["grpc-status-details-bin"]
    assert not details.endswith("="), details
    assert b"google.rpc.BadRequest" in base64.b64decode(details + "=" * (-len(details) % 4)), details


@test()
def test_content_types(s):
    def content_type(sent, *more):
        reply = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), "content-type: " + sent, *more)
        equal((reply.status, reply.body), (200, ANSWER_OF_SQUARE_ROOT), f"answer to {sent}")
        return reply.headers["content-type"]
    for sent in ("application/grpc-web", "Application/gRPC-Web+Proto", "application/grpc-web+proto; charset=utf-8"):
        assert content_type(sent).startswith("application/grpc-web"), sent
    equal(content_type("application/grpc-web", "accept: application/grpc-web+proto"), "application/grpc-web+proto", "type")
    for sent in ("application/grpc", "application/grpc-web+thrift", "text/plain"):
        reply = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), "content-type: " + sent)
        equal(reply.status, 415, f"HTTP status for {sent}")
    s.gateway.assert_nothing_live()


@test()
def test_wrong_verb(s):
    for method in ("GET", "PUT", "DELETE"):
        reply = curl(s.gateway.url + "/Calculator/SquareRoot", None, WEB, method=method)
        equal(reply.status, 405, f"HTTP status of {method}")
        assert "POST" in reply.headers.get("allow", ""), reply
    s.gateway.assert_nothing_live()


@test()
def test_unknown_method_and_service(s):
    for path in ("/Calculator/Cube", "/no.such.Service/Method", "/Calculator"):
        equal(status_of(s.gateway, path, frame(b"")), 12, f"status of {path}")


@test()
def test_number_of_messages(s):
    path = "/Calculator/SquareRoot"
    equal(status_of(s.gateway, path, b""), 12, "status without a message")
    equal(status_of(s.gateway, path, frame(number(1)) * 2), 12, "status of two messages")
    equal(status_of(s.gateway, "/Calculator/PrimeFactors", b""), 12, "status without a message")
    messages, trailers = call(s.gateway, "/Calculator/Statistics", b"".join(frame(number(n)) for n in (1, 2, 3)))
    equal((len(messages), messages[0][:2], trailers), (1, b"\x08\x03", {"grpc-status": "0"}), "answer")
    messages, _ = call(s.gateway, "/Calculator/RunningTotal", b"".join(frame(number(n)) for n in (1, 2, 3)))
    equal(len(messages), 3, "replies")
    equal(len(call(s.gateway, "/Calculator/Statistics", b"")[0]), 1, "replies to no number")


@test()
def test_broken_frames(s):
    path = "/Calculator/SquareRoot"
    whole = frame(number(16))
    for cut in range(1, len(whole)):
        equal(status_of(s.gateway, path, whole[:cut]), 13, f"status when cut at {cut}")
    equal(status_of(s.gateway, path, frame(number(16), 2)), 13, "status with flags 0x02")
    equal(status_of(s.gateway, path, frame(number(16), 0x80)), 13, "status with flags 0x80")
    equal(status_of(s.gateway, path, frame(number(16), 1)), 13, "status when compressed without an encoding")
    equal(status_of(s.gateway, path, b"\0\xff\xff\xff\xff1234"), 8, "status of a frame of 4 GiB")


@test()
def test_compressed_requests(s):
    path, gzipped = "/Calculator/SquareRoot", frame(gzip.compress(number(16)), 1)
    equal(call(s.gateway, path, gzipped, WEB, "grpc-encoding: gzip")[0], [number(4)], "messages")
    equal(call(s.gateway, path, frame(number(16)), WEB, "grpc-encoding: gzip")[0], [number(4)], "messages")
    equal(status_of(s.gateway, path, gzipped, WEB, "grpc-encoding: snappy"), 12, "status of an unknown encoding")
    equal(status_of(s.gateway, path, frame(b"no gzip", 1), WEB, "grpc-encoding: gzip"), 13, "status of bad gzip")
    bomb = frame(gzip.compress(field(1, bytes(64 << 20))), 1)
    equal(status_of(s.gateway, "/Calculator/Echo", bomb, WEB, "grpc-encoding: gzip"), 8, "status of a gzip bomb")


@test()
def test_compressed_replies_only_for_those_who_ask(s):
    request = frame(field(1, b"compressible " * 5000))
    messages, _ = call(s.gateway, "/Calculator/Echo", request)
    equal(messages[0], request[5:], "message")
    reply = curl(s.gateway.url + "/Calculator/Echo", request, WEB, "grpc-accept-encoding: gzip")
    (flags, payload), last = split(reply.body)[0], split(reply.body)[-1]
    equal(gzip.decompress(payload) if flags & 1 else payload, request[5:], "message")
    equal(last[0], 0x80, "flags of the trailer frame")


@test()
def test_limits(s):
    def echo(size):
        return frame(field(1, bytes(size)))
    equal(len(call(s.gateway, "/Calculator/Echo", echo((4 << 20) - 16))[0][0]), (4 << 20) - 16 + 5, "bytes")
    equal(status_of(s.gateway, "/Calculator/Echo", echo((4 << 20) + 16)), 8, "status of a large message")
    many = frame(number(1)) * 450_000  # 4.5 MB in small messages: the limit is one of messages
    messages, trailers = call(s.gateway, "/Calculator/Statistics", many)
    equal((trailers["grpc-status"], messages[0][:4]), ("0", b"\x08" + varint(450_000)), "answer")


@test()
def test_reply_limit(s):
    equal(len(call(s.bare, "/test.Upstream/Large", frame(b"15000000"))[0][0]), 15_000_000, "bytes")
    messages, trailers = call(s.bare, "/test.Upstream/Large", frame(b"17000000"))
    equal((messages, trailers["grpc-status"]), ([], "8"), "answer")


@test()
def test_messages_are_flushed_as_they_arrive(s):
    connection = http.client.HTTPConnection(s.gateway.address, timeout=5)
    started = time.monotonic()
    connection.request("POST", "/Calculator/PrimeFactors", frame(b"\x08\x1e" + field(2, b"\x10" + varint(250_000_000))),
                       {"content-type": "application/grpc-web+proto"})
    reply = connection.getresponse()
    first = reply.read(7)  # factor 2, index 0
    came = time.monotonic()
    messages, trailers = answer(first + reply.read())
    later = time.monotonic() - came
    assert came - started > 0.2 and later > 0.3, f"the rest came {later:.3f} s after the first message"
    equal((len(messages), trailers["grpc-status"]), (3, "0"), "answer")
    connection.close()
    s.gateway.assert_nothing_live()


# --- deadlines ---

@test()
def test_deadlines(s):
    started = time.monotonic()
    equal(status_of(s.gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 25)), WEB, "grpc-timeout: 200m"), 4, "status")
    assert 0.15 < time.monotonic() - started < 1.5
    for text in ("0m", "0n", "1n"):
        equal(status_of(s.gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 25)), WEB, f"grpc-timeout: {text}"), 4, text)
    for text in ("99999999H", "5S", "3000000u"):
        equal(len(call(s.gateway, "/Calculator/SquareRoot", frame(number(4)), WEB, f"grpc-timeout: {text}")[0]), 1, text)


@test()
def test_malformed_timeouts(s):
    started = s.gateway.metric("drawbridge_upstream_calls_total")
    for text in ("", "5", "S", "-1S", "1.5S", "5 S", "123456789m", "5s", "5x", "+5S"):
        header = f"grpc-timeout: {text}" if text else "grpc-timeout;"  # curl's notation of an empty value
        reply = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(4)), WEB, header)
        messages, trailers = answer(reply.body)
        assert not messages and trailers["grpc-status"] in ("3", "13") and "timeout" in trailers["grpc-message"], (text, reply)
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), started, "calls that went upstream")


# --- metadata, with a server that shows what it received ---

def received(s, *headers):
    """What the upstream got: {name: last value}."""
    messages, _ = call(s.bare, "/test.Upstream/Metadata", frame(b""), WEB, *headers)
    return dict(json.loads(messages[0]))


@test()
def test_metadata_round_trip(s):
    reply = curl(s.bare.url + "/test.Upstream/Metadata", frame(b""), WEB, "x-echo-text: a, b", "x-echo-raw-bin: AAEC/w==",
                 "x-trail-text: end", "x-trail-raw-bin: AAEC/w", "X-Upper: case")
    messages, trailers = answer(reply.body)
    seen = dict(json.loads(messages[0]))
    equal((seen["x-echo-text"], seen["x-echo-raw-bin"], seen["x-upper"]), ("a, b", "AAEC/w==", "case"), "seen upstream")
    equal((reply.headers["x-echo-text"], reply.headers["x-echo-raw-bin"]), ("a, b", "AAEC/w"), "headers")
    equal(trailers, {"grpc-status": "0", "x-trail-text": "end", "x-trail-raw-bin": "AAEC/w"}, "trailers")


@test()
def test_what_never_goes_upstream(s):
    seen = received(s, "grpc-status: 7", "grpc-message: forged", "te: gzip", "connection: x-private", "x-private: 1",
                    "keep-alive: 5", "proxy-authorization: secret", "trailer: x-a", "accept-encoding: br", "upgrade: h2c",
                    "x-forwarded-for: 203.0.113.9", "x-kept: 1")
    for name in ("grpc-status", "grpc-message", "connection", "x-private", "keep-alive", "proxy-authorization", "trailer",
                 "accept-encoding", "upgrade", "host", "content-length"):
        assert name not in seen, f"{name}: {seen[name]}"
    equal((seen["x-kept"], seen.get("x-forwarded-for"), seen.get("x-forwarded-proto")), ("1", "127.0.0.1", "http"), "kept")


@test()
def test_bad_binary_metadata(s):
    equal(status_of(s.gateway, "/Calculator/SquareRoot", frame(number(4)), WEB, "x-a-bin: %%%"), 3, "status")


@test()
def test_any_status_and_message(s):
    hostile = "line\r\nbreak\tü% \x7f€"
    for code in range(1, 17):
        for late in ((), ("x-late: 1",)):
            messages, trailers = call(s.bare, "/test.Upstream/Fail", frame(b""), WEB, f"x-code: {code}",
                                      "x-message-bin: " + base64.b64encode(hostile.encode()).decode(), *late)
            equal((messages, trailers["grpc-status"]), ([], str(code)), "answer")
            equal(trailers["grpc-message"], "line%0D%0Abreak%09%C3%BC%25 %7F%E2%82%AC", "message")
            equal(trailers.get("x-trail-fail"), "yes", "trailer")


@test()
def test_without_a_schema_calls_pass_by_path(s):
    messages, trailers = call(s.bare, "/test.Upstream/Count", frame(b"abc") + frame(b"") + frame(b"d"))
    equal((messages, trailers["grpc-status"]), ([b"3 4"], "0"), "answer")
    equal(status_of(s.bare, "/test.Upstream/Nothing", frame(b"")), 12, "status of an unknown method")


# --- CORS ---

def preflight(gateway, origin, path="/Calculator/SquareRoot", method="POST", headers="content-type,x-grpc-web,x-custom"):
    return curl(gateway.url + path, None, f"origin: {origin}", f"access-control-request-method: {method}",
                f"access-control-request-headers: {headers}", method="OPTIONS")


@test()
def test_preflight(s):
    reply = preflight(s.gateway, PAGE)
    equal(reply.status, 204, f"HTTP status of {reply}")
    equal(reply.headers["access-control-allow-origin"], PAGE, "allowed origin")
    assert "POST" in reply.headers["access-control-allow-methods"], reply
    allowed = {h.strip().lower() for h in reply.headers["access-control-allow-headers"].split(",")}
    assert {"content-type", "x-grpc-web", "x-custom"} <= allowed, allowed
    assert int(reply.headers["access-control-max-age"]) >= 600 and "origin" in reply.headers["vary"].lower(), reply
    assert "access-control-allow-private-network" not in reply.headers, reply
    s.gateway.assert_nothing_live()


@test()
def test_answers_to_pages_of_other_origins(s):
    reply = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), WEB, f"origin: {PAGE}")
    equal((reply.body, reply.headers["access-control-allow-origin"]), (ANSWER_OF_SQUARE_ROOT, PAGE), "answer")
    exposed = {h.strip().lower() for h in reply.headers["access-control-expose-headers"].split(",")}
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= exposed, exposed
    assert "origin" in reply.headers["vary"].lower(), reply
    for path, wanted in (("/no/such", 404), ("/Calculator/SquareRoot", 415)):
        reply = curl(s.gateway.url + path, b"x", "content-type: text/css", f"origin: {PAGE}")
        equal((reply.status in (wanted, 415), reply.headers.get("access-control-allow-origin")), (True, PAGE), f"{reply}")
    reply = curl(s.bare.url + "/test.Upstream/Metadata", frame(b""), WEB, "x-echo-a: 1", f"origin: {PAGE}")
    assert "x-echo-a" in reply.headers["access-control-expose-headers"].lower(), reply


@test()
def test_refused_origins(s):
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "https://localhost:5173.evil.example"):
        for reply in (curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), WEB, f"origin: {origin}"),
                      curl(s.gateway.url + "/Calculator/SquareRoot", "{}", "content-type: text/plain", f"origin: {origin}"),
                      curl(s.gateway.url + "/services.json", None, f"origin: {origin}"), preflight(s.gateway, origin)):
            equal(reply.status, 403, f"HTTP status for {origin}")
            assert "access-control-allow-origin" not in reply.headers, reply
    rebinding = curl(s.gateway.url + "/Calculator/SquareRoot", frame(number(16)), WEB, "host: evil.example",
                     "origin: http://evil.example")
    equal(rebinding.status, 403, "HTTP status of a rebound name")
    assert b"--cors-origin" in rebinding.body, rebinding
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")
    s.gateway.assert_nothing_live()


@test()
def test_listed_origins(s):
    with Gateway(s.calculator.address, "--cors-origin", "https://app.example") as gateway:
        reply = curl(gateway.url + "/Calculator/SquareRoot", frame(number(16)), WEB, "origin: https://app.example")
        equal(reply.headers["access-control-allow-origin"], "https://app.example", "allowed origin")
        equal(reply.headers.get("access-control-allow-credentials"), "true", "credentials")
        equal(preflight(gateway, "https://app.example").status, 204, "HTTP status of the preflight")
        for origin in ("https://app.example.evil", "http://app.example", "https://app.example:444"):
            equal(preflight(gateway, origin).status, 403, f"HTTP status for {origin}")


if __name__ == "__main__":
    main(servers)
