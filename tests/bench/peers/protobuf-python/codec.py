"""JSON to protobuf and back with google.protobuf.json_format, beside the types and the package that `build` left.

    codec.py TYPE JSON_FILE to_wire|to_json COUNT RESULT_FILE

Converts once, then prints the seconds of processor time that COUNT more times take.
"""

import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "package"))

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def message_class(name):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((HERE / "kinds.binpb").read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def main():
    name, source, way, count, result = sys.argv[1:]
    kind, text = message_class(name), Path(source).read_bytes()

    def to_wire():
        return json_format.Parse(text, kind()).SerializeToString()

    def to_json():
        return json_format.MessageToJson(kind.FromString(wire), indent=None, ensure_ascii=False).encode()

    wire = to_wire()
    convert = to_wire if way == "to_wire" else to_json
    out = convert()
    start = time.process_time()
    for _ in range(int(count)):
        convert()
    print(f"{time.process_time() - start:.9f}")
    Path(result).write_bytes(out)


main()
