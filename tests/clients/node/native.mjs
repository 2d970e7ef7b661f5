// @grpc/grpc-js against the calculator.  Usage: node native.mjs HOST:PORT [SCENARIO...]; PROTO names calculator.proto.
import assert from "node:assert/strict";
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { failure, run } from "./scenarios.mjs";

const { status } = grpc;

const unary = (client, method, request, options = {}) =>
  new Promise((resolve, reject) =>
    client[method](request, new grpc.Metadata(), options, (error, reply) => (error ? reject(error) : resolve(reply))));

const collect = (stream) =>
  new Promise((resolve, reject) => {
    const messages = [];
    stream.on("data", (m) => messages.push(m)).on("error", reject).on("end", () => resolve(messages));
  });

const inMs = (ms) => ({ deadline: Date.now() + ms });

const scenarios = {
  async unary(client) {
    assert.equal((await unary(client, "AddNum", { value1: 1, value2: 2 })).value, 3);
    assert.equal((await unary(client, "SquareRoot", { value: 16 })).value, 4);
    const reply = await unary(client, "Batch", { items: [{ operation: "MULTIPLY", left: 6, right: 7 }, { operation: "DIVIDE", left: 1 }] });
    assert.equal(reply.results[0].value, 42);
    assert.match(reply.results[1].error, /zero/);
  },
  async server_stream(client) {
    const factors = await collect(client.PrimeFactors({ number: 84 }));
    assert.deepEqual(factors.map((f) => Number(f.factor)), [2, 2, 3, 7]);
  },
  async large_server_stream(client) {
    const replies = await collect(client.Flood({ count: 500, size: 10000 }));
    assert.equal(replies.length, 500);
    assert.ok(replies.every((r, i) => Number(r.index) === i && r.payload.length === 10000));
  },
  async client_stream(client) {
    const reply = await new Promise((resolve, reject) => {
      const call = client.Statistics((error, value) => (error ? reject(error) : resolve(value)));
      for (const value of [1, 2, 3, 4]) call.write({ value });
      call.end();
    });
    assert.deepEqual([Number(reply.count), reply.sum, reply.mean], [4, 10, 2.5]);
  },
  async bidirectional_stream(client) {
    const call = client.RunningTotal();
    const totals = await new Promise((resolve, reject) => {
      const seen = [];
      call.on("data", ({ total }) => {
        seen.push(total);
        if (seen.length < 5) call.write({ value: 10 });
        else call.end();
      });
      call.on("error", reject).on("end", () => resolve(seen));
      call.write({ value: 10 });
    });
    assert.deepEqual(totals, [10, 20, 30, 40, 50]);
  },
  async deadline(client) {
    const started = Date.now();
    const error = await failure(unary(client, "SlowSquareRoot", { value: 4, delay: { seconds: 23 } }, inMs(200)));
    assert.equal(error.code, status.DEADLINE_EXCEEDED);
    assert.ok(Date.now() - started < 1500);
  },
  async cancellation(client) {
    const stream = client.PrimeFactors({ number: 64, delay: { nanos: 100e6 } });
    stream.once("data", () => stream.cancel());
    assert.equal((await failure(collect(stream))).code, status.CANCELLED);
  },
  async error_details(client) {
    const error = await failure(unary(client, "DivNum", { value1: 1 }));
    assert.equal(error.code, status.INVALID_ARGUMENT);
    const [details] = error.metadata.get("grpc-status-details-bin");
    assert.ok(details.includes("type.googleapis.com/google.rpc.BadRequest") && details.includes("value2"));
  },
  async errors_of_streams(client) {
    assert.equal((await failure(collect(client.PrimeFactors({ number: 0 })))).code, status.INVALID_ARGUMENT);
  },
  async unknown_method(client) {
    const error = await failure(new Promise((resolve, reject) =>
      client.makeUnaryRequest("/Calculator/Cube", (x) => x, (x) => x, Buffer.alloc(0), (e, r) => (e ? reject(e) : resolve(r)))));
    assert.equal(error.code, status.UNIMPLEMENTED);
  },
  async gzip(_, target) {
    const client = connect(target, { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip });
    const payload = Buffer.alloc(500_000, "abc");
    assert.deepEqual((await unary(client, "Echo", { payload })).payload, payload);
    client.close();
  },
  async too_large(client) {
    const error = await failure(unary(client, "Echo", { payload: Buffer.alloc(6 << 20) }));
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
  },
  async many_calls_at_once(client) {
    const replies = await Promise.all(Array.from({ length: 200 }, (_, n) => unary(client, "SquareRoot", { value: n * n })));
    assert.ok(replies.every((r, n) => r.value === n));
  },
};

let Calculator;
function connect(target, options = {}) {
  Calculator ??= grpc.loadPackageDefinition(loader.loadSync(process.env.PROTO, {
    keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
    includeDirs: [path.dirname(process.env.PROTO)] })).Calculator;
  return new Calculator(target, grpc.credentials.createInsecure(), options);
}

const target = process.argv[2];
for (const [name, body] of Object.entries(scenarios)) scenarios[name] = (client) => body(client, target);
await run(scenarios, connect);
