#!/usr/bin/env python3
"""Hostile and awkward HTTP/1.1 over raw sockets; every row must leave the server alive, answering and with nothing open.

  attack_http1.py --server build/dev/tests/front_server    starts it with short time limits; all rows
  attack_http1.py --port 8080 [--path /any]                a running gateway with default limits; rows that need neither

Each row is a function named row_*; a row that needs the fake protocol's paths or short limits says so in its decorator.
The limits of the started server: head 1000 ms, body grace 500 ms, stall 1000 ms, keep-alive 1500 ms."""
import argparse
import json
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

HEAD, GRACE, STALL, KEEP_ALIVE = 1.0, 0.5, 1.0, 1.5
ROWS = []


def row(needs_fake=False):
    def add(function):
        ROWS.append((function.__name__.replace("row_", ""), function, needs_fake))
        return function
    return add


class Target:
    def __init__(self, port, path, process=None):
        self.port, self.path, self.process = port, path, process

    def connect(self, receive_buffer=0):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(8)
        s.connect(("127.0.0.1", self.port))
        return s

    def spawn(self, *arguments, files=None):
        """Another server of the same program, for rows that end it or need other limits."""
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        process = subprocess.Popen(self.process.args[:1] + [str(a) for a in arguments], stdout=subprocess.PIPE, text=True, preexec_fn=limit)
        return Target(int(process.stdout.readline()), self.path, process)

    def end(self, signum, seconds=5):
        self.process.send_signal(signum)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the server does not end") from None
        assert status == 0, f"the server ended with {status}"

    def metrics(self):
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def wait_metric(self, name, value, seconds=3.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.metrics()[name] == value:
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} is {self.metrics()[name]}, not {value}")


def read_all(s, seconds=4.0):
    """Everything until the peer closes, resets or says nothing for `seconds`; second value: it ended."""
    data = b""
    s.settimeout(seconds)
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data, True
            data += piece
    except socket.timeout:
        return data, False
    except ConnectionError:
        return data, True


