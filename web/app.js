// The page: calls one method of the calculator twice, as gRPC-Web and as JSON, and shows what went over the wire.
// The gRPC-Web client is written out below (PROTOCOL-WEB.md of gRPC): a few dozen lines, no library.

const STATUS = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS',
  'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED',
  'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'];
const NEEDED = ['AddNum', 'SubNum', 'MulNum', 'DivNum', 'SquareRoot'];
const $ = id => document.getElementById(id);
const utf8 = new TextDecoder();

// --- protobuf: messages whose fields are floats, which is all the calculator's first five methods need.

// Number {float value = 1} or NumberDouble {float value1 = 1; float value2 = 2}.  Zero is the default and not sent.
function encodeFloats(values) {
  const bytes = [];
  values.forEach((value, i) => {
    if (Object.is(Math.fround(value), 0)) return;
    const float = new DataView(new ArrayBuffer(4));
    float.setFloat32(0, value, true);
    bytes.push((i + 1) << 3 | 5, ...new Uint8Array(float.buffer)); // tag: field number and wire type 5 (32 bits)
  });
  return Uint8Array.from(bytes);
}

// The value of field 1 of a Number; other fields would be newer than this page and are passed over.
function decodeNumber(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0, value = 0;
  const varint = () => {
    let result = 0, scale = 1, byte;
    do { byte = view.getUint8(at++); result += (byte & 0x7f) * scale; scale *= 128; } while (byte & 0x80);
    return result;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === 13) { value = view.getFloat32(at, true); at += 4; }
    else if (tag % 8 === 0) varint();
    else if (tag % 8 === 1) at += 8;
    else if (tag % 8 === 2) { const length = varint(); at += length; }
    else if (tag % 8 === 5) at += 4;
    else throw new Error(`field with wire type ${tag % 8}`);
  }
  return shortestFloat(value);
}

