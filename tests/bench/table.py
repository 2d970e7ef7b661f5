"""Figures to text: medians, targets and Markdown tables. Pure."""

from statistics import median

__all__ = ["median", "markdown", "number", "ratio", "verdict", "target"]


def number(value):
    """Three significant digits, without an exponent."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value, base):
    return value / base if value is not None and base else None


def target(limit, unit=""):
    return "" if limit is None else f"≤ {limit:g}{unit}"


def verdict(value, limit):
    """'met' or 'MISSED'; empty without a target, 'not measured' without a value."""
    if limit is None:
        return ""
    if value is None:
        return "not measured"
    return "met" if value <= limit else "MISSED"


def markdown(headings, rows):
    """A Markdown table whose columns are aligned in the source too: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in [headings, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(headings))]
    lines = ["| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
