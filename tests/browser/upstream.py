"""A calculator that does what the metadata of a call asks for, so that pages can see every status, header and trailer.
It prints "listening on ADDR:PORT (grpc)" on standard error.  Usage: upstream.py ADDR:PORT

Echo   replies with the request's metadata as JSON in the payload
Flood  x-count messages of one byte, x-pause seconds of silence before each but the first
Both   x-echo-* come back as headers and x-trail-* as trailers; with x-code they fail with that status and the message
       x-message-bin, Echo before its headers, or behind them when x-late is there"""
import asyncio
import base64
import json
import signal
import sys

import grpc


def varint(number):
    more, low = divmod(number, 128)
    return bytes([low | 128]) + varint(more) if more else bytes([low])


def payload(field, data):
    """A message with that field of bytes."""
    return bytes([field << 3 | 2]) + varint(len(data)) + data


def chosen(metadata, prefix):
    return tuple((k, v) for k, v in metadata if k.startswith(prefix))


def text(value):
    return base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value


async def end(context, asked):
    """Fails if the call wants that."""
    context.set_trailing_metadata(chosen(asked.items(), "x-trail-"))
    if "x-code" in asked:
        code = next(c for c in grpc.StatusCode if c.value[0] == int(asked["x-code"]))
        await context.abort(code, asked["x-message-bin"].decode(), chosen(asked.items(), "x-trail-"))


async def echo(_, context):
    asked = dict(context.invocation_metadata())
    if "x-code" not in asked or "x-late" in asked:
        await context.send_initial_metadata(chosen(asked.items(), "x-echo-"))
    await end(context, asked)
    return payload(1, json.dumps({k: text(v) for k, v in asked.items()}).encode())


async def flood(_, context):
    asked = dict(context.invocation_metadata())
    for index in range(int(asked["x-count"])):
        await asyncio.sleep(float(asked.get("x-pause", 0)) if index else 0)
        yield payload(2, b"x")
    await end(context, asked)


HANDLERS = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Flood": grpc.unary_stream_rpc_method_handler(flood),
}


async def main(address):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Calculator", HANDLERS),))
    port = server.add_insecure_port(address)
    await server.start()
    print(f"listening on {address.rpartition(':')[0]}:{port} (grpc)", file=sys.stderr, flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(0)


asyncio.run(main(sys.argv[1]))
