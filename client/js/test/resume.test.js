import assert from 'node:assert/strict';
import test from 'node:test';

import { lines, message, reconnected, start, subscribed } from './fake.js';

const gap = (topic, from, to, reason = 'slow') => ({ op: 'gap', topic, from, to, reason });

for (const [name, frames, want] of [
  ['consecutive numbers have no gap', [message('a', 7), message('a', 8)], 'a 7 7\na 8 8'],
  ['the first message seen is where counting starts', [message('a', 90)], 'a 90 90'],
  ['a skipped number is a gap', [message('a', 7), message('a', 10)], 'a 7 7\ngap a 8-9 lost\na 10 10'],
  ['prev bridges numbers that never were', [message('a', 7), message('a', 10, { prev: 7 })], 'a 7 7\na 10 10'],
  ['prev tells what is missing', [message('a', 7), message('a', 10, { prev: 8 })], 'a 7 7\ngap a 8-8 lost\na 10 10'],
  ['topics count apart', [message('a', 7), message('b', 3), message('a', 8)], 'a 7 7\nb 3 3\na 8 8'],
  ['the server tells of a gap', [message('a', 7), gap('a', 8, 20), message('a', 21)],
    'a 7 7\ngap a 8-20 slow\na 21 21'],
  ['the server leaves some out of its gap', [message('a', 7), gap('a', 10, 20), message('a', 21)],
    'a 7 7\ngap a 8-9 lost\ngap a 10-20 slow\na 21 21'],
  ['a gap comes first', [gap('a', 8, 20), message('a', 21)], 'gap a 8-20 slow\na 21 21'],
  ['a number comes twice', [message('a', 7), message('a', 7), message('a', 8)], 'a 7 7\na 8 8'],
]) {
  test(`on a standing connection: ${name}`, async (t) => {
    const client = start(t);
    const socket = await client.connected();
    for (const topic of ['a', 'b']) await subscribed(client, topic, { seq: 6 });
    client.events();
    await socket.say(...frames);
    assert.equal(client.events(), want);
  });
}

for (const [name, result, frames, want] of [
  ['nothing was published meanwhile', { seq: 7, recovered: true }, [message('a', 8)], 'a 8 8'],
  ['what was missed comes', { seq: 9, recovered: true }, [message('a', 8), message('a', 9), message('a', 10)],
    'a 8 8\na 9 9\na 10 10'],
  ['some of it has expired', { seq: 9, recovered: false }, [gap('a', 8, 8, 'expired'), message('a', 9)],
    'gap a 8-8 expired\na 9 9'],
  ['it does not come, without a word', { seq: 9 }, [message('a', 10)], 'gap a 8-9 reconnect\na 10 10'],
  ['the server began anew', { epoch: 'f', seq: 2, recovered: false }, [message('a', 2), message('a', 3)],
    'gap a 0-0 reconnect\na 2 2\na 3 3'],
  ['the head went back within an epoch', { seq: 2, recovered: false }, [message('a', 2), message('a', 3)],
    'gap a 0-0 reconnect\na 2 2\na 3 3'],
  ['the server began anew, and has nothing', { epoch: 'f', seq: 0, recovered: false }, [message('a', 1)],
    'gap a 0-0 reconnect\na 1 1'],
]) {
  test(`a topic is resumed: ${name}`, async (t) => {
    const client = start(t);
    let socket = await client.connected();
    await subscribed(client, { topic: 'a', last: 3 }, { seq: 6 });
    await socket.say(message('a', 6), message('a', 7));
    socket = await reconnected(client);
    const request = await socket.ack(result);
    assert.deepEqual(request.topics, [{ topic: 'a', since: { epoch: 'e', seq: 7 } }]);
    await socket.say(...frames);
    assert.equal(client.events(), want);
  });
}

