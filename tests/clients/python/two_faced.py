"""A gRPC server with reflection whose service.proto is like that of many: the name is taken elsewhere.  It prints
"listening on ADDR:PORT (grpc)" on standard error.  Usage: two_faced.py ADDR:PORT KIND

KIND says which service.proto: each has a method Say(Request) returns (Reply) in a service of its own.
  greeter    package greeter; Request {string name = 1;}  Reply {string text = 1;}   GET /v1/greet/{name}
  counter    package counter; Request {int64 number = 1;} Reply {int64 next = 1;}
  plain      no package; service Plain; Request {string name = 1;}  Reply {string text = 1;}
  other      no package; service Other; Request {int64 number = 1;} Reply {int64 next = 1;}
  impostor   no package; service Calculator with Say only
  lonely     as greeter, without reflection"""
import signal
import sys
import threading
from concurrent import futures

import grpc
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection

TEXT, INT64 = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_INT64
NAMES, NUMBERS = (("name", TEXT), ("text", TEXT)), (("number", INT64), ("next", INT64))
KINDS = {  # kind: (package, service, fields of Request and Reply)
    "greeter": ("greeter", "Greeter", NAMES),
    "counter": ("counter", "Counter", NUMBERS),
    "plain": ("", "Plain", NAMES),
    "other": ("", "Other", NUMBERS),
    "impostor": ("", "Calculator", NAMES),
    "lonely": ("greeter", "Greeter", NAMES),
}


def service_proto(package, service, fields):
    file = descriptor_pb2.FileDescriptorProto(name="service.proto", package=package, syntax="proto3")
    for name, (field, kind) in zip(("Request", "Reply"), fields):
        message = file.message_type.add(name=name)
        message.field.add(name=field, number=1, type=kind, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    prefix = f".{package}." if package else "."
    method = file.service.add(name=service).method.add(name="Say", input_type=prefix + "Request", output_type=prefix + "Reply")
    if service == "Greeter":
        file.dependency.append("google/api/annotations.proto")
        method.options.Extensions[annotations_pb2.http].CopyFrom(http_pb2.HttpRule(get="/v1/greet/{name}"))
    return file


def main(address, kind):
    package, service, fields = KINDS[kind]
    pool = descriptor_pool.Default()
    pool.Add(service_proto(package, service, fields))
    full_name = f"{package}.{service}" if package else service
    method = pool.FindServiceByName(full_name).methods_by_name["Say"]
    request, reply = (message_factory.GetMessageClass(t) for t in (method.input_type, method.output_type))

    def say(message, _):
        if fields is NAMES:
            return reply(text=f"hello {message.name}, says {kind}")
        return reply(next=message.number + 1)

    server = grpc.server(futures.ThreadPoolExecutor(8))
    handler = grpc.unary_unary_rpc_method_handler(say, request.FromString, reply.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(full_name, {"Say": handler}),))
    if kind != "lonely":
        reflection.enable_server_reflection((full_name, reflection.SERVICE_NAME), server)
    port = server.add_insecure_port(address)
    server.start()
    print(f"listening on {address.rpartition(':')[0]}:{port} (grpc)", file=sys.stderr, flush=True)
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    end.wait()
    server.stop(0).wait()


main(sys.argv[1], sys.argv[2])
