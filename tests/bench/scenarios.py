"""The kinds of call that the gateways are measured with. A new one is an entry of SCENARIOS."""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Callable

import connections
import load
from load import Mismatch, Request
from peers import ENVOY_GRPC_WEB, ENVOY_TRANSCODER, GRPC_GATEWAY, GRPC_GO, LEAST_BRIDGE, NGINX, VANGUARD

SIXTEEN = b"\x0d\x00\x00\x80\x41"     # Number{16}
FOUR = b"\x0d\x00\x00\x80\x40"        # Number{4}
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
NDJSON = {"accept": "application/x-ndjson"}
MIB = 1 << 20

# What Chromium adds to a fetch() of a page of the same site.
BROWSER = {
    "connection": "keep-alive", "sec-ch-ua-platform": '"Linux"', "x-user-agent": "grpc-web-javascript/0.1",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"', "sec-ch-ua-mobile": "?0", "accept": "*/*",
    "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty",
    "referer": "http://127.0.0.1/", "accept-encoding": "gzip, deflate, br, zstd", "accept-language": "en-US,en;q=0.9",
}


@dataclass(frozen=True)
class Scenario:
    title: str
    request: Request
    check: Callable                   # raises Mismatch unless a gateway's Reply means the right thing
    reply: bytes = b""                # what the plain proxy's upstream answers: as long as a gateway's reply
    peers: tuple = ()                 # the gateways that are measured beside drawbridge
    limits: dict = field(default_factory=dict)    # peer's name: our CPU time may be this multiple of its
    limit_us: float | None = None     # our CPU time may be this
    than: object = None               # the scenario that ours is compared with, in turn in one process
    than_limit: float | None = None   # our CPU time may be this multiple of its
    messages: int = 1                 # what a call's time is divided by
    connections: int = 32
    upstream: object = None           # the gRPC server that it needs; None: any
    background: Callable | None = None    # context manager of a port: what else goes on meanwhile

    @property
    def content_type(self):
        return self.request.headers.get("content-type", "")


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes([*out, value])


def flood(count, size, delay_s=0):
    """FloodRequest of proto/calculator.proto and of peers/bench.proto."""
    delay = b"\x1a" + varint(1 + len(varint(delay_s))) + b"\x08" + varint(delay_s) if delay_s else b""
    return load.frame(b"\x08" + varint(count) + b"\x10" + varint(size) + delay)


def post(path, content_type, body, headers=None):
    return Request(path, {"content-type": content_type, **(headers or {})}, body)


def binary_frames(reply, content_type=BINARY):
    if reply.status != 200 or not reply.headers.get("content-type", "").startswith(content_type.removesuffix("+proto")):
        raise Mismatch(f"HTTP {reply.status} {reply.headers.get('content-type')}: {reply.body[:200]!r}")
    body = reply.body
    if content_type == TEXT:
        # Padding may stand behind every piece.
        body = b"".join(base64.b64decode(piece) for piece in re.findall(rb"[^=]+=*", body))
    return load.frames(body)


def check_messages(reply, wanted, content_type=BINARY):
    """Exactly these messages and a trailer frame with status 0."""
    found = binary_frames(reply, content_type)
    if not found or [flags for flags, _ in found] != [0] * (len(found) - 1) + [0x80]:
        raise Mismatch(f"no trailer frame at the end of {len(found)} frames")
    trailers = dict(line.split(b":", 1) for line in found[-1][1].split(b"\r\n") if line)
    if trailers.get(b"grpc-status", b"").strip() != b"0":
        raise Mismatch(f"grpc-status is not 0: {trailers}")
    if [payload for _, payload in found[:-1]] != wanted:
        raise Mismatch(f"other messages than expected: {len(found) - 1} with {sum(len(p) for _, p in found)} bytes")


def check_grpc_web(reply):
    check_messages(reply, [FOUR])


def check_text(reply):
    check_messages(reply, [FOUR], TEXT)


def check_flood(count, size):
    def check(reply):
        found = binary_frames(reply)
        if len(found) != count + 1 or found[-1][0] != 0x80 or b"grpc-status:0" not in found[-1][1].replace(b" ", b""):
            raise Mismatch(f"{len(found)} frames, the last {found[-1:]}")
        for i, (_, payload) in enumerate(found[:-1]):
            index = b"\x08" + varint(i) if i else b""
            if not payload.startswith(index + b"\x12" + varint(size)) or len(payload) != len(index) + 2 + size:
                raise Mismatch(f"message {i} is {payload[:20].hex()}")
    return check


def check_echo(payload):
    return lambda reply: check_messages(reply, [payload])


def check_json(wanted):
    def check(reply):
        if reply.status != 200 or not reply.headers.get("content-type", "").startswith("application/json"):
            raise Mismatch(f"HTTP {reply.status} {reply.headers.get('content-type')}: {reply.body[:200]!r}")
        if json.loads(reply.body) != wanted:
            raise Mismatch(f"not the expected value: {reply.body[:200]!r}")
    return check


def check_json_flood(count, size, values):
    """`values` makes the messages of a body."""
    payload = base64.b64encode(bytes(size)).decode()

    def check(reply):
        if reply.status != 200:
            raise Mismatch(f"HTTP {reply.status}: {reply.body[:200]!r}")
        found = values(reply.body)
        if len(found) != count:
            raise Mismatch(f"{len(found)} messages: {reply.body[-200:]!r}")
        for i, message in enumerate(found):
            if message != {"payload": payload} | ({"index": str(i)} if i else {}):
                raise Mismatch(f"message {i} is {message}")
    return check


def check_connect(reply):
    if reply.status != 200 or reply.headers.get("content-type") != "application/proto" or reply.body != FOUR:
        raise Mismatch(f"HTTP {reply.status} {reply.headers.get('content-type')}: {reply.body[:200]!r}")


def records():
    return {"records": [{
        "name": f"record number {i}", "color": "RED" if i % 2 else "GREEN", "score": i * 37 + (i * 7 % 99 + 1) / 100,
        "id": str(7000000000000 + i * 987654321), "created": f"2024-05-{i % 28 + 1:02}T12:{i:02}:56.{i * 13 + 1:03}Z",
    } for i in range(50)]}


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def echo_json(title, size):
    """`size` bytes there and back, in JSON."""
    message = {"payload": base64.b64encode(ECHO[-size:]).decode()}
    return Scenario(
        title, post("/Bench/Echo", "application/json", compact(message)), check_json(message), peers=(ENVOY_TRANSCODER,),
        limits={"Envoy grpc_json_transcoder": 0.25}, connections=8, upstream=GRPC_GO)


ECHO = b"\x0a" + varint(MIB) + bytes(i * 31 % 251 for i in range(MIB))
RECORDS = records()
TRAILERS = load.frame(b"grpc-status:0\r\n", 0x80)
SQUARE_ROOT = "/Calculator/SquareRoot"

GRPC_WEB = Scenario(
    "gRPC-Web unary", post(SQUARE_ROOT, BINARY, load.frame(SIXTEEN)), check_grpc_web,
    reply=load.frame(FOUR) + TRAILERS, peers=(NGINX, ENVOY_GRPC_WEB, LEAST_BRIDGE),
    limits={"nginx plain": 0.85, "Envoy grpc_web": 0.45, "least bridge": 1.25})

JSON = Scenario(
    "JSON unary", post(SQUARE_ROOT, "application/json", b'{"value":16}'), check_json({"value": 4}),
    reply=b'{"value":4}', peers=(NGINX, ENVOY_TRANSCODER, GRPC_GATEWAY, VANGUARD),
    limits={"nginx plain": 0.95, "Envoy grpc_json_transcoder": 0.4, "grpc-gateway": 0.4})

REST_POST = Scenario(
    "JSON unary by a rule, POST /v1/sqrt", post("/v1/sqrt", "application/json", b'{"value":16}'), check_json({"value": 4}),
    than=JSON, than_limit=1.05)

REST_GET = Scenario(
    "JSON unary by a rule, GET /v1/sqrt/16", Request("/v1/sqrt/16", method="GET"), check_json({"value": 4}),
    than=JSON, than_limit=1.05)

CONNECT = Scenario(
    "Connect unary", post(SQUARE_ROOT, "application/proto", SIXTEEN, {"connect-protocol-version": "1"}), check_connect,
    peers=(VANGUARD,), than=GRPC_WEB, than_limit=1.05)

GRPC_WEB_TEXT = Scenario(
    "gRPC-Web text unary", post(SQUARE_ROOT, TEXT, base64.b64encode(load.frame(SIXTEEN)), {"accept": "application/grpc-web-text"}), check_text,
    peers=(ENVOY_GRPC_WEB,), than=GRPC_WEB, than_limit=1.2)

BROWSER_HEADERS = Scenario(
    "gRPC-Web unary with a browser's 13 headers", post(SQUARE_ROOT, BINARY, load.frame(SIXTEEN), BROWSER), check_grpc_web,
    reply=load.frame(FOUR) + TRAILERS, peers=(NGINX, ENVOY_GRPC_WEB), than=GRPC_WEB, than_limit=1.15)

TRICKLE = post("/Calculator/Flood", BINARY, flood(1 << 20, 16, delay_s=2))
TORRENT = post("/Calculator/Flood", BINARY, flood(1 << 20, 65536))

BESIDE_STREAMS = Scenario(
    "gRPC-Web unary beside 1,000 open streams", post(SQUARE_ROOT, BINARY, load.frame(SIXTEEN)), check_grpc_web,
    peers=(ENVOY_GRPC_WEB,), than=GRPC_WEB, than_limit=1.3,
    background=lambda port: connections.open_streams(port, 1000, TRICKLE, TORRENT))

BESIDE_WEB_SOCKETS = Scenario(
    "gRPC-Web unary beside 1,000 open WebSockets", post(SQUARE_ROOT, BINARY, load.frame(SIXTEEN)), check_grpc_web,
    than=GRPC_WEB, than_limit=1.3,
    background=lambda port: connections.open_web_sockets(port, 1000, TRICKLE, TORRENT))

STREAM = Scenario(
    "Server stream of small messages, one DATA frame each, per message",
    post("/Bench/Flood", BINARY, flood(2000, 16)), check_flood(2000, 16), peers=(ENVOY_GRPC_WEB,),
    limits={"Envoy grpc_web": 0.59}, limit_us=0.3, messages=2000, connections=8, upstream=GRPC_GO)

PACKED_STREAM = Scenario(
    "Server stream of small messages, packed by the upstream, per message",
    post("/Calculator/Flood", BINARY, flood(10_000, 16)), check_flood(10_000, 16), peers=(ENVOY_GRPC_WEB,),
    limits={"Envoy grpc_web": 1.25}, limit_us=0.05, messages=10_000, connections=8)

JSON_STREAM = Scenario(
    "Server stream of small messages as a JSON array, per message",
    post("/Bench/Flood", "application/json", b'{"count":2000,"size":16}'), check_json_flood(2000, 16, json.loads),
    peers=(ENVOY_TRANSCODER,), limits={"Envoy grpc_json_transcoder": 0.26}, limit_us=0.5, messages=2000,
    connections=8, upstream=GRPC_GO)

NDJSON_STREAM = Scenario(
    "Server stream of small messages as NDJSON, per message",
    post("/Bench/Flood", "application/json", b'{"count":2000,"size":16}', NDJSON),
    check_json_flood(2000, 16, lambda body: [json.loads(line) for line in body.splitlines()]),
    limit_us=0.5, messages=2000, connections=8, upstream=GRPC_GO)

ECHO_1_MIB = Scenario(
    "1 MiB echo", post("/Calculator/Echo", BINARY, load.frame(ECHO)), check_echo(ECHO),
    reply=load.frame(ECHO) + TRAILERS, peers=(NGINX, ENVOY_GRPC_WEB), limits={"nginx plain": 1.0}, connections=8)

JSON_RECORDS = Scenario(
    "50 JSON records both ways", post("/Bench/EchoRecords", "application/json", compact(RECORDS)), check_json(RECORDS),
    peers=(ENVOY_TRANSCODER, GRPC_GATEWAY), limits={"Envoy grpc_json_transcoder": 0.15}, upstream=GRPC_GO)

JSON_BYTES = echo_json("1 MiB of bytes as JSON, echoed", MIB)

SCENARIOS = [GRPC_WEB, GRPC_WEB_TEXT, BROWSER_HEADERS, BESIDE_STREAMS, BESIDE_WEB_SOCKETS, CONNECT, JSON, REST_POST,
             REST_GET, STREAM, PACKED_STREAM, JSON_STREAM, NDJSON_STREAM, ECHO_1_MIB, JSON_RECORDS, JSON_BYTES]
