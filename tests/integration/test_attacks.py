#!/usr/bin/env python3
"""Hostile HTTP/1.1 clients against the real gateway: the rows of attack_http1.py that need no special server, and limits and
floods with calls to a real upstream behind them.  The rest of that catalogue runs against the front alone, under ctest."""
import pathlib
import re
import socket
import sys
import time

from harness import Calculator, Gateway, bridge, equal, main, run, test, wait_for
from peers import connect, finish_call, head, load, start_call
from wire import field, flood, frame, number

ROW_COUNT = re.compile(r"^(\d+) passed, (\d+) failed", re.M)
PATH, BODY = "/Calculator/SquareRoot", frame(number(16))
OPEN = "drawbridge_upstream_calls_open"


def read_to_end(s, seconds=5):
    """What the gateway sends until it closes or resets."""
    data = b""
    s.settimeout(seconds)
    try:
        while piece := s.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@test(60)
def test_rows_of_attack_http1():
    with bridge() as (_, gateway):
        script = pathlib.Path(__file__).with_name("attack_http1.py")
        done = run([sys.executable, script, "--port", gateway.port("http"), "--path", PATH], 55)
        output = done.stdout.decode(errors="replace")
        found = ROW_COUNT.search(output)
        assert found, f"no count of rows: {output[-1500:]} {done.stderr[-1500:]}"
        passed, failed = map(int, found.groups())
        assert not failed and done.returncode == 0, "\n".join(line for line in output.splitlines() if line[:4] == "FAIL")
        assert passed >= 15, f"only {passed} rows ran"
        gateway.assert_nothing_live()
        return passed


@test(30)
def test_a_trailer_section_that_fills_the_librarys_memory():
    """libmicrohttpd then answers by itself, where the request's head stood: the call goes on to say what it was."""
    with bridge() as (_, gateway):
        s = connect(gateway)
        s.sendall(head("/Calculator/Total") + b"5\r\n" + frame(b"") + b"\r\n0\r\n")
        try:
            for _ in range(500):
                s.sendall(b"x: " + b"v" * 55 + b"\r\n")
                time.sleep(0.001)
        except OSError:
            pass
        wait_for(lambda: gateway.log()[-1000:], lambda: gateway.events("call"), 5)
        equal([(e["method"], e["path"]) for e in gateway.events("call")], [("POST", "/Calculator/Total")], "the call's log")
        gateway.assert_nothing_live()


@test(30)
def test_time_limits():
    flags = ("--header-timeout", "800ms", "--body-grace", "500ms", "--stall-timeout", "1s", "--keepalive-timeout", "1s")
    with Calculator() as calculator, Gateway(calculator.address, *flags) as gateway:
        slow_head, stalled_body, slow_body, idle = connect(gateway), connect(gateway), connect(gateway), connect(gateway)
        slow_reader = socket.socket()
        slow_reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow_reader.connect(("127.0.0.1", gateway.port("http")))
        stalled_body.sendall(head("/Calculator/Echo", 10_000) + frame(bytes(9000))[:5000])
        slow_body.sendall(head("/Calculator/Echo", 10_000) + b"\0")
        idle.sendall(head(PATH, len(BODY)) + BODY)
        request = frame(flood(10 ** 6, 10 ** 4))
        slow_reader.sendall(head("/Calculator/Flood", len(request)) + request)
        wait_for("three calls", lambda: gateway.metric(OPEN) == 3)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for s in (slow_head, slow_body):
                try:
                    s.send(b"X")
                except OSError:
                    pass
            time.sleep(0.1)
        wait_for(lambda: f"the limits end every connection: {gateway.live()}", lambda: not gateway.live(), 4)
        for s in (slow_head, stalled_body, slow_body, idle, slow_reader):
            s.close()
        equal(len(calculator.calls("Echo")) + len(calculator.calls("Flood")), 3, "calls that the backend saw end")


@test()
def test_slow_head_hears_why():
    with Calculator() as calculator, Gateway(calculator.address, "--header-timeout", "500ms") as gateway:
        s = connect(gateway)
        s.sendall(b"POST / HTTP/1.1\r\nhost: a\r\n")
        started = time.monotonic()
        assert read_to_end(s).startswith(b"HTTP/1.1 408 ")
        assert 0.3 < time.monotonic() - started < 8


@test(30)
def test_chunk_extension_does_not_spin():
    def attack(gateway):
        s = connect(gateway)
        s.sendall(head(PATH) + b"5;" + b"x" * 65536)
        time.sleep(1)
        s.close()

    with bridge(workers=1) as (_, gateway):
        before = cpu_seconds(gateway)
        attack(gateway)
        spent = cpu_seconds(gateway) - before
        assert spent < 0.5, f"{spent} s of CPU time in one second"
        with load(gateway, 1, PATH, BODY, number(4)) as calls:
            attack(gateway)
        equal(calls.failures(), {}, "failures of calls beside it")
        assert calls.count() > 20, calls.outcomes


@test(30)
def test_one_byte_chunks():
    with bridge() as (_, gateway):
        message = frame(field(1, bytes(range(256)) * 40))
        s = connect(gateway)
        s.sendall(head("/Calculator/Echo") + b"".join(b"1\r\n%c\r\n" % byte for byte in message) + b"0\r\n\r\n")
        equal(finish_call(s)[0], [message[5:]], "messages")
        s.close()


@test(30)
def test_pipelined_calls():
    with bridge() as (_, gateway):
        s = connect(gateway, 20)
        bodies = [b'{"value":%d}' % (n * n) for n in range(1, 301)]
        requests = [head(PATH, len(b), "application/json") + b for b in bodies[:-1]]
        last = head(PATH, len(bodies[-1]), "application/json").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + bodies[-1]
        s.sendall(b"".join(requests) + last)
        answers = re.findall(rb'\r\n\r\n\{"value":(\d+)\}', read_to_end(s, 15))
        equal(answers, [b"%d" % n for n in range(1, 301)], "answers in order")
        s.close()


@test(30)
def test_idle_connections_cost_others_nothing():
    with bridge() as (_, gateway):
        idle = [connect(gateway) for _ in range(1000)]
        wait_for("all are accepted", lambda: gateway.metric("drawbridge_connections_open") == 1000)
        times = []
        for _ in range(50):
            started = time.monotonic()
            equal(finish_call(start_call(gateway, PATH, BODY))[1]["grpc-status"], "0", "status")
            times.append(time.monotonic() - started)
        assert sorted(times)[45] < 0.1, sorted(times)[-5:]
        for s in idle:
            s.close()


@test(30)
def test_length_prefix_of_4_gib_allocates_nothing():
    with bridge(workers=1) as (_, gateway):
        status = pathlib.Path(f"/proc/{gateway.process.pid}/status")

        def rss_kib():
            return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1])
        finish_call(start_call(gateway, PATH, BODY))
        before = rss_kib()
        for _ in range(100):
            messages, trailers = finish_call(start_call(gateway, PATH, b"\0\xff\xff\xff\xff"))
            equal((messages, trailers["grpc-status"]), ([], "8"), "answer")
        assert rss_kib() - before < 32 << 10, f"{rss_kib() - before} KiB more"


if __name__ == "__main__":
    main()
