#!/usr/bin/env python3
"""The pure parts of the bench: python3 tests/bench/bench_test.py"""

import contextlib
import io
import sys
import unittest

sys.dont_write_bytecode = True

import codec
import load
import report
import routes
import table
import weight
from connections import JsonStream, Stream
from load import Mismatch, Reply
from scenarios import BESIDE_WEB_SOCKETS, CONNECT, FOUR, GRPC_WEB, JSON, JSON_STREAM, NDJSON_STREAM, compact

GOOD = {"content-type": "application/grpc-web+proto"}


class Named(str):
    """A program of which only the name counts."""
    name = property(str)


def sample(us):
    return {"us": us, "rate": 1000.0, "p50": 10, "p99": 20, "others": 0.0}


class Verification(unittest.TestCase):
    def test_right_reply(self):
        GRPC_WEB.check(Reply(200, GOOD, GRPC_WEB.reply))
        JSON.check(Reply(200, {"content-type": "application/json"}, b'{ "value": 4.0 }'))

    def test_wrong_replies(self):
        trailer = load.frame(b"grpc-status:0\r\n", 0x80)
        for reply in [Reply(500, GOOD, GRPC_WEB.reply), Reply(200, {}, GRPC_WEB.reply),
                      Reply(200, GOOD, load.frame(FOUR)), Reply(200, GOOD, trailer),
                      Reply(200, GOOD, load.frame(FOUR[:-1] + b"\x41") + trailer),
                      Reply(200, GOOD, load.frame(FOUR) + load.frame(b"grpc-status:13\r\n", 0x80)),
                      Reply(200, GOOD, GRPC_WEB.reply[:-1]), Reply(200, GOOD, GRPC_WEB.reply + b"\0")]:
            with self.assertRaises(Mismatch, msg=reply):
                GRPC_WEB.check(reply)
        with self.assertRaises(Mismatch):
            JSON.check(Reply(200, {"content-type": "application/json"}, b'{"value":5}'))


    def test_connect(self):
        good = {"content-type": "application/proto"}
        CONNECT.check(Reply(200, good, FOUR))
        for reply in [Reply(200, GOOD, FOUR), Reply(200, good, b""), Reply(400, good, FOUR)]:
            with self.assertRaises(Mismatch, msg=reply):
                CONNECT.check(reply)

    def test_json_streams(self):
        messages = [{"index": str(i), "payload": "AAAAAAAAAAAAAAAAAAAAAA=="} for i in range(2000)]
        del messages[0]["index"]
        lines = b"".join(compact(message) + b"\n" for message in messages)
        JSON_STREAM.check(Reply(200, {}, compact(messages)))
        NDJSON_STREAM.check(Reply(200, {}, lines))
        for wrong in [compact(messages[:-1]), compact(messages[1:] + messages[:1]), compact([*messages[:-1], {"error": {}}])]:
            with self.assertRaises(Mismatch):
                JSON_STREAM.check(Reply(200, {}, wrong))
        with self.assertRaises(Mismatch):
            NDJSON_STREAM.check(Reply(503, {}, lines))


class SlowStream(unittest.TestCase):
    BODY = load.frame(b"one") + load.frame(b"") + load.frame(b"grpc-status:0\r\ngrpc-message:\r\n", 0x80)

    def test_byte_at_a_time(self):
        stream = Stream()
        for byte in self.BODY:
            stream.add(bytes([byte]))
        self.assertEqual((stream.messages, stream.size, stream.status()), (2, len(self.BODY), 0))

    def test_cut_body_has_no_status(self):
        stream = Stream()
        stream.add(self.BODY[:-1])
        self.assertIsNone(stream.status())


    def test_json_is_complete_with_all_messages(self):
        for body, status in [(b'{"a":1}\n{"a":2}\n', 0), (b'[{"a":1},{"a":2}]', 0), (b'[{"a":1},{"a":2}', None),
                             (b'{"a":1}\n', None), (b'{"a":1}\n{"error":{"code":2}}\n', None)]:
            stream = JsonStream(2)
            for byte in body:
                stream.add(bytes([byte]))
            self.assertEqual((stream.size, stream.status()), (len(body), status), body)


