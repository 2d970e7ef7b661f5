"""What the runner of the conformance suite and the programs under test say to each other on pipes: protobuf messages, each
behind its length in four bytes, big endian.  The few fields of interest are read and replaced on the wire, so that no generated
code is needed: a message is a list of (field number, value), the value an int (varint) or bytes (length-delimited)."""
import struct

# connectrpc/conformance/v1/config.proto
HTTP_1, HTTP_2 = 1, 2
CONNECT, GRPC, GRPC_WEB = 1, 2, 3


def read(stream):
    """The next message as bytes; None at the end of the stream."""
    prefix = stream.read(4)
    if not prefix:
        return None
    message = stream.read(struct.unpack(">I", prefix)[0])
    return message


def write(stream, message):
    stream.write(struct.pack(">I", len(message)) + message)
    stream.flush()


def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _encode_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(message):
    fields, at = [], 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 2:
            value, at = message[at:at + value], at + value
        elif tag & 7 != 0:
            raise ValueError(f"field {tag >> 3} has wire type {tag & 7}")
        fields.append((tag >> 3, value))
    return fields


def encode(fields):
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _encode_varint(number << 3) + _encode_varint(value)
        else:
            out += _encode_varint(number << 3 | 2) + _encode_varint(len(value)) + value
    return bytes(out)


def get(fields, number, default):
    return next((value for found, value in reversed(fields) if found == number), default)


def replace(fields, changes):
    """The fields with those of `changes` in the place of their namesakes."""
    return [field for field in fields if field[0] not in changes] + list(changes.items())
