// npm nice-grpc-web with its WebSocket transport against the gateway: all four kinds of calls as asynchronous iterables.
// Usage: node nice_websocket.mjs URL [SCENARIO...]; PROTO names calculator.proto.
import assert from "node:assert/strict";
import { ClientError, Metadata, Status, WebsocketTransport, createChannel, createClient } from "nice-grpc-web";
import { calculatorService, decode, encode } from "./messages.mjs";
import { failure, run } from "./scenarios.mjs";

function definition() {
  const methods = Object.values(calculatorService().methods).map((method) => [
    method.name[0].toLowerCase() + method.name.slice(1),
    {
      path: `/Calculator/${method.name}`,
      requestStream: Boolean(method.requestStream),
      responseStream: Boolean(method.responseStream),
      requestSerialize: (message) => encode(method.resolvedRequestType, message),
      requestDeserialize: (bytes) => decode(method.resolvedRequestType, bytes),
      responseSerialize: (message) => encode(method.resolvedResponseType, message),
      responseDeserialize: (bytes) => decode(method.resolvedResponseType, bytes),
      options: {},
    },
  ]);
  return Object.fromEntries(methods);
}

async function* numbers(...values) {
  for (const value of values) yield { value };
}

await run({
  async unary(calc) {
    assert.equal((await calc.squareRoot({ value: 16 })).value, 4);
  },
  async metadata_and_trailers(calc) {
    let header;
    await calc.squareRoot({ value: 16 }, {
      metadata: new Metadata({ "x-test": "yes" }),
      onHeader: (fields) => { header = fields; },
    });
    assert.equal(header.get("content-type"), "application/grpc-web+proto");
  },
  async server_stream(calc) {
    const factors = [];
    for await (const reply of calc.primeFactors({ number: 84 })) factors.push(reply.factor);
    assert.deepEqual(factors, [2, 2, 3, 7]);
  },
  async client_stream(calc) {
    const reply = await calc.statistics(numbers(...Array.from({ length: 100 }, (_, i) => i + 1)));
    assert.equal(reply.count, 100);
    assert.equal(reply.mean, 50.5);
  },
  async full_duplex(calc) {
    let resume;
    const answered = () => new Promise((resolve) => { resume = resolve; });
    async function* requests() {
      for (let value = 1; value <= 10; value++) {
        const next = answered();
        yield { value };
        await next;
      }
    }
    const totals = [];
    for await (const reply of calc.runningTotal(requests())) {
      totals.push(reply.total);
      resume();
    }
    assert.deepEqual(totals, [1, 3, 6, 10, 15, 21, 28, 36, 45, 55]);
  },
  async error(calc) {
    const error = await failure(calc.divNum({ value1: 1, value2: 0 }));
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, Status.INVALID_ARGUMENT);
  },
  async abort_cancels(calc) {
    const abort = new AbortController();
    const seen = [];
    const error = await failure((async () => {
      for await (const reply of calc.primeFactors({ number: 84, delay: { nanos: 300000000 } }, { signal: abort.signal })) {
        seen.push(reply);
        abort.abort();
      }
    })());
    assert.equal(error.name, "AbortError");
    assert.equal(seen.length, 1);
  },
}, (url) => createClient(definition(), createChannel(url, WebsocketTransport())));
