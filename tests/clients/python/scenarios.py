"""A list of scenarios and the loop that runs them: one line "ok NAME" or "not ok NAME: reason" each."""
import sys
import traceback

import grpc

_scenarios = []


def scenario(function):
    _scenarios.append(function)
    return function


def run(argument):
    """Runs all scenarios with that argument; the exit status says whether all were ok."""
    failed = False
    for function in _scenarios:
        try:
            function(argument)
            print(f"ok {function.__name__}", flush=True)
        except Exception as failure:  # pylint: disable=broad-except
            failed = True
            line = traceback.extract_tb(failure.__traceback__)[-1].lineno
            reason = " ".join(f"{type(failure).__name__}: {failure}".split())
            print(f"not ok {function.__name__}: {reason} (line {line})", flush=True)
    sys.exit(1 if failed else 0)


def fails_with(code, call):
    """Calls call(), which must raise an RpcError with that code; returns the error."""
    try:
        reply = call()
    except grpc.RpcError as error:
        assert error.code() == code, f"status {error.code()} {error.details()!r}, not {code}"
        return error
    raise AssertionError(f"succeeded with {reply!r} instead of {code}")
