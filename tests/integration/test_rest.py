#!/usr/bin/env python3
"""google.api.http rules by curl: paths, queries and bodies of the calculator's rules, streams in three framings, uploads, and
what is refused.  Every command of the README's section "From curl" runs here."""
import contextlib
import http.client
import json
import pathlib
import re
import shlex
import socket
import tempfile
import time

from harness import ROOT, SCHEMA, Calculator, Gateway, bridge, curl, equal, main, program, run, test, use_binaries, wait_for

JSON = "content-type: application/json"
NDJSON = "accept: application/x-ndjson"
EVENTS = "accept: text/event-stream"


@contextlib.contextmanager
def gateway():
    with bridge() as (_, server):
        yield server


def get(server, path, *headers, status=200, method=None):
    reply = curl(server.url + path, None, *headers, method=method)
    equal(reply.status, status, f"HTTP status of {path}: {reply}")
    return reply


def refused(server, path, status, code, *words, data=None, headers=(), method=None):
    reply = curl(server.url + path, data, *headers, method=method)
    error = reply.json()
    equal((reply.status, error["code"], sorted(error)), (status, code, ["code", "details", "message"]), f"answer to {path}")
    for word in words:
        assert word in error["message"], f"{error} lacks {word!r}"
    server.assert_nothing_live()
    return reply


@test()
def test_commands_of_the_readme(s):
    section = (ROOT / "README.md").read_text().partition("\n## From curl\n")[2].partition("\n## ")[0]
    commands = [line.split("  #", 1) for line in section.splitlines() if line.startswith("curl ")]
    assert len(commands) >= 10 and all(len(c) == 2 for c in commands), commands
    for command, wanted in commands:
        argv = shlex.split(command.replace("localhost:8080", s.address))
        done = run([argv[0], "-s", "--max-time", "5", *argv[1:]])
        lines = [line for line in done.stdout.decode().splitlines() if line]
        equal((done.returncode, " / ".join(lines)), (0, wanted.strip()), command)
    s.assert_nothing_live()


@test()
def test_paths_and_queries(s):
    equal(get(s, "/v1/sqrt/16").json(), {"value": 4}, "root")
    equal(get(s, "/v1/sqrt/%31%36").json(), {"value": 4}, "root of an escaped number")
    equal(get(s, "/v1/add?value1=1&value2=2").json(), {"value": 3}, "sum")
    equal(get(s, "/v1/add").json(), {}, "sum of nothing")
    equal(len(get(s, "/v1/history?page_size=1").json()["records"]), 1, "records")
    equal(get(s, "/v1/slow/sqrt/9?delay=0.01s").json(), {"value": 3}, "slow root")
    equal(get(s, "/v1/sqrt/2:converge?tolerance=0.1").json()[0], {"step": 1, "estimate": 1.5, "error": 0.5}, "first step")
    equal(curl(s.url + "/v1/add", '{"value1":1}').json(), {"value": 1}, "sum of a body")
    s.assert_nothing_live()


@test()
def test_the_log_names_the_method(s):
    get(s, "/v1/sqrt/25")
    wait_for("a log line", lambda: s.events("call", path="/v1/sqrt/25", rpc="/Calculator/SquareRoot", protocol="rest"))


@test()
def test_refusals(s):
    refused(s, "/v1/add?value1=1&unknown=1", 400, 3, "unknown")
    refused(s, "/v1/add?value1=1&value1=2", 400, 3, "value1")
    refused(s, "/v1/add?value1=x", 400, 3, "value1")
    refused(s, "/v1/sqrt/x", 400, 3, "value")
    refused(s, "/v1/sqrt/1?value=2", 400, 3, "value")
    refused(s, "/v1/sqrt/%zz", 400, 3, "escape")
    refused(s, "/v1/sqrt/-1", 400, 3, "negative")
    refused(s, "/v1/factors/1", 400, 3)
    refused(s, "/v2/sqrt/1", 404, 5, "/v2/sqrt/1")
    refused(s, "/v1/sqrt", 415, 3, data="{}", headers=["content-type: text/plain"])
    allow = refused(s, "/v1/sqrt/16", 405, 12, method="PUT").headers["allow"]
    equal(allow, "GET, HEAD, OPTIONS", "Allow")
    deadline = refused(s, "/v1/slow/sqrt/9?delay=9s", 504, 4, headers=["grpc-timeout: 100m"])
    equal(deadline.headers["content-type"], "application/json", "content type")


