// Renewals that the server has no time for, one subscription of a request at a time.
import assert from 'node:assert/strict';
import test from 'node:test';

import { lines, message, reconnected, start, subscribed } from './fake.js';

const busy = { error: 'unavailable', message: 'subscribe again in a second' };

/** A client with `s/+` and `a`, of whose renewals the server has postponed that of `s/+`. */
async function postponed(t, refusal = busy) {
  const client = start(t);
  const socket = await client.connected();
  await subscribed(client, 's/+', { ts: 5000 });
  await subscribed(client, 'a', { seq: 6 });
  await socket.say(message('s/a', 7), message('a', 7));
  const next = await reconnected(client);
  const { topics } = await next.ack(refusal, { seq: 8, recovered: true });
  assert.deepEqual(topics[0], since);
  return { client, socket: next };
}

const since = { topic: 's/+', since: { epoch: 'e', ts: 5000, seqs: { 's/a': 7 } } };

for (const [name, refusal, pausesMs] of [
  ['after pauses that grow', busy, [750, 1000, 1500]],
  ['not before the server says', { error: 'rate_limited', message: 'later', retry_after: 2000 }, [2250, 2500]],
]) {
  test(`a subscription that the server postpones is asked for again from its place, ${name}`, async (t) => {
    const { client, socket } = await postponed(t, refusal);
    await socket.say(message('a', 8));
    for (const [i, ms] of pausesMs.entries()) {
      await client.tick(ms - 1);
      assert.deepEqual(socket.requests(), [], `before ${ms} ms are over`);
      await client.tick(1);
      const last = i === pausesMs.length - 1;
      const { topics } = await socket.ack(last ? { ts: 9000, recovered: true } : refusal);
      assert.deepEqual(topics, [since]);
    }
    await socket.say(message('s/a', 8), message('s/b', 1));
    assert.equal(client.events(), 'a 8 8\ns/a 8 8\ns/b 1 1');
    await client.tick(60_000);
    assert.deepEqual(socket.requests().filter(({ op }) => op !== 'ping'), []);
  });
}

test('a renewal that comes too soon comes again in one request, no sooner than the server says', async (t) => {
  const client = start(t);
  const socket = await client.connected();
  const topics = Array.from({ length: 1024 }, (_, i) => `t/${i}`);
  for (const topic of topics) client.mw.subscribe(topic).catch(() => {});
  for (const { id, topics: [asked] } of socket.requests()) {
    await socket.say({ op: 'ok', id, client: 'c1', topics: [{ ...asked, epoch: 'e', seq: 0 }] });
  }
  const next = await reconnected(client);
  const asksForAll = ([request, ...more]) => {
    assert.deepEqual(more, []);
    assert.deepEqual(request.topics.map(({ topic }) => topic), topics);
    return request.id;
  };
  let id = asksForAll(next.requests());
  const published = assert.rejects(client.mw.publish('t/0', { data: 1 }), { code: 'rate_limited', retryAfter: 250 });
  for (const ms of [20_000, 1500]) {
    await next.say({ op: 'error', id, code: 'rate_limited', message: 'later', retry_after: ms });
    await client.tick(ms - 1);
    assert.deepEqual(next.requests(), [], `before ${ms} ms are over`);
    await client.tick(1);
    id = asksForAll(next.requests());
  }
  await next.say({ op: 'ok', id, client: 'c1', topics: topics.map((topic) => ({ topic, epoch: 'e', seq: 0, recovered: true })) });
  const [publication] = next.requests();
  await next.say({ op: 'error', id: publication.id, code: 'rate_limited', message: 'later', retry_after: 250 });
  await published;
});

test('what the server refuses for good after a while ends', async (t) => {
  const { client, socket } = await postponed(t);
  await client.tick(750);
  await socket.ack({ error: 'forbidden', message: 'no more' });
  assert.equal(client.events(), 'unsubscribed s/+ forbidden');
  const next = await reconnected(client);
  assert.deepEqual(next.requests()[0].topics.map(({ topic }) => topic), ['a']);
});

test('the place outlives another loss, whatever came by others meanwhile', async (t) => {
  const client = start(t);
  const socket = await client.connected();
  await subscribed(client, 's/+', {});
  await subscribed(client, 'a', { seq: 6 });
  await socket.say(message('a', 7));
  let next = await reconnected(client);
  const place = (await next.ack(busy, { seq: 5000, recovered: true })).topics[0];
  assert.deepEqual(place, { topic: 's/+', since: { epoch: 'e', ts: 98_007, seqs: {} } });
  await next.say(message('a', 8), message('a', 50_000, { prev: 8 }));
  assert.equal(client.events(), 'a 8 8\na 50000 50000');
  next = await reconnected(client);
  assert.deepEqual(next.requests()[0].topics[0], place);
});

