"""A WebSocket client by hand (RFC 6455), and the gRPC-Web transport over it: right by default, wrong wherever a test says so.
Standard library only."""
import base64
import hashlib
import os
import re
import socket
import struct

from wire import frame, split, trailers

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = "grpc-websockets"


def mask(payload, key):
    whole = len(payload) // 4 + 1
    return (int.from_bytes(payload, "big") ^ int.from_bytes((key * whole)[:len(payload)], "big")).to_bytes(len(payload), "big")


def ws_frame(payload, opcode=BINARY, final=True, masked=True, rsv=0, length=None):
    """One frame; `length` is what its head claims instead of the truth."""
    length = len(payload) if length is None else length
    head = bytes([final << 7 | rsv << 4 | opcode])
    if length < 126:
        head += bytes([masked << 7 | length])
    elif length < 1 << 16:
        head += struct.pack(">BH", masked << 7 | 126, length)
    else:
        head += struct.pack(">BQ", masked << 7 | 127, length)
    key = os.urandom(4) if masked else b""
    return head + key + (mask(payload, key) if masked else payload)


def metadata(fields=()):
    return "".join(f"{name}: {value}\r\n" for name, value in [("content-type", "application/grpc-web+proto"), *fields]).encode()


def left_open(data):
    """How many bytes are missing to the end of the last frame."""
    at = 0
    while at < len(data):
        if len(data) - at < 5:
            return at + 5 - len(data)
        at += 5 + struct.unpack(">I", data[at + 1:at + 5])[0]
    return at - len(data)


class Closed(Exception):
    """The server ended the connection."""


class WebSocket:
    """A connection; `answer` is the head of the server's response, `status` its number."""

    def __init__(self, port, path, *headers, seconds=10, drop=(), early=b"", receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        self.socket.connect(("127.0.0.1", port))
        self.key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": self.key, "Sec-WebSocket-Protocol": PROTOCOL}
        for header in headers:
            name, _, value = header.partition(": ")
            fields[name] = value
        lines = [f"GET {path} HTTP/1.1"] + [f"{n}: {v}" for n, v in fields.items() if n not in drop]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + early)
        self.buffer = b""
        self.head = self._until(b"\r\n\r\n").decode("latin-1")
        self.status = int(self.head.split()[1])
        self.headers = dict((n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in self.head.split("\r\n")[1:]))

    def accepted(self):
        wanted = base64.b64encode(hashlib.sha1((self.key + GUID).encode()).digest()).decode()
        assert self.status == 101, self.head
        assert self.headers["sec-websocket-accept"] == wanted, self.head
        assert self.headers["upgrade"].lower() == "websocket" and "upgrade" in self.headers["connection"].lower(), self.head
        assert self.headers["sec-websocket-protocol"] == PROTOCOL, self.head
        assert not re.search(r"^(content-length|transfer-encoding):", self.head, re.M | re.I), self.head
        return self

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def _until(self, end):
        while end not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(end)
        return head

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    # --- frames ---

    def send(self, payload, opcode=BINARY, **how):
        self.socket.sendall(ws_frame(payload, opcode, **how))

    def receive(self):
        """(opcode, payload) of the next frame, which must be unmasked, final and without reserved bits."""
        first, second = self._take(2)
        assert first & 0xf0 == 0x80 and second < 0x80, f"frame head {first:02x} {second:02x}"
        length = second
        if length == 126:
            length, = struct.unpack(">H", self._take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self._take(8))
        return first & 0x0f, self._take(length)

    def close_code(self):
        """Reads up to Close, dropping data; its code, None without one."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else None

    def at_end(self):
        """Nothing more comes, the connection ends in order."""
        try:
            self._take(1)
        except Closed:
            return True
        return False

    def close(self, code=1000):
        self.send(struct.pack(">H", code) if code else b"", CLOSE)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # --- the gRPC-Web transport ---

    def start(self, *fields):
        self.accepted().send(metadata(fields))
        return self

    def request(self, *messages):
        for message in messages:
            self.send(b"\0" + frame(message))
        return self

    def half_close(self):
        self.send(b"\1")
        return self

    def message(self):
        """The next binary message: the list of its (flags, payload)."""
        opcode, payload = self.receive()
        assert opcode == BINARY, (opcode, payload)
        return split(payload)

    def answer(self):
        """(headers, messages, trailers) up to Close 1000, which is answered."""
        blocks, data, missing = [], b"", 0
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                break
            assert opcode == BINARY, opcode
            if missing == 0 and payload[0] & 0x80:
                blocks += [content for _, content in split(payload)]  # a block shares its message with nothing
                continue
            assert len(blocks) == 1, "data outside of the header block and the trailer block"
            data += payload
            missing = left_open(data)
        messages = [content for _, content in split(data)]
        assert payload == struct.pack(">H", 1000), payload
        self.close()
        assert self.at_end(), "bytes behind Close"
        headers = dict(line.split(":", 1) for line in blocks[0].decode().split("\r\n")[:-1]) if len(blocks) == 2 else None
        assert 1 <= len(blocks) <= 2, blocks
        return headers, messages, trailers(blocks[-1])
