"""gRPC-Web bytes by hand: frames, the trailer frame, and the few protobuf messages that tests without generated code need."""
import struct


def frame(message, flags=0):
    return struct.pack(">BI", flags, len(message)) + message


def split(body):
    """[(flags, payload)] of a complete body."""
    frames = []
    while body:
        assert len(body) >= 5, f"{len(body)} bytes behind the last frame: {body!r}"
        flags, length = struct.unpack(">BI", body[:5])
        assert len(body) >= 5 + length, f"a frame of {length} bytes is cut: {body[:200]!r}"
        frames.append((flags, body[5:5 + length]))
        body = body[5 + length:]
    return frames


def trailers(payload):
    """The fields of a trailer frame, of which every line ends in CRLF, in lower case, without blank lines."""
    assert payload.endswith(b"\r\n"), f"the trailer frame ends in {payload[-10:]!r}"
    fields = {}
    for line in payload[:-2].split(b"\r\n"):
        name, colon, value = line.partition(b":")
        assert colon and name and name == name.lower() and b"\r" not in line and b"\n" not in line, f"trailer line {line!r}"
        assert name not in fields, f"trailer {name!r} twice"
        fields[name.decode()] = value.decode().strip()
    assert "grpc-status" in fields, fields
    return fields


def answer(body):
    """(messages, trailer fields): data frames and exactly one trailer frame, which is last and not compressed."""
    frames = split(body)
    assert frames and frames[-1][0] == 0x80, f"the last frame is {frames[-1:]!r}"
    assert all(flags == 0 for flags, _ in frames[:-1]), f"flags {[f for f, _ in frames]}"
    return [payload for _, payload in frames[:-1]], trailers(frames[-1][1])


def varint(n):
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(value):
    """message Number"""
    return b"\x0d" + struct.pack("<f", value) if value else b""


def pair(value1, value2):
    """message NumberDouble"""
    return b"\x0d" + struct.pack("<f", value1) + b"\x15" + struct.pack("<f", value2)


def duration(seconds):
    whole = int(seconds)
    return b"\x08" + varint(whole) + b"\x10" + varint(round((seconds - whole) * 1e9))


def slow(value, seconds):
    """message SlowRequest"""
    return number(value) + field(2, duration(seconds))


def flood(count, size, seconds=0):
    """message FloodRequest"""
    return b"\x08" + varint(count) + b"\x10" + varint(size) + (field(3, duration(seconds)) if seconds else b"")


def factors(n, seconds=0):
    """message PrimeFactorsRequest"""
    return b"\x08" + varint(n) + (field(2, duration(seconds)) if seconds else b"")
