// npm ws: each endpoint, pings, close codes, many clients, refusals.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const WebSocket = require('ws');

const server = process.env.MEGAWIRE_URL;

// open connects and collects what comes, so that nothing is missed between awaits.
async function open(path, ...more) {
  const ws = new WebSocket(server + path, ...more);
  const frames = [];
  let wake = () => {};
  ws.on('message', (data, binary) => { frames.push(binary ? data : data.toString()); wake(); });
  ws.closed = new Promise((resolve) => ws.on('close', (code, reason) => resolve([code, reason.toString()])));
  ws.next = async () => {
    while (frames.length === 0) await new Promise((resolve) => { wake = resolve; });
    return frames.shift();
  };
  ws.ask = async (request) => { ws.send(JSON.stringify(request)); return JSON.parse(await ws.next()); };
  await once(ws, 'open');
  return ws;
}

// A megabyte that compresses as texts do; one of the same letter compresses a thousand times.
const numbers = Array.from({ length: 200_000 }, (_, i) => i * 7919).join(' ').slice(0, 1 << 20);

async function echo() {
  const ws = await open('/echo');
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    for (const text of [numbers.slice(0, size), 'x'.repeat(size)]) {
      ws.send(text);
      assert.equal(await ws.next(), text);
    }
    const bytes = Buffer.alloc(size, 'megawire');
    ws.send(bytes);
    assert.ok(bytes.equals(await ws.next()));
  }
  ws.send('frag', { fin: false });
  ws.send('mented', { fin: true });
  assert.equal(await ws.next(), 'fragmented');
  ws.ping('hello');
  assert.equal(String((await once(ws, 'pong'))[0]), 'hello');
  ws.close(1000, 'bye');
  assert.equal((await ws.closed)[0], 1000);
}

async function multiplexed() {
  const ws = await open('/ws', ['megawire.v1']);
  assert.equal(ws.protocol, 'megawire.v1');
  const ack = await ws.ask({ op: 'subscribe', id: 'a', topics: ['node/a', 'node/+'] });
  assert.equal(ack.id, 'a');
  assert.equal(ack.topics.length, 2);
  assert.equal(ack.topics[0].seq, 0);
  ws.send('{"op":"publish","topic":"node/a","bin":"AAH/"}');
  const message = JSON.parse(await ws.next());
  assert.deepEqual([message.topic, message.seq, message.bin], ['node/a', 1, 'AAH/']);
  assert.equal((await ws.ask({ op: 'unsubscribe', id: 2, topics: ['node/a', 'never/there'] })).topics.length, 2);
  ws.close();
  await ws.closed;
}

async function manyClients() {
  const readers = await Promise.all(Array.from({ length: 100 }, () => open('/ws?topics=node/many')));
  const publisher = await open('/raw/node/many');
  for (let n = 0; n < 200; n++) publisher.send(JSON.stringify({ n }));
  await Promise.all(readers.map(async (ws) => {
    for (let n = 0; n < 200; n++) assert.equal(JSON.parse(await ws.next()).data.n, n);
    ws.close();
    await ws.closed;
  }));
  publisher.close();
  await publisher.closed;
}

async function refused() {
  for (const [path, status] of [['/nowhere', 404], ['/raw/a/%23', 400], ['/ws?topics=ok,bad/', 400]]) {
    const ws = new WebSocket(server + path);
    const got = await new Promise((resolve) => {
      ws.on('unexpected-response', (_request, response) => { resolve(response.statusCode); response.destroy(); });
      ws.on('open', () => { resolve(101); ws.terminate(); });
      ws.on('error', (error) => resolve(error.message));
    });
    assert.equal(got, status, path);
  }
}

async function badCloseCode() {
  const ws = await open('/echo');
  ws._socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed])); // 1005 must not be sent (RFC 6455 §7.4.1)
  assert.equal((await ws.closed)[0], 1002);
}

async function badUTF8() {
  const ws = await open('/echo');
  ws._socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]));
  assert.equal((await ws.closed)[0], 1007);
}

async function unmasked() {
  const ws = await open('/echo');
  ws._socket.write(Buffer.from([0x81, 0x01, 0x78]));
  assert.equal((await ws.closed)[0], 1002);
}

(async () => {
  for (const step of [echo, multiplexed, manyClients, refused, badCloseCode, badUTF8, unmasked]) {
    console.log(step.name);
    await step();
  }
  console.log('ok');
})().catch((error) => { console.error(error); process.exit(1); });
