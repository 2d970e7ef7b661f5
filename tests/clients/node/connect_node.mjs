// @connectrpc/connect-node, Connect transport over HTTP/1.1.
// Usage: node connect_node.mjs URL [SCENARIO...]; SCHEMA names a descriptor set, CODEC is "proto" or "json", GZIP is "1" to
// compress requests and ask for compressed replies.
import assert from "node:assert/strict";
import { Code, createClient } from "@connectrpc/connect";
import { compressionGzip, createConnectTransport } from "@connectrpc/connect-node";
import { calculator, collect, scenarios } from "./connect_scenarios.mjs";
import { failure, run } from "./scenarios.mjs";

const json = process.env.CODEC === "json";
const gzip = process.env.GZIP === "1";

async function* numbers(...values) {
  for (const value of values) yield { value };
}

await run({
  ...scenarios,
  async media_type(calc) {
    let type;
    await calc.squareRoot({ value: 4 }, { onHeader: (h) => (type = h.get("content-type")) });
    assert.equal(type, json ? "application/json" : "application/proto");
    await collect(calc.primeFactors({ number: 4n }, { onHeader: (h) => (type = h.get("content-type")) }));
    assert.equal(type, json ? "application/connect+json" : "application/connect+proto");
  },
  async calls_by_get({ byGet }) {
    assert.equal((await byGet.addNum({ value1: 1, value2: 2 })).value, 3);
    const error = await failure(byGet.divNum({ value1: 1 }));
    assert.equal(error.code, Code.InvalidArgument);
    assert.equal((await byGet.batch({ items: [] })).results.length, 0); // by POST: it has side effects
  },
  async client_stream(calc) {
    const reply = await calc.statistics(numbers(1, 2, 3, 4));
    assert.deepEqual([reply.count, reply.mean, reply.max], [4n, 2.5, 4]);
    assert.equal((await calc.statistics(numbers())).count, 0n);
  },
  async long_client_stream(calc) {
    assert.equal((await calc.statistics(numbers(...Array.from({ length: 5000 }, (_, i) => i)))).count, 5000n);
  },
  async half_duplex(calc) {
    const replies = await collect(calc.runningTotal(numbers(1, 2, 3)));
    assert.deepEqual(replies.map((r) => r.total), [1, 3, 6]);
  },
  async details_for_people(calc) {
    const error = await failure(calc.divNum({ value1: 1 }));
    assert.ok(JSON.stringify(error.details[0].debug).includes("value2"));
  },
}, (baseUrl) => {
  const options = {
    baseUrl, httpVersion: "1.1", useBinaryFormat: !json, compressMinBytes: 16,
    acceptCompression: gzip ? [compressionGzip] : [], sendCompression: gzip ? compressionGzip : undefined,
  };
  const calc = createClient(calculator(), createConnectTransport(options));
  const byGet = createClient(calculator(), createConnectTransport({ ...options, useHttpGet: true }));
  return Object.assign(calc, { byGet });
});