test('a pattern that goes on without its place does so when it was postponed, too', async (t) => {
  const { client, socket } = await postponed(t);
  await client.tick(750);
  await socket.ack({ error: 'too_many', message: 'since brings too much' });
  assert.deepEqual((await socket.ack(busy)).topics, [{ topic: 's/+' }]);
  await client.tick(1000);
  assert.deepEqual((await socket.ack({ ts: 9000 })).topics, [{ topic: 's/+' }]);
  assert.equal(client.events(), 'gap s/+ 0-0 reconnect');
});

test('requests go on meanwhile, but for those that subscribe to the same', async (t) => {
  const { client: { mw, tick }, socket } = await postponed(t);
  mw.publish('s/a', { data: 1 }).catch(() => {});
  mw.subscribe('b').catch(() => {});
  assert.deepEqual(socket.requests().map(({ op, topic, topics }) => `${op} ${topic ?? topics[0].topic}`), [
    'publish s/a', 'subscribe b',
  ]);
  const controller = new AbortController();
  const given = mw.subscribe('s/x', undefined, { signal: controller.signal });
  mw.publish('c', { data: 1 }).catch(() => {});
  assert.deepEqual(socket.requests(), []);
  controller.abort(new Error('enough'));
  await assert.rejects(given, { message: 'enough' });
  assert.deepEqual(socket.requests().map(({ topic }) => topic), ['c']);
  for (const filter of ['s/+', 'x/+', 's/x']) mw.subscribe(filter).catch(() => {});
  assert.deepEqual(socket.requests(), []);
  await tick(750);
  await socket.ack({ ts: 9000, recovered: true });
  assert.deepEqual(socket.requests().map(({ topics }) => topics[0].topic), ['s/+', 'x/+', 's/x']);
});

test('what is unsubscribed from meanwhile is not asked for again', async (t) => {
  for (const answered of [true, false]) {
    await t.test(answered ? 'the server has answered' : 'the answer is on its way', async (t) => {
      const { client, socket } = await postponed(t);
      client.mw.unsubscribe('s/+').catch(() => {});
      if (answered) await socket.ack({});
      else socket.requests();
      await client.tick(20_000);
      assert.deepEqual(socket.requests(), []);
    });
  }
});

test('what was missed of a topic that another subscription brings earlier is not kept quiet', async (t) => {
  for (const [name, terms, gap] of [
    ['which passes messages over', { topic: 's/#', mode: 'latest' }, 'gap s/+ 0-0 reconnect'],
    ['which brings all', { topic: 's/#', mode: 'all' }, ''],
  ]) {
    await t.test(name, async (t) => {
      const client = start(t);
      await client.connected();
      await subscribed(client, terms, { ts: 4000, mode: terms.mode });
      await subscribed(client, 's/+', { ts: 5000 });
      const socket = await reconnected(client);
      await socket.ack({ mode: terms.mode, recovered: true }, busy);
      await socket.say(message('s/new', 3, { prev: 2 }));
      await client.tick(750);
      await socket.ack({ recovered: true });
      assert.equal(client.events(), lines(`
        ${gap}
        s/new 3 3`));
    });
  }
});

test('on a server that began anew, what comes by others comes behind the gap', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  await subscribed(client, '#', { ts: 5000 });
  await subscribed(client, 'a', { seq: 6 });
  await subscribed(client, 'b', { seq: 6 });
  await socket.say(message('a', 7), message('c', 7));
  socket = await reconnected(client);
  const anew = { epoch: 'f', seq: 1, recovered: false };
  await socket.ack(busy, anew, busy);
  await socket.say(message('a', 1), message('a', 2));
  assert.equal(client.events(), lines(`
    gap a 0-0 reconnect
    gap # 0-0 reconnect
    gap b 0-0 reconnect
    a 1 1
    a 2 2`));
  await client.tick(750);
  const { topics } = await socket.ack({ epoch: 'f', recovered: true }, { epoch: 'f', seq: 1, recovered: true });
  assert.deepEqual(topics, [
    { topic: '#', since: { epoch: 'f', ts: 0, seqs: { a: 2, b: 0 } } },
    { topic: 'b', since: { epoch: 'f', seq: 0 } },
  ]);
  await socket.say(message('b', 1), message('c', 1));
  assert.equal(client.events(), 'b 1 1\nc 1 1');
});

test('what a snapshot still owed to one listener is told when another is renewed earlier', async (t) => {
  const client = start(t);
  const socket = await client.connected();
  const heard = [];
  const hear = (name) => ({
    message: ({ seq }) => heard.push(`${name} ${seq}`),
    gap: ({ from, to }) => heard.push(`${name} gap ${from}-${to}`),
  });
  client.mw.subscribe('s/+', hear('pattern'));
  await socket.ack({ ts: 5000 });
  await socket.say(message('s/a', 6), message('s/a', 7));
  client.mw.subscribe({ topic: '#', last: 2 }, hear('all'));
  await socket.ack({ ts: 6000 });
  await socket.say(message('s/a', 6));
  const next = await reconnected(client);
  await next.ack({ recovered: true }, busy);
  await next.say(message('s/a', 8));
  assert.deepEqual(heard, ['pattern 6', 'pattern 7', 'all 6', 'all gap 7-7', 'pattern 8', 'all 8']);
});
