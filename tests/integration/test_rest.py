#!/usr/bin/env python3
"""google.api.http rules by curl: paths, queries and bodies of the calculator's rules, streams in three framings, uploads, and
what is refused.  Every command of the README's section "From curl" runs here."""
import contextlib
import http.client
import json
import pathlib
import re
import shlex
import shutil
import socket
import tempfile
import time

from harness import (CLIENTS, ROOT, SCHEMA, Calculator, Gateway, Server, Skip, bridge, curl, equal, main, node_clients, program,
                     python_clients, run, test, use_binaries, wait_for)

JSON = "content-type: application/json"
NDJSON = "accept: application/x-ndjson"
EVENTS = "accept: text/event-stream"


@contextlib.contextmanager
def gateway():
    with bridge() as (calculator, server):
        server.calculator, server.upstream = calculator, calculator.address
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
def test_methods_that_nobody_serves(s):
    for method, status in ("BREW", 501), ("get", 501), ("X" * 33, 501), ("TRACE", 405), ("CONNECT", 405):
        for path in "/v1/sqrt/16", "/none":
            refused(s, path, status, 12, method=method)
    for path in "/metrics", "/none":
        equal(curl(f"http://{s.addresses['admin']}{path}", method="BREW").status, 501, "status of the admin listener")


CUSTOM_RULES = """http:
  rules:
  - selector: Calculator.AddNum
    custom: {kind: SEARCH, path: /sums}
    body: "*"
  - selector: Calculator.SquareRoot
    custom: {kind: PURGE, path: "/roots/{value}"}
  - selector: Calculator.PrimeFactors
    custom: {kind: "*", path: "/factors/{number}"}
  - selector: Calculator.RunningTotal
    custom: {kind: M-SEARCH, path: /total}
    body: "*"
"""


@test(30)
def test_custom_methods(_):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        rules.write(CUSTOM_RULES)
        rules.flush()
        with bridge("--http-rules", rules.name, "--cors-origin", "https://app.example") as (_, s):
            sums = '{"value1":1,"value2":2}'
            equal(curl(s.url + "/sums", sums, method="SEARCH").json(), {"value": 3}, "sum")
            equal(curl(s.url + "/sums", sums, JSON, "transfer-encoding: chunked", method="SEARCH").json(), {"value": 3}, "in chunks")
            equal(curl(s.url + "/sums", sums, "expect: 100-continue", method="SEARCH").json(), {"value": 3}, "after 100 Continue")
            equal(get(s, "/sums", method="SEARCH").json(), {}, "sum without a body")
            equal(get(s, "/roots/16", method="PURGE").json(), {"value": 4}, "root")
            equal(curl(s.url + "/total", '{"value":1} {"value":2}', NDJSON, method="M-SEARCH").body.count(b"total"), 2, "totals")
            for method in "BREW", "GET", "SEARCH":
                equal(get(s, "/factors/2", method=method).json(), [{"factor": "2"}], method)
            wait_for("a log line", lambda: s.events("call", method="M-SEARCH", path="/total", rpc="/Calculator/RunningTotal"))
            refused(s, "/sums", 415, 3, method="SEARCH", data=sums, headers=["content-type: text/plain"])
            refused(s, "/sums", 400, 3, "valu1", method="SEARCH", data='{"valu1":1}')
            refused(s, "/sums", 413, 8, method="SEARCH", data=b" " * (6 << 20))
            refused(s, "/none", 404, 5, method="SEARCH")
            refused(s, "/sums", 501, 12, method="search")
            refused(s, "/sums", 501, 12, method="BREW")
            for method in "PURGE", "POST":
                equal(refused(s, "/sums", 405, 12, method=method).headers["allow"], "OPTIONS, SEARCH", "Allow")
            equal(get(s, "/sums", method="OPTIONS", status=204).headers["allow"], "OPTIONS, SEARCH", "Allow")
            asked = get(s, "/sums", "origin: https://app.example", "access-control-request-method: SEARCH", method="OPTIONS", status=204)
            equal(asked.headers["access-control-allow-methods"], "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, SEARCH", "preflight")
            equal(curl(s.url + "/sums", sums, JSON, "origin: https://app.example", method="SEARCH").headers["access-control-allow-origin"],
                  "https://app.example", "allowed origin")
            s.assert_nothing_live()