// What was there before a subscription without since was never promised.
for (const [name, terms, result, since, missing] of [
  ['nothing came', 'a', { seq: 6 }, { epoch: 'e', seq: 6 }, '7-7'],
  ['the snapshot did not come', { topic: 'a', last: 4 }, { seq: 6 }, { epoch: 'e', seq: 2 }, '7-7'],
  ['a snapshot longer than the topic did not come', { topic: 'a', last: 40 }, { seq: 6 }, { epoch: 'e', seq: 0 },
    '7-7'],
  ['what was missed did not come', { topic: 'a', since: { epoch: 'e', seq: 3 } }, { seq: 6, recovered: true },
    { epoch: 'e', seq: 3 }, '4-7'],
  ['the newest alone did not come', { topic: 'a', since: { epoch: 'd', seq: 3 } }, { seq: 6, recovered: false },
    { epoch: 'e', seq: 5 }, '7-7'],
]) {
  test(`a topic is resumed of which ${name}`, async (t) => {
    const client = start(t);
    await client.connected();
    await subscribed(client, terms, result);
    client.events();
    const socket = await reconnected(client);
    const request = await socket.ack({ seq: 8, recovered: true });
    assert.deepEqual(request.topics, [{ topic: 'a', since }]);
    assert.equal(client.events(), '');
    await socket.say(message('a', 8));
    assert.equal(client.events(), `gap a ${missing} reconnect\na 8 8`);
  });
}

test('modes are asked for again, and their holes are no gaps', async (t) => {
  const latest = { mode: 'latest' };
  for (const terms of [{ topic: 'a', ...latest }, { topic: 'a', every: 250 }, { topic: '+', ...latest, every: 50 }]) {
    await t.test(JSON.stringify(terms), async (t) => {
      const client = start(t);
      let socket = await client.connected();
      await subscribed(client, terms, { seq: 6, mode: 'latest', every: terms.every });
      await socket.say(message('a', 7), message('a', 12));
      assert.equal(client.events(), 'connecting\nconnected\na 7 7\na 12 12');
      socket = await reconnected(client);
      const { topics: [{ since, ...rest }] } = await socket.ack({ epoch: 'f', seq: 1, recovered: false });
      assert.deepEqual(rest, terms);
      assert.equal(since.epoch, 'e');
      await socket.say(message('a', 1));
      assert.equal(client.events(), 'a 1 1');
    });
  }
});

test('what was passed over until the terms became fuller is no gap', async (t) => {
  for (const [before, after] of [['a', 'a'], ['+', '+'], ['+', 'a']]) {
    await t.test(`${before}, then ${after}`, async (t) => {
      const client = start(t);
      const socket = await client.connected();
      await subscribed(client, { topic: before, mode: 'latest' }, { seq: 0, mode: 'latest' });
      await socket.say(message('a', 1), message('a', 4));
      await subscribed(client, { topic: after, mode: 'all' }, { seq: 6 });
      await socket.say(message('a', 7), message('a', 9));
      assert.equal(client.events(), 'connecting\nconnected\na 1 1\na 4 4\na 7 7\ngap a 8-8 lost\na 9 9');
    });
  }
});

test("a rule of the server's that allows the latest alone is kept in mind", async (t) => {
  const client = start(t);
  const socket = await client.connected();
  await subscribed(client, { topic: 'a', mode: 'all' }, { seq: 0, mode: 'latest' });
  await socket.say(message('a', 1), message('a', 5));
  assert.equal(client.events(), 'connecting\nconnected\na 1 1\na 5 5');
});

test('a pattern is resumed topic by topic', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  const first = await subscribed(client, { topic: 's/+', last: 1 }, {});
  assert.deepEqual(first.topics, [{ topic: 's/+', last: 1 }]);
  await socket.say(message('s/a', 7), message('s/b', 3), message('s/a', 8), message('s/__proto__', 1));
  socket = await reconnected(client);
  const request = await socket.ack({ recovered: false });
  const seqs = JSON.parse('{"s/a":8,"s/b":3,"s/__proto__":1}');
  assert.deepEqual(request.topics, [{ topic: 's/+', since: { epoch: 'e', ts: 0, seqs } }]);
  await socket.say(message('s/a', 8), message('s/a', 9));
  await socket.say(gap('s/b', 4, 5, 'expired'), message('s/b', 6), message('s/c', 40));
  assert.equal(client.events(), 's/a 9 9\ngap s/b 4-5 expired\ns/b 6 6\ns/c 40 40');
  assert.deepEqual(client.mw.position('s/+').seqs['s/c'], 40);
});

for (const [name, terms, result, frames, ts] of [
  ['from its first message, less the margin', '#', {}, [message('a', 7), message('b', 5000)], 98_007],
  ['from when the server says that it began', '#', { ts: 90_000 }, [message('a', 7)], 90_000],
  ['from where the application said', { topic: '#', since: { epoch: 'e', ts: 5, seqs: { a: 6 } } }, {},
    [message('a', 7)], 5],
  ['from the beginning where it asked for the newest', { topic: '#', last: 1 }, {}, [message('a', 7)], 0],
]) {
  test(`topics of a pattern that nothing came of are owed ${name}`, async (t) => {
    const client = start(t);
    let socket = await client.connected();
    await subscribed(client, terms, result);
    await socket.say(...frames);
    assert.equal(client.events().includes('gap'), false);
    socket = await reconnected(client);
    const request = await socket.ack({ recovered: true });
    assert.equal(request.topics[0].since.ts, ts);
  });
}

