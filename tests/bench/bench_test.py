#!/usr/bin/env python3
"""The pure parts of the bench: python3 tests/bench/bench_test.py"""

import sys
import unittest

sys.dont_write_bytecode = True

import load
import report
import table
from connections import Stream
from load import Mismatch, Reply
from scenarios import FOUR, GRPC_WEB, JSON

GOOD = {"content-type": "application/grpc-web+proto"}


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

    def test_failure_is_seen(self):
        def result(rounds, *rows):
            return {"calls": {"x": {"drawbridge": rounds, "tonic": "skipped: no cargo"}}, "weights": {"y": rows}}

        self.assertTrue(report.failed(result("FAILED: 3 wrong replies")))
        self.assertTrue(report.failed(result([sample(1)], {"without": "FAILED: it has ended"})))
        self.assertFalse(report.failed(result([sample(1)], {"without": "skipped: no go"}, {"value": 1})))


if __name__ == "__main__":
    unittest.main()
