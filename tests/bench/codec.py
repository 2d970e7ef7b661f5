"""JSON to protobuf and back without a server, beside protobuf's own libraries: CPU time per message, and how often
memory is asked for. The messages are those of codec.c."""

import json
import os
import re
import resource
import time
from functools import lru_cache, partial

import load
from load import Mismatch
from peers import CACHE, CODEC, CODECS, KINDS, MALLOC_COUNT, PROTOBUF_CPP, SERVER_CPU, Run, Skipped
from process import core_busy_seconds
from rounds import Case
from weight import row

MESSAGES = {"operand": "one number", "records": "50 records", "doubles": "1,000 doubles", "text": "text",
            "bytes": "1 MiB of bytes"}
RECORDS = {"records1": 1, "records": 50, "records500": 500}
TYPES = {"operand": "kinds.Operand"} | dict.fromkeys(RECORDS, "kinds.Records")
WAYS = {"to_wire": "JSON to protobuf", "to_json": "protobuf to JSON"}
LIMITS = {"protobuf C++": 0.33, "json_format": 0.2}
MB_PER_S = 400                     # of JSON: the target for the records, on a quiet core
ALLOCATION_CALLS = 100
FOLDER = CACHE / "codec"


def title(message, way):
    return f"{MESSAGES[message]}, {WAYS[way]}, per message"


# Whether there is an absolute target.
TARGETS = {title(message, way): message == "records" for message in MESSAGES for way in WAYS}


@lru_cache
def json_file(message):
    CODEC.cache()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{message}.json"
    path.write_text(load.run([*CODEC.argv(None), message, "json"]).stdout)
    return path


def as_text(message):
    """The protobuf in the last result as protoc prints it: one message has several encodings."""
    with open(FOLDER / "result", "rb") as encoded:
        return load.run(["protoc", "-I", str(KINDS.parent), f"--decode={type_name(message)}", KINDS.name], stdin=encoded).stdout


@lru_cache
def expected_text(message):
    """By our codec: all programs must agree, so that none can be wrong alone."""
    convert(CODEC, message, "to_wire", 1)
    return as_text(message)


def type_name(message):
    return TYPES.get(message, "kinds.All")


def convert(program, message, way, count, environment=None):
    """Converts once and then `count` times; returns their seconds of CPU time and what was written to standard error."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = program.argv(Run(program.cache(), 0))
    what = [message, way] if program is CODEC else [type_name(message), json_file(message), way]
    done = load.run(["taskset", "-c", str(SERVER_CPU), *map(str, [*command, *what, count, FOLDER / "result"])],
                    {**os.environ, **(environment or {})})
    return float(done.stdout), done.stderr


def values(text):
    """Of JSON; what has no exponent means the nearest double too."""
    return json.loads(text, parse_int=float)


def check(message, way):
    """That the last conversion was right."""
    if way == "to_json":
        right = values((FOLDER / "result").read_bytes()) == values(json_file(message).read_bytes())
    else:
        found = as_text(message)
        right = found == expected_text(message)
    if not right:
        raise Mismatch(f"not the expected message after {WAYS[way]}")


def next_count(count, spent, wanted):
    """How many conversions take about `wanted` seconds after `count` took `spent`."""
    return min(count * 100, max(count, round(count * wanted / max(spent, 1e-9))))


def measure(program, message, way, options):
    wanted, count = options.window / 4, 1
    while True:
        start, busy, children = time.monotonic(), core_busy_seconds(SERVER_CPU), _children_seconds()
        spent, _ = convert(program, message, way, count)
        elapsed = time.monotonic() - start
        others = core_busy_seconds(SERVER_CPU) - busy - (_children_seconds() - children)
        if spent > wanted / 2:
            check(message, way)
            return {"us": spent * 1e6 / count, "rate": count / spent, "p50": None, "p99": None,
                    "others": max(0.0, others) / elapsed, "json_bytes": json_file(message).stat().st_size}
        count = next_count(count, spent, wanted)


def _children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cases(_native, options):
    return [Case(title(message, way), program.name, partial(measure, program, message, way, options))
            for message in MESSAGES for way in WAYS for program in CODECS]


def allocations(program, _native, _options):
    """Calls of malloc, calloc and realloc for one message more, when the output buffer is large enough."""
    def count(message, way, calls):
        if not MALLOC_COUNT.exists():
            raise Skipped(f"{MALLOC_COUNT.name} is not built")
        _, said = convert(program, message, way, calls, {"LD_PRELOAD": str(MALLOC_COUNT)})
        return int(re.search(r"^allocations (\d+)$", said, re.M)[1])

    rows = []
    for way, words in WAYS.items():
        each = {records: (count(message, way, 1 + ALLOCATION_CALLS) - count(message, way, 1)) / ALLOCATION_CALLS
                for message, records in RECORDS.items()}
        rows += [row(f"{words}, records: {records}", program, value, "", each[1] if records > 1 else None)
                 for records, value in each.items()]
    return rows


MEASURES = [("allocations per message", allocations, [CODEC, PROTOBUF_CPP])]
