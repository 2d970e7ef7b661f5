"""What the programs weigh: file size, memory, time to the first call. A new measure is one function and one line of MEASURES."""

import subprocess
import tempfile
import time
from pathlib import Path

import connections
from gateway import first_good_reply
from load import Mismatch, Request, frame
from peers import CALCULATOR, DRAWBRIDGE, ENVOY_GRPC_WEB, NGINX, ROOT, Skipped, gateway_started
from scenarios import GRPC_WEB
from table import median
from weight import row

STREAM_METHOD = "Calculator/Flood"
STREAM_REQUEST = "FloodRequest count: 16384 size: 65536"      # 1 GiB of payload
MB, KIB = 1e6, 1024
SETTLE_SECONDS = 1.0
STARTS = 5
UNIMPLEMENTED = 12


def stripped_size(program, _native, _options):
    program.cache()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "stripped")
        subprocess.run(["strip", "-o", copy, program.binary().resolve()], check=True)
        return [row("file size, stripped", program, copy.stat().st_size / MB, "MB", 1)]


def first_call(program, native, options):
    times = []
    for _ in range(1 if options.quick else STARTS):
        with gateway_started(program, native, GRPC_WEB, workers=2, wait=False) as (process, port, _):
            first_good_reply(port, GRPC_WEB, 10)
            times.append((time.monotonic() - process.started) * 1e3)
    return [row("start to first answered call", program, median(times), "ms", 100)]


def idle_memory(program, native, _options):
    with gateway_started(program, native, GRPC_WEB, workers=2) as (process, port, _):
        first_good_reply(port, GRPC_WEB)
        time.sleep(SETTLE_SECONDS)
        return [row("RSS idle, 2 workers", program, process.rss_bytes() / MB, "MB", 10)]


def idle_connections(program, native, options):
    with gateway_started(program, native, GRPC_WEB, workers=2) as (process, port, _):
        first_good_reply(port, GRPC_WEB)
        before = process.rss_bytes()
        with connections.idle(port, GRPC_WEB, options.idle) as check_open:
            time.sleep(SETTLE_SECONDS)
            rss = process.rss_bytes()
            check_open()
    return [row(f"RSS with {options.idle:,} idle connections", program, rss / MB, "MB",
                256 if options.idle >= 10_000 else None),
            row("memory per idle connection", program, (rss - before) / KIB / options.idle, "KiB")]


def slow_reader(program, native, options):
    request = Request("/" + options.stream_method, GRPC_WEB.request.headers,
                      frame(encode(options.stream_request)))
    with gateway_started(program, native, GRPC_WEB, workers=2) as (process, port, upstream):
        first_good_reply(port, GRPC_WEB)
        start, peak = [process.rss_bytes(), upstream.rss_bytes()], [0, 0]

        def sample():
            peak[:] = max(peak[0], process.rss_bytes()), max(peak[1], upstream.rss_bytes())

        stream = connections.read_slowly(port, request, options.slow_seconds, sample)
    if stream.status() == UNIMPLEMENTED:
        raise Skipped(f"{native.name} has no {options.stream_method}")
    if stream.status() != 0 or not stream.messages:
        raise Mismatch(f"the stream ended with status {stream.status()} after {stream.messages} messages")
    what = f"RSS growth, slow reader of {stream.size / 1e9:.2f} GB"
    return [row(what, program, (peak[0] - start[0]) / MB, "MB", 20),
            row(f"the same, {native.name} behind {program.name}", native, (peak[1] - start[1]) / MB, "MB")]


def encode(text):
    """'TYPE field: value ...' of proto/calculator.proto to its bytes."""
    message_type, _, fields = text.partition(" ")
    done = subprocess.run(["protoc", "-I", ROOT / "proto", f"--encode={message_type}", "calculator.proto"],
                          input=fields.encode(), capture_output=True)
    if done.returncode:
        raise Skipped("protoc: " + done.stderr.decode().strip().splitlines()[-1])
    return done.stdout


MEASURES = [
    ("file size, stripped", stripped_size, [DRAWBRIDGE, CALCULATOR, NGINX, ENVOY_GRPC_WEB]),
    ("start to first answered call", first_call, [DRAWBRIDGE, NGINX, ENVOY_GRPC_WEB]),
    ("RSS idle, 2 workers", idle_memory, [DRAWBRIDGE, ENVOY_GRPC_WEB]),
    ("idle connections", idle_connections, [DRAWBRIDGE, NGINX, ENVOY_GRPC_WEB]),
    ("slow reader", slow_reader, [DRAWBRIDGE, ENVOY_GRPC_WEB]),
]
