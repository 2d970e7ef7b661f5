#!/usr/bin/env python3
"""Compares the transcoder with the official json_format on random messages.

Usage: transcode_differential.py TRANSCODE_PIPE COUNT SEED DESCRIPTOR_SET...   (needs the package protobuf)
Each message goes wire to JSON and JSON to wire through both, and two of them one after the other as one message."""
import json
import random
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

TYPES = ["kinds.All", "kinds2.Old", "kinds.Records"]
# Not -0.0: it prints as -0, which Python's own json reads as the integer 0.
DOUBLES = [0.0, 1.0, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), 2.0 ** 53, 123456.789]


class Refused(Exception):
    """What ours says when it fails."""


class Pipe:
    def __init__(self, program, sets):
        self.process = subprocess.Popen([program, *sets], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, operation, name, data):
        name = name.encode()
        self.process.stdin.write(struct.pack("<BBHI", ord(operation), 0, len(name), len(data)) + name + data)
        self.process.stdin.flush()
        ok, length = struct.unpack("<BI", self.process.stdout.read(5))
        result = self.process.stdout.read(length)
        if not ok:
            raise Refused(result.decode(errors="replace"))
        return result


class Maker:
    """Fills messages at random; `depth` bounds the nesting."""

    def __init__(self, pool, seed):
        self.random = random.Random(seed)
        self.pool = pool

    def text(self):
        letters = "abcXYZ09 _-/<>&\"\\\n\t\u0000\u001f\u007f\u00e9\u20ac\u2028\U0001f600"
        return "".join(self.random.choice(letters) for _ in range(self.random.choice([0, 1, 5, 8, 9, 16, 40])))

    def integer(self, bits, signed):
        value = self.random.choice([0, 1, self.random.getrandbits(7), self.random.getrandbits(bits), (1 << bits) - 1, 1 << (bits - 1)])
        return value - (1 << bits) if signed and value >> (bits - 1) else value

    def double(self):
        pick = self.random.random()
        if pick < 0.3:
            return self.random.choice(DOUBLES)
        if pick < 0.6:
            return round(self.random.uniform(-1e6, 1e6), self.random.randrange(6))
        while True:
            value = struct.unpack("<d", self.random.randbytes(8))[0]
            if value == value:
                return value

    def float(self):
        while True:
            value = struct.unpack("<f", self.random.randbytes(4))[0]
            if value == value and (abs(value) > 1e-37 or value == 0):  # of subnormal ones the reference prints too many digits
                return value if value else 0.0

    def value(self, f):
        kind = f.cpp_type
        if kind == f.CPPTYPE_STRING:
            return self.random.randbytes(self.random.randrange(20)) if f.type == f.TYPE_BYTES else self.text()
        if kind == f.CPPTYPE_ENUM:
            closed = f.enum_type.is_closed or f.enum_type.name == "NullValue"
            return self.random.choice(f.enum_type.values).number if closed or self.random.random() < 0.8 else self.integer(32, True)
        return {f.CPPTYPE_INT32: lambda: self.integer(32, True), f.CPPTYPE_INT64: lambda: self.integer(64, True),
                f.CPPTYPE_UINT32: lambda: self.integer(32, False), f.CPPTYPE_UINT64: lambda: self.integer(64, False),
                f.CPPTYPE_DOUBLE: self.double, f.CPPTYPE_FLOAT: self.float,
                f.CPPTYPE_BOOL: lambda: self.random.random() < 0.5}[kind]()

    def json_value(self, value, depth):
        kinds = ["null_value", "number_value", "string_value", "bool_value"] + (["struct_value", "list_value"] if depth > 0 else [])
        kind = self.random.choice(kinds)
        if kind == "null_value":
            value.null_value = 0
        elif kind == "number_value":
            value.number_value = round(self.random.uniform(-1e9, 1e9), 3)
        elif kind == "string_value":
            value.string_value = self.text()
        elif kind == "bool_value":
            value.bool_value = self.random.random() < 0.5
        else:
            self.fill(getattr(value, kind), depth - 1)
            getattr(value, kind).SetInParent()

    def well_known(self, message, depth):
        """True when the message was one with a JSON form of its own."""
        name = message.DESCRIPTOR.full_name
        if name == "google.protobuf.Timestamp":
            message.seconds = self.random.randint(-62135596800, 253402300799)
            message.nanos = self.random.choice([0, 1, 1000, 500000000, 999999999, 120000])
        elif name == "google.protobuf.Duration":
            sign = self.random.choice([-1, 1])
            message.seconds = sign * self.random.choice([0, 1, 315576000000, 12345])
            message.nanos = sign * self.random.choice([0, 1, 1000, 500000000, 999999999])
            if abs(message.seconds) == 315576000000:
                message.nanos = 0
        elif name == "google.protobuf.FieldMask":
            message.paths.extend(self.random.choice(["a", "foo_bar", "a.b_c.d", "x1_y"]) for _ in range(self.random.randrange(4)))
        elif name == "google.protobuf.Value":
            self.json_value(message, depth)
        elif name == "google.protobuf.Any":
            inner = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(self.random.choice(
                ["kinds.Small", "google.protobuf.Duration", "google.protobuf.Int32Value", "google.protobuf.Empty",
                 "google.protobuf.Struct"])))()
            self.fill(inner, depth)
            if self.random.random() < 0.9:
                message.Pack(inner)
        else:
            return False
        return True

    def repeated(self, message, f, depth):
        target = getattr(message, f.name)
        for _ in range(self.random.choice([1, 2, 3, 20])):
            if f.message_type is None:
                target.append(self.value(f))
            elif f.message_type.GetOptions().map_entry:
                key, value = f.message_type.fields_by_name["key"], f.message_type.fields_by_name["value"]
                if value.message_type is None:
                    target[self.value(key)] = self.value(value)
                else:
                    self.fill(target[self.value(key)], depth - 1)
            else:
                self.fill(target.add(), depth - 1)

    def fill(self, message, depth):
        if self.well_known(message, depth):
            return message
        fields = message.DESCRIPTOR.fields
        for f in fields:
            if self.random.random() > min(0.9, 8 / len(fields)) or (f.message_type and depth <= 0):
                continue
            if f.is_repeated if hasattr(f, "is_repeated") else f.label == f.LABEL_REPEATED:
                self.repeated(message, f, depth)
            elif f.message_type:
                child = getattr(message, f.name)
                child.SetInParent()
                self.fill(child, depth - 1)
            else:
                setattr(message, f.name, self.value(f))
        return message


