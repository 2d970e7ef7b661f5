"""A raw HTTP/2 client: frames by hand, header blocks written as literals and read back as far as gRPC servers need it (static
table, Huffman, no dynamic table).  It answers nothing by itself but SETTINGS, so that a test decides what a peer does."""
import contextlib
import socket
import struct
import threading
import time

from harness import Late
from peers import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, h2_frame, leave_rst
from wire import frame, split

PRIORITY, PUSH_PROMISE, WINDOW_UPDATE, CONTINUATION, UNKNOWN = 2, 5, 8, 9, 0xbb
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TABLE_SIZE, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME = 1, 3, 4, 5
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, REFUSED_STREAM, CANCEL, CALM = 1, 3, 4, 5, 7, 8, 11


# --- HPACK (RFC 7541) ---

def _huffman():
    """{(bits, code): symbol} of the codes of up to 15 bits (appendix B), which are those of all characters that occur here: the
    code is canonical, so the lengths define it."""
    lengths = {13: "\0$@[]~", 5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
               8: "&*,;XZ", 10: "!\"()?", 11: "'+|", 12: "#>", 14: "^}", 15: "<`{"}
    codes, code, before = {}, 0, 0
    for bits in sorted(lengths):
        code <<= bits - before
        for symbol in sorted(lengths[bits]):
            codes[bits, code] = symbol
            code += 1
        before = bits
    return codes


_HUFFMAN = _huffman()
_STATIC = {1: (":authority", ""), 8: (":status", "200"), 12: (":status", "400"), 13: (":status", "404"), 22: ("allow", ""),
           31: ("content-type", ""), 54: ("server", "")}


def integer(n, bits, first=0):
    """Section 5.1."""
    most = (1 << bits) - 1
    if n < most:
        return bytes([first | n])
    out, n = bytearray([first | most]), n - most
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def field(name, value, first=0):
    """A literal with a literal name; first 0x40 adds it to the table."""
    name, value = (x if isinstance(x, bytes) else x.encode() for x in (name, value))
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


class _Block:
    def __init__(self, data):
        self.data, self.at = data, 0

    def integer(self, bits):
        n = self.data[self.at] & (1 << bits) - 1
        self.at += 1
        shift = 0
        while n >= (1 << bits) - 1 and shift < 35:
            byte = self.data[self.at]
            self.at += 1
            n += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return n

    def text(self):
        packed = self.data[self.at] & 128
        length = self.integer(7)
        raw, self.at = self.data[self.at:self.at + length], self.at + length
        if not packed:
            return raw.decode("latin-1")
        out, bits, code = [], 0, 0
        for byte in raw:
            for i in range(7, -1, -1):
                bits, code = bits + 1, code << 1 | byte >> i & 1
                if (bits, code) in _HUFFMAN:
                    out.append(_HUFFMAN[bits, code])
                    bits = code = 0
        return "".join(out)


def fields(block):
    """{name: value} of a header block."""
    found, b = {}, _Block(block)
    while b.at < len(block):
        first = block[b.at]
        if first & 0x80:
            name, value = _STATIC.get(b.integer(7), ("?", ""))
        elif first & 0xe0 == 0x20:
            b.integer(5)
            continue
        else:
            index = b.integer(6 if first & 0x40 else 4)
            name = _STATIC.get(index, ("?", ""))[0] if index else b.text()
            value = b.text()
        found[name] = value
    return found


