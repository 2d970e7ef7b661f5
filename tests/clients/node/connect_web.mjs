// @connectrpc/connect-web, gRPC-Web transport, on the fetch of Node.js.
// Usage: node connect_web.mjs URL [SCENARIO...]; SCHEMA names a descriptor set.
import assert from "node:assert/strict";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { calculator, scenarios } from "./connect_scenarios.mjs";
import { run, Skip } from "./scenarios.mjs";

await run({
  ...scenarios,
  async headers_and_trailers(calc) {
    let headers, trailers;
    await calc.squareRoot({ value: 4 }, { onHeader: (h) => (headers = h), onTrailer: (t) => (trailers = t) });
    assert.match(headers.get("content-type"), /^application\/grpc-web/);
    assert.ok(trailers);
  },
  async abort_while_waiting(calc) {
    if (parseInt(process.versions.node) < 20) throw new Skip("fetch of Node.js 18 ignores an abort before the response");
    await scenarios.abort_while_waiting(calc);
  },
}, (baseUrl) => createClient(calculator(), createGrpcWebTransport({ baseUrl })));
