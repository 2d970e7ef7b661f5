"""What the programs weigh: file size, memory, time to the first call. A new measure is one function and one line of MEASURES."""

import subprocess
import tempfile
import time
from pathlib import Path

import connections
from gateway import first_good_reply
from load import Mismatch, Request, frame
from peers import (CALCULATOR, DRAWBRIDGE, ENVOY_GRPC_WEB, ENVOY_TRANSCODER, GRPC_GATEWAY, GRPC_GO, NGINX, ROOT, Skipped,
                   gateway_started)
from scenarios import GRPC_WEB, JSON, MIB, NDJSON, compact, echo_json, post
from table import median
from weight import row

STREAM_METHOD = "Calculator/Flood"
STREAM_REQUEST = "FloodRequest count: 16384 size: 65536"      # 1 GiB of payload
JSON_MESSAGES = 12288                                        # of 64 KiB: 1.07 GB of base64
HELD, HELD_LIMIT = 32, 3
HELD_ECHO = echo_json("1 MiB of JSON", MIB // 4 * 3 - 12)
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
    return growth_of_stream(program, native, GRPC_WEB, request, connections.Stream(), options)


def slow_reader_of_json(program, _native, options):
    """drawbridge by lines; Envoy knows arrays only."""
    request = post("/Bench/Flood", "application/json", compact({"count": JSON_MESSAGES, "size": 65536}), NDJSON)
    return growth_of_stream(program, GRPC_GO, JSON, request, connections.JsonStream(JSON_MESSAGES), options)


def growth_of_stream(program, native, scenario, request, stream, options):
    """How much a gateway and its upstream grow while somebody reads slowly, then fast; `scenario` is a first call."""
    with gateway_started(program, native, scenario, workers=2) as (process, port, upstream):
        first_good_reply(port, scenario)
        start, peak = [process.rss_bytes(), upstream.rss_bytes()], [0, 0]

        def sample():
            peak[:] = max(peak[0], process.rss_bytes()), max(peak[1], upstream.rss_bytes())

        connections.read_slowly(port, request, stream, options.slow_seconds, sample)
    if stream.status() == UNIMPLEMENTED:
        raise Skipped(f"{native.name} has no {request.path}")
    if stream.status() != 0 or not stream.messages:
        raise Mismatch(f"the stream ended with status {stream.status()} after {stream.messages} messages")
    what = f"RSS growth, slow reader of {stream.size / 1e9:.2f} GB of {scenario.content_type}"
    return [row(what, program, (peak[0] - start[0]) / MB, "MB", 20),
            row(f"the same, {native.name} behind {program.name}", native, (peak[1] - start[1]) / MB, "MB")]


def held_json(program, _native, _options):
    """Peak memory for each of HELD calls at once: first while a stopped upstream reads nothing of their bodies, then while
    their clients read nothing of the replies."""
    with gateway_started(program, GRPC_GO, JSON, workers=2) as (process, port, upstream):
        first_good_reply(port, JSON)
        start, peaks = process.rss_bytes(), []
        with connections.HeldCalls(port, HELD, HELD_ECHO.request) as calls:
            with upstream.paused():
                process.forget_peak()
                calls.send(SETTLE_SECONDS)
                peaks.append(process.peak_bytes())
            process.forget_peak()
            calls.send(2 * SETTLE_SECONDS)
            peaks.append(process.peak_bytes())
            for reply in calls.replies():
                HELD_ECHO.check(reply)
    size = len(HELD_ECHO.request.body)
    return [row(f"peak memory per call / its JSON of 1 MiB {what}", program, (peak - start) / HELD / size, "",
                HELD_LIMIT)
            for what, peak in zip(("in, upstream stopped", "out, client stopped"), peaks)]


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
    ("slow reader of JSON", slow_reader_of_json, [DRAWBRIDGE, ENVOY_TRANSCODER]),
    ("held JSON", held_json, [DRAWBRIDGE, ENVOY_TRANSCODER, GRPC_GATEWAY]),
]