@test()
def test_head_and_options(s):
    head, body = get(s, "/v1/sqrt/16", method="HEAD"), get(s, "/v1/sqrt/16")
    equal((head.headers["content-length"], head.body), (str(len(body.body)), b""), "answer to HEAD")
    equal(get(s, "/v1/flood?count=100000&size=1000", method="HEAD").headers["content-type"], "application/json", "type")
    reply = get(s, "/v1/add", method="OPTIONS", status=204)
    equal((reply.headers["allow"], reply.body), ("GET, HEAD, POST, OPTIONS", b""), "answer to OPTIONS")
    s.assert_nothing_live()


@test()
def test_google_clients(s):
    equal(get(s, "/v1/sqrt/16?%24alt=json%3Benum-encoding%3Dint&key=x&$.xgafv=2").json(), {"value": 4}, "root")
    error = get(s, "/v1/sqrt/-4?$alt=json", status=400).json()["error"]
    equal((error["code"], error["status"], len(error["details"])), (400, "INVALID_ARGUMENT", 1), "error")
    record = get(s, "/v1/history?page_size=1&$alt=json;enum-encoding=int").json()["records"][0]
    assert isinstance(record["operation"], int), record


@test()
def test_framings_of_a_stream(s):
    factors = [{"factor": "2"}, {"factor": "2", "index": 1}, {"factor": "3", "index": 2}]
    equal(get(s, "/v1/factors/12").json(), factors, "array")
    lines = get(s, "/v1/factors/12", NDJSON)
    equal(lines.headers["content-type"], "application/x-ndjson", "content type")
    equal([json.loads(line) for line in lines.body.splitlines()], factors, "lines")
    for events in get(s, "/v1/factors/12", EVENTS), get(s, "/v1/factors/12?alt=sse"):
        equal(events.headers["content-type"], "text/event-stream", "content type")
        blocks = events.body.decode().split("\n\n")
        equal(blocks, [f"id: {i + 1}\ndata: {json.dumps(f, separators=(',', ':'))}" for i, f in enumerate(factors)]
              + ["id: end", ""], "events")
    get(s, "/v1/factors/12", EVENTS, "last-event-id: end", status=204)
    s.assert_nothing_live()


@test()
def test_messages_are_flushed_one_by_one(s):
    for accept, count in ("application/x-ndjson", 1), ("text/event-stream", 3), ("application/json", 0):
        connection = http.client.HTTPConnection(s.address, timeout=5)
        started = time.monotonic()
        connection.request("GET", "/v1/factors/6?delay=0.25s", headers={"accept": accept})
        reply = connection.getresponse()
        first = reply.read1(1000)
        came = time.monotonic()
        assert came - started > 0.2, f"{first} after {came - started} s"
        equal(first.count(b"\n"), count, f"line ends of {first}")
        assert b'{"factor":"2"}' in first, first
        assert b'{"factor":"3"' in reply.read() and time.monotonic() - came > 0.15
        connection.close()
    s.assert_nothing_live()


@test()
def test_failures_of_a_stream_are_visible(s):
    slow, deadline = "/v1/factors/1024?delay=0.12s", "grpc-timeout: 300m"
    reply = get(s, slow, NDJSON, deadline)
    last = json.loads(reply.body.splitlines()[-1])
    equal((reply.exit_status, last["error"]["code"]), (0, 4), "last line")
    reply = get(s, slow, EVENTS, deadline)
    block = reply.body.decode().rstrip("\n").rpartition("\n\n")[2].split("\n")
    equal((reply.exit_status, block[:2]), (0, ["id: end", "event: error"]), "last event")
    equal(json.loads(block[2][6:])["error"]["code"], 4, "code of the last event")
    reply = get(s, slow, deadline)
    assert reply.exit_status != 0, "an array that broke off looks complete to curl"
    assert b',{"error":{"code":4' in reply.body and not reply.body.rstrip().endswith(b"]"), reply
    s.assert_nothing_live()


@test()
def test_uploads(s):
    for body in ('[{"value":1},{"value":3}]', '{"value":1}\n{"value":3}\n', '{"value":1}{"value":3}'):
        equal(curl(s.url + "/v1/statistics", body).json()["mean"], 2, f"mean of {body}")
    equal(curl(s.url + "/v1/statistics", '{"value":7}').json()["count"], "1", "count of a bare object")
    equal(curl(s.url + "/v1/statistics", '{"value":7}', "content-type: application/x-ndjson").json()["count"], "1", "count")
    equal(curl(s.url + "/v1/statistics", "").json(), curl(s.url + "/v1/statistics", "[]").json(), "statistics of nothing")
    equal(curl(s.url + "/Calculator/Statistics", '[{"value":7}]').json()["count"], "1", "count without a rule")
    total = curl(s.url + "/v1/total", '[{"value":1},{"value":2}]', NDJSON)
    equal([json.loads(line)["total"] for line in total.body.splitlines()], [1, 3], "totals")
    for body, word in (('[{"value":1},{"value":"x"}]', "message 2"), ('[{"value":1}', "end of the text"), ("[1]", "message 1"),
                       ('[{"valu":1}]', "valu")):
        refused(s, "/v1/statistics", 400, 3, word, data=body)
    refused(s, "/v1/statistics", 415, 3, data="{}", headers=["content-type: text/plain"])


