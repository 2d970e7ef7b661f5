"""What a table of HTTP rules costs to load, to keep and to look into, by the number of its rules (routes.c)."""

import json
import random

import load
from load import Mismatch
from peers import CACHE, DRAWBRIDGE, ROUTES, SERVER_CPU
from weight import row

COUNTS = (10, 1_000, 10_000)
METHODS_PER_SERVICE = 20
FEW = 10                          # paths that stay in the processor's caches
LOAD_S, TABLE_MB, MATCH_RATIO = 1, 64, 2
MB = 1e6


def proto(count):
    """`count` methods in services of METHODS_PER_SERVICE."""
    lines = ['syntax = "proto3";', "package bench;", "message Item { string name = 1; string part = 2; }"]
    for i in range(count):
        if i % METHODS_PER_SERVICE == 0:
            lines.append(f"service Service{i // METHODS_PER_SERVICE} {{")
        lines.append(f"  rpc Method{i}(Item) returns (Item);")
        if i % METHODS_PER_SERVICE == METHODS_PER_SERVICE - 1 or i == count - 1:
            lines.append("}")
    return "\n".join(lines) + "\n"


def rules(count):
    """One rule for each method, of the usual shape: a collection, a name, a part of it."""
    lines = ["http:", "  rules:"]
    for i in range(count):
        lines += [f"  - selector: bench.Service{i // METHODS_PER_SERVICE}.Method{i}",
                  f"    get: /v1/service{i // METHODS_PER_SERVICE}/{{name}}/method{i}/{{part}}"]
    return "\n".join(lines) + "\n"


def requests(count):
    """A request for each rule, in an order that no cache foresees; always the same one."""
    order = list(range(count))
    random.Random(1).shuffle(order)
    return "".join(f"GET /v1/service{i // METHODS_PER_SERVICE}/a-name/method{i}/a%20part\n" for i in order)


def run(count, text):
    """The figures of routes.c with `count` rules and these requests."""
    ROUTES.cache()
    folder = CACHE / "routes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "routes.proto").write_text(proto(count))
    (folder / "rules.yaml").write_text(rules(count))
    (folder / "requests").write_text(text)
    load.run(["protoc", "-I", str(folder), f"--descriptor_set_out={folder / 'routes.binpb'}", "routes.proto"])
    done = load.run(["taskset", "-c", str(SERVER_CPU), *map(str, [
        *ROUTES.argv(None), folder / "routes.binpb", folder / "rules.yaml", folder / "requests"])])
    found = json.loads(done.stdout)
    if found["bindings"] != 2 * count:
        raise Mismatch(f"{found['bindings']} bindings instead of a rule and a path for each of {count} methods")
    return found


def table(_program, _native, _options):
    """The cost of a match is compared twice: with requests for all rules in turn, whose parts of a large table come out of
    memory, and with requests for FEW of them, which the processor's caches keep."""
    rows, base = [], None
    for count in COUNTS:
        all_requests = requests(count)
        every = run(count, all_requests)
        few = run(count, "".join(all_requests.splitlines(keepends=True)[:FEW]))
        base = base or few["match_s"]
        figures = [("loading", every["load_s"] * 1e3, "ms", LOAD_S * 1e3),
                   ("table", every["table_bytes"] / MB, "MB", TABLE_MB),
                   ("RSS growth at its peak", every["peak_bytes"] / MB, "MB", TABLE_MB),
                   (f"match of {FEW} in turn", few["match_s"] * 1e9, "ns", None),
                   ("match of all in turn", every["match_s"] * 1e9, "ns", None)]
        if count > COUNTS[0]:
            figures += [(f"match of {FEW} in turn / {COUNTS[0]} rules", few["match_s"] / base, "", MATCH_RATIO),
                        (f"match of all in turn / {COUNTS[0]} rules", every["match_s"] / base, "", MATCH_RATIO)]
        rows += [row(f"{count:,} rules, {what}", DRAWBRIDGE, value, unit, limit if count == COUNTS[-1] else None)
                 for what, value, unit, limit in figures]
    return rows


MEASURES = [("table of HTTP rules", table, [DRAWBRIDGE])]