test('a pattern of which nothing came, on a server whose time is not known, has a gap', async (t) => {
  const client = start(t);
  await client.connected();
  await subscribed(client, '#', {});
  client.events();
  const socket = await reconnected(client);
  const request = await socket.ack({});
  assert.deepEqual(request.topics, [{ topic: '#' }]);
  assert.equal(client.events(), 'gap # 0-0 reconnect');
});

test('a pattern on a server that began anew has one gap, and starts from the newest', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  await subscribed(client, 's/+', {});
  await subscribed(client, 's/a', { seq: 50 });
  await socket.say(message('s/a', 51), message('s/b', 70));
  socket = await reconnected(client);
  const { topics } = await socket.ack({ epoch: 'f', recovered: false }, { epoch: 'f', seq: 2, recovered: false });
  assert.equal(topics.length, 2);
  await socket.say(message('s/a', 2), message('s/b', 3), message('s/b', 4));
  assert.equal(client.events(), lines(`
    gap s/+ 0-0 reconnect
    gap s/a 0-0 reconnect
    s/a 2 2
    s/b 3 3
    s/b 4 4`));
  assert.equal(JSON.stringify(client.mw.position('s/+')), '{"epoch":"f","ts":0,"seqs":{"s/b":4,"s/a":2}}');
});

test('a since of the application\'s own is a place like any other', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  await subscribed(client, { topic: 'a', since: { epoch: 'e', seq: 3 } }, { seq: 6, recovered: false });
  await socket.say(gap('a', 4, 4, 'expired'), message('a', 5), message('a', 6));
  assert.equal(client.events(), 'connecting\nconnected\ngap a 4-4 expired\na 5 5\na 6 6');
  await subscribed(client, { topic: 's/#', since: { epoch: 'e', ts: 9, seqs: { 's/x': 4 } } }, { recovered: true });
  await socket.say(message('s/x', 4), message('s/x', 6));
  assert.equal(client.events(), 'gap s/x 5-5 reconnect\ns/x 6 6');
  await subscribed(client, { topic: 'b', since: { epoch: 'before', seq: 3 } }, { seq: 6, recovered: false });
  await socket.say(message('b', 6));
  assert.equal(client.events(), 'gap b 0-0 reconnect\nb 6 6');
});

test('what a second subscribe asks for again goes to its own listener alone', async (t) => {
  const client = start(t);
  const heard = [];
  const socket = await client.connected();
  client.mw.subscribe('s/+', (m) => heard.push(`pattern ${m.seq}`));
  await socket.ack({});
  await socket.say(message('s/a', 1), message('s/a', 2));
  client.mw.subscribe({ topic: 's/a', last: 2 }, (m) => heard.push(`exact ${m.seq}`));
  await socket.ack({ seq: 3 });
  await socket.say(message('s/a', 2), message('s/a', 3), message('s/a', 3));
  assert.deepEqual(heard, ['pattern 1', 'pattern 2', 'exact 2', 'pattern 3', 'exact 3']);
  heard.length = 0;
  client.mw.subscribe({ topic: 's/+', last: 2 });
  await socket.ack({});
  await socket.say(message('s/a', 2), message('s/a', 3), message('s/a', 4));
  assert.deepEqual(heard, ['pattern 2', 'pattern 3', 'pattern 4', 'exact 4']);
});

test('an end of a subscription by the server is told, and it is not asked for again', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  await subscribed(client, 'a', { seq: 0 });
  await subscribed(client, 'b', { seq: 0 });
  await subscribed(client, 'c', { seq: 0 });
  await socket.say({ op: 'unsubscribed', topic: 'b', code: 'forbidden' });
  assert.match(client.events(), /unsubscribed b forbidden$/);
  socket = await reconnected(client);
  const request = await socket.ack({ seq: 0, recovered: true }, { error: 'forbidden', message: 'no more' });
  assert.deepEqual(request.topics.map(({ topic }) => topic), ['a', 'c']);
  assert.equal(client.events(), 'unsubscribed c forbidden');
  socket = await reconnected(client);
  assert.deepEqual(socket.requests()[0].topics.map(({ topic }) => topic), ['a']);
});

