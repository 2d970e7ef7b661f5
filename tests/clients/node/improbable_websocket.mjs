// npm @improbable-eng/grpc-web with its WebSocket transport against the gateway: all four kinds of calls.  Node.js 20 has no
// WebSocket: ws stands in.  Usage: node improbable_websocket.mjs URL [SCENARIO...]; PROTO names calculator.proto.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import WebSocket from "ws";
import { calculatorService, decode, encode } from "./messages.mjs";
import { run } from "./scenarios.mjs";

globalThis.WebSocket = WebSocket;
const { grpc } = createRequire(import.meta.url)("@improbable-eng/grpc-web");

/** What the client wants of a message class. */
const serializable = (type) => class {
  constructor(message) { this.message = message; }
  serializeBinary() { return encode(type, this.message); }
  toObject() { return this.message; }
  static deserializeBinary(bytes) { return new this(decode(type, bytes)); }
};

class Calculator {
  constructor(url) {
    this.url = url;
    this.methods = calculatorService().methods;
  }

  definition(name) {
    const method = this.methods[name];
    return {
      methodName: name,
      service: { serviceName: "Calculator" },
      requestStream: Boolean(method.requestStream),
      responseStream: Boolean(method.responseStream),
      requestType: serializable(method.resolvedRequestType),
      responseType: serializable(method.resolvedResponseType),
    };
  }

  /** A call that has been started, its messages and its end. */
  start(name, metadata = {}) {
    const definition = this.definition(name);
    const call = { replies: [], waiting: [] };
    const client = grpc.client(definition, { host: this.url, transport: grpc.WebsocketTransport() });
    call.headers = new Promise((resolve) => client.onHeaders(resolve));
    client.onMessage((reply) => {
      call.replies.push(reply.toObject());
      call.waiting.shift()?.(reply.toObject());
    });
    call.end = new Promise((resolve) => client.onEnd((code, message, trailers) => resolve({ code, message, trailers })));
    call.next = () => new Promise((resolve) => call.waiting.push(resolve));
    call.send = (message) => client.send(new definition.requestType(message));
    call.finish = () => client.finishSend();
    call.close = () => client.close();
    client.start(new grpc.Metadata(metadata));
    return call;
  }
}

await run({
  async unary(calc) {
    const call = calc.start("SquareRoot", { "x-test": "yes" });
    call.send({ value: 16 });
    call.finish();
    assert.equal((await call.end).code, grpc.Code.OK);
    assert.deepEqual(call.replies.map((r) => r.value), [4]);
    assert.deepEqual((await call.headers).get("content-type"), ["application/grpc-web+proto"]);
  },
  async server_stream(calc) {
    const call = calc.start("PrimeFactors");
    call.send({ number: 84 });
    call.finish();
    assert.equal((await call.end).code, grpc.Code.OK);
    assert.deepEqual(call.replies.map((r) => r.factor), [2, 2, 3, 7]);
  },
  async client_stream(calc) {
    const call = calc.start("Statistics");
    for (let value = 1; value <= 100; value++) call.send({ value });
    call.finish();
    assert.equal((await call.end).code, grpc.Code.OK);
    assert.equal(call.replies.length, 1);
    assert.equal(call.replies[0].count, 100);
    assert.equal(call.replies[0].mean, 50.5);
  },
  async full_duplex(calc) {
    const call = calc.start("RunningTotal");
    for (let value = 1, total = 0; value <= 20; value++) {
      const next = call.next();
      call.send({ value });
      assert.equal((await next).total, (total += value));
    }
    call.finish();
    assert.equal((await call.end).code, grpc.Code.OK);
  },
  async large_stream(calc) {
    const call = calc.start("Flood");
    call.send({ count: 200, size: 20000 });
    call.finish();
    assert.equal((await call.end).code, grpc.Code.OK);
    assert.ok(call.replies.length === 200 && call.replies.every((r, i) => r.index === i && r.payload.length === 20000));
  },
  async error(calc) {
    const call = calc.start("DivNum");
    call.send({ value1: 1, value2: 0 });
    call.finish();
    const { code, message } = await call.end;
    assert.equal(code, grpc.Code.InvalidArgument);
    assert.match(message, /zero/);
    assert.equal(call.replies.length, 0);
  },
  async close_cancels(calc) {
    const call = calc.start("RunningTotal");
    const next = call.next();
    call.send({ value: 1 });
    await next;
    call.close(); // the harness looks for what is left in the gateway
  },
}, (url) => new Calculator(url));
