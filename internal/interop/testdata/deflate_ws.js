// npm ws with permessage-deflate, in each way that it can be offered: node deflate_ws.js on|off, as the server has it.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const WebSocket = require('ws');

const server = process.env.MEGAWIRE_URL;
const enabled = process.argv[2] === 'on';

async function compressed() {
  const text = await (await fetch(process.env.MEGAWIRE_ADMIN + '/metrics')).text();
  return Number(/^megawire_deflated_messages_total (\S+)$/m.exec(text)[1]);
}

async function open(path, perMessageDeflate) {
  const ws = new WebSocket(server + path, { perMessageDeflate });
  const frames = [];
  let wake = () => {};
  ws.on('message', (data, binary) => { frames.push(binary ? data : data.toString()); wake(); });
  ws.closed = new Promise((resolve) => ws.on('close', (code, reason) => resolve([code, reason.toString()])));
  ws.next = async () => {
    while (frames.length === 0) await new Promise((resolve) => { wake = resolve; });
    return frames.shift();
  };
  await once(ws, 'open');
  return ws;
}

const quotes = (n) => Array.from({ length: n }, (_, i) => ({ symbol: `SYM-${i}`, bid: i * 1.0371, note: 'größer ☕' }));

// What is offered, and whether it can be agreed on.
const offers = [
  ['by default', true, true],
  ['compressing everything', { threshold: 0 }, true],
  ['without takeover either way', { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }, true],
  ['a window of 12 bits for the server', { serverMaxWindowBits: 12, threshold: 0 }, true],
  ['a window of 15 bits for the server', { serverMaxWindowBits: 15 }, true],
  ['a window of 10 bits for the server, which it does not have', { serverMaxWindowBits: 10, threshold: 0 }, false],
  ['a window of 9 bits for the client', { clientMaxWindowBits: 9, threshold: 0 }, true],
  ['not', false, false],
];

async function talk(name, offer, agreed, topic) {
  const reader = await open(`/ws?topics=${topic}`, offer);
  const publisher = await open('/ws', offer);
  for (const ws of [reader, publisher]) assert.equal(ws.extensions, agreed ? 'permessage-deflate' : '', name);
  const before = await compressed();
  const sizes = [0, 1, 2, 20, 200, 2000];
  for (const n of sizes) {
    const data = JSON.stringify(quotes(n));
    publisher.send(`{"op":"publish","id":${n},"topic":"${topic}","data":${data}}`);
    assert.equal(JSON.parse(await publisher.next()).op, 'ok');
    assert.ok((await reader.next()).endsWith(`"data":${data}}`), `${name}: ${n}`);
  }
  assert.equal(await compressed() - before, agreed ? 3 : 0, name);

  const echo = await open('/echo', offer);
  for (const size of [0, 1, 255, 256, 65535, 65536, 500_000]) {
    const text = JSON.stringify(quotes(size / 20)).slice(0, size);
    echo.send(text);
    assert.equal(await echo.next(), text);
    echo.send(Buffer.from(text));
    assert.ok(Buffer.from(text).equals(await echo.next()));
  }
  echo.send('frag'.repeat(300), { fin: false });
  echo.ping('between');
  echo.send('mented', { fin: true });
  assert.equal(await echo.next(), 'frag'.repeat(300) + 'mented');
  for (const ws of [reader, publisher, echo]) {
    ws.close(1000);
    assert.equal((await ws.closed)[0], 1000);
  }
}

(async () => {
  for (const [i, [name, offer, possible]] of offers.entries()) {
    console.log(name);
    await talk(name, offer, possible && enabled, `node/deflate/${i}`);
  }
  console.log('ok');
})().catch((error) => { console.error(error); process.exit(1); });
