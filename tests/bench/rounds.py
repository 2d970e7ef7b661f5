"""Interleaved rounds: every case once a round, so that a disturbance of the machine meets all of them alike."""

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Callable

from load import BROKEN
from peers import Skipped
from process import core_busy_seconds


@dataclass(frozen=True)
class Case:
    group: str             # the table it belongs to
    name: str              # its row
    measure: Callable      # returns the figures of one window


class Meter:
    """The CPU time of one process over one window, and what others took of its core meanwhile."""

    def __init__(self, process, cpu):
        self._process, self._cpu = process, cpu
        self._start = self._now()

    def _now(self):
        return self._process.cpu_seconds(), core_busy_seconds(self._cpu), time.monotonic()

    def figures(self, run, messages=1):
        cpu, busy, elapsed = (end - start for end, start in zip(self._now(), self._start))
        return {"us": cpu * 1e6 / run.calls / messages, "rate": run.calls / run.seconds,
                "p50": run.p50_us, "p99": run.p99_us, "others": max(0.0, busy - cpu) / elapsed}


def medians(windows):
    """One window's figures for several."""
    return {key: median(figures[key] for figures in windows) for key in windows[0]}


def run(cases, rounds):
    """{group: {name: [figures of each round] or the reason for none}}; after a reason a case is not tried again."""
    results = {}
    for _ in range(rounds):
        for case in cases:
            group = results.setdefault(case.group, {})
            if not isinstance(group.get(case.name), str):
                said = _run_one(case, group)
                print(f"  {case.group}, {case.name}: {said}", file=sys.stderr)
    return results


def _run_one(case, group):
    try:
        figures = case.measure()
    except Skipped as reason:
        group[case.name] = f"skipped: {reason}"
    except BROKEN as wrong:
        group[case.name] = f"FAILED: {wrong}"
    else:
        group.setdefault(case.name, []).append(figures)
        return f"{figures['us']:.2f} us"
    return group[case.name]
