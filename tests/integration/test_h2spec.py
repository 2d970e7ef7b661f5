#!/usr/bin/env python3
"""h2spec, strict, against the calculator: every case of RFC 9113 and RFC 7541 that it knows."""
import re

from harness import Calculator, equal, go_program, main, run, test

CASES = 146
SUMMARY = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")


def h2spec():
    with Calculator("--workers", "1") as server:
        tool = go_program("github.com/summerwind/h2spec/cmd/h2spec")
        return run([tool, "-S", "-h", "127.0.0.1", "-p", server.port("grpc"), "-o", "5"], 80)


@test(90)
def test_every_strict_case():
    output = h2spec().stdout.decode(errors="replace")
    summary = SUMMARY.search(output)
    assert summary, output[-2000:]
    total, passed, skipped, failed = map(int, summary.groups())
    assert failed == 0, output[output.find("Failures:"):][:6000]
    equal((total, passed, skipped), (CASES, CASES, 0), "tests, passed, skipped")
    return total


if __name__ == "__main__":
    main()
