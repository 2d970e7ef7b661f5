#!/usr/bin/env python3
"""The Connect protocol through the gateway: @connectrpc/connect-node over HTTP/1.1 with both codecs, and curl for what no client
shows: status codes, fields, metadata, the frames of streams, limits and CORS."""
import base64
import contextlib
import gzip
import json
import struct
import time
import urllib.parse

from harness import (CLIENTS, ROOT, SCHEMA, Calculator, Gateway, Server, Skip, curl, each_scenario, equal, main, node_clients,
                     python_clients, run, test, wait_for)
from wire import factors, field, frame, number, pair, slow, split, varint

PROTO = "content-type: application/proto"
JSON = "content-type: application/json"
VERSION = "connect-protocol-version: 1"
STREAM = "content-type: application/connect+proto"
JSON_STREAM = "content-type: application/connect+json"
PAGE = "http://localhost:5173"
END = 2


class Servers:
    """The calculator behind a gateway; the server without reflection behind another, made when first asked for."""

    def __init__(self, stack):
        self._stack = stack
        self.calculator = stack.enter_context(Calculator("--workers", "2"))
        self.gateway = stack.enter_context(Gateway(self.calculator.address))
        self._bare = None

    @property
    def bare(self):
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


def unary(gateway, path, body, *headers, status=200, **options):
    reply = curl(gateway.url + path, body, *(headers or (PROTO,)), **options)
    equal(reply.status, status, f"HTTP status of {path}: {reply}")
    gateway.assert_nothing_live()
    return reply


def failed(gateway, path, body, *headers, status, code, **options):
    """The error of a unary call."""
    reply = unary(gateway, path, body, *headers, status=status, **options)
    equal((reply.headers["content-type"], reply.json()["code"]), ("application/json", code), f"error {reply}")
    return reply.json()


def stream(gateway, path, body, *headers):
    """([messages], end of stream) of a streaming call."""
    reply = unary(gateway, path, body, *(headers or (STREAM,)))
    assert reply.headers["content-type"].startswith("application/connect+"), reply
    frames = split(reply.body)
    assert frames and frames[-1][0] == END and all(f[0] in (0, 1) for f in frames[:-1]), frames
    return frames[:-1], json.loads(frames[-1][1])


def code_of(gateway, path, body, *headers):
    messages, end = stream(gateway, path, body, *headers)
    assert not messages, messages
    return end["error"]["code"]


# --- the client of the Connect project ---

def scenarios(s, codec, compressed):
    folder = node_clients()
    script = folder / "connect_node.mjs"
    environment = {"SCHEMA": str(SCHEMA), "PROTO": str(ROOT / "proto/calculator.proto"), "CODEC": codec, "GZIP": compressed}
    version = run(["node", "--version"]).stdout.decode().strip()
    if int(version[1:].split(".")[0]) < 20:
        raise Skip(f"Node.js is {version}, @connectrpc/connect-node needs 20")
    gets = len(s.gateway.events("call", method="GET", protocol="connect"))
    count = each_scenario(["node", script], s.gateway.url, s.gateway.assert_nothing_live, environment)
    equal(len(s.gateway.events("call", method="GET", protocol="connect")) - gets, 2, "calls by GET")
    slowest = max(c["duration_ms"] for c in s.calculator.calls("SlowSquareRoot"))
    assert slowest < 5000, f"a call was not cancelled: {slowest} ms"
    return count


@test(120)
def test_node_with_protobuf(s):
    return scenarios(s, "proto", "0")


@test(120)
def test_node_with_json(s):
    return scenarios(s, "json", "0")


@test(120)
def test_node_with_json_and_gzip(s):
    return scenarios(s, "json", "1")


# --- unary ---

@test()
def test_unary_to_the_byte(s):
    reply = unary(s.gateway, "/Calculator/SquareRoot", number(16), PROTO)
    equal((reply.body, reply.headers["content-type"]), (number(4), "application/proto"), "answer")
    equal(reply.headers.get("content-length"), str(len(number(4))), "content length")
    assert "transfer-encoding" not in reply.headers and "content-encoding" not in reply.headers, reply
    reply = unary(s.gateway, "/Calculator/SquareRoot", '{"value":16}', JSON, VERSION)
    equal((reply.body, reply.headers["content-type"]), (b'{"value":4}', "application/json"), "answer")
    equal(unary(s.gateway, "/Calculator/AddNum", b"", PROTO).body, b"", "sum of nothing")


