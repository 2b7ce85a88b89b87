import assert from 'node:assert/strict';
import test from 'node:test';

import { Megawire } from '../megawire.js';
import { lines, message, settle, start } from './fake.js';

test('it connects by itself and says so', async (t) => {
  const { mw, events, connected } = start(t);
  assert.equal(mw.state, 'connecting');
  const socket = await connected();
  assert.equal(socket.url, 'ws://fake/ws');
  assert.deepEqual(socket.protocols, ['megawire.v1']);
  assert.equal(socket.binaryType, 'arraybuffer');
  assert.equal(mw.state, 'connected');
  assert.deepEqual(socket.requests(), [], 'nothing is said that was not asked for');
  mw.close();
  assert.equal(socket.closed, 1000);
  assert.equal(events(), 'connecting\nconnected\nclosed closed');
});

for (const [name, code, states] of [
  ['draining', 1001, 'disconnected 1001 250\nconnecting'],
  ['an end without a close', 1006, 'disconnected 1006 250\nconnecting'],
  ['a slow reader', 4002, 'disconnected 4002 250\nconnecting'],
  ['no pong', 4004, 'disconnected 4004 250\nconnecting'],
  ['policy is final', 1008, 'closed policy'],
  ['a kick is final', 4003, 'closed kicked'],
  ['a token that is missing is waited for', 4001, 'unauthorized 4001'],
]) {
  test(`close code ${code}: ${name}`, async (t) => {
    const { events, connected, tick } = start(t);
    const socket = await connected();
    await socket.hangUp(code, 'why');
    await tick(60_000);
    assert.ok(events().startsWith(`connecting\nconnected\n${states}`));
  });
}

test('the wait before an attempt doubles up to the cap, and begins again after a steady connection', async (t) => {
  const { sockets, events, connected, tick } = start(t);
  await connected();
  events();
  const waits = [];
  for (let i = 0; i < 9; i++) {
    await sockets.at(-1).hangUp();
    const ms = Number(events().match(/disconnected 1006 (\d+)/)[1]);
    waits.push(ms);
    await tick(ms);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);

  await (await connected()).hangUp();
  assert.match(events(), /disconnected 1006 15000/, 'it was not up for long');
  await tick(15_000);
  const steady = await connected();
  await tick(10_000);
  await steady.hangUp();
  assert.match(events(), /disconnected 1006 250/);
});

for (const [name, asked, wait] of [
  ['is kept to the millisecond, since the server has spread its clients', 1700, 1700],
  ['is bounded', 86_400_000, 300_000],
  ['that makes no sense is none', 'soon', 250],
]) {
  test(`a wait that goaway asks for ${name}`, async (t) => {
    const { events, sockets, connected, tick } = start(t);
    const socket = await connected();
    await socket.say({ op: 'goaway', reconnect_after: asked });
    await socket.hangUp(1001);
    assert.match(events(), new RegExp(`goaway .*\ndisconnected 1001 ${wait}$`));
    await tick(wait - 1);
    assert.equal(sockets.length, 1);
    await tick(1);
    assert.equal(sockets.length, 2);
    await sockets[1].hangUp();
    assert.match(events(), /disconnected 1006 500$/, 'it is asked for once');
  });
}

test('an attempt that takes too long is given up', async (t) => {
  const { sockets, events, tick } = start(t);
  await settle();
  await tick(10_000);
  assert.equal(sockets[0].closed, 1000);
  assert.equal(events(), 'connecting\ndisconnected 1006 250');
});

test('a silent server is asked for a sign of life, and left without one', async (t) => {
  const { sockets, events, connected, tick } = start(t);
  const socket = await connected();
  await tick(24_999);
  assert.deepEqual(socket.requests(), []);
  await tick(1);
  assert.deepEqual(socket.requests(), [{ op: 'ping' }]);
  await socket.say({ op: 'pong' });
  await tick(10_000);
  assert.deepEqual(socket.requests(), [], 'it has answered');
  await tick(15_000);
  assert.deepEqual(socket.requests(), [{ op: 'ping' }]);
  await tick(9_999);
  assert.equal(events(), 'connecting\nconnected');
  await tick(1);
  assert.equal(events(), 'disconnected 1006 250');
  assert.equal(sockets[0].closed, 1000);
  await sockets[0].say(message('a', 1));
  assert.equal(events(), '', 'what a connection says that was given up does not count');
});

test('a server that talks is not asked', async (t) => {
  const { connected, tick } = start(t);
  const socket = await connected();
  for (let i = 1; i < 100; i++) {
    await tick(20_000);
    await socket.say(message('a', i));
  }
  assert.deepEqual(socket.requests(), []);
});

for (const [name, frame] of [
  ['not JSON', '{'],
  ['no object', '7'],
  ['null', 'null'],
  ['a binary frame', new ArrayBuffer(2)],
  ['bytes that are not base64', '{"topic":"a","seq":1,"ts":1,"bin":"%"}'],
]) {
  test(`a frame that is not of the protocol ends the connection: ${name}`, async (t) => {
    const { events, connected } = start(t);
    const socket = await connected();
    socket.onmessage({ data: frame });
    assert.equal(events(), 'connecting\nconnected\ndisconnected 1006 250');
    assert.equal(socket.closed, 1000);
  });
}

test('ops and keys of a later version are ignored', async (t) => {
  const { events, connected } = start(t);
  const socket = await connected();
  await socket.say({ op: 'news', topic: 'a' }, { ...message('a', 1), colour: 'red' });
  assert.equal(events(), 'connecting\nconnected\na 1 1');
});

