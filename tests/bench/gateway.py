"""CPU time per call of the gateways. A new kind of call is one entry of SCENARIOS."""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

import load
from load import Mismatch, Request
from peers import GATEWAYS, LOAD_CPU, SERVER_CPU, gateway_started
from rounds import Case, Meter

SIXTEEN = b"\x0d\x00\x00\x80\x41"     # Number{16}
FOUR = b"\x0d\x00\x00\x80\x40"        # Number{4}
CONNECTIONS = 32


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    request: Request
    reply: bytes                      # what the plain proxy's upstream answers: as long as a gateway's reply
    check: Callable                   # raises Mismatch unless a gateway's Reply means the right thing
    limits: dict = field(default_factory=dict)    # peer's name: our CPU time may be this multiple of its
    messages: int = 1                 # what a call's time is divided by

    @property
    def content_type(self):
        return self.request.headers["content-type"]


def check_grpc_web(reply):
    if reply.status != 200 or not reply.headers.get("content-type", "").startswith("application/grpc-web"):
        raise Mismatch(f"HTTP {reply.status} {reply.headers.get('content-type')}: {reply.body[:200]!r}")
    found = load.frames(reply.body)
    if [flags for flags, _ in found] != [0, 0x80] or found[0][1] != FOUR:
        raise Mismatch(f"not one message with 4 and one trailer frame: {found}")
    trailers = dict(line.split(b":", 1) for line in found[1][1].split(b"\r\n") if line)
    if trailers.get(b"grpc-status", b"").strip() != b"0":
        raise Mismatch(f"grpc-status is not 0: {trailers}")


def check_json(reply):
    if reply.status != 200 or not reply.headers.get("content-type", "").startswith("application/json"):
        raise Mismatch(f"HTTP {reply.status} {reply.headers.get('content-type')}: {reply.body[:200]!r}")
    if json.loads(reply.body) != {"value": 4}:
        raise Mismatch(f"not the value 4: {reply.body[:200]!r}")


GRPC_WEB = Scenario(
    "grpc-web", "gRPC-Web unary",
    Request("/Calculator/SquareRoot", {"content-type": "application/grpc-web+proto"}, load.frame(SIXTEEN)),
    reply=load.frame(FOUR) + load.frame(b"grpc-status:0\r\n", 0x80), check=check_grpc_web,
    limits={"nginx plain": 0.85, "Envoy grpc_web": 0.45, "least bridge": 1.25})

JSON = Scenario(
    "json", "JSON unary",
    Request("/Calculator/SquareRoot", {"content-type": "application/json"}, b'{"value":16}'),
    reply=b'{"value":4}', check=check_json,
    limits={"nginx plain": 0.95, "Envoy grpc_json_transcoder": 0.45})

SCENARIOS = [GRPC_WEB, JSON]


def first_good_reply(port, scenario, seconds=5.0):
    """The first right answer; a gateway may still be learning its schema when it begins to listen."""
    end = time.monotonic() + seconds
    while True:
        try:
            reply = load.fetch(port, scenario.request)
            scenario.check(reply)
            return reply
        except load.BROKEN as wrong:
            if time.monotonic() > end:
                raise Mismatch(f"no right answer within {seconds:g} s: {wrong}") from wrong
            time.sleep(0.001)


def measure(gateway, native, scenario, options):
    with gateway_started(gateway, native, scenario) as (process, port, _):
        reply = first_good_reply(port, scenario)
        load.wrk(LOAD_CPU, port, scenario.request, reply, CONNECTIONS, options.warm_up)
        meter = Meter(process, SERVER_CPU)
        run = load.wrk(LOAD_CPU, port, scenario.request, reply, CONNECTIONS, options.window)
        return meter.figures(run, scenario.messages)


def cases(native, options):
    """Every scenario with every gateway that it applies to, for rounds.run()."""
    return [Case(scenario.title, gateway.name, partial(measure, gateway, native, scenario, options))
            for scenario in SCENARIOS for gateway in GATEWAYS
            if not gateway.scenarios or scenario.name in gateway.scenarios]


LIMITS = {scenario.title: scenario.limits for scenario in SCENARIOS}