@test()
def test_json_is_rest_unless_connect_is_named(s):
    body = '{"value1":1}'
    equal(unary(s.gateway, "/Calculator/DivNum", body, JSON, status=400).json()["code"], 3, "code of REST")
    equal(unary(s.gateway, "/Calculator/DivNum", body, JSON, VERSION, status=400).json()["code"], "invalid_argument", "code")


@test()
def test_errors(s):
    error = failed(s.gateway, "/Calculator/DivNum", pair(1, 0), PROTO, status=400, code="invalid_argument")
    detail = error["details"][0]
    equal(detail["type"], "google.rpc.BadRequest", "type of the detail")
    assert not detail["value"].endswith("=") and "value2" in str(detail["debug"]), detail
    assert b"value2" in base64.b64decode(detail["value"] + "=="), detail
    failed(s.gateway, "/Calculator/Cube", b"", PROTO, status=404, code="unimplemented")
    failed(s.gateway, "/Calculator/Cube", "{}", JSON, VERSION, status=404, code="unimplemented")
    failed(s.gateway, "/Calculator/SquareRoot", '{"valu":1}', JSON, VERSION, status=400, code="invalid_argument")
    failed(s.gateway, "/Calculator/SquareRoot", b"x", "content-type: application/thrift", VERSION, status=415, code="unknown")
    failed(s.gateway, "/Calculator/PrimeFactors", b"", PROTO, status=415, code="unknown")
    failed(s.gateway, "/Calculator/SquareRoot", b"", PROTO, "connect-protocol-version: 2", status=400, code="invalid_argument")
    reply = unary(s.gateway, "/Calculator/SquareRoot", None, PROTO, method="DELETE", status=405)
    equal(reply.headers["allow"], "GET, POST", "allowed methods")
    assert s.calculator.process.poll() is None


@test()
def test_every_code(s):
    http = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503,
            15: 500, 16: 401}
    hostile = "line\r\nbreak\tü% \x7f€"
    message = "x-message-bin: " + base64.b64encode(hostile.encode()).decode()
    for code, status in http.items():
        reply = unary(s.bare, "/test.Upstream/Fail", b"", PROTO, f"x-code: {code}", message, "x-late: 1", status=status)
        equal((reply.json()["message"], reply.headers.get("trailer-x-trail-fail")), (hostile, "yes"), f"answer {code}")
        equal(reply.headers.get("x-first"), "1", "leading metadata")
        _, end = stream(s.bare, "/test.Upstream/Fail", frame(b""), STREAM, f"x-code: {code}", message)
        equal((end["error"]["code"], end["error"]["message"]), (reply.json()["code"], hostile), "end of stream")
        equal(end["metadata"], {"x-trail-fail": ["yes"]}, "metadata")


@test()
def test_metadata_round_trip(s):
    sent = ("x-echo-text: a, b", "x-echo-raw-bin: AAEC/w==", "x-trail-text: end", "x-trail-raw-bin: AAEC/w", "X-Upper: case",
            "connect-timeout-ms: 5000", "connection: x-private", "x-private: 1")
    reply = unary(s.bare, "/test.Upstream/Metadata", gzip.compress(b"x"), PROTO, VERSION, "content-encoding: gzip", *sent)
    seen = dict(json.loads(reply.body))
    equal((seen["x-echo-text"], seen["x-echo-raw-bin"], seen["x-upper"]), ("a, b", "AAEC/w==", "case"), "seen upstream")
    for name in ("connect-timeout-ms", "connect-protocol-version", "content-encoding", "x-private", "content-length"):
        assert name not in seen, f"{name}: {seen[name]}"
    equal((reply.headers["x-echo-text"], reply.headers["x-echo-raw-bin"]), ("a, b", "AAEC/w"), "headers")
    equal((reply.headers["trailer-x-trail-text"], reply.headers["trailer-x-trail-raw-bin"]), ("end", "AAEC/w"), "trailers")
    _, end = stream(s.bare, "/test.Upstream/Metadata", frame(b""), STREAM, *sent)
    equal(end, {"metadata": {"x-trail-text": ["end"], "x-trail-raw-bin": ["AAEC/w"]}}, "end of stream")


