#!/usr/bin/env python3
"""What a person meets who types drawbridge commands: help, wrong usage, failures at start, the banner, the demo."""
import json
import os
import pty
import re
import select
import signal
import socket
import time

from harness import Calculator, Gateway, Server, bridge, equal, free_port, main, program, run, test, wait_for

COMMANDS = ["serve", "demo", "call", "list", "describe", "routes", "openapi", "descriptors", "check", "healthcheck",
            "version", "help"]
PLANNED = ["contrast"]


def drawbridge(*arguments, data=b"", environment=None):
    done = run([program("drawbridge"), *arguments], data=data, environment=environment)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def says(result, status, *texts):
    equal(result[0], status, f"exit status of {result}")
    for text in texts:
        assert text in result[2], f"{text!r} is not in {result[2]!r}"


@test()
def test_help():
    for arguments in [(), ("--help",), ("-h",), ("help",)]:
        status, output, _ = drawbridge(*arguments)
        equal(status, 0, "exit status")
        for name in COMMANDS + PLANNED:
            assert name in output, f"{name} is not in the help"
    for name in COMMANDS:
        status, output, _ = drawbridge("help", name)
        equal(status, 0, "exit status")
        assert output.startswith(f"drawbridge {name}: "), output
        equal(drawbridge(name, "--help")[1], output, f"{name} --help")


@test()
def test_version_lists_the_libraries():
    status, output, _ = drawbridge("--version")
    equal(status, 0, "exit status")
    for name in ["drawbridge", "libmicrohttpd", "libnghttp2", "libprotobuf-c", "libjansson", "libyaml"]:
        assert re.search(rf"^{name} \d+\.\d+", output, re.M), output


@test()
def test_wrong_usage():
    says(drawbridge("srve"), 2, 'unknown command "srve"', "did you mean serve?")
    says(drawbridge("--upstream", "x:1"), 2, "options stand behind a command")
    says(drawbridge("serve"), 2, "--upstream HOST:PORT is required")
    says(drawbridge("serve", "--upstrem", "x:1"), 2, "did you mean --upstream?")
    says(drawbridge("serve", "--upstream", "a:1", "--upstream", "a:1"), 2, "given twice")
    says(drawbridge("serve", "--upstream", "127.0.0.1:1", "--tls-cert", "x"), 2, "--tls-cert is not built yet")
    says(drawbridge("serve", environment={"DRAWBRIDGE_WORKERS": "x"}), 2, "DRAWBRIDGE_WORKERS: ")
    for name in PLANNED:
        says(drawbridge(name), 2, "is not built yet")
    says(drawbridge("call", "127.0.0.1:1"), 64, "needs a target, a method")
    says(drawbridge("call", "--deadlin", "2s", "127.0.0.1:1", "A/B"), 64, "did you mean --deadline?")
    says(drawbridge("list"), 2, "needs a target")
    says(drawbridge("healthcheck"), 2, "needs one target")
    says(drawbridge("healthcheck", "--http", "127.0.0.1:1"), 2, "needs a URL")


@test()
def test_failures_at_start():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        says(drawbridge("serve", "--upstream", "127.0.0.1:1", "--listen", address, "--admin", "off"), 1, address, "in use")
        says(drawbridge("demo", "--calculator-listen", address), 1, "the calculator did not start")
    says(drawbridge("serve", "--upstream", "ipv4:no-such-host.invalid:1"), 2, "\"no-such-host.invalid\" is not an address")
    says(drawbridge("serve", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "off", "--descriptors",
                    "nowhere.binpb"), 1, "nowhere.binpb")
    says(drawbridge("call", "127.0.0.1:1", "A/B"), 14, "connection refused")


@test()
def test_an_upstream_that_is_down_is_waited_for():
    port = free_port()
    with Gateway(f"127.0.0.1:{port}", ready=False) as gateway:
        ready = f"http://{gateway.addresses['admin']}/readyz"
        says(drawbridge("healthcheck", "--http", ready), 1, "refused")
        with Calculator(listen=f"127.0.0.1:{port}"):
            gateway.wait_ready()
            equal(drawbridge("healthcheck", "--http", ready), (0, "ready\n", ""), "healthcheck")
            equal(drawbridge("healthcheck", ready), (0, "ready\n", ""), "healthcheck")
            says(drawbridge("healthcheck", ready.replace("readyz", "nowhere")), 1, "nothing here")


def terminal(argv, until, seconds=20):
    """What the program prints on a terminal up to that text; then it is stopped."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    output, end = b"", time.monotonic() + seconds
    try:
        while until not in output and time.monotonic() < end:
            if select.select([fd], [], [], 0.1)[0]:
                output += os.read(fd, 4096)
    finally:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < end and not os.waitpid(pid, os.WNOHANG)[0]:
            time.sleep(0.02)
        os.close(fd)
    return output.decode().replace("\r", "")


@test()
def test_the_banner_and_its_curl_line():
    with bridge() as (calculator, gateway):
        assert "drawbridge 0" not in gateway.log(), "a banner that no one sees"
        output = terminal([str(program("drawbridge")), "serve", "--upstream", calculator.address, "--listen", "127.0.0.1:0",
                           "--admin", "off", "--workers", "1"], b"/Calculator/AddNum")
        assert "15 methods" not in output and "4 services with 20 methods, schema from reflection (v1)" in output, output
        line = re.search(r"try +(curl .*/Calculator/AddNum)", output).group(1)
        there = re.search(r"open +(http://\S+)", output).group(1)
        done = run(["sh", "-c", "curl -sS " + line.replace(there, gateway.url)[len("curl "):]])
        equal(json.loads(done.stdout), {"value": 3}, line)


def demo():
    return Server([program("drawbridge"), "demo", "--listen", "127.0.0.1:0", "--calculator-listen", "127.0.0.1:0",
                   "--admin", "127.0.0.1:0"], ["http", "admin"])


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def started(server):
    wait_for("the demo's commands", lambda: "Ctrl-C stops both" in server.log(), 20)
    return server.log()


@test(60)
def test_the_demos_commands_work_as_printed():
    with demo() as server:
        commands = re.findall(r"^    (\S.*)$", started(server), re.M)
        equal(len(commands), 3, f"commands in {server.log()}")
        json_line, web_line, native_line = (run(["bash", "-c", command]) for command in commands)
        equal(json_line.stdout.strip(), b'{"value":4}', commands[0])
        assert b"00 00 00 00 05 0d 00 00 80 40 80 00 00 00 0f" in web_line.stdout, web_line
        equal((native_line.stdout, native_line.returncode), (b'{"value":4}\n', 0), commands[2])


@test(60)
def test_the_demo_stops_the_calculator():
    for signum in (signal.SIGINT, signal.SIGTERM):
        with demo() as server:
            started(server)
            calculator, = children(server.process.pid)
            server.process.send_signal(signum)
            equal(server.wait(), 0, "exit status")
            assert not alive(calculator)
    server = demo()
    started(server)
    calculator, = children(server.process.pid)
    server.kill()
    wait_for("the calculator's end", lambda: not alive(calculator), 5)


if __name__ == "__main__":
    main()
