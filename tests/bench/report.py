"""The figures of a run as Markdown, each with its ratio, target and verdict. Pure."""

import calculator
import codec
import gateway
from table import markdown, median, number, ratio, target, verdict

DISTURBED = 0.10


def failed(result):
    """Whether any program gave a wrong answer."""
    reasons = [rounds for programs in result["calls"].values() for rounds in programs.values() if isinstance(rounds, str)]
    reasons += [row["without"] for rows in result["weights"].values() for row in rows if "without" in row]
    return any(reason.startswith("FAILED") for reason in reasons)


def text(result):
    parts = [_conditions(result)]
    for group, programs in result["calls"].items():
        parts.append(f"### {group}\n\n" + _group_table(group, result["calls"]))
    for title, rows in result["weights"].items():
        if rows:
            parts.append(f"### {title}\n\n" + weight_table(rows))
    return "\n\n".join(parts)


def calls_table(programs, subject, limits, limit_us=None, own=()):
    """Medians of the rounds; a ratio is the subject's CPU time by the row's.  `own` has (title, rounds, limit) of another
    call of the subject's, each round with the ratio that was measured in turn with it."""
    ours = _median(programs.get(subject), "us")
    rows, notes = [], []
    for name, rounds in programs.items():
        if isinstance(rounds, str):
            notes.append(f"- {name}: {rounds}")
        us, limit = _median(rounds, "us"), limits.get(name)
        compared = None if name == subject else ratio(ours, us)
        goal = [target(limit), verdict(compared, limit)]
        if name == subject and limit_us is not None:
            goal = [target(limit_us, " µs"), verdict(us, limit_us)]
        rows.append([name, *_cells(rounds), number(compared), *goal])
    for title, rounds, limit in own:
        compared = _median(rounds, "ratio")
        rows.append([f"{subject}, {title}", *_cells(rounds), number(compared), target(limit), verdict(compared, limit)])
    table = markdown(["program", "CPU µs/call", "rounds", "calls/s", "p50 µs", "p99 µs",
                      f"{subject} / it", "target", ""], rows)
    return "\n".join([table, *([""] + notes if notes else [])])


def _cells(rounds):
    us = _median(rounds, "us")
    return [number(us), " ".join(number(r["us"]) for r in rounds) if us else "-",
            *(number(_median(rounds, key)) for key in ("rate", "p50", "p99"))]


def _group_table(group, calls):
    if group in codec.TARGETS:
        return _codec_table(calls[group], codec.TARGETS[group])
    if group not in gateway.TARGETS:
        return calls_table(calls[group], "calculator", calculator.LIMITS[group])
    scenario = gateway.TARGETS[group]
    rounds = calls[group].get("drawbridge")
    own = [(scenario.than.title, rounds if isinstance(rounds, str) else [r["than"] for r in rounds], scenario.than_limit)
           ] if scenario.than and rounds else []
    table = calls_table(calls[group], "drawbridge", scenario.limits, scenario.limit_us, own)
    return table + _stalled_note(rounds, own) if scenario.background else table


def _codec_table(programs, absolute):
    """`absolute`: there is a target of MB_PER_S, as the time in which that much JSON is one message."""
    rounds = programs.get(codec.CODEC.name)
    json_bytes, us = _median(rounds, "json_bytes"), _median(rounds, "us")
    limit = round(json_bytes / codec.MB_PER_S, 1) if absolute and json_bytes else None
    note = f"\n\nJSON: {json_bytes:,} bytes, {number(json_bytes / us)} MB/s." if us else ""
    if limit:
        note += (f" {limit:g} µs are {codec.MB_PER_S} MB/s: an absolute figure, which only a quiet machine says something"
                 " about; the ratios hold everywhere.")
    return calls_table(programs, codec.CODEC.name, codec.LIMITS, limit) + note


def _stalled_note(rounds, own):
    """Whether the reader that stalls in the background delays the quick calls beside it: shown, not judged."""
    return "".join(f"\n\np99 beside a stalled reader: {number(ratio(_median(rounds, 'p99'), _median(alone, 'p99')))} of"
                   f" {title} alone (wanted: 2 at most; not judged)." for title, alone, _ in own)


def weight_table(rows):
    """Rows of {measure, program, value, unit, limit}, or {measure, program, without} with the reason for no value."""
    cells = []
    for row in rows:
        if "without" in row:
            cells.append([row["measure"], row["program"], row["without"], "", "not measured"])
        else:
            cells.append([row["measure"], row["program"], f"{number(row['value'])} {row['unit']}",
                          target(row["limit"], f" {row['unit']}"), verdict(row["value"], row["limit"])])
    return markdown(["measure", "program", "value", "target", ""], cells)


def _median(rounds, key):
    values = [r[key] for r in rounds or [] if r[key] is not None] if not isinstance(rounds, str) else []
    return median(values) if values else None


def _conditions(result):
    lines = [f"Medians of {result['rounds']} interleaved rounds, {result['window_s']} s windows after warm-up; the measured"
             f" program alone on one core, load and upstream on the other; gRPC upstream of the gateways:"
             f" {result['upstream']}."]
    if result["quick"]:
        lines.append("Quick run: for trying the harness, not for claims.")
    if result["versions"]:
        lines.append("Peers: " + "; ".join(result["versions"]) + ".")
    shares = [r["others"] for programs in result["calls"].values() for rounds in programs.values()
              if not isinstance(rounds, str) for r in rounds]
    if shares:
        disturbed = sum(share > DISTURBED for share in shares)
        lines.append(f"Other work took {median(shares):.0%} of the measured core (median; worst window"
                     f" {max(shares):.0%}; over {DISTURBED:.0%} in {disturbed} of {len(shares)} windows).")
    return "\n".join(lines)
