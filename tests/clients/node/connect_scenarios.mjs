// What the clients of the Connect project do, whatever their transport: scenarios of a client of the Calculator.
import assert from "node:assert/strict";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { descriptorSet, failure, sleep } from "./scenarios.mjs";

export const calculator = () =>
  createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet())).getService("Calculator");

export async function collect(stream) {
  const messages = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

const seconds = (n) => ({ seconds: BigInt(n) });
const ms = (n) => ({ nanos: n * 1e6 });

export const scenarios = {
  async unary(calc) {
    assert.equal((await calc.addNum({ value1: 1, value2: 2 })).value, 3);
    assert.equal((await calc.squareRoot({ value: 16 })).value, 4);
    const reply = await calc.combineVectors({ operation: 3, left: [1, 2], right: [3, 4] });
    assert.deepEqual([...reply.result, reply.dotProduct], [3, 8, 11]);
  },
  async batch_and_pages(calc) {
    const { results } = await calc.batch({ items: [{ operation: 1, left: 1, right: 2 }, { operation: 4, left: 1 }] });
    assert.deepEqual(results[0].outcome, { case: "value", value: 3 });
    assert.equal(results[1].outcome.case, "error");
    const page = await calc.listHistory({ pageSize: 3 });
    assert.equal(page.records.length, 3);
    assert.ok(page.records[0].time.seconds > 0n && page.nextPageToken);
  },
  async server_stream(calc) {
    const factors = await collect(calc.primeFactors({ number: 84n }));
    assert.deepEqual(factors.map((f) => f.factor), [2n, 2n, 3n, 7n]);
  },
  async messages_arrive_as_they_are_sent(calc) {
    const times = [];
    for await (const _ of calc.primeFactors({ number: 30n, delay: ms(250) })) times.push(Date.now());
    assert.equal(times.length, 3);
    assert.ok(times[2] - times[0] > 300, `all messages within ${times[2] - times[0]} ms`); // held back, they would come together
  },
  async large_server_stream(calc) {
    const replies = await collect(calc.flood({ count: 1000n, size: 20000 }));
    assert.equal(replies.length, 1000);
    assert.ok(replies.every((r, i) => r.index === BigInt(i) && r.payload.length === 20000));
  },
  async slow_reader(calc) {
    let count = 0;
    for await (const _ of calc.flood({ count: 400n, size: 20000 })) if (count++ % 40 === 0) await sleep(20);
    assert.equal(count, 400);
  },
  async error_with_details(calc) {
    const error = await failure(calc.divNum({ value1: 1 }));
    assert.equal(error.code, Code.InvalidArgument);
    assert.match(error.rawMessage, /zero/);
    assert.equal(error.details[0].type, "google.rpc.BadRequest");
    assert.ok(Buffer.from(error.details[0].value).includes("value2"));
  },
  async error_of_a_stream(calc) {
    assert.equal((await failure(collect(calc.primeFactors({ number: 0n })))).code, Code.InvalidArgument);
  },
  async deadline(calc) {
    const started = Date.now();
    const error = await failure(calc.slowSquareRoot({ value: 4, delay: seconds(27) }, { timeoutMs: 300 }));
    assert.equal(error.code, Code.DeadlineExceeded);
    assert.ok(Date.now() - started < 2000);
    assert.equal((await calc.slowSquareRoot({ value: 4, delay: ms(50) }, { timeoutMs: 5000 })).value, 2);
  },
  async deadline_of_a_stream(calc) {
    const error = await failure(collect(calc.primeFactors({ number: 1024n, delay: ms(150) }, { timeoutMs: 400 })));
    assert.equal(error.code, Code.DeadlineExceeded);
  },
  async abort_while_waiting(calc) {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 150);
    const error = await failure(calc.slowSquareRoot({ value: 4, delay: seconds(28) }, { signal: abort.signal }));
    assert.equal(error.code, Code.Canceled);
  },
  async abort_in_a_stream(calc) {
    const abort = new AbortController();
    const error = await failure((async () => {
      for await (const _ of calc.primeFactors({ number: 1024n, delay: ms(100) }, { signal: abort.signal })) abort.abort();
    })());
    assert.equal(error.code, Code.Canceled);
  },
  async leave_a_stream(calc) {
    for await (const _ of calc.flood({ count: 1000000n, size: 1000 })) break;
  },
  async large_messages(calc) {
    const payload = new Uint8Array(3 << 20).map((_, i) => i * 31);
    const reply = await calc.echo({ payload });
    assert.ok(Buffer.from(payload).equals(reply.payload));
    const error = await failure(calc.echo({ payload: new Uint8Array(4400 << 10) }));
    assert.equal(error.code, Code.ResourceExhausted);
  },
  async many_calls_at_once(calc) {
    const replies = await Promise.all(Array.from({ length: 100 }, (_, n) => calc.squareRoot({ value: n * n })));
    assert.ok(replies.every((r, n) => r.value === n));
  },
};
