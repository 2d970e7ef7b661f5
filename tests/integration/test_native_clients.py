#!/usr/bin/env python3
"""Native gRPC clients of other projects, and our own, against the calculator: grpcio, grpc-go, @grpc/grpc-js, grpcurl,
grpc-health-probe, calculator-client, drawbridge call/list/describe/healthcheck."""
import contextlib
import json

from harness import (CLIENTS, DEPS, ROOT, Calculator, equal, go_program, main, node_clients, program, python_clients, run,
                     run_scenarios, test, wait_for)


@contextlib.contextmanager
def calculator():
    with Calculator("--workers", "2") as server:
        yield server


def assert_calls_ended(server, method, status):
    """The server saw a call of that method end so: with the deadlines and delays used here it cannot end by itself."""
    wait_for(lambda: f"no call of {method} ended {status}: {server.calls(method)}", lambda: server.calls(method, status), 3)


@test(30)
def test_grpcio_with_the_tutorials_proto(server):
    return run_scenarios([python_clients(), CLIENTS / "python/tutorial_client.py", server.address, DEPS / "generated/tutorial"])


@test(60)
def test_grpcio(server):
    count = run_scenarios([python_clients(), CLIENTS / "python/native_client.py", server.address, DEPS / "generated/full"])
    assert_calls_ended(server, "Watch", "CANCELLED")
    assert_calls_ended(server, "PrimeFactors", "CANCELLED")
    slow = [c for c in server.calls("SlowSquareRoot") if c["status"] in ("CANCELLED", "DEADLINE_EXCEEDED")]
    assert len(slow) >= 2 and all(c["duration_ms"] < 5000 for c in slow), slow
    return count


@test(60)
def test_grpc_go(server):
    return run_scenarios([go_program("./native_go"), server.address])


@test(60)
def test_grpc_js(server):
    folder = node_clients()
    return run_scenarios(["env", f"PROTO={ROOT / 'proto/calculator.proto'}", "node", folder / "native.mjs", server.address])


def grpcurl(server, *arguments, data=None):
    tool = go_program("github.com/fullstorydev/grpcurl/cmd/grpcurl")
    options = ["-plaintext", "-max-time", "10"] + (["-d", data] if data else [])
    return run([tool, *options, server.address, *arguments])


@test(30)
def test_grpcurl_lists_and_describes(server):
    services = grpcurl(server, "list").stdout.decode().split()
    assert {"Calculator", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"} <= set(services), services
    methods = grpcurl(server, "list", "Calculator").stdout.decode().split()
    assert {"Calculator.AddNum", "Calculator.RunningTotal"} <= set(methods), methods
    text = grpcurl(server, "describe", "Calculator.PrimeFactors").stdout.decode()
    assert "returns ( stream .PrimeFactor )" in text, text
    assert "google.protobuf.Timestamp time = 7" in grpcurl(server, "describe", "HistoryRecord").stdout.decode()
    assert grpcurl(server, "describe", "no.such.Symbol").returncode != 0


def json_objects(text):
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


@test(30)
def test_grpcurl_calls(server):
    done = grpcurl(server, "Calculator/SquareRoot", data='{"value":16}')
    equal(json.loads(done.stdout), {"value": 4}, "reply")
    done = grpcurl(server, "Calculator/RunningTotal", data='{"value":1} {"value":2}')
    equal([r["total"] for r in json_objects(done.stdout.decode())], [1, 3], "totals")
    done = grpcurl(server, "Calculator/DivNum", data='{"value1":1}')
    equal(done.returncode, 64 + 3, "exit status")  # grpcurl adds 64 to the status code
    assert b"InvalidArgument" in done.stderr and b"BadRequest" in done.stderr and b"value2" in done.stderr, done.stderr


@test(30)
def test_grpc_health_probe(server):
    probe = go_program("github.com/grpc-ecosystem/grpc-health-probe")
    for arguments, status in (([], 0), (["-service=Calculator"], 0), (["-service=no.such"], 3)):
        done = run([probe, f"-addr={server.address}", *arguments])
        equal(done.returncode, status, f"exit status with {arguments}, which printed {done.stderr}")
    assert b"SERVING" in run([probe, f"-addr={server.address}"]).stderr


def native(server, *arguments, data=b""):
    return run([program("calculator-client"), "--target", server.address, *arguments], data=data)


@test()
def test_calculator_client(server):
    done = native(server, "sqrt", "16")
    equal((done.stdout, done.returncode), (b"4.0\n", 0), "output")
    equal(native(server, "div", "1", "4").stdout, b"0.25\n", "output")
    done = native(server, "div", "1", "0")
    assert done.returncode != 0 and b"zero" in done.stderr, done


def drawbridge(*arguments, data=b""):
    return run([program("drawbridge"), *arguments], data=data)


@test()
def test_drawbridge_call(server):
    done = drawbridge("call", server.address, "Calculator/SquareRoot", '{"value":16}')
    equal((done.stdout, done.returncode), (b'{"value":4}\n', 0), f"output with {done.stderr}")
    done = drawbridge("call", server.address, "Calculator/PrimeFactors", '{"number":"12"}')
    equal([json.loads(line)["factor"] for line in done.stdout.splitlines()], ["2", "2", "3"], "factors")
    done = drawbridge("call", server.address, "Calculator/Statistics", data=b'{"value":1}\n{"value":3}\n')
    equal(json.loads(done.stdout)["mean"], 2, f"mean with {done.stderr}")
    done = drawbridge("call", server.address, "Calculator/RunningTotal", data=b'{"value":1}\n{"value":3}\n')
    equal([json.loads(line)["total"] for line in done.stdout.splitlines()], [1, 4], "totals")


@test()
def test_drawbridge_call_fails_with_the_status(server):
    done = drawbridge("call", server.address, "Calculator/DivNum", '{"value1":1}')
    equal(done.returncode, 3, "exit status")
    assert b"INVALID_ARGUMENT" in done.stderr and b"value2" in done.stderr, done.stderr
    done = drawbridge("call", "--deadline", "200ms", server.address, "Calculator/SlowSquareRoot", '{"delay":"24s"}')
    equal(done.returncode, 4, f"exit status with {done.stderr}")
    equal(drawbridge("call", server.address).returncode, 64, "exit status of wrong usage")
    equal(drawbridge("call", server.address, "Calculator/AddNum", "{nonsense").returncode, 65, "exit status of bad JSON")


@test()
def test_drawbridge_list_and_describe(server):
    services = drawbridge("list", server.address).stdout.decode().split()
    assert {"Calculator", "grpc.health.v1.Health"} <= set(services), services
    methods = drawbridge("list", server.address, "Calculator").stdout.decode()
    assert "RunningTotal" in methods, methods
    text = drawbridge("describe", server.address, "Calculator").stdout.decode()
    assert "rpc PrimeFactors" in text and "stream PrimeFactor" in text, text
    text = drawbridge("describe", server.address, "HistoryRecord").stdout.decode()
    assert "google.protobuf.Timestamp time = 7" in text, text
    assert drawbridge("describe", server.address, "no.such.Symbol").returncode != 0


@test()
def test_drawbridge_healthcheck(server):
    equal(drawbridge("healthcheck", server.address).returncode, 0, "exit status")
    assert drawbridge("healthcheck", "127.0.0.1:1").returncode == 1


if __name__ == "__main__":
    main(calculator)
