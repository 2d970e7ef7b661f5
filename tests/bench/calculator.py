"""CPU time per call of the native gRPC servers, each on one core with one worker where it can be told so."""

from functools import partial

import load
from load import Mismatch, Request
from peers import LOAD_CPU, SERVER_CPU, SERVERS
from rounds import Case, Meter
from scenarios import FOUR, SIXTEEN

CONNECTIONS, STREAMS = 8, 32
REQUEST = Request("/Calculator/SquareRoot",
                  {"content-type": "application/grpc", "te": "trailers"}, load.frame(SIXTEEN))
REPLY = load.frame(FOUR)
TITLE = "Native unary"
LIMITS = {TITLE: {"tonic": 1.0, "grpc-go": 0.55, "grpc C++ callback": 0.4}}


def measure(server, options):
    with server.started(SERVER_CPU) as (process, port):
        reply = load.grpc_call(port, REQUEST)
        if reply != REPLY:
            raise Mismatch(f"the reply is {reply.hex()} instead of {REPLY.hex()}")
        load.h2load(LOAD_CPU, port, REQUEST, len(REPLY), CONNECTIONS, STREAMS, options.calls // 4)
        meter = Meter(process, SERVER_CPU)
        run = load.h2load(LOAD_CPU, port, REQUEST, len(REPLY), CONNECTIONS, STREAMS, options.calls)
        return meter.figures(run)


def cases(_native, options):
    return [Case(TITLE, server.name, partial(measure, server, options)) for server in SERVERS]
