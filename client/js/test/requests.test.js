import assert from 'node:assert/strict';
import test from 'node:test';

import { message, settle, start } from './fake.js';

test('a subscription answers with the ack, and its listener hears its messages', async (t) => {
  const { mw, events, connected } = start(t);
  const heard = [];
  const answer = mw.subscribe({ topic: 'a', last: 1 }, (m) => heard.push(m));
  const socket = await connected();
  const request = await socket.ack({ seq: 4 });
  assert.deepEqual(request, { op: 'subscribe', id: 1, topics: [{ topic: 'a', last: 1 }] });
  assert.deepEqual(await answer, { topic: 'a', epoch: 'e', seq: 4 });
  assert.equal(mw.clientId, 'c1');
  const raw = '{"topic":"a","seq":4,"ts":7,"data":{"n":9007199254740993}}';
  await socket.say(raw, { topic: 'a', seq: 5, ts: 8, text: 'two\nlines' }, { topic: 'a', seq: 6, ts: 9, bin: 'AAH/' });
  assert.deepEqual(heard[0], { topic: 'a', seq: 4, ts: 7, data: { n: 9007199254740992 }, raw });
  assert.equal(heard[1].text, 'two\nlines');
  assert.deepEqual(heard[2].bin, new Uint8Array([0, 1, 255]));
  assert.equal(events(), 'connecting\nconnected\na 4 {"n":9007199254740992}\na 5 two\nlines\na 6 0,1,255');
});

test('a refusal rejects, with what the server says', async (t) => {
  const { mw, connected } = start(t);
  const one = assert.rejects(mw.subscribe('a/#'), { name: 'MegawireError', code: 'forbidden', message: 'no' });
  const all = assert.rejects(mw.subscribe({ topic: 'b', evry: 1 }), { code: 'rate_limited', retryAfter: 2000 });
  const socket = await connected();
  const [first, second] = socket.requests();
  await socket.say(
    { op: 'ok', id: first.id, client: 'c', topics: [{ topic: 'a/#', error: 'forbidden', message: 'no' }] },
    { op: 'error', id: second.id, code: 'rate_limited', message: 'slow down', retry_after: 2000 },
  );
  await one;
  await all;
  assert.deepEqual(second.topics, [{ topic: 'b', evry: 1 }], 'the server names keys that it does not know');
});

test('every filter has a listener of its own', async (t) => {
  const { mw, connected } = start(t);
  const heard = [];
  const hear = (name) => ({
    message: (m) => heard.push(`${name} ${m.topic} ${m.seq}`),
    gap: (g) => heard.push(`${name} gap ${g.from}-${g.to}`),
  });
  mw.subscribe('a/b', hear('exact'));
  mw.subscribe('a/+', hear('pattern'));
  mw.subscribe('c', hear('other'));
  const socket = await connected();
  for (const request of socket.requests()) {
    await socket.say({ op: 'ok', id: request.id, topics: [{ topic: request.topics[0].topic, epoch: 'e', seq: 0 }] });
  }
  const gap = { op: 'gap', topic: 'a/b', from: 2, to: 5, reason: 'slow' };
  await socket.say(message('a/b', 1), message('a/x', 1), message('c', 1), gap);
  const messages = ['exact a/b 1', 'pattern a/b 1', 'pattern a/x 1', 'other c 1'];
  assert.deepEqual(heard, [...messages, 'exact gap 2-5', 'pattern gap 2-5']);

  heard.length = 0;
  mw.subscribe({ topic: 'a/b', mode: 'latest' });
  await socket.ack({ seq: 5, mode: 'latest' });
  await socket.say(message('a/b', 6));
  assert.deepEqual(heard, ['exact a/b 6', 'pattern a/b 6'], 'other terms, the same listener');

  heard.length = 0;
  mw.subscribe('a/b', hear('another'));
  await socket.ack({ seq: 6 });
  await socket.say(message('a/b', 7));
  assert.deepEqual(heard, ['another a/b 7', 'pattern a/b 7']);
});

test('a listener that fails harms no other', async (t) => {
  const { mw, events, connected } = start(t);
  const reported = [];
  const nodes = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => reported.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of nodes) process.on('uncaughtException', listener);
  });
  mw.subscribe('a', () => { throw new Error('a bug of the application'); });
  const socket = await connected();
  await socket.ack({ seq: 0 });
  await socket.say(message('a', 1), message('a', 2));
  assert.equal(events(), 'connecting\nconnected\na 1 1\na 2 2');
  assert.deepEqual(reported, ['a bug of the application', 'a bug of the application']);
});

