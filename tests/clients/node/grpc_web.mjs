// npm grpc-web (the official client, binary mode) against the gateway.  Node.js has no XMLHttpRequest: xhr2 stands in.
// Usage: node grpc_web.mjs URL [SCENARIO...]; PROTO names calculator.proto.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import grpcWeb from "grpc-web";
import protobuf from "protobufjs";
import xhr2 from "xhr2";
import { failure, run, sleep } from "./scenarios.mjs";

globalThis.XMLHttpRequest = xhr2.XMLHttpRequest;
const { GrpcWebClientBase, MethodDescriptor, MethodType, StatusCode } = grpcWeb;

class Calculator {
  constructor(url) {
    this.url = url;
    this.client = new GrpcWebClientBase({ format: "binary" });
    const root = new protobuf.Root();
    const ours = path.dirname(process.env.PROTO);
    const theirs = path.dirname(createRequire(import.meta.url).resolve("protobufjs/package.json"));
    root.resolvePath = (_, target) =>
      path.isAbsolute(target) ? target : path.join(target.startsWith("google/protobuf/") ? theirs : ours, target);
    this.service = root.loadSync(process.env.PROTO).lookupService("Calculator").resolveAll();
  }

  descriptor(name, path = name) {
    const method = this.service.methods[name];
    const [input, output] = [method.resolvedRequestType, method.resolvedResponseType];
    return new MethodDescriptor(
      `/Calculator/${path}`, method.responseStream ? MethodType.SERVER_STREAMING : MethodType.UNARY, Object, Object,
      (message) => input.encode(input.fromObject(message)).finish(),
      (bytes) => output.toObject(output.decode(bytes), { defaults: true, longs: Number, enums: String }));
  }

  unary(name, request, metadata = {}) {
    return this.client.unaryCall(`${this.url}/Calculator/${name}`, request, metadata, this.descriptor(name));
  }

  stream(name, request, metadata = {}) {
    return this.client.serverStreaming(`${this.url}/Calculator/${name}`, request, metadata, this.descriptor(name));
  }
}

const collect = (stream) =>
  new Promise((resolve, reject) => {
    const messages = [];
    let status;
    stream.on("data", (m) => messages.push(m)).on("status", (s) => (status = s)).on("error", reject)
      .on("end", () => resolve({ messages, status }));
  });

const inMs = (ms) => ({ deadline: String(Date.now() + ms) });

await run({
  async unary(calc) {
    assert.equal((await calc.unary("AddNum", { value1: 1, value2: 2 })).value, 3);
    assert.equal((await calc.unary("SquareRoot", { value: 16 })).value, 4);
    assert.equal((await calc.unary("AddNum", {})).value, 0);
  },
  async callback_and_status_events(calc) {
    const seen = await new Promise((resolve, reject) => {
      const events = {};
      calc.client.rpcCall(`${calc.url}/Calculator/SquareRoot`, { value: 81 }, {}, calc.descriptor("SquareRoot"),
        (error, reply) => (error ? reject(error) : (events.reply = reply)))
        .on("status", (status) => { events.status = status; })
        .on("end", () => resolve(events));
    });
    assert.equal(seen.reply.value, 9);
    assert.equal(seen.status.code, StatusCode.OK);
  },
  async server_stream(calc) {
    const { messages, status } = await collect(calc.stream("PrimeFactors", { number: 84 }));
    assert.deepEqual(messages.map((m) => m.factor), [2, 2, 3, 7]);
    assert.equal(status.code, StatusCode.OK);
  },
  async large_server_stream(calc) {
    const { messages } = await collect(calc.stream("Flood", { count: 300, size: 5000 }));
    assert.equal(messages.length, 300);
    assert.ok(messages.every((m, i) => m.index === i && m.payload.length === 5000));
  },
  async error_with_details(calc) {
    const error = await failure(calc.unary("DivNum", { value1: 1 }));
    assert.equal(error.code, StatusCode.INVALID_ARGUMENT);
    assert.match(error.message, /zero/);
    const details = Buffer.from(error.metadata["grpc-status-details-bin"], "base64");
    assert.ok(details.includes("google.rpc.BadRequest") && details.includes("value2"));
  },
  async error_of_a_stream(calc) {
    const error = await failure(collect(calc.stream("PrimeFactors", { number: 1 })));
    assert.equal(error.code, StatusCode.INVALID_ARGUMENT);
  },
  async unknown_method(calc) {
    const descriptor = calc.descriptor("SquareRoot", "Cube");
    const error = await failure(calc.client.unaryCall(`${calc.url}/Calculator/Cube`, {}, {}, descriptor));
    assert.equal(error.code, StatusCode.UNIMPLEMENTED);
  },
  async deadline(calc) {
    const started = Date.now();
    const error = await failure(calc.unary("SlowSquareRoot", { value: 4, delay: { seconds: 25 } }, inMs(300)));
    assert.equal(error.code, StatusCode.DEADLINE_EXCEEDED);
    assert.ok(Date.now() - started < 2000);
  },
  async deadline_kept(calc) {
    const reply = await calc.unary("SlowSquareRoot", { value: 4, delay: { nanos: 50e6 } }, inMs(5000));
    assert.equal(reply.value, 2);
  },
  async cancel_a_stream(calc) {
    const stream = calc.stream("PrimeFactors", { number: 1024, delay: { seconds: 26 } });
    stream.on("error", () => {});
    await sleep(150);
    stream.cancel();
  },
  async large_messages(calc) {
    const payload = Buffer.alloc(3 << 20, "large message ");
    const reply = await calc.unary("Echo", { payload: payload.toString("base64") });
    assert.ok(payload.equals(reply.payload));
    const error = await failure(calc.unary("Echo", { payload: Buffer.alloc(4400 << 10).toString("base64") }));
    assert.equal(error.code, StatusCode.RESOURCE_EXHAUSTED);
  },
  async metadata(calc) {
    const reply = await calc.unary("SquareRoot", { value: 4 }, { "x-request-id": "abc", "x-token-bin": "AAECAw==" });
    assert.equal(reply.value, 2);
    const error = await failure(calc.unary("SquareRoot", { value: 4 }, { "x-token-bin": "no base64!" }));
    assert.equal(error.code, StatusCode.INVALID_ARGUMENT);
  },
  async many_calls_at_once(calc) {
    const replies = await Promise.all(Array.from({ length: 60 }, (_, n) => calc.unary("SquareRoot", { value: n * n })));
    assert.ok(replies.every((r, n) => r.value === n));
  },
}, (url) => new Calculator(url));
