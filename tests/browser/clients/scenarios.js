// What every client does, written once against the form that clients/*.js give their libraries:
//   unary(method, request, options) -> reply              stream(method, request, options) -> asynchronous sequence
//   exchange(method, requests, options) -> asynchronous sequence, where the library can stream towards the server
//   options: metadata, timeoutMs, signal, onHeaders, onTrailers
// A scenario is a function of a client and of its arguments that throws when something is wrong.  serve() publishes them to
// the driver as globalThis.run(mode, url, scenario, arguments).
import { bytesToText, CallError } from './calls.js';

const LIMIT_MS = 30_000;
const INVALID_ARGUMENT = 3, DEADLINE_EXCEEDED = 4, RESOURCE_EXHAUSTED = 8, CANCELLED = 1;

function equal(found, wanted, what = 'value') {
  const show = value => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));
  if (show(found) !== show(wanted)) throw new Error(`${what} is ${show(found)}, not ${show(wanted)}`);
}

function ok(condition, what) {
  if (!condition) throw new Error(what);
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
const delay = ms => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 });
const list = async messages => { const all = []; for await (const m of messages) all.push(m); return all; };

/** The CallError that the promise is rejected with. */
async function failure(promise, code) {
  const error = await promise.then(reply => new Error(`succeeded with ${String(reply)}`), reason => reason);
  if (!(error instanceof CallError)) throw error;
  if (code !== undefined) equal(error.code, code, `status (${error.message})`);
  return error;
}

const within = (ms, started, what) =>
  ok(performance.now() - started < ms, `${what} took ${Math.round(performance.now() - started)} ms`);

const pattern = length => new Uint8Array(length).map((_, i) => i * 31);
const sameBytes = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

const held = new Map(); // slot -> the outcome of the call that a hold_* left open there