def read_response(s, head=False):
    """One response: status, header block, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            raise AssertionError(f"connection ended inside a head: {data!r}")
        data += piece
    block, body = data.split(b"\r\n\r\n", 1)
    status = int(block.split(b" ", 2)[1])
    if status == 100:
        s2 = Pushed(s, body)
        return read_response(s2, head)
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", block)
    want = 0 if head or status in (204, 304) else int(length.group(1)) if length else None
    if want is None:
        while not body.endswith(b"0\r\n\r\n"):
            piece = s.recv(65536)
            if not piece:
                raise AssertionError("chunked body broken off")
            body += piece
        return status, block, body
    while len(body) < want:
        piece = s.recv(65536)
        if not piece:
            raise AssertionError("body broken off")
        body += piece
    assert len(body) == want, f"bytes behind the response: {body[want:]!r}"
    return status, block, body


class Pushed:
    def __init__(self, s, data):
        self.s, self.data = s, data

    def recv(self, n):
        if self.data:
            data, self.data = self.data, b""
            return data
        return self.s.recv(n)


def statuses(data):
    return [int(x) for x in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]


def without_repeated_head(data):
    """libmicrohttpd 0.9.75 writes the head of its own answer to a malformed Content-Length twice, before a handler is called.
    Nothing behind the request is read, so this is no second response: only that exact repetition is forgiven."""
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end]
    if b"<title>Request" in data and data[end:].startswith(head):
        return data[end:]
    return data


def refused(t, request, *allowed, hidden=b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"):
    """Sends the request and a second one behind it: at most one answer, an error, and the connection ends."""
    s = t.connect()
    s.sendall(request + hidden)
    data, ended = read_all(s)
    s.close()
    data = without_repeated_head(data)
    got = statuses(data)
    assert len(got) <= 1, f"second response: {data!r}"
    assert ended, f"connection stays open after {data!r}"
    assert not got or got[0] in allowed, f"{got} instead of {allowed}: {data!r}"
    return data


def post(path, headers=b"", body=b"", version=b"HTTP/1.1"):
    return b"POST " + path.encode() + b" " + version + b"\r\nHost: a\r\n" + headers + b"\r\n" + body


def ok(t, request, status=200, head=False):
    s = t.connect()
    s.sendall(request)
    got = read_response(s, head)
    s.close()
    assert got[0] == status, got
    return got


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@row()
def row_length_and_chunked(t):
    for headers in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"):
        refused(t, post(t.path, headers, b"0\r\n\r\n"), 400)


@row()
def row_two_lengths(t):
    refused(t, post(t.path, b"Content-Length: 0\r\nContent-Length: 37\r\n"), 400)
    refused(t, post(t.path, b"Content-Length: 0\r\nContent-Length: 0\r\n"), 400)
    refused(t, post(t.path, b"Content-Length: 0, 0\r\n"), 400)


@row()
def row_space_before_colon(t):
    refused(t, post(t.path, b"Content-Length : 37\r\n", SMUGGLED), 400)
    refused(t, post(t.path, b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400)


@row()
def row_odd_transfer_encoding(t):
    for value in (b"identity", b"gzip, chunked", b"chunked, chunked", b"xchunked", b"chunked;q=1", b"\x0bchunked", b"", b"chunke d"):
        refused(t, post(t.path, b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n"), 400, 501)
    refused(t, post(t.path, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, 501)


@row()
def row_http_1_0_chunked(t):
    refused(t, post(t.path, b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"HTTP/1.0"), 400)


@row()
def row_odd_lengths(t):
    for value in (b"+5", b"0x5", b"-1", b"18446744073709551616", b"18446744073709551615", b"5 5", b"", b"5a", b"99999999999999999999999999"):
        refused(t, post(t.path, b"Content-Length: " + value + b"\r\n"), 400, 413)


@row()
def row_obs_fold(t):
    refused(t, post(t.path, b"Transfer-Encoding:\r\n chunked, identity\r\n", b"0\r\n\r\n"), 400, 501)
    s = t.connect()
    s.sendall(post(t.path, b"X-Folded: a\r\n b\r\nContent-Length: 0\r\n"))
    data, _ = read_all(s, 0.5)
    assert len(statuses(data)) <= 1, data
    s.close()


@row()
def row_control_characters(t):
    for value in (b"a\x00b", b"a\rb", b"a\x01b", b"a\x7fb", b"\x1b[31m"):
        s = t.connect()
        s.sendall(post(t.path, b"X-Test: " + value + b"\r\nConnection: close\r\nContent-Length: 0\r\n"))
        data, ended = read_all(s)
        assert len(statuses(data)) <= 1 and ended, data
        if b"\x00" not in value:  # the library cuts a value at NUL before we see it
            assert statuses(data) in ([], [400]), data
        s.close()


@row()
def row_bare_line_feeds(t):
    s = t.connect()
    s.sendall(b"POST " + t.path.encode() + b" HTTP/1.1\nHost: a\nConnection: close\nContent-Length: 0\n\n")
    data, ended = read_all(s)
    assert len(statuses(data)) == 1 and ended, data
    s.close()


@row()
def row_hosts(t):
    refused(t, b"GET / HTTP/1.1\r\n\r\n", 400)
    refused(t, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400)
    refused(t, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400)
    refused(t, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400)
    s = t.connect()
    s.sendall(b"GET /none HTTP/1.0\r\n\r\n")
    data, ended = read_all(s)
    assert len(statuses(data)) == 1 and statuses(data) != [400] and ended, data
    s.close()


@row()
def row_target_forms(t):
    for target in (b"http://a/", b"a:443", b"*", b"", b"/a b", b"/a\x7f", b"/\xc3\xa4", b"/#x", b"\\"):
        refused(t, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400, 505)


@row()
def row_hostile_paths(t):
    for target in (b"/%00", b"/%0d%0aSet-Cookie:%20a=b", b"/../../etc/passwd", b"//a//b", b"/%2e%2e/", b"/a?%0d%0aX:%20y", b"/?" + b"&a=1" * 1000, b"/?", b"/??"):
        status, block, _ = ok_any(t, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Set-Cookie" not in block and b"\r\nX:" not in block and 200 <= status < 500, (target, block)


def ok_any(t, request):
    s = t.connect()
    s.sendall(request)
    got = read_response(s)
    s.close()
    return got


@row()
def row_methods(t):
    refused(t, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405)
    refused(t, b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 405)
    for method in (b"BR(EW", b"BR\xc3\x84W", b"A-METHOD-OF-EXACTLY-32-CHARACTERS", b"A" * 8000):
        refused(t, method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 501)


@row(needs_fake=True)
def row_custom_methods_frame_alike(t):
    """A body belongs to its request whatever the method's name: the next request begins behind it."""
    for method in (b"SEARCH", b"get", b"M-SEARCH"):
        for framing, body in ((b"Content-Length: 5\r\n", b"hello"), (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")):
            one = post("/echo", framing, body).replace(b"POST", method)
            s = t.connect()
            s.sendall(one + one + post("/echo", b"Content-Length: 2\r\nConnection: close\r\n", b"ab"))
            data, ended = read_all(s)
            assert statuses(data) == [200] * 3 and data.count(b"hello") == 2 and data.endswith(b"ab") and ended, data
        refused(t, post("/echo", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"hello").replace(b"POST", method), 400)


@row()
def row_bad_versions(t):
    for line in (b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/3", b"GET / http/1.1", b"GET / HTTP/1.10", b"GET / HTCPCP/1.0", b"GET /", b"GET", b"\x80\x81"):
        refused(t, line + b"\r\nHost: a\r\n\r\n", 400, 501, 505)


@row()
def row_tls_hello(t):
    s = t.connect()
    s.sendall(bytes.fromhex("16030100050100000100") + b"\0" * 200)
    data, ended = read_all(s)
    assert ended and b"plain HTTP" in data, data


@row()
def row_http2_preface(t):
    s = t.connect()
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    data, ended = read_all(s)
    assert ended and data[3] == 4 and data[12] == 7 and b"HTTP/1.1" in data, data
    assert struct.unpack(">I", data[22:26])[0] == 0xD, data


@row(needs_fake=True)
def row_chunk_forms(t):
    head = post("/echo", b"Transfer-Encoding: chunked\r\n")
    assert ok(t, head + b"5\r\nhello\r\n0\r\n\r\n")[2] == b"hello"
    assert ok(t, head + b"000005;a=b\r\nhello\r\n0;x\r\n\r\n")[2] == b"hello"
    assert ok(t, head + b"0\r\n\r\n")[2] == b""
    for chunk in (b"g\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b"\r\n", b"5 \r\nhello\r\n", b"ffffffffffffffffff\r\n", b";a\r\n"):
        refused(t, head + chunk + b"0\r\n\r\n", 400, 413)
    refused(t, head + b"5\r\nhelloXX0\r\n\r\n", 400)
    refused(t, head + b"5\r\nhello0\r\n\r\n", 400)


@row(needs_fake=True)
def row_chunk_extension_64k(t):
    """The library asks to be run again for ever; the guard must find this connection, and the CPU must stay free."""
    before = t.cpu_seconds()
    for extension in (64 << 10, 24 << 10, 12 << 10):
        s = t.connect()
        s.sendall(post("/echo", b"Transfer-Encoding: chunked\r\n"))
        try:
            s.sendall(b"5;" + b"a" * extension)
        except ConnectionError:
            pass
        data, ended = read_all(s, GRACE + STALL + 3)
        assert ended, (extension, data)
        s.close()
    assert t.cpu_seconds() - before < 1.0, t.cpu_seconds() - before


@row(needs_fake=True)
def row_one_byte_chunks(t):
    count = 400_000
    s = t.connect()
    s.settimeout(30)
    body = b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    s.sendall(post("/echo", b"Transfer-Encoding: chunked\r\n"))
    s.sendall(body)
    status, _, echoed = read_response(s)
    assert status == 200 and echoed == b"x" * count


@row(needs_fake=True)
def row_trailers_do_not_frame(t):
    for trailer in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"X-A: b\r\n"):
        s = t.connect()
        s.sendall(post("/echo", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n" + post("/echo", b"Content-Length: 2\r\nConnection: close\r\n", b"ab"))
        data, ended = read_all(s)
        assert statuses(data) == [200, 200] and data.endswith(b"ab") and ended, data


@row()
def row_header_sizes(t):
    def padded(size, target=b"/none"):
        return b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nX-Pad: " + b"p" * size + b"\r\n\r\n"
    assert ok_any(t, padded(15 << 10))[0] not in (400, 431)
    for size in (17 << 10, 40 << 10, 200 << 10):
        refused_maybe_reset(t, padded(size), 431)
    many = b"".join(b"X-%d: y\r\n" % i for i in range(98))
    assert ok_any(t, b"GET /none HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n")[0] not in (400, 431)
    refused(t, b"GET /none HTTP/1.1\r\nHost: a\r\n" + many + b"X: y\r\n" * 3 + b"\r\n", 431)


def refused_maybe_reset(t, request, *allowed):
    """The server may close while we still send."""
    s = t.connect()
    try:
        s.sendall(request)
    except ConnectionError:
        pass
    data, ended = read_all(s)
    assert ended and statuses(data) in ([],) + tuple([x] for x in allowed), data
    s.close()


@row()
def row_target_sizes(t):
    assert ok_any(t, b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")[0] != 414
    refused(t, b"GET /" + b"a" * 8500 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
    refused_maybe_reset(t, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)


@row(needs_fake=True)
def row_expect_continue(t):
    s = t.connect()
    s.sendall(post("/echo", b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
    assert s.recv(100).startswith(b"HTTP/1.1 100 ")
    s.sendall(b"hello")
    assert read_response(s)[2] == b"hello"
    s = t.connect()  # the answer is known before the body: no 100, and the body is not wanted
    s.sendall(post("/early", b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
    status, block, _ = read_response(s)
    assert status == 404 and b"close" in block, block


@row(needs_fake=True)
def row_pipelining_1000(t):
    s = t.connect()
    s.settimeout(20)
    one = post("/echo", b"Content-Length: 4\r\n", b"%04d")
    started = time.monotonic()
    s.sendall(b"".join(one % i for i in range(999)) + post("/echo", b"Content-Length: 4\r\nConnection: close\r\n", b"last"))
    data, ended = read_all(s, 10)
    assert ended and statuses(data) == [200] * 1000, (len(statuses(data)), data[-300:])
    assert re.findall(rb"\r\n\r\n(\d{4}|last)", data) == [b"%04d" % i for i in range(999)] + [b"last"]
    assert time.monotonic() - started < 5


@row(needs_fake=True)
def row_pipelining_slow_answers(t):
    s = t.connect()
    s.sendall(post("/later?ms=30", b"Content-Length: 1\r\n", b"a") * 5)
    seen = b""
    while len(statuses(seen)) < 5 or not seen.endswith(b"\r\n\r\na"):
        piece = s.recv(65536)
        assert piece, seen
        seen += piece
    assert len(statuses(seen)) == 5


@row(needs_fake=True)
def row_slowloris_first_head(t):
    s = t.connect()
    started = time.monotonic()
    try:
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 100:
            s.sendall(bytes([byte]))
            time.sleep(0.04)
    except ConnectionError:
        pass
    data, ended = read_all(s)
    assert ended and statuses(data) in ([], [408]), data
    assert HEAD * 0.9 < time.monotonic() - started < HEAD + 1.5


@row(needs_fake=True)
def row_silent_connection(t):
    s = t.connect()
    started = time.monotonic()
    data, ended = read_all(s)
    assert ended and statuses(data) in ([], [408]), data
    assert HEAD * 0.9 < time.monotonic() - started < HEAD + 1


@row(needs_fake=True)
def row_slowloris_later_head(t):
    s = t.connect()
    s.sendall(post("/echo", b"Content-Length: 1\r\n", b"a"))
    read_response(s)
    started = time.monotonic()
    try:
        while time.monotonic() - started < 5:
            s.sendall(b"G" if time.monotonic() - started < 0.1 else b"x")
            time.sleep(0.05)
    except ConnectionError:
        pass
    assert time.monotonic() - started < HEAD * 1.5 + 1.5
    s.close()


@row(needs_fake=True)
def row_keep_alive_ends(t):
    s = t.connect()
    s.sendall(post("/echo", b"Content-Length: 1\r\n", b"a"))
    read_response(s)
    started = time.monotonic()
    data, ended = read_all(s)
    assert ended and data == b"", data
    assert KEEP_ALIVE * 0.9 < time.monotonic() - started < KEEP_ALIVE + 1


@row(needs_fake=True)
def row_slow_body(t):
    s = t.connect()
    s.sendall(post("/echo", b"Content-Length: 100000\r\n", b"a"))
    started = time.monotonic()
    try:
        while time.monotonic() - started < 5:
            s.sendall(b"a")
            time.sleep(0.05)
    except ConnectionError:
        pass
    assert GRACE * 0.9 < time.monotonic() - started < GRACE + 2
    s.close()


@row(needs_fake=True)
def row_stalled_body(t):
    s = t.connect()
    s.sendall(post("/echo", b"Content-Length: 100000\r\n", b"a" * 90000))
    started = time.monotonic()
    _, ended = read_all(s)
    assert ended and time.monotonic() - started < STALL + 2


@row(needs_fake=True)
def row_slow_body_allowed(t):
    s = t.connect()
    s.sendall(post("/slow", b"Content-Length: 3\r\n", b"a"))
    time.sleep(GRACE + STALL + 1)
    s.sendall(b"bc")
    assert read_response(s)[2] == b"abc"


@row(needs_fake=True)
def row_slow_reader(t):
    """Takes nothing of 64 MB: flat memory at the server, cut off at the stall limit."""
    s = t.connect(receive_buffer=4096)
    s.sendall(post("/stream?size=65536&count=1000", b"Content-Length: 0\r\n"))
    time.sleep(0.3)
    assert t.metrics()["buffered"] < 1 << 20, t.metrics()
    started = time.monotonic()
    t.wait_metric("exchanges", 0, STALL * 2 + GRACE + 2)
    assert time.monotonic() - started < STALL * 2 + GRACE + 2
    s.close()


@row(needs_fake=True)
def row_slow_reader_whole_body(t):
    s = t.connect(receive_buffer=4096)
    s.sendall(post("/size?size=16000000", b"Content-Length: 0\r\n"))
    t.wait_metric("exchanges", 1, 1)
    t.wait_metric("exchanges", 0, STALL * 2 + GRACE + 2)
    assert t.metrics()["buffered"] == 0
    s.close()


@row(needs_fake=True)
def row_drip_reader(t):
    s = t.connect(receive_buffer=4096)
    s.sendall(post("/size?size=16000000", b"Content-Length: 0\r\n"))
    started = time.monotonic()
    try:
        while time.monotonic() - started < 10 and s.recv(1):
            time.sleep(0.05)
            if t.metrics()["exchanges"] == 0:
                break
    except ConnectionError:
        pass
    assert time.monotonic() - started < 9
    s.close()


@row(needs_fake=True)
def row_fast_reader_of_a_stream(t):
    s = t.connect()
    s.settimeout(20)
    s.sendall(post("/stream?size=100000&count=100", b"Content-Length: 0\r\nConnection: close\r\n"))
    data, ended = read_all(s, 10)
    assert ended and data.endswith(b"\r\n0\r\n\r\n") and len(data) > 10_000_000, len(data)


@row(needs_fake=True)
def row_leaving_in_each_state(t):
    """FIN, RST and half-close while the head, the body, the answer (soon, late, streaming, paused) are under way."""
    states = [b"", b"GET /ho", b"GET /hold HTTP/1.1\r\nHost:", post("/hold", b"Content-Length: 5\r\n"), post("/hold", b"Content-Length: 5\r\n", b"he"),
              post("/hold", b"Content-Length: 0\r\n"), post("/head", b"Content-Length: 0\r\n"), post("/later?ms=100", b"Content-Length: 0\r\n"),
              post("/stream?size=65536&count=100000&ms=1", b"Content-Length: 0\r\n"), post("/pause?ms=60000", b"Content-Length: 100000\r\n", b"a" * 50000),
              post("/hold", b"Transfer-Encoding: chunked\r\n", b"5\r\nhe")]
    for wait in (0.0, 0.05):
        for state in states:
            for way in ("fin", "reset", "half"):
                if way == "half" and b"/stream" in state:
                    continue  # who still reads a stream has not left
                s = t.connect()
                s.sendall(state)
                time.sleep(wait)
                if way == "reset":
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if way == "half":
                    s.shutdown(socket.SHUT_WR)
                    read_all(s, HEAD + 3)
                s.close()
    t.wait_metric("exchanges", 0, 1.0)
    t.wait_metric("connections", 0, 3.0)
    m = t.metrics()
    assert m["opened"] == m["closed"] and m["buffered"] == 0, m


@row(needs_fake=True)
def row_departure_is_seen_soon(t):
    for way in ("fin", "reset", "half"):
        s = t.connect()
        s.sendall(post("/hold", b"Content-Length: 0\r\n"))
        t.wait_metric("exchanges", 1)
        time.sleep(0.1)  # parked by now
        if way == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if way == "half":
            s.shutdown(socket.SHUT_WR)
        else:
            s.close()
        started = time.monotonic()
        t.wait_metric("exchanges", 0, 1.0)
        assert time.monotonic() - started < 0.25
        s.close()


@row(needs_fake=True)
def row_data_behind_a_parked_request(t):
    s = t.connect()
    s.sendall(post("/later?ms=200", b"Content-Length: 1\r\n", b"a"))
    time.sleep(0.1)
    s.sendall(post("/echo", b"Content-Length: 1\r\nConnection: close\r\n", b"b"))
    data, ended = read_all(s)
    assert ended and statuses(data) == [200, 200] and data.endswith(b"b"), data


@row(needs_fake=True)
def row_broken_off(t):
    s = t.connect()
    s.sendall(post("/abort?ms=20", b"Content-Length: 0\r\n"))
    data, ended = read_all(s)
    assert ended and statuses(data) == [200] and b"0123456789abcdef" in data and not data.endswith(b"0\r\n\r\n"), data
    s = t.connect()
    s.sendall(post("/cut", b"Content-Length: 0\r\n"))
    data, ended = read_all(s)
    assert ended and data == b"", data
    s = t.connect()  # without chunks only a reset tells a broken-off response from a complete one
    s.sendall(post("/abort?ms=20", b"", b"", b"HTTP/1.0"))
    s.settimeout(4)
    try:
        while s.recv(1000):
            pass
        raise AssertionError("looks complete")
    except ConnectionResetError:
        pass


@row(needs_fake=True)
def row_http_1_0(t):
    s = t.connect()
    s.sendall(post("/stream?size=10&count=3&ms=5", b"", b"", b"HTTP/1.0"))
    data, ended = read_all(s)
    assert ended and b"chunked" not in data and len(data.split(b"\r\n\r\n", 1)[1]) == 30, data
    s = t.connect()
    s.sendall(b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab" * 2)
    seen = b""
    while len(statuses(seen)) < 2:
        seen += s.recv(1000)
    s.close()


@row(needs_fake=True)
def row_head_requests(t):
    s = t.connect()
    for path in (b"/size?size=1000", b"/stream?size=10&count=3&ms=5", b"/size?size=7"):
        s.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        status, block, _ = read_response(s, head=True)
        assert status == 200, block
    assert b"Content-Length: 7" in block, block
    s.sendall(post("/echo", b"Content-Length: 1\r\n", b"z"))
    assert read_response(s)[2] == b"z"


@row(needs_fake=True)
def row_unwanted_uploads(t):
    s = t.connect()  # a short one is read, and the connection lives on
    s.sendall(post("/early", b"Content-Length: 100000\r\n", b"a" * 100000) + post("/echo", b"Content-Length: 1\r\n", b"b"))
    first = b""
    while len(statuses(first)) < 2 or not first.endswith(b"b"):
        piece = s.recv(65536)
        assert piece, first
        first += piece
    assert statuses(first) == [404, 200], first
    s = t.connect()  # one that is announced to be huge is answered at once
    s.sendall(post("/early", b"Content-Length: 1000000000\r\n", b"a" * 1000))
    data, ended = read_all(s)
    assert statuses(data) == [404] and ended, data
    s = t.connect()  # one that turns out to be huge is dropped
    sent = 0
    try:
        s.sendall(post("/discard", b"Transfer-Encoding: chunked\r\n"))
        while sent < 50 << 20:
            s.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            sent += 65536
        raise AssertionError("50 MB were read")
    except ConnectionError:
        assert sent > 4 << 20, sent
    s = t.connect()  # one that never ends is dropped after two seconds
    s.sendall(post("/discard", b"Content-Length: 1000\r\n", b"a"))
    started = time.monotonic()
    data, ended = read_all(s, 5)
    assert ended and time.monotonic() - started < 4, data


@row(needs_fake=True)
def row_paused_upload(t):
    body = bytes(range(256)) * 800
    s = t.connect()
    s.settimeout(20)
    s.sendall(post("/pause?ms=2", b"Content-Length: %d\r\n" % len(body)))
    s.sendall(body)
    assert read_response(s)[2] == body


@row(needs_fake=True)
def row_many_waiting(t):
    """More than the daemon keeps unsuspended."""
    sockets = [t.connect() for _ in range(400)]
    for s in sockets:
        s.sendall(post("/later?ms=300", b"Content-Length: 3\r\n", b"abc"))
    for s in sockets:
        assert read_response(s)[2] == b"abc"
        s.close()


@row()
def row_cross_origin(t):
    def get(headers, path=t.path, method=b"GET"):
        return ok_any(t, method + b" " + path.encode() + b" HTTP/1.1\r\n" + headers + b"\r\n")
    host = b"Host: 127.0.0.1:%d\r\n" % t.port
    for origin in (b"https://evil.example", b"null", b"http://localhost.evil.example", b"http://127.0.0.1.evil.example"):
        status, block, body = get(host + b"Origin: " + origin + b"\r\n")
        assert status == 403 and b"access-control" not in block.lower() and b"--cors-origin" in body, block
        assert get(host + b"Origin: " + origin + b"\r\nAccess-Control-Request-Method: POST\r\n", method=b"OPTIONS")[0] == 403
    status, block, _ = get(host + b"Origin: http://localhost:5173\r\n")
    assert status != 403 and b"access-control-allow-origin: http://localhost:5173\r\n" in block, block
    status, block, _ = get(host + b"Origin: http://localhost:5173\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-grpc-web,content-type\r\n", method=b"OPTIONS")
    assert status == 204 and b"access-control-allow-headers: x-grpc-web,content-type" in block and b"access-control-max-age: 7200" in block, block
    assert get(b"Host: rebound.example\r\nOrigin: http://rebound.example\r\n")[0] == 403
    assert get(b"Host: rebound.example\r\nSec-Fetch-Site: same-origin\r\n")[0] == 403
    assert get(b"Host: health.example\r\n")[0] != 403
    assert get(host + b"Sec-Fetch-Site: cross-site\r\n")[0] == 403


@row(needs_fake=True)
def row_idle_connections(t):
    """5,000 idle connections next to a client that is served; then more than the limit allows."""
    count = 5000
    many = []
    for _ in range(count):
        many.append(t.connect())
    started = time.monotonic()
    for _ in range(20):
        assert ok(t, post("/echo", b"Content-Length: 1\r\n", b"a"))[2] == b"a"
    assert time.monotonic() - started < 2
    for s in many:
        s.close()
    t.wait_metric("connections", 0, 5)


@row(needs_fake=True)
def row_open_and_close_10000(t):
    before = len(list_fds(t.process.pid))
    for _ in range(2000):
        t.connect().close()
    for _ in range(2000):
        s = t.connect()
        s.sendall(post("/hold", b"Content-Length: 0\r\n"))
        s.close()
    t.wait_metric("connections", 0, 5)
    assert len(list_fds(t.process.pid)) <= before


def list_fds(pid):
    import os
    return os.listdir(f"/proc/{pid}/fd")


@row(needs_fake=True)
def row_stop_with_everything_open(t):
    """The library aborts the process when it is stopped with a suspended connection."""
    other = t.spawn()
    held = []
    for request in (b"", b"GET /a", post("/hold", b"Content-Length: 0\r\n"), post("/head", b"Content-Length: 0\r\n"),
                    post("/echo", b"Content-Length: 5\r\n", b"he"), post("/pause?ms=60000", b"Content-Length: 100000\r\n", b"a" * 50000),
                    post("/stream?size=65536&count=100000", b"Content-Length: 0\r\n"), post("/later?ms=60000", b"Content-Length: 0\r\n"),
                    post("/size?size=16000000", b"Content-Length: 0\r\n"), post("/slow", b"Transfer-Encoding: chunked\r\n", b"5\r\nhe")):
        for _ in range(20):
            s = other.connect()
            s.sendall(request)
            held.append(s)
    time.sleep(0.2)
    for _ in range(20):  # and some whose wait has only begun
        s = other.connect()
        s.sendall(post("/hold", b"Content-Length: 0\r\n"))
        held.append(s)
    other.end(signal.SIGINT)
    for s in held:
        s.close()


@row(needs_fake=True)
def row_drain(t):
    other = t.spawn()
    idle, busy, fresh, streaming = (other.connect() for _ in range(4))
    idle.sendall(post("/echo", b"Content-Length: 1\r\n", b"a"))
    assert b"close" not in read_response(idle)[1].lower()
    busy.sendall(post("/later?ms=500", b"Content-Length: 1\r\n", b"b"))
    streaming.sendall(post("/stream?size=10&count=5&ms=100", b"Content-Length: 0\r\n"))
    time.sleep(0.1)
    other.process.send_signal(signal.SIGTERM)
    assert read_all(idle, 2) == (b"", True)
    fresh.sendall(post("/echo", b"Content-Length: 1\r\n", b"c"))
    for s, body in ((fresh, b"c"), (busy, b"b")):
        status, block, got = read_response(s)
        assert status == 200 and got == body and b"connection: close" in block.lower(), block
    data, ended = read_all(streaming)
    assert ended and data.endswith(b"0\r\n\r\n"), data
    try:
        other.connect()
        raise AssertionError("still accepts")
    except ConnectionRefusedError:
        pass
    assert other.process.wait(3) == 0


def served_at_limit(other, count):
    """`count` idle connections open; new ones must still be served because idle ones give way."""
    many = [other.connect() for _ in range(count)]
    time.sleep(0.3)
    for _ in range(10):
        assert ok(other, post("/echo", b"Content-Length: 1\r\n", b"a"))[2] == b"a"
    assert other.metrics()["limited"] > 0, other.metrics()
    for s in many:
        s.close()
    other.wait_metric("connections", 0, 4)


@row(needs_fake=True)
def row_connection_limit(t):
    other = t.spawn(10000, 5000, 30000, 60000, 50, "error")
    served_at_limit(other, 100)
    other.end(signal.SIGTERM)


@row(needs_fake=True)
def row_out_of_descriptors(t):
    other = t.spawn(10000, 5000, 30000, 60000, 1000, "error", files=60)
    before = other.cpu_seconds()
    served_at_limit(other, 150)
    assert other.cpu_seconds() - before < 1
    other.end(signal.SIGTERM)


@row(needs_fake=True)
def row_spin_in_a_slow_upload(t):
    """A chunk extension that just fills the buffer, in an upload that may be silent for ever: no guard can tell it from an
    honest one, but the CPU must stay free and others served."""
    other = t.spawn()
    held = []
    for extension in range(10_000, 26_000, 1000):
        s = other.connect()
        s.sendall(post("/slow", b"Transfer-Encoding: chunked\r\n") + b"5;" + b"a" * extension)
        held.append(s)
    time.sleep(0.5)
    before = other.cpu_seconds()
    time.sleep(1)
    assert other.cpu_seconds() - before < 0.25, other.cpu_seconds() - before
    assert ok(other, post("/echo", b"Content-Length: 1\r\n", b"a"))[2] == b"a"
    other.end(signal.SIGINT)
    for s in held:
        s.close()


def alive(t):
    status, _, _ = ok_any(t, b"GET /alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert 200 <= status < 500, status


def run(t, only):
    failed = ran = 0
    for name, function, needs_fake in ROWS:
        if (needs_fake and not t.process) or (only and not re.search(only, name)):
            continue
        ran += 1
        started = time.monotonic()
        try:
            function(t)
            alive(t)
            print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except (AssertionError, OSError) as error:
            failed += 1
            print(f"FAIL  {name}: {error!r}"[:1500], flush=True)
            if t.process and t.process.poll() is not None:
                print(f"FAIL  the server died: {t.process.returncode}")
                return failed, ran
    return failed, ran


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--port", type=int)
    parser.add_argument("--path", default="/echo")
    parser.add_argument("--only")
    args = parser.parse_args()
    process = None
    port = args.port
    if args.server:
        limits = [str(int(x * 1000)) for x in (HEAD, GRACE, STALL, KEEP_ALIVE)]
        process = subprocess.Popen([args.server] + limits, stdout=subprocess.PIPE, text=True)
        port = int(process.stdout.readline())
    failed, ran = run(Target(port, args.path, process), args.only)
    if process and process.poll() is None:
        t = Target(port, args.path, process)
        try:
            t.wait_metric("connections", 0, 4)
            t.wait_metric("exchanges", 0, 1)
        except AssertionError as error:
            failed += 1
            print(f"FAIL  something is live: {error}")
        process.send_signal(signal.SIGTERM)
        try:
            if process.wait(10) != 0:
                failed += 1
                print(f"FAIL  the server ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            failed += 1
            print("FAIL  the server does not end")
    print(f"{ran - min(failed, ran)} passed, {failed} failed")
    sys.exit(1 if failed or ran == 0 else 0)


if __name__ == "__main__":
    main()
