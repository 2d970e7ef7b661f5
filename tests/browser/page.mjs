// The page of the gateway in headless Chromium, against the real programs on free ports.
// Run by test_page.py, or: npm install && DRAWBRIDGE=../../build/dev/drawbridge node --test page.mjs
// Environment: DRAWBRIDGE the program (calculator beside it), CHROMIUM the browser, SCREENSHOTS a folder for pictures.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.DRAWBRIDGE ?? fileURLToPath(new URL('../../build/dev/drawbridge', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const START_MS = 20000;

let demo, url, admin, browser;

// Starts `drawbridge demo` on free ports and waits until it says that it serves.
async function startDemo() {
  const child = spawn(PROGRAM, ['demo', '--listen', '127.0.0.1:0', '--calculator-listen', '127.0.0.1:0', '--admin',
    '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let lines = '';
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`demo did not start: ${lines}`)), START_MS);
    child.stderr.on('data', data => {
      lines += data;
      if (lines.includes('Ctrl-C stops both')) { clearTimeout(timer); resolve(); }
    });
    child.on('exit', status => reject(new Error(`demo ended with ${status}: ${lines}`)));
    child.on('error', reject);
  });
  const listening = kind => 'http://' + lines.match(new RegExp(`listening on (\\S+) \\(${kind}\\)`))[1];
  return { child, url: listening('http') + '/', admin: listening('admin') };
}

async function stopDemo({ child }) {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGINT');
    await ended;
  }
  return child.exitCode;
}

before(async () => {
  demo = await startDemo();
  ({ url, admin } = demo);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});

after(async () => {
  await browser?.close();
  if (demo) await stopDemo(demo);
});

// A page that has loaded and made its first two calls; `problems` collects what no visit may cause.
async function openPage(options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems = [], foreign = [];
  page.on('console', message => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', error => problems.push(String(error)));
  page.on('request', request => new URL(request.url()).origin === new URL(url).origin || foreign.push(request.url()));
  await page.goto(url);
  await page.waitForSelector('#json .result');
  await page.waitForSelector('#grpc-web .result');
  return { context, page, problems, foreign };
}

const results = page => Promise.all(['#grpc-web', '#json'].map(id => page.textContent(`${id} .result`)));

async function calculate(page, method, a, b) {
  await page.check(`input[value=${method}]`);
  await page.fill('#a', a);
  if (b !== undefined) await page.fill('#b', b);
  await page.click('button');
  await page.waitForFunction(() => !document.querySelector('button').disabled);
}

test('every method answers the same both ways', async () => {
  const { context, page, problems, foreign } = await openPage();
  assert.deepEqual(await results(page), ['19', '19']);
  const rows = [['AddNum', '0.1', '0.2', '0.3'], ['SubNum', '2', '2.5', '-0.5'], ['MulNum', '-3', '0', '0'],
    ['DivNum', '1', '3', '0.33333334'], ['SquareRoot', '2', undefined, '1.4142135'], ['AddNum', '1e38', '1e30', '1e+38']];
  for (const [method, a, b, expected] of rows) {
    await calculate(page, method, a, b);
    const [web, json] = await results(page);
    assert.equal(Number(web), Number(json), `${method}: ${web} and ${json}`);
    assert.ok(Math.abs(Number(web) - Number(expected)) <= 1e-7 * Math.abs(Number(expected)), `${method}: ${web}, not ${expected}`);
  }
  assert.deepEqual(problems, []);
  assert.deepEqual(foreign, []);
  await context.close();
});

test('the bytes shown are the bytes on the wire', async () => {
  const { context, page } = await openPage();
  const seen = new Map();
  page.on('response', async response => {
    const type = response.request().headers()['content-type'] ?? '';
    if (response.request().method() === 'POST')
      seen.set(type, { sent: response.request().postDataBuffer(), received: response.body() });
  });
  await calculate(page, 'SquareRoot', '16');
  for (const [id, type] of [['#grpc-web', 'application/grpc-web+proto'], ['#json', 'application/json']]) {
    const { sent, received } = seen.get(type);
    const shown = await page.$$eval(`${id} .dump`, lists => lists.map(list =>
      [...list.querySelectorAll('.hex')].map(code => code.textContent).join(' ').split(' ').join('')));
    assert.deepEqual(shown, [sent.toString('hex'), (await received).toString('hex')]);
    const titles = await page.$$eval(`${id} h4`, nodes => nodes.map(node => node.textContent));
    assert.deepEqual(titles, [`Request body: ${sent.length} bytes`, `Reply body: ${(await received).length} bytes`]);
  }
  const table = await page.$$eval('#sizes tbody tr', rows => rows.map(row => [...row.querySelectorAll('td span')].map(s => Number(s.textContent))));
  const lengths = await Promise.all([...seen].map(async ([type, { sent, received }]) => [type, sent.length, (await received).length]));
  const [web, json] = ['application/grpc-web+proto', 'application/json'].map(type => lengths.find(row => row[0] === type));
  assert.deepEqual(table, [[web[1], json[1]], [web[2], json[2]], [web[1] + web[2], json[1] + json[2]]]);
  await context.close();
});

test('a failed call shows the name and the message of its status', async () => {
  const { context, page } = await openPage();
  await calculate(page, 'DivNum', '1', '0');
  const [web, json] = await results(page);
  assert.match(web, /^INVALID_ARGUMENT \(3\): .*zero/);
  assert.match(json, /^INVALID_ARGUMENT \(3\): .*zero.* \(HTTP 400\)$/);
  assert.ok(await page.isVisible('#grpc-web .result.failed'));
  await picture(page, 'failed');
  await context.close();
});

test('what is not a number is refused without a call', async () => {
  const { context, page } = await openPage();
  let posts = 0;
  page.on('request', request => { posts += request.method() === 'POST'; });
  for (const wrong of ['', 'seven', '1e39', 'Infinity']) {
    await page.fill('#a', wrong);
    await page.click('button');
    assert.match(await page.textContent('#problem'), /^a must be a number/);
    assert.equal(await page.getAttribute('#a', 'aria-invalid'), 'true');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'a');
  }
  assert.equal(posts, 0);
  await calculate(page, 'AddNum', '1', '2');
  assert.equal(await page.textContent('#problem'), '');
  assert.deepEqual(await results(page), ['3', '3']);
  await context.close();
});

