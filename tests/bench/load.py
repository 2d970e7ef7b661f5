"""Load generators and single calls: wrk for HTTP/1.1, h2load for HTTP/2, curl for one native gRPC call.

Every call of a window is verified; what is wrong raises Mismatch, because a figure for wrong answers means nothing.
"""

import http.client
import json
import os
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent


class Mismatch(Exception):
    """A program answered something else than it must."""


# Whatever a program under measurement can do wrong: its row is FAILED, the other rows are not lost.
BROKEN = (Mismatch, RuntimeError, OSError, ValueError, subprocess.SubprocessError, http.client.HTTPException)


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict
    body: bytes


@dataclass(frozen=True)
class Load:
    """What one load generator run did."""
    calls: int
    seconds: float
    p50_us: float | None = None
    p99_us: float | None = None


def frame(message, flags=0):
    """One gRPC (or gRPC-Web) frame."""
    return struct.pack(">BI", flags, len(message)) + message


def frames(body):
    """The frames of a body as (flags, payload)."""
    found = []
    while body:
        if len(body) < 5:
            raise Mismatch(f"{len(body)} bytes are left after the last frame")
        flags, length = struct.unpack_from(">BI", body)
        if len(body) < 5 + length:
            raise Mismatch("the last frame is truncated")
        found.append((flags, body[5:5 + length]))
        body = body[5 + length:]
    return found


def fetch(port, request, timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def wrk(cpu, port, request, reply, connections, seconds):
    """Keep-alive connections on one thread, each with one call in flight; every reply must equal `reply`."""
    with tempfile.TemporaryDirectory() as folder:
        body, expected = Path(folder, "body"), Path(folder, "reply")
        body.write_bytes(request.body)
        expected.write_bytes(reply.body)
        environment = {
            **os.environ,
            "BENCH_METHOD": request.method,
            "BENCH_HEADERS": "".join(f"{name}: {value}\n" for name, value in request.headers.items()),
            "BENCH_BODY_FILE": str(body),
            "BENCH_REPLY_FILE": str(expected),
        }
        output = run(["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
                      "-s", str(FOLDER / "calls.lua"), f"http://127.0.0.1:{port}{request.path}"], environment).stdout
    found = re.search(r"^bench (\{.*\})$", output, re.M)
    if not found:
        raise Mismatch(f"wrk printed no figures: {output[-300:]}")
    figures = json.loads(found[1])
    if figures["mismatches"] or figures["errors"] or not figures["calls"]:
        raise Mismatch(f"{figures['mismatches']} wrong replies and {figures['errors']} failed calls"
                       f" among {figures['calls']}")
    return Load(figures["calls"], figures["seconds"], figures["p50_us"], figures["p99_us"])


def h2load(cpu, port, request, reply_len, connections, streams, calls):
    """A fixed number of HTTP/2 calls on one thread; every call must succeed and carry reply_len bytes of DATA."""
    with tempfile.NamedTemporaryFile() as body:
        body.write(request.body)
        body.flush()
        headers = [f"-H{name}: {value}" for name, value in request.headers.items()]
        output = run(["taskset", "-c", str(cpu), "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-n{calls}",
                      f"-d{body.name}", *headers, f"http://127.0.0.1:{port}{request.path}"]).stdout
    succeeded = _figure(r"(\d+) succeeded", output)
    status_2xx = _figure(r"status codes: (\d+) 2xx", output)
    data = _figure(r"\((\d+)\) data", output)
    if not succeeded == status_2xx == calls or data != calls * reply_len:
        raise Mismatch(f"{succeeded} of {calls} calls succeeded, {status_2xx} with status 2xx,"
                       f" {data} bytes of data instead of {calls * reply_len}")
    rate = float(re.search(r"([\d.]+) req/s,", output)[1])
    return Load(calls, calls / rate)


def grpc_call(port, request):
    """One native gRPC call; returns the body after checking HTTP status and grpc-status."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body")
        body.write_bytes(request.body)
        headers = [f"-H{name}: {value}" for name, value in request.headers.items()]
        run(["curl", "--silent", "--show-error", "--max-time", "5", "--http2-prior-knowledge", *headers,
             "--data-binary", f"@{body}", "--dump-header", f"{folder}/head", "--output", f"{folder}/reply",
             f"http://127.0.0.1:{port}{request.path}"])
        head = Path(folder, "head").read_text().lower()
        reply = Path(folder, "reply")
        if not head.startswith("http/2 200") or not re.search(r"^grpc-status: *0\s*$", head, re.M):
            raise Mismatch(f"the gRPC call did not end with status 0: {head!r}")
        return reply.read_bytes() if reply.exists() else b""


def run(argv, environment=None, stdin=None):
    """A tool that must succeed; returns what it wrote."""
    done = subprocess.run(argv, env=environment, stdin=stdin, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Mismatch(f"{argv[0]} failed: {(done.stderr or done.stdout)[-300:]}")
    return done


def _figure(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else None
