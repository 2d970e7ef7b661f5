#!/usr/bin/env python3
"""The conformance suite of the Connect project (Go module connectrpc.com/conformance, Apache-2.0; fetched, not contained here)
through the gateway: as a gRPC-Web and as a Connect server over HTTP/1.1, and as a gRPC client of servers that often answer
nonsense.  No case is listed as known to fail.  What the runner starts is in tests/conformance/."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from harness import DEPS, ROOT, SANITIZER, Skip, _install, _installed, equal, go_program, main, program, run, test

SUITE = ROOT / "tests/conformance"
MODULE = "connectrpc.com/conformance"
PROGRAMS = ("connectconformance", "referenceserver", "referenceclient", "grpcserver")

FAILED = re.compile(r"^FAILED: (.+):\n((?:\t.*\n)*)", re.M)
SENT = re.compile(r'Sending request for "(.+)"\.\.\.')
RECEIVED = re.compile(r'Received response for "(.+)"\.\.\.')
LOST = ("failed to get result from client", "server process terminated", "no outcome ever received")


def install():
    """The runner; everything that tests/conformance/ needs is built."""
    module = SUITE / "go"
    for name in PROGRAMS:
        runner = go_program(f"{MODULE}/cmd/{name}", module)
    if not shutil.which("protoc"):
        raise Skip("protoc is not installed")
    with _install("conformance.binpb", module / "go.mod") as needed:
        if needed:
            found = run(["go", "-C", module, "list", "-m", "-f", "{{.Dir}}", MODULE], 60)
            protos = pathlib.Path(found.stdout.decode().strip()) / "proto"
            _installed("descriptors", ["protoc", "-I", protos, "--include_imports", "-o", DEPS / "conformance.binpb",
                                       "connectrpc/conformance/v1/service.proto"])
    program("drawbridge")
    return runner.with_name("connectconformance")


class Runner:
    """One configuration: asks for its cases until each has an outcome.  A call that hangs takes the outcomes of others with it:
    it is asked again alone, and the others without it."""

    def __init__(self, mode, *under_test, conf=None, only=(), skip=()):
        self.argv = [install(), "--mode", mode, "--conf", SUITE / f"{conf or mode}.yaml", "--vv"]
        self.argv += [word for pattern in only for word in ("--run", pattern)]
        self.argv += [word for pattern in skip for word in ("--skip", pattern)]
        self.under_test = [SUITE / mode, *under_test]
        self.outcomes = {}  # name: None or what went wrong

    def run(self, seconds, *selection):
        """(output, whether it came to its end)"""
        with tempfile.TemporaryDirectory() as logs:
            process = subprocess.Popen(list(map(str, [*self.argv, *selection, "--", *self.under_test])),
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env={**os.environ, "CONFORMANCE_LOGS": logs}, start_new_session=True)
            try:
                output, finished = process.communicate(timeout=seconds)[0], True
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, finished = process.communicate()[0], False
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise
            for log in sorted(pathlib.Path(logs).iterdir()):
                text = log.read_text(errors="replace")
                assert not finished or not log.name.startswith("fault-"), text
                assert not SANITIZER.search(text), text[-6000:]
        return output.decode(errors="replace"), finished

    def ask(self, seconds, *selection):
        """Notes outcomes; returns the names of the cases that hang."""
        output, finished = self.run(seconds, *selection)
        received = set(RECEIVED.findall(output))
        if not finished:
            return set(SENT.findall(output)) - received
        failures = {name: text for name, text in FAILED.findall(output) if not any(lost in text for lost in LOST)}
        self.outcomes.update({name: None for name in received}, **failures)
        assert received or failures, output[-3000:]
        return set()

    def ask_all(self, cases, seconds):
        """Every case passes, and there are so many."""
        hung = self.ask(seconds)
        for _ in range(2):
            for name in hung - set(self.outcomes):
                if self.ask(40, "--run", name):
                    self.outcomes[name] = "\thangs\n"
            if len(self.outcomes) >= cases:
                break
            print(f"asked again: {cases - len(self.outcomes)} cases", flush=True)
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as known:
                known.write("\n".join(self.outcomes))
                known.flush()
                hung = self.ask(seconds, "--skip", "@" + known.name)
        bad = {name: text for name, text in self.outcomes.items() if text}
        assert not bad, f"{len(bad)} of {len(self.outcomes)} fail\n" + "\n".join(f"{n}:\n{t}" for n, t in bad.items())
        equal(len(self.outcomes), cases, "cases with an outcome")
        print(f"{cases} cases passed", flush=True)


@test(240)
def test_grpc_web_server():
    Runner("server").ask_all(174, 80)


@test(240)
def test_grpc_web_server_with_a_plain_upstream():
    """grpc-go takes two messages for a unary call and leaves deadlines to the client: what is missing is the gateway's."""
    Runner("server", "--upstream", "grpcserver").ask_all(174, 80)


@test(120)
def test_limit_of_the_gateway():
    Runner("server", "--upstream", "grpcserver", "--limit", "gateway", only=["Server Message Size/**"]).ask_all(20, 40)


@test(300)
def test_grpc_client():
    """213 cases against the suite's own server, which sends malformed replies on demand, and 152 against grpc-go."""
    Runner("client").ask_all(365, 100)


@test(240)
def test_connect_server():
    Runner("server", conf="connect_server").ask_all(384, 80)


@test(240)
def test_connect_server_with_a_plain_upstream():
    """Two cases less: the method that the cases of GET call is not implemented in this upstream."""
    Runner("server", "--upstream", "grpcserver", conf="connect_server", skip=["Connect with GET/**"]).ask_all(382, 80)


@test(120)
def test_limit_of_the_gateway_in_connect():
    Runner("server", "--limit", "gateway", conf="connect_server", only=["Server Message Size/**"]).ask_all(20, 40)


@test(300)
def test_grpc_client_behind_connect():
    """119 cases against the suite's own server and 76 against grpc-go, without compression."""
    Runner("client", "--protocol", "connect", conf="connect_client").ask_all(195, 100)


if __name__ == "__main__":
    main()