const scenarios = {
  async unary(client) {
    equal((await client.unary('AddNum', { value1: 1, value2: 2 })).value, 3);
    equal((await client.unary('SquareRoot', { value: 16 })).value, 4);
    equal((await client.unary('AddNum', {})).value, 0, 'reply to a message of no bytes');
    const reply = await client.unary('CombineVectors', { operation: 3, left: [1, 2], right: [3, 4] });
    equal([...reply.result, reply.dotProduct], [3, 8, 11]);
  },
  async error_with_details(client) {
    const error = await failure(client.unary('DivNum', { value1: 1 }), INVALID_ARGUMENT);
    ok(/zero/.test(error.message), error.message);
    ok(/google\.rpc\.BadRequest/.test(error.details) && /value2/.test(error.details), `details: ${error.details}`);
  },
  async server_stream(client) {
    const factors = await list(client.stream('PrimeFactors', { number: 84n }));
    equal(factors.map(f => Number(f.factor)), [2, 2, 3, 7]);
  },
  async error_of_a_stream(client) {
    await failure(list(client.stream('PrimeFactors', { number: 0n })), INVALID_ARGUMENT);
  },
  async large_stream(client) {
    const replies = await list(client.stream('Flood', { count: 400n, size: 7000 }));
    equal(replies.length, 400, 'messages');
    ok(replies.every((r, i) => Number(r.index) === i && r.payload.length === 7000), 'a message is wrong');
  },
  async arrives_as_it_is_sent(client) {
    const started = performance.now(), times = [];
    for await (const _ of client.stream('PrimeFactors', { number: 30n, delay: delay(300) }))
      times.push(performance.now() - started);
    ok(times.length === 3 && times[0] < 590 && times[2] > 850, `messages after ${times.map(Math.round)} ms`);
  },
  async large_messages(client) {
    const payload = pattern(3 << 20);
    ok(sameBytes((await client.unary('Echo', { payload })).payload, payload), 'the payload came back changed');
    for (const length of [4400 << 10, 6 << 20])
      await failure(client.unary('Echo', { payload: new Uint8Array(length) }), RESOURCE_EXHAUSTED);
  },
  async many_at_once(client) {
    const replies = await Promise.all(Array.from({ length: 200 }, (_, n) => client.unary('SquareRoot', { value: n * n })));
    ok(replies.every((r, n) => r.value === n), 'a reply is wrong');
  },
  async deadline(client) {
    const started = performance.now();
    await failure(client.unary('SlowSquareRoot', { value: 4, delay: delay(25_000) }, { timeoutMs: 300 }), DEADLINE_EXCEEDED);
    within(2000, started, 'a deadline of 300 ms');
    equal((await client.unary('SlowSquareRoot', { value: 4, delay: delay(50) }, { timeoutMs: 9000 })).value, 2);
  },
  async deadline_of_a_stream(client) {
    const stream = client.stream('PrimeFactors', { number: 1024n, delay: delay(150) }, { timeoutMs: 400 });
    await failure(list(stream), DEADLINE_EXCEEDED);
  },
  async abort_while_waiting(client) {
    const abort = new AbortController();
    const call = client.unary('SlowSquareRoot', { value: 4, delay: delay(25_000) }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 150);
    await failure(call, CANCELLED);
  },
  async abort_in_a_stream(client) {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 300);
    const stream = client.stream('Flood', { count: 1000n, size: 10, delay: delay(100) }, { signal: abort.signal });
    await failure(list(stream), CANCELLED);
  },

  // Against upstream.py, which does what the metadata says.
  async metadata(client) {
    const base64 = bytes => btoa(bytesToText(bytes)).replace(/=+$/, '');
    const text = 'a, b; c="d" ~!', raw = base64(pattern(70)), name = base64(new TextEncoder().encode('zwölf € 🚪'));
    let headers, trailers;
    const reply = await client.unary('Echo', {}, {
      metadata: { 'x-echo-text': text, 'x-echo-raw-bin': raw, 'x-trail-text': text, 'x-trail-name-bin': name },
      onHeaders: fields => { headers = fields; }, onTrailers: fields => { trailers = fields; },
    });
    const seen = JSON.parse(new TextDecoder().decode(reply.payload));
    equal([seen['x-echo-text'], seen['x-echo-raw-bin'], seen['x-trail-name-bin']], [text, raw, name], 'metadata seen upstream');
    equal([headers['x-echo-text'], headers['x-echo-raw-bin']], [text, raw], 'headers');
    equal([trailers['x-trail-text'], trailers['x-trail-name-bin']], [text, name], 'trailers');
  },
  async every_status(client) {
    const message = 'zwölf € 🚪 100% "done", a;b';
    const encoded = btoa(bytesToText(new TextEncoder().encode(message)));
    for (let code = 1; code <= 16; code++) {
      for (const late of [{}, { 'x-late': '1' }]) {
        const metadata = { 'x-code': String(code), 'x-message-bin': encoded, ...late };
        equal((await failure(client.unary('Echo', {}, { metadata }), code)).message, message, `message of status ${code}`);
      }
    }
  },
  async status_behind_messages(client) {
    const seen = [];
    const error = await failure((async () => {
      const metadata = { 'x-code': '10', 'x-message-bin': btoa('enough'), 'x-count': '3' };
      for await (const { payload } of client.stream('Flood', {}, { metadata })) seen.push(payload.length);
    })(), 10);
    equal([seen, error.message], [[1, 1, 1], 'enough']);
  },

  // Towards the server as well: WebSocket only.
  async client_stream(client) {
    const numbers = async function* () { for (const value of [1, 2, 3, 4]) yield { value }; };
    const [reply] = await list(client.exchange('Statistics', numbers()));
    equal([Number(reply.count), reply.sum, reply.mean], [4, 10, 2.5]);
    const [none] = await list(client.exchange('Statistics', (async function* () {})()));
    equal(Number(none.count), 0, 'count of a stream without messages');
  },
  async long_client_stream(client) {
    const numbers = async function* () { for (let n = 0; n < 5000; n++) yield { value: 1 }; };
    const [reply] = await list(client.exchange('Statistics', numbers()));
    equal([Number(reply.count), reply.sum], [5000, 5000]);
  },
  async dialogue(client) {
    let answered = () => {};
    const totals = [];
    const numbers = async function* () {
      for (let n = 1; n <= 5; n++) {
        const answer = new Promise(resolve => { answered = resolve; });
        yield { value: n };
        await answer; // the next number leaves only when the total of this one is here
      }
    };
    for await (const { total } of client.exchange('RunningTotal', numbers())) { totals.push(total); answered(); }
    equal(totals, [1, 3, 6, 10, 15]);
  },
  async abort_a_dialogue(client) {
    const abort = new AbortController();
    const numbers = async function* () { yield { value: 1 }; await sleep(20_000); };
    await failure((async () => {
      for await (const _ of client.exchange('RunningTotal', numbers(), { signal: abort.signal })) abort.abort();
    })(), CANCELLED);
  },

  // Leaves a call open; outcome() tells how it ended.
  async hold_unary(client, { slot }) {
    const call = client.unary('SlowSquareRoot', { value: 4, delay: delay(40_000) });
    held.set(slot, call.then(() => 1));
    held.get(slot).catch(() => {});
  },
  async hold_stream(client, { slot, metadata = {}, wait = true }) {
    const messages = client.stream('Flood', { count: 100_000n, size: 10, delay: delay(50) }, { metadata });
    await new Promise((first, reject) => {
      const call = (async () => { let n = 0; for await (const _ of messages) { n++; first(); } return n; })();
      held.set(slot, call);
      call.catch(reject);
      if (!wait) first();
    });
  },
  outcome: (_, { slot }) => held.get(slot).then(messages => ({ ok: true, messages }),
    ({ code, message }) => ({ ok: false, code, message })),

  // Calls until one succeeds; how long that took.
  async recover(client, { seconds }) {
    const started = performance.now();
    for (;;) {
      try {
        equal((await client.unary('SquareRoot', { value: 81 })).value, 9);
        return performance.now() - started;
      } catch (error) {
        within(seconds * 1000, started, `recovery (${error.code} ${error.message})`);
        await sleep(50);
      }
    }
  },
  async refused(client) {
    const error = await failure(client.unary('SquareRoot', { value: 81 }));
    return `${error.code} ${error.message}`;
  },
};

/** Publishes the scenarios of a library; `modes` makes a client from a URL for each way in which the library can speak. */
export function serve(modes) {
  globalThis.run = async (mode, url, name, args) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      return { value: await Promise.race([scenarios[name](modes[mode](url), args ?? {}), late]) ?? null };
    } catch (error) {
      return { error: error instanceof CallError ? `status ${error.code}: ${error.message}` : String(error.stack ?? error) };
    } finally {
      clearTimeout(timer);
    }
  };
}
