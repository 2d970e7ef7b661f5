"""What is not CPU time per call: tables of single figures, each of one program, taken once."""

import sys

from load import BROKEN
from peers import Skipped


def row(measure, program, value, unit, limit=None):
    """One figure; the limit is drawbridge's, the others are shown beside it."""
    return {"measure": measure, "program": program.name, "value": value, "unit": unit,
            "limit": limit if program.name == "drawbridge" else None}


def measure_all(measures, native, options):
    """Rows for report.weight_table().  `measures` are (name, function, programs); a function takes a program, the gRPC
    server behind the gateways and the options, and returns rows."""
    rows = []
    for name, measure, programs in measures:
        if options.match.lower() not in name.lower():
            continue
        for program in programs:
            print(f"  {name}, {program.name}", file=sys.stderr)
            try:
                rows += measure(program, native, options)
            except Skipped as reason:
                rows.append({"measure": name, "program": program.name, "without": f"skipped: {reason}"})
            except BROKEN as wrong:
                rows.append({"measure": name, "program": program.name, "without": f"FAILED: {wrong}"})
    return rows