@test()
def test_without_a_schema(s):
    equal(unary(s.bare, "/test.Upstream/Large", b"5", PROTO).body, bytes(5), "protobuf passes")
    error = failed(s.bare, "/test.Upstream/Large", "{}", JSON, VERSION, status=503, code="unavailable")
    assert "--descriptors" in error["message"], error
    equal(code_of(s.bare, "/test.Upstream/Count", frame(b"{}"), JSON_STREAM), "unavailable", "code")
    messages, end = stream(s.bare, "/test.Upstream/Count", frame(b"abc") + frame(b"") + frame(b"d"))
    equal((messages, end), ([(0, b"3 4")], {}), "answer")
    failed(s.bare, "/test.Upstream/Nothing", b"", PROTO, status=501, code="unimplemented")


@test()
def test_get(s):
    def get(path, *headers, status=200, **query):
        return unary(s.gateway, path + "?" + urllib.parse.urlencode(query), None, *(headers or ("accept: */*",)), status=status)
    root = "/Calculator/SquareRoot"
    reply = get(root, connect="v1", encoding="json", message='{"value": 16}')
    equal((reply.body, reply.headers["content-type"]), (b'{"value":4}', "application/json"), "answer")
    message = base64.urlsafe_b64encode(number(16)).decode()
    for text in (message, message.rstrip("=")):
        equal(get(root, connect="v1", encoding="proto", base64="1", message=text).body, number(4), "answer")
    packed = base64.urlsafe_b64encode(gzip.compress(number(16))).decode().rstrip("=")
    equal(get(root, encoding="proto", base64="1", message=packed, compression="gzip").body, number(4), "answer")
    for status, code, query in ((400, "invalid_argument", {"encoding": "json"}),
                                (400, "invalid_argument", {"encoding": "json", "message": "{"}),
                                (415, "unknown", {"encoding": "thrift", "message": ""}),
                                (501, "unimplemented", {"encoding": "json", "message": "{}", "compression": "br"})):
        equal(get(root, connect="v1", status=status, **query).json()["code"], code, f"code of {query}")
    reply = get("/Calculator/Batch", connect="v1", encoding="json", message="{}", status=405)
    equal(reply.headers["allow"], "POST", "methods of one with side effects")


@test()
def test_compression(s):
    path, text = "/Calculator/Echo", field(1, b"compressible " * 5000)
    reply = unary(s.gateway, path, gzip.compress(text), PROTO, "content-encoding: gzip")
    equal((reply.body, reply.headers.get("content-encoding")), (text, None), "answer")
    reply = unary(s.gateway, path, text, PROTO, "accept-encoding: gzip")
    equal((gzip.decompress(reply.body), reply.headers["content-encoding"]), (text, "gzip"), "answer")
    assert len(reply.body) < len(text) / 10, len(reply.body)
    failed(s.gateway, path, text, PROTO, "content-encoding: br", status=501, code="unimplemented")
    failed(s.gateway, path, text, PROTO, "content-encoding: gzip", status=400, code="invalid_argument")
    bomb = gzip.compress(field(1, bytes(64 << 20)))
    failed(s.gateway, path, bomb, PROTO, "content-encoding: gzip", status=429, code="resource_exhausted")
    packed = frame(gzip.compress(factors(12)), 1)
    messages, end = stream(s.gateway, "/Calculator/PrimeFactors", packed, STREAM, "connect-content-encoding: gzip")
    equal((len(messages), end), (3, {}), "answer")


@test()
def test_limits(s):
    def echo(size):
        return field(1, bytes(size))
    equal(len(unary(s.gateway, "/Calculator/Echo", echo((4 << 20) - 16), PROTO).body), (4 << 20) - 16 + 5, "bytes")
    failed(s.gateway, "/Calculator/Echo", echo((4 << 20) + 16), PROTO, status=429, code="resource_exhausted")
    failed(s.gateway, "/Calculator/Echo", echo((4 << 20) + 16), PROTO, "transfer-encoding: chunked", status=429,
           code="resource_exhausted")
    failed(s.bare, "/test.Upstream/Large", b"17000000", PROTO, status=429, code="resource_exhausted")
    equal(code_of(s.bare, "/test.Upstream/Large", frame(b"17000000")), "resource_exhausted", "code")
    many = frame(number(1)) * 450_000  # 4.5 MB in small messages: the limit is one of messages
    messages, end = stream(s.gateway, "/Calculator/Statistics", many)
    equal((messages[0][1][:4], end), (b"\x08" + varint(450_000), {}), "answer")


