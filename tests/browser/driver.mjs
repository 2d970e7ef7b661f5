// Chromium on behalf of test_clients.py: bundles the clients, serves them as pages of http://page.test, which is another
// site than the gateway's http://api.test and no loopback name, and runs in them what it is told to.
// Usage: node driver.mjs GENERATED, a folder of generated code.  One JSON object per line on standard input, one answer
// {id, value} or {id, error} per line on standard output; the first line tells the origin of the pages.
import { createServer } from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const GENERATED = path.resolve(process.argv[2]);
const CLIENTS = ['grpc_web', 'connect_web', 'improbable', 'nice_grpc', 'protobuf_ts'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-background-timer-throttling',
  '--host-resolver-rules=MAP *.test 127.0.0.1'];
const SNIPPET_MS = 20_000;

const scripts = new Map(); // name -> JavaScript

async function bundle(options) {
  const { outputFiles } = await build({
    bundle: true, format: 'esm', target: 'es2022', write: false, logLevel: 'silent', outdir: '/',
    alias: { gen: GENERATED }, nodePaths: [path.join(HERE, 'node_modules')], ...options,
  });
  return outputFiles;
}

function answer(request, response) {
  const name = path.basename(request.url).split('.')[0];
  const script = request.url.endsWith('.js');
  response.writeHead(scripts.has(name) ? 200 : 404, { 'content-type': script ? 'text/javascript' : 'text/html' });
  const page = `<!doctype html><title>${name}</title><script type="module" src="/${name}.js"></script>`;
  response.end(script ? scripts.get(name) : page);
}

const pages = [];
let browser, port;

// A page in a context of its own, because the pages of one context share six connections to a host.
async function visit(host, name) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', error => page.problems.push(String(error.stack ?? error)));
  await page.goto(`http://${host}:${port}/${name}.html`);
  return page;
}

const commands = {
  async open({ client, host = 'page.test' }) {
    const page = await visit(host, client);
    await page.waitForFunction('globalThis.run');
    return pages.push(page) - 1;
  },
  async run({ page, mode, url, scenario, args }) {
    const { value, error } = await pages[page].evaluate(all => globalThis.run(...all), [mode, url, scenario, args]);
    if (error) throw new Error([error, ...pages[page].problems.splice(0)].join('; '));
    return value;
  },
  close: async ({ page }) => { await pages[page].close(); await pages[page].context().close(); },
  // Runs a program as a page and returns the lines that it gives to console.log.
  async snippet({ source, folder }) {
    const contents = `${source}\nglobalThis.finished = true;`;
    const [{ text }] = await bundle({ stdin: { contents, resolveDir: folder, loader: 'ts' } });
    scripts.set('snippet', text);
    const context = await browser.newContext();
    const page = await context.newPage();
    const failed = new Promise(resolve => page.on('pageerror', resolve));
    await page.addInitScript(() => {
      globalThis.lines = [];
      const text = value => (value === Object(value) ? JSON.stringify(value) : String(value));
      console.log = (...values) => { globalThis.lines.push(values.map(text).join(' ')); };
    });
    await page.goto(`http://page.test:${port}/snippet.html`);
    const finished = page.waitForFunction('globalThis.finished', null, { timeout: SNIPPET_MS }).then(() => null, error => error);
    const error = await Promise.race([finished, failed]);
    const lines = await page.evaluate('globalThis.lines');
    await context.close();
    if (error) throw error;
    return lines;
  },
};

async function obey(line) {
  const { id, command, ...rest } = JSON.parse(line);
  const result = await commands[command](rest)
    .then(value => ({ value: value ?? null }), error => ({ error: String(error.message ?? error) }));
  console.log(JSON.stringify({ id, ...result }));
}

for (const { path: file, text } of await bundle({ entryPoints: CLIENTS.map(name => path.join(HERE, 'clients', name + '.js')) }))
  scripts.set(path.basename(file, '.js'), text);
const server = createServer(answer).listen(0, '127.0.0.1');
await new Promise(resolve => server.once('listening', resolve));
({ port } = server.address());
browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
console.log(JSON.stringify({ origin: `http://page.test:${port}` }));
const input = createInterface({ input: process.stdin });
input.on('line', obey);
input.on('close', async () => { await browser.close(); process.exit(0); });
