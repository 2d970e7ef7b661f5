"""A gRPC server without reflection that does what tests ask for: it shows and returns metadata, fails with any status, and
hangs while it records how calls end.  It prints "listening on ADDR:PORT (grpc)" and JSON lines on standard error.
Usage: upstream.py ADDR:PORT [MAX_CONNECTION_AGE_MS]

Methods of test.Upstream, all with raw bytes as messages:
  Metadata   unary: replies with the request metadata as JSON; x-echo-* come back as headers, x-trail-* as trailers
  Show       unary, of upstream.proto: the request's text and metadata as JSON; x-head-NAME comes back as header NAME,
             x-tail-NAME as trailer NAME
  Fail       unary: fails with the status x-code and the message x-message-bin, after the headers when x-late is there
  Hang       unary: never replies
  HangAfter  server stream: one message, then silence
  Count      client stream: replies with the number of messages and of bytes
  Large      unary: replies with as many bytes as the request says"""
import asyncio
import base64
import json
import signal
import sys

import grpc


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), file=sys.stderr, flush=True)


def chosen(metadata, prefix):
    return tuple((k, v) for k, v in metadata if k.startswith(prefix))


async def show_metadata(_, context):
    received = context.invocation_metadata()
    await context.send_initial_metadata(chosen(received, "x-echo-"))
    context.set_trailing_metadata(chosen(received, "x-trail-"))
    text = [(k, base64.b64encode(v).decode() if isinstance(v, bytes) else v) for k, v in received]
    return json.dumps(text).encode()


def text_field(text):
    """A message whose field 1 is that text."""
    data, length = text.encode(), bytearray(b"\n")
    size = len(data)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes(length) + bytes([size]) + data


async def show(request, context):
    received = context.invocation_metadata()
    await context.send_initial_metadata([(k.removeprefix("x-head-"), v) for k, v in chosen(received, "x-head-")])
    context.set_trailing_metadata([(k.removeprefix("x-tail-"), v) for k, v in chosen(received, "x-tail-")])
    metadata = [(k, base64.b64encode(v).decode() if isinstance(v, bytes) else v) for k, v in received]
    return text_field(json.dumps({"text": request[2:].decode(), "metadata": metadata}))


async def fail(_, context):
    received = dict(context.invocation_metadata())
    if "x-late" in received:
        await context.send_initial_metadata((("x-first", "1"),))
    code = next(c for c in grpc.StatusCode if c.value[0] == int(received["x-code"]))
    await context.abort(code, received["x-message-bin"].decode(), (("x-trail-fail", "yes"),))


async def for_ever(method):
    say("started", method=method)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        say("cancelled", method=method)
        raise


async def hang(*_):
    await for_ever("Hang")


async def hang_after(*_):
    yield b"first"
    await for_ever("HangAfter")


async def count(messages, _):
    say("started", method="Count")
    number = size = 0
    try:
        async for message in messages:
            number, size = number + 1, size + len(message)
    except asyncio.CancelledError:
        say("cancelled", method="Count")
        raise
    return f"{number} {size}".encode()


async def large(request, _):
    return bytes(int(request))


HANDLERS = {
    "Metadata": grpc.unary_unary_rpc_method_handler(show_metadata),
    "Show": grpc.unary_unary_rpc_method_handler(show),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
    "HangAfter": grpc.unary_stream_rpc_method_handler(hang_after),
    "Count": grpc.stream_unary_rpc_method_handler(count),
    "Large": grpc.unary_unary_rpc_method_handler(large),
}


async def main(address, age_ms):
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    if age_ms:
        options += [("grpc.max_connection_age_ms", int(age_ms)), ("grpc.max_connection_age_grace_ms", 5000)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Upstream", HANDLERS),))
    port = server.add_insecure_port(address)
    await server.start()
    print(f"listening on {address.rpartition(':')[0]}:{port} (grpc)", file=sys.stderr, flush=True)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
    await server.stop(0)


asyncio.run(main(sys.argv[1], (sys.argv[2:] or [0])[0]))