class Inputs(unittest.TestCase):
    def test_count_for_a_time(self):
        self.assertEqual([codec.next_count(10, 0.1, 1.0), codec.next_count(1, 0.0, 1.0), codec.next_count(5, 3.0, 1.0)],
                         [100, 100, 5])

    def test_json_numbers_by_value(self):
        self.assertEqual(codec.values("[100000000000000000001]"), codec.values("[1e20]"))
        self.assertNotEqual(codec.values('["1"]'), codec.values("[1]"))

    def test_each_rule_has_a_method_and_a_request(self):
        paths = sorted(routes.requests(45).splitlines())
        self.assertEqual(len(set(paths)), 45)
        self.assertIn("GET /v1/service2/a-name/method44/a%20part", paths)
        self.assertIn("selector: bench.Service2.Method44\n    get: /v1/service2/{name}/method44/{part}\n", routes.rules(45))
        declared = routes.proto(45)
        self.assertEqual((declared.count("service "), declared.count("rpc "), declared.count("{"), declared.count("}")),
                         (3, 45, 4, 4))


class Figures(unittest.TestCase):
    def test_verdicts(self):
        self.assertEqual([table.verdict(0.85, 0.85), table.verdict(0.86, 0.85), table.verdict(None, 1), table.verdict(2, None)],
                         ["met", "MISSED", "not measured", ""])

    def test_ratio_of_medians(self):
        text = report.calls_table({"drawbridge": [sample(9), sample(90), sample(10)], "nginx plain": [sample(20)] * 3,
                                   "least bridge": [sample(5)] * 3, "gone": "skipped: no compiler"},
                                  "drawbridge", {"nginx plain": 0.85, "least bridge": 1.25})
        rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
        self.assertRegex(rows["nginx plain"], r"\| +0\.50 \| ≤ 0\.85 \| +met \|")
        self.assertRegex(rows["least bridge"], r"\| +2\.00 \| ≤ 1\.25 \| +MISSED \|")
        self.assertIn("- gone: skipped: no compiler", text)

    def test_absolute_target_of_the_codec(self):
        rounds = [sample(20) | {"json_bytes": 6000}]
        text = report._group_table(codec.title("records", "to_wire"), {codec.title("records", "to_wire"): {
            "drawbridge": rounds, "protobuf C++": [sample(50)], "json_format": [sample(200)]}})
        self.assertRegex(text, r"drawbridge .*≤ 15 µs \| MISSED")
        self.assertRegex(text, r"protobuf C\+\+ .*0\.40 \| +≤ 0\.33 \| MISSED")
        self.assertRegex(text, r"json_format .*0\.10 \| +≤ 0\.2 \| +met")
        self.assertIn("6,000 bytes, 300 MB/s", text)

    def test_delay_beside_a_stalled_reader(self):
        rounds = [sample(12) | {"p99": 50, "than": sample(10) | {"ratio": 1.21}}]
        text = report._group_table(BESIDE_WEB_SOCKETS.title, {BESIDE_WEB_SOCKETS.title: {"drawbridge": rounds}})
        self.assertIn("p99 beside a stalled reader: 2.50 of gRPC-Web unary", text)
        self.assertRegex(text, r"drawbridge, gRPC-Web unary .*1\.21 \| +≤ 1\.3 \| +met")
        text = report._group_table(BESIDE_WEB_SOCKETS.title, {BESIDE_WEB_SOCKETS.title: {"drawbridge": "FAILED: 3 wrong"}})
        self.assertRegex(text, r"drawbridge, gRPC-Web unary .*not measured")

    def test_weights_without_a_figure(self):
        def measure(program, _native, _options):
            if program == "gone":
                raise weight.Skipped("no compiler")
            if program == "wrong":
                raise Mismatch("3 of 4 bytes")
            return [{"program": program}]

        class Options:
            match = "one"

        with contextlib.redirect_stderr(io.StringIO()):
            rows = weight.measure_all([("one", measure, [Named("gone"), Named("wrong"), Named("here")]),
                                       ("another", measure, [Named("here")])], None, Options)
        self.assertEqual([row.get("without") for row in rows], ["skipped: no compiler", "FAILED: 3 of 4 bytes", None])

    def test_failure_is_seen(self):
        def result(rounds, *rows):
            return {"calls": {"x": {"drawbridge": rounds, "tonic": "skipped: no cargo"}}, "weights": {"y": rows}}

        self.assertTrue(report.failed(result("FAILED: 3 wrong replies")))
        self.assertTrue(report.failed(result([sample(1)], {"without": "FAILED: it has ended"})))
        self.assertFalse(report.failed(result([sample(1)], {"without": "skipped: no go"}, {"value": 1})))


if __name__ == "__main__":
    unittest.main()