@test()
def test_head_of_streams(s):
    """The head that GET would have, and nothing behind it: no length, which nobody knows."""
    for accept in "application/json", "application/x-ndjson", "text/event-stream":
        head = get(s, "/v1/flood?count=1000000000&size=1000", "accept: " + accept, method="HEAD")
        whole = get(s, "/v1/factors/12?delay=0.01s", "accept: " + accept)
        framing = {"date", "connection", "transfer-encoding"}
        equal(sorted(set(head.headers) - framing), sorted(set(whole.headers) - framing), "fields")
        equal((head.headers["content-type"], head.body), (accept, b""), "answer to HEAD")
        s.assert_nothing_live()
    with socket.create_connection(("127.0.0.1", s.port("http")), 5) as peer:
        peer.sendall(b"HEAD /v1/flood?count=1000000000&size=1000 HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = peer.recv(65536)
        while piece := peer.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ") and b"content-length" not in answer.lower(), answer
        equal(answer.partition(b"\r\n\r\n")[2], b"", "what stands behind the head")
    get(s, "/v1/factors/1", method="HEAD", status=400)


@test()
def test_head_and_options(s):
    head, body = get(s, "/v1/sqrt/16", method="HEAD"), get(s, "/v1/sqrt/16")
    equal((head.headers["content-length"], head.body), (str(len(body.body)), b""), "answer to HEAD")
    equal(get(s, "/v1/flood?count=100000&size=1000", method="HEAD").headers["content-type"], "application/json", "type")
    reply = get(s, "/v1/add", method="OPTIONS", status=204)
    equal((reply.headers["allow"], reply.body), ("GET, HEAD, POST, OPTIONS", b""), "answer to OPTIONS")
    s.assert_nothing_live()


TRAILING = "x-grpc-test-echo-trailing-bin: AAEC"
TE = "te: trailers"


def raw_answer(server, request):
    """All bytes of the answer to a request that closes its connection."""
    with socket.create_connection(("127.0.0.1", server.port("http")), 5) as peer:
        peer.sendall(request + b"host: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
    return answer


@test()
def test_trailers(s):
    end = b"\r\n0\r\nx-grpc-test-echo-trailing-bin: AAEC\r\n\r\n"
    asking = b"te: trailers\r\nx-grpc-test-echo-trailing-bin: AAEC\r\n"
    answer = raw_answer(s, b"GET /v1/sqrt/16 HTTP/1.1\r\n" + asking)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ntrailer: x-grpc-test-echo-trailing-bin\r\n" in head and b"ontent-" b"ength" not in head, head
    equal(body, b'B\r\n{"value":4}' + end, "body")
    for accept in b"application/json", b"application/x-ndjson", b"text/event-stream":  # a stream learns them last
        answer = raw_answer(s, b"GET /v1/factors/6?delay=0.05s HTTP/1.1\r\naccept: " + accept + b"\r\n" + asking)
        assert answer.endswith(end) and b"\r\ntrailer:" not in answer, answer
    answer = raw_answer(s, b"GET /v1/factors/1024?delay=0.1s HTTP/1.1\r\ngrpc-timeout: 250m\r\n" + asking)
    assert not answer.endswith(b"0\r\n\r\n") and end not in answer, f"an array that was cut has an end: {answer}"
    s.assert_nothing_live()


@test()
def test_trailers_are_for_those_who_ask(s):
    for headers, method in ([TRAILING], None), ([TRAILING, "te: gzip"], None), ([TRAILING, TE], "HEAD"):
        reply = get(s, "/v1/sqrt/16", *headers, method=method)
        assert "content-length" in reply.headers and "trailer" not in reply.headers, reply
        assert b"AAEC" not in reply.body and "x-grpc-test-echo-trailing-bin" not in reply.headers, reply
    answer = raw_answer(s, b"GET /v1/sqrt/16 HTTP/1.0\r\nte: trailers\r\nx-grpc-test-echo-trailing-bin: AAEC\r\n")
    assert answer.endswith(b'\r\n\r\n{"value":4}'), answer
    assert "content-length" in get(s, "/v1/sqrt/16", TE).headers, "a reply without trailing metadata is chunked"
    failed = get(s, "/v1/sqrt/-1", TE, TRAILING, status=400)  # has all of it in its head
    equal(failed.headers["x-grpc-test-echo-trailing-bin"], "AAEC", "metadata of a failure")
    frame = b"\0\0\0\0\5\x0d\0\0\x80\x41"
    for path, type_, data in (("/Calculator/SquareRoot", "application/grpc-web+proto", frame),
                              ("/Calculator/SquareRoot", "application/proto", frame[5:])):
        reply = curl(s.url + path, data, TE, TRAILING, "content-type: " + type_)
        assert reply.status == 200 and "trailer" not in reply.headers, reply
    s.assert_nothing_live()


@test(30)
def test_trailers_in_clients(s):
    plain = curl(s.url + "/v1/sqrt/16", None, TE, TRAILING)
    assert plain.body.startswith(b'{"value":4}') and b"x-grpc-test-echo-trailing-bin: AAEC" in plain.body, plain  # -i shows them
    connection = http.client.HTTPConnection(s.address, timeout=5)
    for _ in range(2):  # trailers leave the connection in step
        connection.request("GET", "/v1/sqrt/16", headers={"te": "trailers", "x-grpc-test-echo-trailing-bin": "AAEC"})
        reply = connection.getresponse()
        equal((reply.getheader("trailer"), reply.read()), ("x-grpc-test-echo-trailing-bin", b'{"value":4}'), "answer")
    connection.close()
    program_text = """
      require('http').get({host: '127.0.0.1', port: process.argv[1], path: '/v1/factors/6',
        headers: {te: 'trailers', 'x-grpc-test-echo-trailing-bin': 'AAEC'}}, reply => {
          let text = ''; reply.on('data', piece => text += piece);
          reply.on('end', () => { console.log(text, JSON.stringify(reply.trailers)); process.exit(0); }); });"""
    node_clients()  # skips without Node.js
    done = run(["node", "-e", program_text, s.port("http")], 20)
    equal(done.stdout.decode().strip(), '[{"factor":"2"},{"factor":"3","index":1}] {"x-grpc-test-echo-trailing-bin":"AAEC"}', "node")


@contextlib.contextmanager
def showing(*flags):
    """A gateway before the method Show of upstream.py."""
    protoc = shutil.which("protoc")
    if not protoc:
        raise Skip("protoc is not installed")
    with tempfile.TemporaryDirectory() as folder:
        described = pathlib.Path(folder) / "upstream.binpb"
        done = run([protoc, "-I", CLIENTS / "python", "-I", ROOT / "proto", "--include_imports",
                    f"--descriptor_set_out={described}", "upstream.proto"])
        equal(done.returncode, 0, done.stderr.decode())
        argv = [python_clients(), CLIENTS / "python/upstream.py", "127.0.0.1:0"]
        with Server(argv, ["grpc"]) as upstream, Gateway(upstream.addresses["grpc"], "--descriptors", described,
                                                         *flags) as server:
            yield server


def shown(server, path="/show", *headers):
    """(text, {name: value}) as the upstream got them."""
    seen = json.loads(get(server, path, *headers).json()["text"])
    return seen["text"], dict(seen["metadata"])


@test(60)
def test_chosen_status(_):
    with showing() as server:
        for code in 201, 202:
            reply = get(server, "/show", f"x-head-x-http-code: {code}", "x-head-location: /there", status=code)
            assert reply.headers["location"] == "/there" and "x-http-code" not in reply.headers and reply.json(), reply
        for code in 204, 304:
            reply = get(server, "/show", f"x-head-x-http-code: {code}", "x-head-etag: x", TE, "x-tail-x-t: 1", status=code)
            assert reply.body == b"" and reply.headers["etag"] == "x" and "content-type" not in reply.headers, reply
            assert not {"transfer-encoding", "trailer", "content-length"} & set(reply.headers), reply
        for method in b"GET", b"HEAD":
            answer = raw_answer(server, method + b" /show HTTP/1.1\r\nx-head-x-http-code: 304\r\n")
            assert answer.startswith(b"HTTP/1.1 304 ") and answer.endswith(b"\r\n\r\n"), answer
            equal(answer.count(b"\r\n\r\n"), 1, f"what stands behind the head of {answer}")
        get(server, "/show", "x-head-x-http-code: 404", status=200)
        server.assert_nothing_live()


@test(60)
def test_which_fields_are_trailers(_):
    with showing() as server:
        tails = ["x-tail-set-cookie: a=b", "x-tail-cache-control: no-store", "x-tail-x-a: 1", "x-tail-x-b-bin: AAE=",
                 "x-tail-location: /x", "x-tail-x-http-code: 202", "x-tail-x-long: " + "v" * 3000]
        reply = get(server, "/show", TE, *tails)
        equal(reply.headers["trailer"].split(", "), ["x-a", "x-b-bin", "x-long"], "names")
        for part in b"x-a: 1\r\n", b"x-b-bin: AAE\r\n", b"x-long: " + b"v" * 3000 + b"\r\n":
            assert part in reply.body, reply.body[-300:]
        assert b"a=b" not in reply.body.partition(b"}")[2] and b"no-store" not in reply.body.partition(b"}")[2], reply.body
        whole = raw_answer(server, b"GET /show HTTP/1.1\r\nte: trailers\r\nx-tail-x-long: " + b"v" * 3900 + b"\r\n")
        assert whole.endswith(b"\r\n0\r\nx-long: " + b"v" * 3900 + b"\r\n\r\n"), whole[-300:]
        too_long = get(server, "/show", TE, "x-tail-x-a: 1", "x-tail-x-long: " + "v" * 4100)
        equal((too_long.exit_status, too_long.headers["trailer"]), (0, "x-a"), "names")


@test(60)
def test_metadata_prefixes(_):
    forbidden = ["te", "host", "grpc-timeout", "content-length", "transfer-encoding", "connection", "upgrade", "content-type",
                 "grpc-encoding", "grpc-status", "proxy-x", ":path", "x-forwarded-for", "expect"]
    with showing("--request-metadata-prefix", "grpc-metadata-", "--response-metadata-prefix", "grpc-metadata-") as server:
        _, got = shown(server, "/show", "Grpc-Metadata-X-A: 1", "x-b: 2", *[f"grpc-metadata-{n}: 1m" for n in forbidden[:11]],
                       *[f"grpc-metadata-{n}: 1m" for n in forbidden[12:]])
        equal((got.get("x-a"), got.get("x-b"), "grpc-metadata-x-a" in got), ("1", "2", False), f"metadata {got}")
        assert "1m" not in got.values(), got
        answer = raw_answer(server, b"GET /show HTTP/1.1\r\ngrpc-metadata-:path: /1m\r\n")
        assert b"1m" not in answer, answer
        reply = get(server, "/show", TE, "x-head-x-h: 1", "x-head-location: /x", "x-tail-x-t: 2")
        equal([reply.headers.get(n) for n in ("grpc-metadata-x-h", "x-h", "location", "trailer")],
              ["1", None, "/x", "grpc-metadata-x-t"], f"fields of {reply}")
        assert b"grpc-metadata-x-t: 2" in reply.body, reply


@test(60)
def test_paths_and_parameters_as_configured(_):
    with showing("--decode-slashes", "--ignore-query", "utm_source", "--ignore-query=v") as server:
        equal(shown(server, "/show/a%2Fb/c%20d")[0], "a/b/c d", "text")
        equal(shown(server, "/show/a?utm_source=x&v=1")[0], "a", "text")
        refused(server, "/show/a?utm_medium=x", 400, 3, "utm_medium")
    with showing("--json-ignore-unknown") as server:
        equal(shown(server, "/show/a%2Fb/c%20d?utm_medium=x")[0], "a%2Fb/c d", "text")


@test()
def test_indented_replies(s):
    pretty = '{\n  "value": 4\n}\n'
    for path, accept, wanted in (("/v1/sqrt/16", "application/json; pretty=1", pretty), ("/v1/sqrt/16?$prettyPrint=true", "*/*", pretty),
                                 ("/v1/sqrt/16?prettyPrint=false", "application/json; pretty=1", '{"value":4}')):
        equal(get(s, path, "accept: " + accept).body.decode(), wanted, path)
    equal(get(s, "/v1/factors/6?$prettyPrint=true").body.decode(),
          '[\n  {\n    "factor": "2"\n  },\n  {\n    "factor": "3",\n    "index": 1\n  }\n]\n', "array")
    equal(get(s, "/v1/factors/6?$prettyPrint=true", NDJSON).body, get(s, "/v1/factors/6", NDJSON).body, "lines")
    equal(get(s, "/v1/factors/6?$prettyPrint=true", EVENTS).body, get(s, "/v1/factors/6", EVENTS).body, "events")
    for path in "/v1/history?page_size=20", "/openapi.json":
        whole, indented = get(s, path), get(s, path + ("&" if "?" in path else "?") + "prettyPrint=true")
        equal(indented.json(), whole.json(), path)
    equal(json.dumps(get(s, "/v1/history?page_size=20").json(), indent=2) + "\n",
          get(s, "/v1/history?page_size=20&$prettyPrint=true").body.decode(), "indented history")
    large = get(s, "/v1/flood?count=2000&size=300&prettyPrint=1")
    equal(len(large.json()), 2000, "messages of an indented stream")
    s.assert_nothing_live()


@test()
def test_replies_as_configured(_):
    with bridge("--json-pretty", "--json-emit-defaults", "--json-enums-as-numbers", "--json-proto-names",
                "--json-int64-as-numbers") as (_, server):
        page = get(server, "/v1/history?page_size=1")
        assert page.body.startswith(b'{\n  "records": ['), page
        record = page.json()["records"][0]
        equal((type(record["operation"]), type(record["sequence"]), page.json()["next_page_token"]), (int, int, "history-1"), "page")
        equal(get(server, "/v1/factors/2").json(), [{"factor": 2, "index": 0}], "factors")
        equal(get(server, "/v1/add", "accept: application/json; pretty=0").body, b'{"value":0}', "sum of nothing")
        connect = curl(server.url + "/Calculator/ListHistory", '{"pageSize":1}', "connect-protocol-version: 1", JSON)
        equal(connect.body.count(b"\n"), 0, "line ends of Connect")
        equal(connect.json(), page.json(), "Connect's page")


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


def unchunked(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[:int(size, 16)], data[int(size, 16) + 2:]
    return body


def last_error(framing, body):
    """The error that a stream ended with."""
    text = body.decode()
    if framing == NDJSON:
        return json.loads(text.splitlines()[-1])["error"]
    if framing == EVENTS:
        return json.loads(text.rpartition("event: error\ndata: ")[2])["error"]
    whole = json.loads(text + "]")  # all but its end
    assert len(whole) > 1, text[-300:]
    return whole[-1]["error"]


@test(60)
def test_calls_that_wait_for_themselves(s):
    """Replies wait for the end of an upload that the upstream does not take before its replies are read."""
    with Gateway(s.upstream, "--stall-timeout", "1s") as gateway:
        for framing in "accept: application/json", NDJSON, EVENTS:
            reply = curl(gateway.url + "/v1/total", '{"value":1}\n' * 400_000, framing)
            equal(reply.status, 200, f"HTTP status with {framing}: {reply.body[-300:]}")
            error = last_error(framing, reply.body)
            equal((error["code"], "wait for the end of the request" in error["message"]), (8, True), f"last element: {error}")
            equal(reply.exit_status != 0, framing not in (NDJSON, EVENTS), f"whether the stream was cut with {framing}")
            gateway.assert_nothing_live()


@test(60)
def test_streams_that_a_drain_ends(s):
    for framing in "accept: application/json", NDJSON, EVENTS:
        with Gateway(s.upstream, "--drain-timeout", "300ms") as gateway, \
             socket.create_connection(("127.0.0.1", gateway.port("http")), 10) as peer:
            peer.sendall(b"GET /v1/factors/1152921504606846976?delay=0.05s HTTP/1.1\r\nhost: x\r\n%s\r\n\r\n" % framing.encode())
            answer = peer.recv(65536)
            while b"factor" not in answer:
                answer += peer.recv(65536)
            gateway.terminate()
            while piece := peer.recv(65536):
                answer += piece
            equal(gateway.wait(5), 0, "exit status")
            error = last_error(framing, unchunked(answer.partition(b"\r\n\r\n")[2]))
            equal((error["code"], error["message"]), (14, "the gateway shuts down"), "last element")
            equal(answer.endswith(b"\r\n0\r\n\r\n"), framing in (NDJSON, EVENTS), f"whether it looks complete with {framing}")


@test(30)
def test_an_upload_that_a_drain_ends(s):
    """The replies so far and the reason, for a client that ends its upload within the half second that it has."""
    with Gateway(s.upstream, "--drain-timeout", "300ms") as gateway, \
         socket.create_connection(("127.0.0.1", gateway.port("http")), 10) as peer:
        peer.sendall(b"POST /v1/total HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b'd\r\n[{"value":1},\r\n')
        wait_for("the reply", lambda: gateway.metric("drawbridge_buffered_bytes") > 0)
        before = len(s.calculator.calls("RunningTotal", "CANCELLED"))
        gateway.terminate()
        wait_for("the drain's end", lambda: len(s.calculator.calls("RunningTotal", "CANCELLED")) > before)
        peer.sendall(b"0\r\n\r\n")
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        equal(gateway.wait(5), 0, "exit status")
    error = last_error("accept: application/json", unchunked(answer.partition(b"\r\n\r\n")[2]))
    equal((error["code"], b"\r\n0\r\n" in answer), (14, False), f"last element, and whether it looks complete: {answer}")


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
