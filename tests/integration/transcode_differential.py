#!/usr/bin/env python3
"""Compares the transcoder with the official json_format on random messages.

Usage: transcode_differential.py TRANSCODE_PIPE COUNT SEED DESCRIPTOR_SET...   (needs the package protobuf)
Each message goes wire to JSON and JSON to wire through both, and two of them one after the other as one message.  Small ones are
damaged first, as wire and as text: both must take them in the same way, or refuse them.  Fails when a field was never filled."""
import json
import random
import re
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, unknown_fields

TYPES = ["kinds.All", "kinds2.Old", "editions.Every", "kinds.Records"]
# What we say where the reference takes texts that ProtoJSON does not know (by int(), strptime() and b64decode() of Python, and
# masks with empty paths), or compares two names of an extension by their ends.
STRICTER = re.compile(r'expected (a number|an integer|base64|a time|a duration)|a field mask has|unknown field "\[')
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
        self.unfilled = set()

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

    def repeated(self, target, f, depth):
        for _ in range(self.random.choice([1, 2, 3] if f.message_type and depth > 1 else [1, 2, 3, 20])):
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

    def expect(self, name):
        """Every field of that type, its extensions, and of what it holds is to be filled once at least."""
        message = self.pool.FindMessageTypeByName(name)
        for f in [*message.fields, *self.pool.FindAllExtensions(message)]:
            if f.full_name not in self.unfilled:
                self.unfilled.add(f.full_name)
                if f.message_type and f.message_type.file.package != "google.protobuf":
                    self.expect(f.message_type.full_name)

    def fill(self, message, depth):
        if self.well_known(message, depth):
            return message
        fields = [*message.DESCRIPTOR.fields, *self.pool.FindAllExtensions(message.DESCRIPTOR)]
        for f in fields:
            if self.random.random() > min(0.9, 8 / len(fields)) or (f.message_type and depth <= 0):
                continue
            self.unfilled.discard(f.full_name)
            if f.message_type and f.message_type.GetOptions().map_entry:
                self.unfilled -= {entry.full_name for entry in f.message_type.fields}
            child = message.Extensions[f] if f.is_extension else getattr(message, f.name)
            if f.is_repeated:
                self.repeated(child, f, depth)
            elif f.message_type:
                child.SetInParent()
                self.fill(child, depth - 1)
            elif f.is_extension:
                message.Extensions[f] = self.value(f)
            else:
                setattr(message, f.name, self.value(f))
        return message


    def damage(self, data, letters):
        """The bytes with some taken out, put in, replaced or repeated."""
        data = bytearray(data)
        for _ in range(self.random.choice([1, 1, 2, 3])):
            at, source = (self.random.randrange(len(data) + 1) for _ in range(2))
            change = self.random.randrange(4)
            if change == 0:
                del data[at:at + self.random.choice([1, 1, 2, 5])]
            elif change == 1:
                data[at:at] = bytes([self.random.choice(letters)])
            elif change == 2:
                data[at:at + 1] = bytes([self.random.choice(letters)])
            else:
                data[at:at] = data[source:source + self.random.randrange(1, 12)]
        return bytes(data)


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
    return a == b or printed(a, pool) == printed(b, pool)


def printed(message, pool):
    return values(json_format.MessageToJson(message, descriptor_pool=pool))


def values(text):
    return json.loads(text, parse_int=float)  # 64-bit integers are strings


def check(pipe, pool, kind, name, wire):
    """The reference reads the wire; both must print the same and read each other's text."""
    message = kind.FromString(wire)
    try:
        theirs = json_format.MessageToJson(message, descriptor_pool=pool, indent=None)
    except json_format.SerializeToJsonError as error:  # a duration of two signs, merged from two
        try:
            text = pipe.call("j", name, wire)
        except Refused:
            return
        raise AssertionError(f"to JSON: ours {text}, theirs {error}") from error
    ours = pipe.call("j", name, wire).decode()
    if values(ours) != values(theirs):
        raise AssertionError(f"to JSON: {difference(values(ours), values(theirs))}")
    if not same(json_format.Parse(ours, kind(), descriptor_pool=pool), message, pool):
        raise AssertionError(f"our JSON reads differently: {ours}")
    back = kind.FromString(pipe.call("w", name, theirs.encode()))
    again = json_format.Parse(theirs, kind(), descriptor_pool=pool)
    if not same(back, again, pool):
        raise AssertionError(f"to wire\n{theirs}\nours   {back}\ntheirs {again}")