@test()
def test_a_large_upload(s):
    count = 200_000
    body = "".join('{"value":%d}\n' % (i % 10) for i in range(count))
    reply = curl(s.url + "/v1/statistics", body, seconds=60)
    equal((reply.status, reply.json()["count"]), (200, str(count)), f"answer {reply}")
    s.assert_nothing_live()


@test()
def test_a_slow_upload(s):
    """Values in pieces, with pauses."""
    with socket.create_connection(("127.0.0.1", s.port("http")), 5) as peer:
        peer.sendall(b"POST /v1/total HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in b'[{"va', b'lue":1', b'},', b'{"value":2}', b']':
            peer.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(0.05)
        peer.sendall(b"0\r\n\r\n")
        answer = b""
        while b"]" not in answer:
            answer += peer.recv(4096)
    equal(answer.partition(b"\r\n\r\n")[2].count(b'"total"'), 2, f"totals in {answer}")
    s.assert_nothing_live()


@test()
def test_a_slow_reader_keeps_memory_flat(s):
    with socket.create_connection(("127.0.0.1", s.port("http")), 5) as peer:
        peer.sendall(b"GET /v1/flood?count=1000000000&size=10000 HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\r\n")
        wait_for("a full buffer", lambda: s.metric("drawbridge_buffered_bytes") > 30_000)
        time.sleep(0.3)
        assert s.metric("drawbridge_buffered_bytes") < 2 << 20, s.metrics()
    s.assert_nothing_live()


@test()
def test_a_client_that_leaves(s):
    with socket.create_connection(("127.0.0.1", s.port("http")), 5) as peer:
        peer.sendall(b"GET /v1/flood?count=1000000000&size=1000 HTTP/1.1\r\nhost: x\r\n\r\n")
        peer.recv(4096)
    s.assert_nothing_live()
    with socket.create_connection(("127.0.0.1", s.port("http")), 5) as peer:
        peer.sendall(b'POST /v1/total HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n[{"value":1},')
        time.sleep(0.1)
    s.assert_nothing_live()


@contextlib.contextmanager
def patched(source, mode):
    """A copy of the file in which two rules have the same path."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / source.name
        path.write_bytes(source.read_bytes().replace(b"/v1/sub", b"/v1/add"))
        path.chmod(mode)
        yield path


@test()
def test_bad_rules_in_a_file_end_the_start(_):
    with patched(SCHEMA, 0o644) as bad:
        done = run([program("drawbridge"), "serve", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin",
                    "127.0.0.1:0", "--descriptors", bad], 10)
        text = done.stderr.decode()
        equal(done.returncode, 1, f"exit status; {text}")
        assert re.search(r"drawbridge: .*calculator\.proto.*/v1/add.*same method and path", text), text


@test()
def test_bad_rules_at_a_refresh_keep_the_old_ones(_):
    with tempfile.TemporaryDirectory() as folder, patched(SCHEMA, 0o644) as bad:
        used = pathlib.Path(folder) / "used.binpb"
        used.write_bytes(SCHEMA.read_bytes())
        with Calculator() as calculator, Gateway(calculator.address, "--descriptors", used) as server:
            used.write_bytes(bad.read_bytes())
            server.process.send_signal(1)
            wait_for("a warning", lambda: "the old one stays" in server.log())
            equal(get(server, "/v1/sub?value1=3&value2=1").json(), {"value": 2}, "difference")
            equal(server.admin("/readyz")[0], 200, "status of /readyz")
            used.write_bytes(SCHEMA.read_bytes())
            server.process.send_signal(1)
            wait_for("the good file", lambda: server.log().count("methods from") == 2)
            equal(get(server, "/v1/sub?value1=3&value2=1").json(), {"value": 2}, "difference")


@test()
def test_bad_rules_by_reflection_are_told(_):
    with patched(program("calculator"), 0o755) as bad:
        class BadCalculator(Calculator):
            def __init__(self):
                use_binaries(bad.parent)
                try:
                    super().__init__()
                finally:
                    use_binaries(SCHEMA.parent.parent)
        with BadCalculator() as calculator, Gateway(calculator.address, ready=False) as server:
            wait_for("a warning", lambda: "same method and path" in server.log())
            wait_for("the reason", lambda: "same method and path" in server.admin("/readyz")[1])
            equal(server.admin("/readyz")[0], 503, "status of /readyz")
            refused(server, "/v1/sqrt/16", 503, 14)


if __name__ == "__main__":
    main(gateway)
