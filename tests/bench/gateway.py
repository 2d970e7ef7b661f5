"""CPU time per call of the gateways; what is called is in scenarios.py."""

import time
from contextlib import nullcontext
from functools import partial
from statistics import median

import load
from load import Mismatch
from peers import DRAWBRIDGE, LOAD_CPU, SERVER_CPU, gateway_started
from rounds import Case, Meter, medians
from scenarios import SCENARIOS


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
        if gateway is DRAWBRIDGE and scenario.than:
            return _measure_in_turn(process, port, scenario, options)
        return _window(process, port, scenario, options.warm_up, options.window)


def _window(process, port, scenario, warm_up, seconds):
    reply = first_good_reply(port, scenario)
    with scenario.background(port) if scenario.background else nullcontext():
        load.wrk(LOAD_CPU, port, scenario.request, reply, scenario.connections, warm_up)
        meter = Meter(process, SERVER_CPU)
        run = load.wrk(LOAD_CPU, port, scenario.request, reply, scenario.connections, seconds)
        return meter.figures(run, scenario.messages)


def _measure_in_turn(process, port, scenario, options):
    """Seconds of this one and of the one that it is compared with, in turn: a few per cent between two calls are less than
    what the machine's other work makes of two windows minutes apart."""
    pairs = [(_window(process, port, scenario.than, 1, 1), _window(process, port, scenario, 1, 1))
             for _ in range(2 * options.window)]
    than, ours = (medians(side) for side in zip(*pairs))
    return {**ours, "than": {**than, "ratio": median(own["us"] / other["us"] for other, own in pairs)}}


def cases(native, options):
    """Every scenario with every gateway that it applies to, for rounds.run()."""
    return [Case(scenario.title, gateway.name, partial(measure, gateway, native, scenario, options))
            for scenario in SCENARIOS for gateway in (DRAWBRIDGE, *scenario.peers)]


TARGETS = {scenario.title: scenario for scenario in SCENARIOS}