test('another protocol is not spoken to', async (t) => {
  const { mw, sockets, events } = start(t);
  await settle();
  sockets[0].accept('');
  assert.equal(events(), 'connecting\nclosed not_megawire');
  assert.equal(sockets[0].closed, 1000);
  await assert.rejects(mw.ping(), { code: 'not_megawire' });
});

test('a URL that the WebSocket refuses ends the client with a word', async (t) => {
  const refuse = class { constructor() { throw new Error('insecure'); } };
  const { mw, events } = start(t, { WebSocket: refuse });
  const answer = assert.rejects(mw.ping(), { code: 'connect', message: 'insecure' });
  await answer;
  assert.equal(events(), 'connecting\nclosed connect');
});

test('an application may close from within whatever it is told', async (t) => {
  for (const moment of ['connecting', 'connected', 'disconnected']) {
    await t.test(moment, async (t) => {
      const { mw, sockets, connected, tick } = start(t);
      mw.addEventListener('state', ({ detail }) => { if (detail.state === moment) mw.close(); });
      await settle();
      if (moment !== 'connecting') await (await connected()).hangUp();
      await tick(60_000);
      assert.equal(mw.state, 'closed');
      assert.equal(sockets.length, moment === 'connecting' ? 0 : 1);
    });
  }
});

test('tokens', async (t) => {
  await t.test('one is sent before anything else, on each connection', async (t) => {
    const { mw, connected, tick } = start(t, { token: 'one' });
    mw.ping().catch(() => {});
    let socket = await connected();
    assert.deepEqual(socket.requests().map(({ op, token }) => [op, token]), [['auth', 'one'], ['ping', undefined]]);
    await socket.hangUp();
    await tick(250);
    socket = await connected();
    assert.equal(socket.requests()[0].token, 'one');
  });

  await t.test('a refused one is not sent again; auth() brings another', async (t) => {
    const { mw, sockets, events, connected, tick } = start(t, { token: 'old' });
    let socket = await connected();
    const [{ id }] = socket.requests();
    await socket.say({ op: 'error', id, code: 'unauthorized', message: 'expired' });
    await socket.hangUp(4001);
    await tick(600_000);
    assert.equal(events(), 'connecting\nconnected\nerror unauthorized\nunauthorized 4001');
    assert.equal(sockets.length, 1);
    const taken = mw.auth('new');
    socket = await connected();
    const [auth, ...more] = socket.requests();
    assert.equal(auth.token, 'new');
    assert.deepEqual(more, []);
    await socket.say({ op: 'ok', id: auth.id });
    await taken;
    assert.equal(events(), 'connecting\nconnected');
  });

  await t.test('a function is asked before each connection', async (t) => {
    const tokens = ['first', 'second', 'second'];
    const { sockets, events, connected, tick } = start(t, { token: async () => tokens.shift() });
    let socket = await connected();
    assert.equal(socket.requests()[0].token, 'first');
    await socket.hangUp(4001);
    await tick(250);
    socket = await connected();
    assert.equal(socket.requests()[0].token, 'second');
    await socket.hangUp(4001);
    await tick(500);
    assert.equal(sockets.length, 2, 'one that was refused is not tried again');
    assert.match(events(), /unauthorized 4001$/);
  });

  await t.test('a function that fails is asked again', async (t) => {
    let calls = 0;
    const token = () => {
      if (++calls === 1) throw new Error('no network');
      return 'x';
    };
    const { events, connected, tick } = start(t, { token });
    await settle();
    assert.equal(events(), 'connecting\ndisconnected 250');
    await tick(250);
    assert.equal((await connected()).requests()[0].token, 'x');
  });

  await t.test('one is renewed on a connection that stands', async (t) => {
    const { mw, connected } = start(t, { token: 'old' });
    const socket = await connected();
    socket.requests();
    const taken = mw.auth('new');
    const [{ id, op, token }] = socket.requests();
    assert.deepEqual([op, token], ['auth', 'new']);
    await socket.say({ op: 'ok', id });
    await taken;
  });
});

test('what the constructor is given is checked', () => {
  const WebSocket = class {};
  for (const [url, options, error] of [
    ['nowhere', { WebSocket }, /Invalid URL/],
    ['ftp://a/ws', { WebSocket }, /not a ws:, wss:, http: or https: URL/],
    ['ws://a/ws?topics=a/#', { WebSocket }, /written %23/],
    ['ws://a/ws', { WebSocket: null }, globalThis.WebSocket ? null : /no WebSocket here/],
    ['ws://a/ws', { WebSocket, backoffBaseMs: -1 }, /backoffBaseMs is a number of ms/],
    ['ws://a/ws', { WebSocket, pingAfterMs: '25s' }, /pingAfterMs is a number of ms/],
  ]) {
    if (error) assert.throws(() => new Megawire(url, options), { message: error });
  }
});

test('URLs of pages are taken too', async (t) => {
  const urls = [];
  const WebSocket = class { constructor(url) { urls.push(url); } close() {} };
  for (const url of ['https://a.example/ws', 'http://a.example:80/ws', new URL('wss://a.example/ws?x=1')]) {
    const mw = new Megawire(url, { WebSocket });
    await settle();
    mw.close();
  }
  assert.equal(urls.join('\n'), lines(`
    wss://a.example/ws
    ws://a.example/ws
    wss://a.example/ws?x=1`));
});
