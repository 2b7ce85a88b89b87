// Drives Chromium: node browser.js CHROMIUM PROFILE SCENARIO ADMIN-URL WS-URL [ARGUMENT]
'use strict';

const assert = require('node:assert/strict');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const [executablePath, profile, scenario, admin, ws, argument] = process.argv.slice(2);
const step = (text) => console.log(text);
const input = readline.createInterface({ input: process.stdin });

const scenarios = {
  async page(page) {
    await page.goto(admin + '/');
    await page.waitForSelector('html[data-state=live]');
    step('live');
    const messages = () => page.evaluate(() => Number(document.documentElement.dataset.messages));
    const before = await messages();
    await page.waitForFunction((n) => Number(document.documentElement.dataset.messages) > n + 200, before);
    step('messages grow');
    const prices = () => page.$$eval('#tickers .value', (all) => all.map((e) => e.textContent));
    const first = await prices();
    assert.ok(first.length >= 100, `${first.length} tickers`);
    await page.waitForFunction((old) => {
      const now = [...document.querySelectorAll('#tickers .value')];
      return now.filter((e, i) => e.textContent !== old[i]).length > 50;
    }, first);
    step('prices change');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.gaps), '0');
    step('no gaps');
    await page.screenshot({ path: argument });
  },

  async restart(page) {
    await page.goto(admin + '/');
    await page.waitForSelector('html[data-state=live]');
    step('live');
    await new Promise((resolve) => input.once('line', resolve));
    const before = await page.evaluate(() => Number(document.documentElement.dataset.messages));
    await page.waitForFunction((n) => document.documentElement.dataset.state === 'live' &&
      Number(document.documentElement.dataset.messages) > n, before);
    step('live again');
  },

  async websocket(page) {
    page.on('console', (m) => { if (m.type() === 'info') step(m.text()); });
    await page.goto(admin + '/');
    await page.evaluate(async (server) => {
      const open = (path) => new Promise((resolve, reject) => {
        const socket = new WebSocket(server + path);
        socket.binaryType = 'arraybuffer';
        const frames = [];
        let wake = () => {};
        socket.onmessage = (event) => { frames.push(event.data); wake(); };
        socket.next = async () => {
          while (frames.length === 0) await new Promise((r) => { wake = r; });
          return frames.shift();
        };
        socket.onopen = () => resolve(socket);
        socket.onerror = () => reject(new Error('refused'));
      });
      const same = (a, b) => { if (a !== b) throw new Error(`got ${a}, want ${b}`); };

      const feed = await open('/ws');
      feed.send(JSON.stringify({ op: 'subscribe', id: 1, topics: ['ticker/BTC-USD'] }));
      same(JSON.parse(await feed.next()).op, 'ok');
      console.info('subscribed');
      same(JSON.parse(await feed.next()).topic, 'ticker/BTC-USD');
      console.info('message');
      feed.close(1000);

      const echo = await open('/echo');
      echo.send('grüße ☕');
      same(await echo.next(), 'grüße ☕');
      console.info('echoed text');
      echo.send(new Uint8Array([0, 1, 254, 255]));
      same([...new Uint8Array(await echo.next())].join(), '0,1,254,255');
      console.info('echoed bytes');
      const varied = Array.from({ length: 200_000 }, (_, i) => i * 7919).join(' ');
      for (const megabyte of ['x'.repeat(1 << 20), varied.slice(0, 1 << 20)]) { // one compresses a thousand times, one as texts do
        echo.send(megabyte);
        same(await echo.next() === megabyte, true);
      }
      console.info('echoed a megabyte');

      const raw = await open('/raw/chat/browser?echo=1');
      raw.send('{"a":  1}');
      same(await raw.next(), '{"a":  1}');
      console.info('published raw');

      echo.close(1000, 'bye');
      const { code, wasClean } = await new Promise((r) => { echo.onclose = r; });
      same(wasClean, true);
      console.info('closed ' + code);

      await open('/nowhere').then(() => { throw new Error('/nowhere opened'); }, () => console.info('refused'));
    }, ws);
  },

  async deflate(page) {
    // What the server answered, as the developer tools see it.
    const handshakes = [];
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => handshakes.push(response.headersText ?? ''));
    await page.goto(admin + '/');
    const extensions = await page.evaluate(async (server) => {
      const open = (path) => new Promise((resolve, reject) => {
        const socket = new WebSocket(server + path);
        const frames = [];
        let wake = () => {};
        socket.onmessage = (event) => { frames.push(event.data); wake(); };
        socket.next = async () => {
          while (frames.length === 0) await new Promise((r) => { wake = r; });
          return frames.shift();
        };
        socket.onopen = () => resolve(socket);
        socket.onerror = () => reject(new Error('refused'));
      });
      const same = (a, b) => { if (a !== b) throw new Error(`got ${a.length} characters, want ${b.length}`); };
      const quotes = (n) => JSON.stringify(Array.from({ length: n }, (_, i) => ({ symbol: `SYM-${i}`, bid: i * 1.0371 })));

      const feed = await open('/ws?topics=browser/deflate');
      for (let n = 10; n < 30; n++) {
        feed.send(`{"op":"publish","topic":"browser/deflate","data":${quotes(n * n)}}`);
        same((await feed.next()).replace(/^.*?"data":/, ''), quotes(n * n) + '}');
      }
      const echo = await open('/echo');
      for (const n of [1, 100, 20_000]) {
        echo.send(quotes(n));
        same(await echo.next(), quotes(n));
      }
      return [feed.extensions, echo.extensions];
    }, ws);
    for (const text of extensions) assert.match(text, /^permessage-deflate/);
    assert.ok(handshakes.length >= 2);
    for (const text of handshakes) assert.match(text, /Sec-WebSocket-Extensions: permessage-deflate/);
  },

  async chat(page) {
    await page.exposeFunction('said', step);
    await page.goto(argument);
    await page.waitForSelector('html[data-state=open]');
    await page.evaluate(() => {
      new MutationObserver((changes) => {
        for (const c of changes) for (const n of c.addedNodes) window.said(n.textContent);
      }).observe(document.getElementById('log'), { childList: true });
    });
    step('open');
    for await (const line of input) {
      await page.fill('#text', line);
      await page.press('#text', 'Enter');
    }
    assert.equal(await page.locator('#log b').count(), 0, 'a message became markup');
  },
};

(async () => {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(50000);
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  try {
    await scenarios[scenario](page);
    assert.deepEqual(faults, []);
    step('ok');
  } finally {
    await context.close();
    input.close();
  }
})().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
