#!/usr/bin/env python3
"""Clients that leave at any byte of an upload, hundreds of times with other timings: together with the last byte, in the middle,
by FIN, RST or half-close, in one segment with the data or behind it.  Whatever the moment, nothing may stay behind.

The moments come from a seed, which a failure names: DEPARTURES_SEED=N repeats it."""
import contextlib
import os
import random
import socket
import time

from harness import bridge, curl, equal, main, test
from peers import connect, head, leave_fin, leave_half_closed, leave_rst
from wire import frame, number, slow
from ws import WebSocket, metadata, ws_frame

SEED = int(os.environ.get("DEPARTURES_SEED", time.time_ns() % 10 ** 6))
TIMES, AT_ONCE = 400, 20
SLOW, STATISTICS, TOTAL = "/Calculator/SlowSquareRoot", "/Calculator/Statistics", "/Calculator/RunningTotal"
NUMBERS = frame(number(1)) * 20
JSON_NUMBERS = b'{"value":1}' * 20


def chunked(path, content_type, body):
    """The head, and the body in chunks of odd lengths; its end included."""
    pieces = [body[at:at + 37] for at in range(0, len(body), 37)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head(path, content_type=content_type), chunks + b"0\r\n\r\n"


def whole(path, content_type, body):
    return head(path, len(body), content_type), body


class Departure:
    """One client: sends its bytes up to some place, waits a moment and leaves."""

    def __init__(self, chance, gateway, before, body):
        self.leave = chance.choice([leave_fin, leave_rst, leave_half_closed])
        cut = chance.choice([len(body), len(body), len(body) - 1, chance.randrange(len(body) + 1), 0])
        self.pause = chance.choice([0, 0, chance.uniform(0, 0.001), chance.uniform(0, 0.01), chance.uniform(0, 0.04)])
        together = chance.random() < 0.5  # the last bytes wait for the FIN
        self.socket = self._open(gateway, before)
        data = body[:cut]
        split = chance.randrange(len(data) + 1)
        self.socket.sendall(data[:split])
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.003))
        if together and self.pause == 0:
            self.socket.send(data[split:], socket.MSG_MORE)
        else:
            self.socket.sendall(data[split:])

    @staticmethod
    def _open(gateway, before):
        if isinstance(before, str):
            return WebSocket(gateway.port("http"), before).accepted().socket
        s = connect(gateway)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(before)
        return s

    def go(self):
        time.sleep(self.pause)
        with contextlib.suppress(OSError):  # the gateway may have been faster
            self.leave(self.socket)


def depart(gateway, before, body):
    """TIMES departures, AT_ONCE of them open at a time."""
    chance = random.Random(f"{SEED} {before!r}")
    try:
        for _ in range(TIMES // AT_ONCE):
            clients = [Departure(chance, gateway, before, body) for _ in range(AT_ONCE)]
            chance.shuffle(clients)
            for client in clients:
                client.go()
            gateway.assert_nothing_live()
            for client in clients:
                client.socket.close()
        equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4}, "a call afterwards")
    except Exception as failure:
        raise AssertionError(f"DEPARTURES_SEED={SEED}: {failure}") from failure
    return TIMES


@contextlib.contextmanager
def servers():
    with bridge() as (_, gateway):
        yield gateway


@test(90)
def test_grpc_web(gateway):
    return depart(gateway, *whole(SLOW, "application/grpc-web+proto", frame(slow(4, 30))))


@test(90)
def test_grpc_web_client_stream(gateway):
    return depart(gateway, *chunked(STATISTICS, "application/grpc-web+proto", NUMBERS))


@test(90)
def test_rest(gateway):
    return depart(gateway, *whole(SLOW, "application/json", b'{"value":4,"delay":"30s"}'))


@test(90)
def test_rest_upload(gateway):
    return depart(gateway, *chunked("/v1/statistics", "application/json", JSON_NUMBERS))


@test(90)
def test_connect_stream(gateway):
    return depart(gateway, *chunked(STATISTICS, "application/connect+proto", NUMBERS))


@test(90)
def test_websocket(gateway):
    return depart(gateway, TOTAL, ws_frame(metadata()) + ws_frame(b"\0" + NUMBERS) + ws_frame(b"\1"))


if __name__ == "__main__":
    main(servers)
