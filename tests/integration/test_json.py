#!/usr/bin/env python3
"""JSON over HTTP/1.1 by curl: POST /Service/Method for any method that the gateway learnt, streams as arrays and NDJSON, and
every refusal in the same shape."""
import contextlib
import http.client
import json
import re
import time

from harness import (CLIENTS, Calculator, Gateway, Server, SCHEMA, bridge, curl, equal, free_port, main, python_clients, test,
                     wait_for)

JSON = "content-type: application/json"
NDJSON = "accept: application/x-ndjson"


@contextlib.contextmanager
def gateway():
    with bridge() as (_, server):
        yield server


def post(server, path, body, *headers, status=200, **options):
    """The JSON answer."""
    reply = curl(server.url + path, body if isinstance(body, (str, bytes)) else json.dumps(body), *headers, **options)
    equal(reply.status, status, f"HTTP status of {path} {str(body)[:100]}: {reply}")
    assert reply.headers["content-type"].startswith("application/json"), reply
    server.assert_nothing_live()
    return reply.json()


def refused(server, path, body, code, status, *headers, **options):
    """The message of an error of the common shape."""
    error = post(server, path, body, *headers, status=status, **options)
    equal((error["code"], sorted(error)), (code, ["code", "details", "message"]), f"error {error}")
    return error["message"]


@test()
def test_unary(s):
    reply = curl(s.url + "/Calculator/SquareRoot", '{"value":16}')
    equal((reply.status, reply.json()), (200, {"value": 4}), "answer")
    equal(reply.headers.get("content-length"), str(len(reply.body)), "content length")
    equal(post(s, "/Calculator/AddNum", {"value1": 1.5, "value2": 2}), {"value": 3.5}, "sum")
    equal(post(s, "/Calculator/AddNum", ""), {}, "sum of nothing")
    equal(post(s, "/Calculator/DivNum", {"value1": 1, "value2": 3}), {"value": 0.33333334}, "shortest float")
    equal(post(s, "/Calculator/SquareRoot", '{"value":16}', "content-type: application/json; charset=utf-8"), {"value": 4}, "root")