def difference(ours, theirs, path="$"):
    """Where two JSON values differ first."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            if key not in ours or key not in theirs:
                return f"{path}.{key}: only in {'ours' if key in ours else 'theirs'}: {ours.get(key, theirs.get(key))!r}"
            if ours[key] != theirs[key]:
                return difference(ours[key], theirs[key], f"{path}.{key}")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            if a != b:
                return difference(a, b, f"{path}[{i}]")
    return f"{path}: ours {ours!r}, theirs {theirs!r}"


def same(a, b, pool):
    """Compared as JSON: the bytes of an Any depend on the order of its maps."""
    return a == b or values(json_format.MessageToJson(a, descriptor_pool=pool)) == values(json_format.MessageToJson(b, descriptor_pool=pool))


def values(text):
    return json.loads(text, parse_int=float)  # 64-bit integers are strings


def check(pipe, pool, kind, name, wire):
    """The reference reads the wire; both must print the same and read each other's text."""
    message = kind.FromString(wire)
    try:
        theirs = json_format.MessageToJson(message, descriptor_pool=pool, indent=None)
    except json_format.SerializeToJsonError as error:  # a duration of two signs, merged from two
        try:
            printed = pipe.call("j", name, wire)
        except Refused:
            return
        raise AssertionError(f"to JSON: ours {printed}, theirs {error}") from error
    ours = pipe.call("j", name, wire).decode()
    if values(ours) != values(theirs):
        raise AssertionError(f"to JSON: {difference(values(ours), values(theirs))}")
    if not same(json_format.Parse(ours, kind(), descriptor_pool=pool), message, pool):
        raise AssertionError(f"our JSON reads differently: {ours}")
    back = kind.FromString(pipe.call("w", name, theirs.encode()))
    again = json_format.Parse(theirs, kind(), descriptor_pool=pool)
    if not same(back, again, pool):
        raise AssertionError(f"to wire\n{theirs}\nours   {back}\ntheirs {again}")


def main():
    program, count, seed, sets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    pool = descriptor_pool.DescriptorPool()
    known = set()
    for path in sets:
        for file in descriptor_pb2.FileDescriptorSet.FromString(open(path, "rb").read()).file:
            if file.name not in known:
                pool.Add(file)
            known.add(file.name)
    pipe, maker = Pipe(program, sets), Maker(pool, seed)
    kinds = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in TYPES}
    passed = failed = 0
    for i in range(count):
        name = TYPES[i % len(TYPES)]
        wires = [maker.fill(kinds[name](), 4).SerializeToString() for _ in range(2)]
        for wire in (wires[0], wires[0] + wires[1]):
            try:
                check(pipe, pool, kinds[name], name, wire)
                passed += 1
            except Exception as error:
                failed += 1
                if failed <= 5:
                    print(f"{name} {wire.hex()}\n{type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