// The shortest decimal that is the same 32-bit float, as JSON has it.
function shortestFloat(value) {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

// --- gRPC-Web: frames of flags(1) | length(4, big endian) | payload.  Flag 0x80: the payload is the trailers.

function frame(message) {
  const bytes = new Uint8Array(5 + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

function readFrames(body) {
  const frames = [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  for (let at = 0; at < body.length;) {
    if (body.length - at < 5 || body.length - at - 5 < view.getUint32(at + 1)) throw new Error('the body breaks off');
    const end = at + 5 + view.getUint32(at + 1);
    frames.push({ trailers: (body[at] & 0x80) !== 0, prefix: body.subarray(at, at + 5), payload: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

// "name:value\r\n" lines; grpc-message is percent-encoded.
function readTrailers(bytes) {
  return new Map(utf8.decode(bytes).split('\r\n').filter(Boolean).map(line => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

function percentDecode(text) {
  try { return decodeURIComponent(text ?? ''); } catch { return text; }
}

async function callGrpcWeb(method, values) {
  const message = encodeFloats(values);
  const sent = frame(message);
  const call = await timedPost(`Calculator/${method}`, 'application/grpc-web+proto', sent);
  const request = [
    part(sent.subarray(0, 5), `frame prefix: not compressed, ${message.length} bytes follow`),
    part(message, message.length ? 'the message: ' + describeFloats(values) : 'the message: empty, all fields are 0'),
  ];
  if (!(call.response.headers.get('content-type') ?? '').startsWith('application/grpc-web'))
    return { ...call, request, reply: [part(call.body, utf8.decode(call.body))], failure: `HTTP ${call.response.status}` };
  const frames = readFrames(call.body);
  const trailers = frames.filter(f => f.trailers).map(f => readTrailers(f.payload))[0];
  const reply = frames.flatMap(f => f.trailers
    ? [part(f.prefix, `frame prefix: trailers, ${f.payload.length} bytes follow`), part(f.payload, utf8.decode(f.payload).trim())]
    : [part(f.prefix, `frame prefix: not compressed, ${f.payload.length} bytes follow`),
      part(f.payload, f.payload.length ? 'the message: field 1 = ' + decodeNumber(f.payload) : 'the message: empty, its field is 0')]);
  const get = name => trailers?.get(name) ?? call.response.headers.get(name);
  const code = Number(get('grpc-status') ?? 2);
  if (code !== 0) return { ...call, request, reply, failure: failureText(code, percentDecode(get('grpc-message'))) };
  const data = frames.find(f => !f.trailers);
  return { ...call, request, reply, value: data ? decodeNumber(data.payload) : undefined };
}

// --- JSON: the same method as POST /Service/Method.

async function callJson(method, values) {
  const object = method === 'SquareRoot' ? { value: values[0] } : { value1: values[0], value2: values[1] };
  const sent = new TextEncoder().encode(JSON.stringify(object));
  const call = await timedPost(`Calculator/${method}`, 'application/json', sent);
  const text = utf8.decode(call.body);
  const result = { ...call, request: [part(sent, utf8.decode(sent))], reply: [part(call.body, text)] };
  let json;
  try { json = JSON.parse(text); } catch { return { ...result, failure: `HTTP ${call.response.status}: ${text}` }; }
  if (!call.response.ok) return { ...result, failure: `${failureText(json.code, json.message)} (HTTP ${call.response.status})` };
  return { ...result, value: json.value ?? 0 };
}

// --- what both share

const part = (bytes, text) => ({ bytes, text });
const describeFloats = values => values.map((v, i) => `field ${i + 1} = ${v}`).filter((_, i) => Math.fround(values[i]) !== 0).join(', ');
const failureText = (code, message) => `${STATUS[code] ?? 'UNKNOWN'} (${code})${message ? ': ' + message : ''}`;

async function timedPost(url, type, body) {
  const start = performance.now();
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body, cache: 'no-store' });
  const received = new Uint8Array(await response.arrayBuffer());
  return { response, body: received, ms: performance.now() - start, sentLength: body.length };
}

const ways = {
  'grpc-web': { title: 'gRPC-Web', type: 'application/grpc-web+proto', call: callGrpcWeb, times: [] },
  json: { title: 'JSON', type: 'application/json', call: callJson, times: [] },
};

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function median(numbers) {
  const sorted = [...numbers].sort((x, y) => x - y);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const hex = bytes => [...bytes].map(b => b.toString(16).padStart(2, '0')).join(' ');
const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

function dump(title, parts) {
  const total = parts.reduce((sum, p) => sum + p.bytes.length, 0);
  const rows = parts.filter(p => p.bytes.length).map(p =>
    element('li', {}, element('code', { className: 'hex', textContent: hex(p.bytes) }), element('span', { textContent: p.text })));
  return [element('h4', { textContent: `${title}: ${plural(total, 'byte')}` }), element('ol', { className: 'dump' }, ...rows)];
}

function showWay(id, method, result) {
  const way = ways[id];
  const times = way.times.length > 1 ? `, median of ${way.times.length}: ${median(way.times).toFixed(1)} ms` : '';
  $(id).replaceChildren(
    element('h3', { textContent: way.title }),
    element('p', { className: 'route' }, element('code', { textContent: `POST /Calculator/${method}` }), element('br'),
      element('code', { textContent: `content-type: ${way.type}` })),
    element('p', { className: result.failure ? 'result failed' : 'result', textContent: result.failure ?? String(result.value) }),
    element('p', { className: 'time', textContent: result.ms === undefined ? '' : `${result.ms.toFixed(1)} ms${times}` }),
    ...(result.request ? [...dump('Request body', result.request), ...dump('Reply body', result.reply)] : []));
}

function showSizes(results) {
  const [web, json] = ['grpc-web', 'json'].map(id => results[id]);
  $('sizes').hidden = !(web.request && json.request);
  if ($('sizes').hidden) return;
  const rows = [['Request', r => r.sentLength], ['Reply', r => r.body.length], ['Both', r => r.sentLength + r.body.length]];
  const largest = Math.max(...[web, json].map(rows[2][1]));
  const cell = n => element('td', {}, element('span', { textContent: n }), element('meter', { min: 0, max: largest, value: n, ariaLabel: `${n} bytes` }));
  $('sizes').tBodies[0].replaceChildren(...rows.map(([name, of]) =>
    element('tr', {}, element('th', { scope: 'row', textContent: name }), cell(of(web)), cell(of(json)))));
}

let calls = 0;

// A warm-up, which pays for the connection, stays out of the medians.
async function callBothWays(method, values, warmUp = false) {
  const order = calls++ % 2 === 0 ? ['grpc-web', 'json'] : ['json', 'grpc-web'];
  const results = {};
  for (const id of order) {
    try {
      results[id] = await ways[id].call(method, values);
      if (!warmUp) ways[id].times.push(results[id].ms);
    } catch (error) {
      results[id] = { failure: `No answer: ${error.message}` };
    }
    showWay(id, method, results[id]);
  }
  showSizes(results);
  $('spoken').textContent = Object.keys(ways).map(id => `${ways[id].title}: ${results[id].failure ?? results[id].value}.`).join(' ');
  const hop = performance.getEntriesByType('resource').findLast(e => e.name.includes('/Calculator/'))?.nextHopProtocol;
  if (hop) $('first-hop').textContent = hop === 'h2' ? 'HTTP/2' : hop.toUpperCase();
  performance.clearResourceTimings();
}

const chosenMethod = () => $('form').elements.method.value;

function readNumbers() {
  const names = chosenMethod() === 'SquareRoot' ? ['a'] : ['a', 'b'];
  for (const name of names) {
    const text = $(name).value.trim();
    const wrong = text === '' || !Number.isFinite(Math.fround(Number(text)));
    $(name).setAttribute('aria-invalid', wrong);
    if (wrong) {
      $(name).focus();
      throw new Error(`${name} must be a number that fits into 32 bits, such as 16, -2.5 or 1e6.`);
    }
  }
  return names.map(name => Number($(name).value));
}

async function onSubmit(event) {
  event.preventDefault();
  $('problem').textContent = '';
  let values;
  try { values = readNumbers(); } catch (error) { $('problem').textContent = error.message; return; }
  const button = event.target.querySelector('button');
  button.disabled = true;
  await callBothWays(chosenMethod(), values);
  button.disabled = false;
}

function showServices(about) {
  const signature = m => element('li', {}, element('code', {
    textContent: `${m.name}(${m.clientStreaming ? 'stream ' : ''}${m.input}) returns (${m.serverStreaming ? 'stream ' : ''}${m.output})` }));
  $('service-list').replaceChildren(...about.services.map(service => element('details', {},
    element('summary', {}, element('code', { textContent: service.name }), ` ${plural(service.methods.length, 'method')}`),
    element('ul', {}, ...service.methods.map(signature)))));
  const unary = about.services.filter(s => !s.name.startsWith('grpc.')).flatMap(s => s.methods)
    .find(m => !m.clientStreaming && !m.serverStreaming);
  $('schema').textContent = `Learned by ${about.schema}.`;
  if (unary)
    $('schema').append(' By JSON, for example: ', element('code', {
      textContent: `curl -H 'content-type: application/json' -d '{}' ${location.origin}${unary.path}` }));
  $('services').hidden = false;
}

async function start() {
  const about = await (await fetch('services.json')).json();
  $('version').textContent = `drawbridge ${about.version}`;
  if (about.upstream) $('upstream').textContent = about.upstream;
  if (!about.schema) {
    $('notice').textContent = 'The gateway does not know the services of its server yet: the server is down, or reflection is off. Trying again …';
    setTimeout(() => start().catch(failStart), 2000);
    return;
  }
  const calculator = about.services.find(s => s.name === 'Calculator');
  const complete = calculator && NEEDED.every(name => calculator.methods.some(m => m.name === name));
  $('notice').hidden = complete;
  $('notice').textContent = 'This gateway serves no calculator, so there is no form here; what it does serve is below.';
  $('calculator').hidden = !complete;
  showServices(about);
  if (complete) await callBothWays('AddNum', [16, 3], true);
}

function failStart(error) {
  $('notice').hidden = false;
  $('notice').textContent = `The gateway does not answer: ${error.message}. Reload the page to try again.`;
}

$('form').addEventListener('submit', onSubmit);
$('operations').addEventListener('change', () => { $('b-label').hidden = chosenMethod() === 'SquareRoot'; });
start().catch(failStart);