@test()
def test_all_kinds_of_fields(s):
    equal(post(s, "/Calculator/CombineVectors", {"operation": "MULTIPLY", "left": [1, 2], "right": [3, 4]}),
          {"result": [3, 8], "dotProduct": 11}, "vectors")
    equal(post(s, "/Calculator/CombineVectors", {"operation": 1, "left": [1], "right": [2]}), {"result": [3], "dotProduct": 2},
          "an enum by number")
    results = post(s, "/Calculator/Batch", {"items": [{"operation": "SQUARE_ROOT", "left": 2}, {"operation": "DIVIDE"}]})["results"]
    equal(results[0], {"value": 2 ** 0.5}, "double")
    assert "zero" in results[1]["error"], results
    page = post(s, "/Calculator/ListHistory", {"pageSize": 2})
    equal((len(page["records"]), bool(page["nextPageToken"])), (2, True), "page")
    second = post(s, "/Calculator/ListHistory", {"page_size": 2, "page_token": page["nextPageToken"]})
    record = second["records"][1]
    assert isinstance(record["sequence"], str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", record["time"]), record
    equal(post(s, "/Calculator/Echo", {"payload": "-_8", "delay": "0.010s"}), {"payload": "+/8="}, "bytes")


@test()
def test_large_message(s):
    payload = "QUJD" * (1 << 20)  # 4 MiB of base64, 3 MiB of bytes
    equal(post(s, "/Calculator/Echo", {"payload": payload})["payload"], payload, "payload")


@test()
def test_stream_as_an_array(s):
    factors = post(s, "/Calculator/PrimeFactors", {"number": "84"})
    equal(factors, [{"factor": "2"}, {"factor": "2", "index": 1}, {"factor": "3", "index": 2}, {"factor": "7", "index": 3}],
          "factors")
    equal(post(s, "/Calculator/Flood", {"count": 0}), [], "no message")
    equal(len(post(s, "/Calculator/Flood", {"count": 2000, "size": 3000})), 2000, "messages")


@test()
def test_stream_as_lines(s):
    reply = curl(s.url + "/Calculator/PrimeFactors", '{"number":12}', JSON, NDJSON)
    equal((reply.status, reply.headers["content-type"]), (200, "application/x-ndjson"), "head")
    equal([json.loads(line)["factor"] for line in reply.body.splitlines()], ["2", "2", "3"], "factors")
    assert reply.body.endswith(b"\n"), reply
    s.assert_nothing_live()


@test()
def test_lines_are_flushed_as_they_arrive(s):
    connection = http.client.HTTPConnection(s.address, timeout=5)
    started = time.monotonic()
    connection.request("POST", "/Calculator/PrimeFactors", '{"number":6,"delay":"0.25s"}',
                       {"content-type": "application/json", "accept": "application/x-ndjson"})
    lines, times = connection.getresponse(), []
    while lines.readline():
        times.append(time.monotonic() - started)
    connection.close()
    assert len(times) == 2 and times[0] > 0.2 and times[1] - times[0] > 0.15, times
    s.assert_nothing_live()


@test()
def test_errors_carry_details(s):
    error = post(s, "/Calculator/DivNum", {"value1": 1}, status=400)
    equal(error["code"], 3, "code")
    assert "zero" in error["message"], error
    detail = error["details"][0]
    equal(detail["@type"], "type.googleapis.com/google.rpc.BadRequest", "type of the detail")
    error = post(s, "/Calculator/PrimeFactors", {"number": 1}, status=400)
    equal((error["code"], error["details"][0]["@type"].rpartition(".")[2]), (3, "BadRequest"), "error of a stream")


@test()
def test_bad_json(s):
    def reason(body, *wanted, path="/Calculator/Batch"):
        message = refused(s, path, body, 3, 400)
        for word in wanted:
            assert word in message, f"{body!r}: {message!r} lacks {word!r}"
    reason('{"items": [', "line 1")
    reason('{"items":\n [}', "line 2", "column")
    reason('{"items":[{"left":1},{"left":"x"}]}', "items[1].left")
    reason('{"items":[{"operation":"ADDD"}]}', "items[0].operation", "ADD")
    reason('{"items":{}}', "items")
    reason('{"itmes":[]}', "itmes", "items")
    reason('{"items":[]} x', "")
    reason("[]", "")
    reason('{"items":[],"items":[]}', "items")
    reason('{"value":1e39}', "value", path="/Calculator/SquareRoot")
    reason('{"number":-1}', "number", path="/Calculator/PrimeFactors")
    reason('{"number":18446744073709551616}', "number", path="/Calculator/PrimeFactors")
    reason('{"payload":"%"}', "payload", path="/Calculator/Echo")
    reason(b'{"pageToken":"\xff"}', "", path="/Calculator/ListHistory")
    reason('{"delay":"1 s"}', "delay", path="/Calculator/Echo")
    reason("[" * 5000, "")


@test()
def test_ignore_unknown(_):
    with Calculator() as calculator, Gateway(calculator.address, "--json-ignore-unknown") as lenient:
        equal(post(lenient, "/Calculator/SquareRoot", {"value": 9, "colour": {"red": [1]}}), {"value": 3}, "root")


@test()
def test_refusals(s):
    assert "Cube" in refused(s, "/Calculator/Cube", {}, 5, 404)
    refused(s, "/no/such/path", {}, 5, 404)
    refused(s, "/Calculator/SquareRoot", "{}", 3, 415, "content-type: text/plain")
    refused(s, "/Calculator/SquareRoot", "{}", 3, 415, "content-type: application/x-www-form-urlencoded")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        reply = curl(s.url + "/Calculator/SquareRoot", None, method=method)
        equal((reply.status, reply.headers["allow"], reply.json()["code"]), (405, "POST, OPTIONS", 12), method)
    s.assert_nothing_live()


@test()
def test_too_large(_):
    with Calculator() as calculator, Gateway(calculator.address, "--max-message-bytes", "1000") as small:
        body = json.dumps({"payload": "A" * 100_000})
        assert "--max-message-bytes" in refused(small, "/Calculator/Echo", body, 8, 413)
        assert "--max-message-bytes" in refused(small, "/Calculator/Echo", body, 8, 413, JSON, "transfer-encoding: chunked")
        refused(small, "/Calculator/Echo", {"payload": "A" * 2000}, 8, 413)
        equal(post(small, "/Calculator/Echo", {"payload": "AAAA"}), {"payload": "AAAA"}, "reply")


@test()
def test_deadlines(s):
    started = time.monotonic()
    refused(s, "/Calculator/SlowSquareRoot", {"value": 4, "delay": "29s"}, 4, 504, JSON, "grpc-timeout: 200m")
    assert time.monotonic() - started < 1.5
    refused(s, "/Calculator/SlowSquareRoot", {}, 3, 400, JSON, "grpc-timeout: 1.5S")
    equal(post(s, "/Calculator/SlowSquareRoot", {"value": 4, "delay": "0.05s"}, JSON, "grpc-timeout: 5S"), {"value": 2}, "root")


@test()
def test_failure_in_the_middle_of_a_stream_is_visible(s):
    reply = curl(s.url + "/Calculator/PrimeFactors", '{"number":1024,"delay":"0.12s"}', JSON, NDJSON, "grpc-timeout: 300m")
    lines = [json.loads(line) for line in reply.body.splitlines()]
    equal((reply.exit_status, len(lines) > 1, lines[-1]["error"]["code"]), (0, True, 4), "end of the lines")
    reply = curl(s.url + "/Calculator/PrimeFactors", '{"number":1024,"delay":"0.12s"}', JSON, "grpc-timeout: 300m")
    assert reply.exit_status != 0, "an array that broke off looks complete to curl"
    assert b'{"error":{"code":4' in reply.body and not reply.body.rstrip().endswith(b"]"), reply
    s.assert_nothing_live()


@test()
def test_without_reflection(_):
    argv = [python_clients(), CLIENTS / "python/upstream.py", "127.0.0.1:0"]
    with Server(argv, ["grpc"]) as upstream, Gateway(upstream.addresses["grpc"], ready=False) as bare:
        wait_for("reflection is refused", lambda: "no schema" in bare.admin("/readyz")[1])
        equal(bare.admin("/readyz")[0], 503, "status of /readyz")
        message = refused(bare, "/test.Upstream/Metadata", {}, 14, 503)
        assert "--descriptors" in message and "reflection" in message, message


@test()
def test_descriptor_set_instead_of_reflection(_):
    with Calculator() as calculator, Gateway(calculator.address, "--descriptors", SCHEMA) as server:
        equal(post(server, "/Calculator/SquareRoot", {"value": 16}), {"value": 4}, "root")


@test()
def test_upstream_unreachable(_):
    with Gateway(f"127.0.0.1:{free_port()}", "--descriptors", SCHEMA, ready=False) as alone:
        wait_for("a failed attempt", lambda: alone.metric("drawbridge_upstream_connect_failures_total") >= 1)
        reply = curl(alone.url + "/Calculator/SquareRoot", '{"value":16}')
        equal((reply.status, reply.json()["code"], "retry-after" in reply.headers), (503, 14, True), "answer")
        assert "refused" in reply.json()["message"], reply
        equal(alone.admin("/readyz")[0], 503, "status of /readyz")
        equal(alone.admin("/healthz")[0], 200, "status of /healthz")


if __name__ == "__main__":
    main(gateway)