def outcome(function, failures):
    """(value, None) or (None, failure)"""
    try:
        return function(), None
    except failures as failure:
        return None, failure


def rough(value):
    """Without what the reference loses, of large integers with a fraction or an exponent and of subnormal floats, and without what
    is in an Any of a foreign host, which ours does not look into."""
    if isinstance(value, dict):
        if not value.get("@type", "type.googleapis.com/").startswith("type.googleapis.com/"):
            return value["@type"]
        return {key: rough(v) for key, v in value.items()}
    if isinstance(value, list):
        return [rough(v) for v in value]
    if isinstance(value, str) and re.fullmatch(r"-?\d{16,20}", value):
        return float(value)
    return 0.0 if isinstance(value, float) and abs(value) < 1e-37 else value


def drops_an_entry(message):
    """Whether the reference took a map entry with an unknown field for an unknown field as a whole; others ignore the field only."""
    maps = {f.number for f in message.DESCRIPTOR.fields if f.message_type and f.message_type.GetOptions().map_entry}
    if any(field.field_number in maps for field in unknown_fields.UnknownFieldSet(message)):
        return True
    held = (v for f, v in message.ListFields() if f.message_type)
    parts = (part for v in held for part in ([v] if hasattr(v, "DESCRIPTOR") else v.values() if hasattr(v, "values") else v))
    return any(drops_an_entry(part) for part in parts if hasattr(part, "DESCRIPTOR"))


def check_damaged_wire(pipe, pool, kind, name, wire):
    ours, refused = outcome(lambda: rough(values(pipe.call("j", name, wire))), Refused)
    theirs, failure = outcome(lambda: rough(printed(kind.FromString(wire), pool)), Exception)  # it has many kinds of failures
    if refused and not failure:  # it lets proto2's strings and the paths of masks be anything
        assert re.search("UTF-8|FieldMask has a path", str(refused)), f"wire that only we refuse: {refused}"
    elif failure and not refused:  # ours prints an Any of unknown type in base64
        assert "Can not find message descriptor by type_url" in str(failure), f"wire that only they refuse: {failure}\n{ours}"
    else:
        assert ours == theirs or drops_an_entry(kind.FromString(wire)), f"to JSON: {difference(ours, theirs)}"


def check_damaged_text(pipe, pool, kind, name, text):
    ours, refused = outcome(lambda: kind.FromString(pipe.call("w", name, text)), Refused)
    theirs, failure = outcome(lambda: json_format.Parse(text, kind(), descriptor_pool=pool), Exception)
    if refused and not failure:
        assert STRICTER.search(str(refused)), f"text that only we refuse: {refused}"
    else:
        assert bool(refused) == bool(failure), f"text that only they refuse: {failure}\n{ours}"
        assert refused or rough(printed(ours, pool)) == rough(printed(theirs, pool)), f"to wire\nours   {ours}\ntheirs {theirs}"


WIRE_BYTES = range(256)
TEXT_BYTES = b'0123456789.eE+-"\\{}[],: truefalsnulNIAZz/_\xc3\xa9'


def rounds(maker, kinds, count):
    """(what to check, type, data)"""
    for i in range(count):
        name = TYPES[i % len(TYPES)]
        wires = [maker.fill(kinds[name](), 4).SerializeToString() for _ in range(2)]
        yield check, name, wires[0]
        yield check, name, wires[0] + wires[1]
        for _ in range(3):
            small = maker.fill(kinds[name](), 1)
            text = json_format.MessageToJson(small, descriptor_pool=maker.pool, indent=None).encode()
            yield check_damaged_wire, name, maker.damage(small.SerializeToString(), WIRE_BYTES)
            yield check_damaged_text, name, maker.damage(text, TEXT_BYTES)


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
    for name in TYPES:
        maker.expect(name)
    kinds = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in TYPES}
    passed = failed = 0
    for examine, name, data in rounds(maker, kinds, count):
        try:
            examine(pipe, pool, kinds[name], name, data)
            passed += 1
        except Exception as error:
            failed += 1
            if failed <= 5:
                print(f"{name} {data.hex()}\n{type(error).__name__}: {error}")
    if maker.unfilled:
        print(f"never filled: {sorted(maker.unfilled)}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or maker.unfilled or not passed else 0)


main()