def request_block(path, *more, method="POST", content_type="application/grpc"):
    base = ((":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("content-type", content_type), ("te", "trailers"))
    return b"".join(field(*f) for f in (*base, *more))


# --- frames ---

def settings(*pairs):
    return h2_frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(stream, n):
    return h2_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def reset(stream, code=CANCEL):
    return h2_frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def headers(stream, path, *more, end=False, **options):
    return h2_frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, request_block(path, *more, **options))


def request(stream, path, body, *more):
    """A whole request; its body is framed already and fits one frame."""
    return headers(stream, path, *more) + h2_frame(DATA, END_STREAM, stream, body)


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.head, self.trailers, self.data, self.reset, self.ended = {}, {}, b"", None, False

    @property
    def over(self):
        return self.ended or self.reset is not None

    @property
    def status(self):
        """grpc-status; "reset N" without one."""
        status = (self.trailers or self.head).get("grpc-status")
        return int(status) if status is not None else f"reset {self.reset}"

    @property
    def messages(self):
        return [payload for _, payload in split(self.data)]

    def __repr__(self):
        return f"<{self.head} {len(self.data)} bytes {self.trailers} reset {self.reset} ended {self.ended}>"


class Client:
    """One connection.  `greet` sends the preface with these settings; `acknowledge` and `refill` (the connection's window and
    streams' windows for what came) can be turned off."""

    def __init__(self, port, *pairs, greet=True, acknowledge=True, refill=True, receive_buffer=0, seconds=10):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.acknowledge, self.refill, self.seconds = acknowledge, refill, seconds
        self.answers, self.settings, self.goaway, self.closed = {}, {}, None, False
        self.acks = self.pongs = 0
        self._data, self._next = b"", 1
        if greet:
            self.send(PREFACE + settings((TABLE_SIZE, 0), *pairs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the peer does not take it any more."""
        try:
            self.socket.sendall(data)
            return True
        except socket.timeout:
            return False
        except OSError:
            self.closed = True
            return False

    def next_id(self):
        self._next += 2
        return self._next - 2

    def start(self, path, message, *more):
        """Sends a call with one message; its stream."""
        stream = self.next_id()
        self.answers[stream] = Answer()
        self.send(request(stream, path, frame(message), *more))
        return stream

    def open(self, path, *more):
        """Sends the headers of a call only."""
        stream = self.next_id()
        self.answers[stream] = Answer()
        self.send(headers(stream, path, *more))
        return stream

    def _take(self, kind, flags, stream, payload):
        answer = self.answers.setdefault(stream, Answer())
        if kind == DATA:
            answer.data += payload
            answer.ended |= bool(flags & END_STREAM)
            if self.refill and payload:
                self.send(window(0, len(payload)) + (b"" if flags & END_STREAM else window(stream, len(payload))))
        elif kind == HEADERS:
            found = fields(payload)
            if answer.head:
                answer.trailers = found
            else:
                answer.head = found
            answer.ended |= bool(flags & END_STREAM)
        elif kind == RST_STREAM:
            answer.reset = struct.unpack(">I", payload)[0]
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8]) + (payload[8:].decode("latin-1"),)
        elif kind == SETTINGS and flags & ACK:
            self.acks += 1
        elif kind == SETTINGS:
            self.settings.update(dict(struct.iter_unpack(">HI", payload)))
            if self.acknowledge:
                self.send(h2_frame(SETTINGS, ACK, 0))
        elif kind == PING and flags & ACK:
            self.pongs += 1

    def read(self, seconds=0.0):
        """Takes in what comes within that time; False when nothing did."""
        self.socket.settimeout(max(seconds, 0.0001))
        try:
            piece = self.socket.recv(1 << 18)
            self.closed |= not piece
        except (socket.timeout, BlockingIOError):
            return False
        except OSError:
            self.closed, piece = True, b""
        finally:
            self.socket.settimeout(self.seconds)
        data = self._data + piece
        while len(data) >= 9:
            end = 9 + int.from_bytes(data[:3], "big")
            if len(data) < end:
                break
            self._take(data[3], data[4], struct.unpack(">I", data[5:9])[0] & 0x7fffffff, data[9:end])
            data = data[end:]
        self._data = data
        return bool(piece)

    def until(self, what, condition, seconds=8):
        """Reads until condition() holds."""
        end = time.monotonic() + seconds
        while not condition():
            if self.closed:
                raise AssertionError(f"the server closed the connection ({self.goaway}) before: {what}")
            left = end - time.monotonic()
            if left <= 0:
                raise Late(f"not within {seconds} s: {what}; {self.goaway}, {dict(list(self.answers.items())[-3:])}")
            self.read(min(left, 0.5))

    def finish(self, stream, seconds=8):
        self.until(f"the end of stream {stream}", lambda: self.answers[stream].over, seconds)
        return self.answers[stream]

    def call(self, path, message, *more, seconds=8):
        return self.finish(self.start(path, message, *more), seconds)

    def read_to_end(self, seconds=8):
        """The GOAWAY with which the server ended the connection; None when it ended without."""
        end = time.monotonic() + seconds
        while not self.closed:
            if time.monotonic() > end:
                raise Late(f"the server does not close the connection within {seconds} s ({self.goaway})")
            self.read(0.5)
        return self.goaway

    def abort(self):
        leave_rst(self.socket)


class Neighbour:
    """A well-behaved client on a connection of its own: one call after the other in a thread, until stop()."""

    def __init__(self, port, path, message, wanted):
        self.count, self.slowest, self.failure = 0, 0.0, None
        self._call = (path, message, wanted)
        self._client = Client(port)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        path, message, wanted = self._call
        try:
            while not self._end.is_set():
                started = time.monotonic()
                answer = self._client.call(path, message)
                assert (answer.status, answer.messages) == (0, [wanted]), f"{answer}"
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.count += 1
                self._client.answers.clear()
                time.sleep(0.002)
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def stop(self):
        self._end.set()
        self._thread.join(12)
        with contextlib.suppress(OSError):
            self._client.socket.close()
        assert not self.failure, f"the client beside it: {self.failure!r}"
        assert self.count >= 3, f"the client beside it had {self.count} calls"
        assert self.slowest < 3, f"the client beside it waited {self.slowest:.2f} s"