@test()
def test_timeouts(s):
    started = time.monotonic()
    failed(s.gateway, "/Calculator/SlowSquareRoot", slow(4, 25), PROTO, "connect-timeout-ms: 200", status=504,
           code="deadline_exceeded")
    assert 0.15 < time.monotonic() - started < 10
    failed(s.gateway, "/Calculator/SlowSquareRoot", slow(4, 25), PROTO, "connect-timeout-ms: 0", status=504,
           code="deadline_exceeded")
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for text in ("5S", "-1", "1.5", "12345678901"):
        failed(s.gateway, "/Calculator/SquareRoot", number(4), PROTO, f"connect-timeout-ms: {text}", status=400,
               code="invalid_argument")
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")
    unary(s.gateway, "/Calculator/SquareRoot", number(4), PROTO, "connect-timeout-ms: 9999999999")


# --- streams ---

@test()
def test_stream_to_the_byte(s):
    reply = unary(s.gateway, "/Calculator/PrimeFactors", frame(factors(6)), STREAM)
    equal(reply.body, frame(b"\x08\x02") + frame(b"\x08\x03\x10\x01") + frame(b"{}", END), "answer")
    equal(reply.headers["content-type"], "application/connect+proto", "content type")
    reply = unary(s.gateway, "/Calculator/PrimeFactors", frame(b'{"number":"6"}'), JSON_STREAM)
    equal(reply.body, frame(b'{"factor":"2"}') + frame(b'{"factor":"3","index":1}') + frame(b"{}", END), "answer")
    equal(reply.headers["content-type"], "application/connect+json", "content type")


@test()
def test_streams_that_fail(s):
    path, whole = "/Calculator/PrimeFactors", frame(factors(6))
    equal(code_of(s.gateway, path, b""), "unimplemented", "code without a message")
    equal(code_of(s.gateway, path, whole * 2), "unimplemented", "code of two messages")
    for cut in range(1, len(whole)):
        equal(code_of(s.gateway, path, whole[:cut]), "internal", f"code when cut at {cut}")
    equal(code_of(s.gateway, path, frame(factors(6), END)), "internal", "code of an end in a request")
    equal(code_of(s.gateway, path, frame(factors(6), 1)), "internal", "code of a compressed message without an encoding")
    equal(code_of(s.gateway, path, struct.pack(">BI", 0, 2**32 - 1)), "resource_exhausted", "code of a frame of 4 GiB")
    equal(code_of(s.gateway, path, whole, STREAM, "connect-content-encoding: br"), "unimplemented", "code of an encoding")
    equal(code_of(s.gateway, path, whole, STREAM, "connect-timeout-ms: x"), "invalid_argument", "code of a timeout")
    equal(code_of(s.gateway, path, frame(b"{"), JSON_STREAM), "invalid_argument", "code of bad JSON")
    equal(code_of(s.gateway, "/Calculator/Cube", frame(b"")), "unimplemented", "code of an unknown method")
    equal(code_of(s.gateway, path, frame(factors(0))), "invalid_argument", "code of the upstream")
    for method, sent, status in (("PUT", STREAM, 405), ("POST", "content-type: application/connect+thrift", 415)):
        reply = unary(s.gateway, path, whole, sent, method=method, status=status)
        equal(reply.json()["code"], "unknown", "code")
    unary(s.gateway, "/Calculator/SquareRoot", frame(number(4)), STREAM, status=415)


# --- browsers ---

@test()
def test_pages_of_other_origins(s):
    fields = "content-type,connect-protocol-version,connect-timeout-ms"
    reply = curl(s.gateway.url + "/Calculator/SquareRoot", None, f"origin: {PAGE}", "access-control-request-method: POST",
                 f"access-control-request-headers: {fields}", method="OPTIONS")
    equal((reply.status, reply.headers["access-control-allow-origin"]), (204, PAGE), "preflight")
    allowed = {h.strip() for h in reply.headers["access-control-allow-headers"].lower().split(",")}
    assert set(fields.split(",")) <= allowed, allowed
    reply = unary(s.bare, "/test.Upstream/Metadata", b"", PROTO, f"origin: {PAGE}", "x-echo-a: 1", "x-trail-b: 2")
    exposed = {h.strip() for h in reply.headers["access-control-expose-headers"].lower().split(",")}
    assert {"x-echo-a", "trailer-x-trail-b"} <= exposed, exposed
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for path, body, sent in (("/Calculator/SquareRoot", number(16), PROTO), ("/Calculator/PrimeFactors", b"", STREAM)):
        equal(unary(s.gateway, path, body, sent, "origin: https://evil.example", status=403).status, 403, "refusal")
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")


if __name__ == "__main__":
    main(servers)