test('after unsubscribe() its listener is silent', async (t) => {
  const { mw, events, connected } = start(t);
  let heard = 0;
  mw.subscribe('a', () => heard++);
  const socket = await connected();
  await socket.ack({ seq: 0 });
  await socket.say(message('a', 1));
  const answer = mw.unsubscribe('a');
  await socket.say(message('a', 2));
  assert.equal(heard, 1);
  const [request] = socket.requests();
  assert.deepEqual(request, { op: 'unsubscribe', id: 2, topics: ['a'] });
  await socket.say({ op: 'ok', id: 2, topics: [{ topic: 'a' }] });
  assert.deepEqual(await answer, { topic: 'a' });
  assert.equal(events(), 'connecting\nconnected\na 1 1\na 2 2');

  mw.subscribe('b', () => heard++);
  const second = mw.unsubscribe('b');
  const [, { id }] = await socket.ackFirst({ seq: 0 });
  await socket.say(message('b', 1), { op: 'ok', id, topics: [{ topic: 'b' }] });
  await second;
  assert.equal(heard, 1, 'even before the subscription was acknowledged');
});

for (const [name, payload, options, keys] of [
  ['JSON', { data: { x: [1, null] } }, undefined, { data: { x: [1, null] } }],
  ['null, which is a value like any other', { data: null }, undefined, { data: null }],
  ['text', { text: 'hi\n' }, { echo: true }, { text: 'hi\n', echo: true }],
  ['bytes', { bin: new Uint8Array([0, 1, 255]) }, { echo: false }, { bin: 'AAH/', echo: false }],
  ['a buffer', { bin: new Uint8Array([0, 1, 255]).buffer }, undefined, { bin: 'AAH/' }],
]) {
  test(`publish: ${name}`, async (t) => {
    const { mw, connected } = start(t);
    const socket = await connected();
    const answer = mw.publish('a', payload, options);
    assert.deepEqual(socket.requests(), [{ op: 'publish', id: 1, topic: 'a', ...keys }]);
    await socket.say({ op: 'ok', id: 1, topic: 'a', epoch: 'e', seq: 9 });
    assert.deepEqual(await answer, { topic: 'a', epoch: 'e', seq: 9 });
  });
}

test('a payload is exactly one of three', async (t) => {
  const { mw, connected } = start(t);
  const socket = await connected();
  const wrong = [undefined, null, 'text', {}, { price: 1 }, { data: 1, text: 'x' }, { data: undefined }, { bin: 'AA' }];
  for (const payload of wrong) {
    await assert.rejects(mw.publish('a', payload), TypeError);
  }
  await assert.rejects(mw.subscribe('a', 'listener'), TypeError);
  await assert.rejects(mw.publish('a', { data: 1n }), TypeError);
  assert.deepEqual(socket.requests(), []);
});

test('presence, list and ping', async (t) => {
  const { mw, connected, tick } = start(t);
  const socket = await connected();
  const answers = Promise.all([mw.presence('a'), mw.list(), mw.ping()]);
  const requests = [{ op: 'presence', id: 1, topic: 'a' }, { op: 'list', id: 2 }, { op: 'ping', id: 3 }];
  assert.deepEqual(socket.requests(), requests);
  await tick(30);
  await socket.say(
    { op: 'ok', id: 1, topic: 'a', count: 2, clients: [{ client: 'x' }, { client: 'y' }] },
    { op: 'ok', id: 2, client: 'c', topics: [{ topic: 'a', epoch: 'e', seq: 3 }] },
    { op: 'pong', id: 3 },
  );
  assert.deepEqual(await answers, [
    { topic: 'a', count: 2, clients: [{ client: 'x' }, { client: 'y' }], truncated: false },
    [{ topic: 'a', epoch: 'e', seq: 3 }],
    30,
  ]);
});

test('an error about no request is an event', async (t) => {
  const { events, connected } = start(t);
  const socket = await connected();
  await socket.say({ op: 'error', code: 'rate_limited' }, { op: 'error', id: 77, code: 'unavailable' });
  assert.equal(events(), 'connecting\nconnected\nerror rate_limited');
});