test('the keyboard is enough', async () => {
  const { context, page } = await openPage();
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement.value), 'MulNum');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('6');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('7');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#json .result').textContent === '42' &&
    document.querySelector('#grpc-web .result').textContent === '42');
  assert.equal(await page.textContent('[role=status]#spoken'), 'gRPC-Web: 42. JSON: 42.');
  await context.close();
});

test('nothing inline runs', async () => {
  const { context, page } = await openPage();
  const response = await page.request.get(url);
  assert.equal(response.headers()['content-security-policy'],
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'");
  const ran = await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }));
    return window.ran === true;
  });
  assert.equal(ran, false);
  const again = await page.request.get(url, { headers: { 'if-none-match': response.headers().etag } });
  assert.equal(again.status(), 304);
  await context.close();
});

async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(process.env.SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}

test('light, dark and narrow', async () => {
  const grounds = [];
  for (const [name, colorScheme, width] of [['light', 'light', 1100], ['dark', 'dark', 1100], ['narrow', 'light', 360], ['narrow-dark', 'dark', 360]]) {
    const { context, page } = await openPage({ colorScheme, viewport: { width, height: 900 } });
    await calculate(page, 'DivNum', '1', '3');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `${name}: wider than the window`);
    grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await picture(page, name);
    await context.close();
  }
  assert.equal(grounds[0], grounds[2]);
  assert.equal(grounds[1], grounds[3]);
  assert.notEqual(grounds[0], grounds[1]);
});

async function openWithServices(about) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route('**/services.json', route => route.fulfill({ json: about }));
  await page.goto(url);
  return { context, page };
}

test('without a calculator it says what is served instead', async () => {
  const method = { path: '/shop.Orders/Get', name: 'Get', input: 'shop.Id', output: 'shop.Order', clientStreaming: false, serverStreaming: true };
  const { context, page } = await openWithServices({ version: '0', upstream: 'shop:1', schema: 'reflection (v1)',
    services: [{ name: 'shop.Orders', methods: [method] }] });
  await page.waitForSelector('#services:not([hidden])');
  assert.equal(await page.isVisible('#form'), false);
  assert.match(await page.textContent('#notice'), /no calculator/);
  await page.click('summary');
  assert.equal(await page.textContent('#service-list li'), 'Get(shop.Id) returns (stream shop.Order)');
  await context.close();

  const waiting = await openWithServices({ version: '0', services: [] });
  await waiting.page.waitForFunction(() => /Trying again/.test(document.getElementById('notice').textContent));
  assert.equal(await waiting.page.isVisible('#form'), false);
  await waiting.context.close();
});

// Stays last: it ends the gateway.
test('nothing is left open, and a gateway that is gone is reported', async () => {
  const { context, page } = await openPage();
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  for (const gauge of ['drawbridge_exchanges_open', 'drawbridge_upstream_calls_open', 'drawbridge_upstream_streams_open', 'drawbridge_buffered_bytes'])
    assert.equal(metrics.match(new RegExp(`^${gauge} (\\S+)$`, 'm'))?.[1], '0', gauge);
  assert.equal(await stopDemo(demo), 0);
  await calculate(page, 'AddNum', '1', '2');
  for (const result of await results(page)) assert.match(result, /^No answer: /);
  await context.close();
});