test('a renewal that is refused for the moment is repeated, and requests wait for it', async (t) => {
  const client = start(t);
  await client.connected();
  await subscribed(client, 'a', { seq: 6 });
  const socket = await reconnected(client);
  const [{ id }] = socket.requests();
  const pong = client.mw.ping();
  await socket.say({ op: 'error', id, code: 'rate_limited', message: 'later', retry_after: 2000 });
  assert.deepEqual(socket.requests(), []);
  await client.tick(2000);
  const [again, ping, ...more] = socket.requests();
  assert.deepEqual([again.topics, ping, more], [[{ topic: 'a', since: { epoch: 'e', seq: 6 } }], undefined, []]);
  await socket.say({ op: 'ok', id: again.id, topics: [{ topic: 'a', epoch: 'e', seq: 6, recovered: true }] });
  const [{ id: pingId }] = socket.requests();
  await socket.say({ op: 'pong', id: pingId });
  await pong;
  assert.equal(client.events(), '');
});

test('a renewal that is refused for good ends its subscriptions, each with a word', async (t) => {
  const client = start(t);
  await client.connected();
  await subscribed(client, 'a', { seq: 6 });
  await subscribed(client, 'b', { seq: 6 });
  const socket = await reconnected(client);
  const [{ id }] = socket.requests();
  await socket.say({ op: 'error', id, code: 'unauthorized', message: 'who are you' });
  assert.equal(client.events(), 'unsubscribed a unauthorized\nunsubscribed b unauthorized');
});

test('a pattern of which too much came meanwhile goes on without its place, and says so', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  await subscribed(client, 't/#', { ts: 5000 });
  await subscribed(client, 'a', { seq: 1 });
  await socket.say(message('t/a', 7));
  socket = await reconnected(client);
  const pong = client.mw.ping();
  const tooMuch = { error: 'too_many', message: 'since brings too much' };
  const { topics } = await socket.ack(tooMuch, tooMuch);
  assert.deepEqual(topics[0], { topic: 't/#', since: { epoch: 'e', ts: 5000, seqs: { 't/a': 7 } } });
  assert.equal(client.events(), 'unsubscribed a too_many');
  assert.deepEqual((await socket.ack({ ts: 6000 })).topics, [{ topic: 't/#' }]);
  await socket.say(message('t/a', 20));
  assert.equal(client.events(), 'gap t/# 0-0 reconnect\nt/a 20 20');
  const [{ id }] = socket.requests();
  await socket.say({ op: 'pong', id });
  await pong;
  socket = await reconnected(client);
  const [{ since }] = (await socket.ack({ recovered: true })).topics;
  assert.deepEqual(since, { epoch: 'e', ts: 6000, seqs: { 't/a': 20 } });
  assert.equal(client.events(), '');
});

test('a place that was not known, and went through JSON, is none', async (t) => {
  const client = start(t);
  const socket = await client.connected();
  const answer = client.mw.subscribe({ topic: 'a', since: null });
  assert.deepEqual((await socket.ack({ seq: 6 })).topics, [{ topic: 'a' }]);
  assert.equal((await answer).seq, 6);
});

test('long lists are renewed in bounded requests; a server that finds them too long is told less', async (t) => {
  const client = start(t);
  let socket = await client.connected();
  const names = Array.from({ length: 1000 }, (_, i) => `${i}/${'x'.repeat(200)}`);
  await subscribed(client, '#', {});
  for (const name of names) await subscribed(client, name, { seq: 0 });
  await socket.say(...names.map((name, i) => message(name, i + 1)));
  socket = await reconnected(client);
  for (const limit of [256 << 10, 128 << 10, 64 << 10]) {
    const requests = socket.requests();
    assert.equal(requests.flatMap(({ topics }) => topics).length, 1001);
    const sizes = requests.map((request) => JSON.stringify(request).length);
    assert.ok(sizes.every((size) => size < limit + 1200), `${sizes} under ${limit}`);
    const { seqs, ts } = requests[0].topics[0].since;
    assert.ok(Object.keys(seqs).length > limit / 2 / 220 && names.at(-1) in seqs, 'the newest are named');
    assert.equal(ts, limit === 256 << 10 && names[0] in seqs ? 98_001 : 99_000, 'others go by the newest time');
    await socket.hangUp(1009);
    await client.tick(30_000);
    socket = await client.connected();
  }
});