test('when the connection breaks, a publication is not repeated, everything else is', async (t) => {
  const { mw, connected, tick } = start(t);
  let socket = await connected();
  const lost = assert.rejects(mw.publish('a', { data: 1 }), { code: 'connection_lost' });
  const list = mw.list();
  const subscribed = mw.subscribe('a');
  assert.equal(socket.requests().length, 3);
  await socket.hangUp();
  await lost;
  const later = mw.publish('a', { data: 2 });
  await tick(250);
  socket = await connected();
  const [first, second, third, ...more] = socket.requests();
  assert.deepEqual([first.op, second.op, third.op, third.data, more], ['list', 'subscribe', 'publish', 2, []]);
  await socket.say(
    { op: 'ok', id: first.id, topics: [] },
    { op: 'ok', id: second.id, topics: [{ topic: 'a', epoch: 'e', seq: 0 }] },
    { op: 'ok', id: third.id, topic: 'a', epoch: 'e', seq: 1 },
  );
  assert.deepEqual([await list, (await subscribed).seq, (await later).seq], [[], 0, 1]);
});

test('requests are bounded in flight and while they wait', async (t) => {
  const { mw, connected } = start(t);
  const answers = [];
  for (let i = 0; i < 1024; i++) answers.push(mw.ping());
  await assert.rejects(mw.ping(), { code: 'queue_full' });
  const socket = await connected();
  const inFlight = socket.requests();
  assert.equal(inFlight.length, 1024);
  for (let i = 0; i < 1024; i++) answers.push(mw.ping());
  await assert.rejects(mw.ping(), { code: 'queue_full' });
  assert.deepEqual(socket.requests(), []);
  await socket.say({ op: 'pong', id: inFlight[0].id });
  assert.equal(socket.requests().length, 1, 'an answer makes room for another');
  mw.close();
  const results = await Promise.allSettled(answers);
  assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1);
  assert.ok(results.slice(1).every((r) => r.reason.code === 'closed'));
  await assert.rejects(mw.ping(), { code: 'closed' });
});

test('so is their text, but for a single one', async (t) => {
  const { mw, connected } = start(t);
  const text = 'x'.repeat(3 << 20);
  const small = mw.publish('a', { text }).catch((error) => error.code);
  await assert.rejects(mw.publish('a', { text }), { code: 'queue_full' });
  const socket = await connected();
  assert.equal(socket.requests().length, 1);
  const waiting = mw.publish('a', { text: text + text }).catch((error) => error.code);
  assert.equal(socket.requests().length, 0);
  await socket.say({ op: 'ok', id: 1, topic: 'a', epoch: 'e', seq: 1 });
  assert.equal(socket.requests().length, 1, 'it is larger than the bound, and alone');
  mw.close();
  assert.deepEqual([(await small).seq, await waiting], [1, 'closed']);
});

test('a signal ends the waiting', async (t) => {
  const { mw, events, connected } = start(t);
  const before = new AbortController();
  const unsent = assert.rejects(mw.publish('a', { data: 1 }, { signal: before.signal }), { name: 'AbortError' });
  before.abort();
  await unsent;
  await assert.rejects(mw.ping({ signal: before.signal }), { name: 'AbortError' });
  const socket = await connected();
  assert.deepEqual(socket.requests(), [], 'what was not sent is not');

  const after = new AbortController();
  let heard = 0;
  const taken = assert.rejects(mw.subscribe('a', () => heard++, { signal: after.signal }), { name: 'AbortError' });
  after.abort();
  await taken;
  const [subscribe, unsubscribe] = socket.requests();
  assert.deepEqual([subscribe.op, unsubscribe.op, unsubscribe.topics], ['subscribe', 'unsubscribe', ['a']]);
  await socket.say(
    { op: 'ok', id: subscribe.id, topics: [{ topic: 'a', epoch: 'e', seq: 0 }] },
    message('a', 1),
    { op: 'ok', id: unsubscribe.id, topics: [{ topic: 'a' }] },
  );
  assert.equal(heard, 0);
  assert.equal(mw.position('a'), undefined);
  assert.equal(events(), 'connecting\nconnected\na 1 1');

  const late = new AbortController();
  const pong = mw.ping({ signal: late.signal });
  const [{ id }] = socket.requests();
  await socket.say({ op: 'pong', id });
  await pong;
  late.abort();
  await settle();
  assert.deepEqual(socket.requests(), [], 'once there is an answer it means nothing');
});
