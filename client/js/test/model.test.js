// Clients on a server that is plainly right, over connections that break between any two frames: whatever was published
// while a subscription stood comes once, in order, or a gap says that it does not.
import assert from 'node:assert/strict';
import test from 'node:test';

import { matches } from '../positions.js';
import { settle, start } from './fake.js';

const TOPICS = ['a', 's/a', 's/b', 's/c', 's/d/e'];
const KEPT_MAX = 6;

/** Numbers that a seed repeats (mulberry32): below n, whole. */
function dice(seed) {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** The server's side: topics with the newest messages of each, and one connection with what has not arrived on it. */
class Server {
  epoch = 1;
  ts = 1000;
  busy = true; // has no time for some renewals
  topics = new Map(TOPICS.map((name) => [name, { head: 0, kept: [] }]));
  filters = new Map(); // of the connection
  out = []; // frames on their way

  constructor(roll) {
    this.roll = roll;
  }

  publish(name) {
    const topic = this.topics.get(name);
    this.ts += this.roll(1500);
    const message = { topic: name, seq: ++topic.head, ts: this.ts, data: `${this.epoch}:${topic.head}` };
    topic.kept = [...topic.kept, message].slice(-KEPT_MAX);
    if ([...this.filters.keys()].some((filter) => matches(filter, name))) this.out.push(message);
    return message;
  }

  /** The server begins anew: another epoch, nothing kept. */
  restart() {
    this.epoch++;
    for (const topic of this.topics.values()) Object.assign(topic, { head: 0, kept: [] });
  }

  answer({ op, id, topics }) {
    if (op === 'ping') {
      this.out.push({ op: 'pong' });
      return;
    }
    const results = [];
    const brought = new Map(); // a topic comes once, whatever number of filters asks for it
    for (const asked of topics) {
      const filter = asked.topic;
      const result = { topic: filter };
      results.push(result);
      if (asked.since && this.busy && this.roll(3) === 0) {
        Object.assign(result, { error: 'unavailable', message: 'again in a second' });
        continue;
      }
      result.epoch = String(this.epoch);
      result.heads = Object.fromEntries([...this.topics].map(([name, { head }]) => [name, head])); // for the judge
      if (this.topics.has(filter)) result.seq = this.topics.get(filter).head;
      if (asked.since) result.recovered = true;
      for (const [name, topic] of this.topics) {
        if (!matches(filter, name)) continue;
        const frames = this.bring(name, topic, asked, result);
        const begin = ([{ from, seq } = {}] = []) => from ?? seq ?? Infinity;
        if (begin(frames) < begin(brought.get(name))) brought.set(name, frames);
      }
      this.filters.set(filter, asked);
    }
    this.out.push({ op: 'ok', id, client: 'c', topics: results }, ...[...brought.values()].flat());
  }

  bring(name, { head, kept }, { last = 0, since }, result) {
    if (!since) return last > 0 ? kept.slice(-last) : [];
    const seq = since.seq ?? since.seqs?.[name];
    if (since.epoch !== String(this.epoch) || seq > head) {
      result.recovered = false;
      return kept.slice(-1);
    }
    const after = kept.filter((m) => (seq === undefined ? m.ts > since.ts : m.seq > seq));
    const first = (after[0]?.seq ?? head + 1) - 1;
    if (seq === undefined || seq >= first) return after;
    result.recovered = false;
    return [{ op: 'gap', topic: name, from: seq + 1, to: first, reason: 'expired' }, ...after];
  }
}

/** Checks what the listener of one filter is told: every number once and in order, from where it began. */
class Judge {
  #seen = new Map(); // topic to [epoch, seq]; a gap names no epoch
  #heads = {}; // where it began, while that is known
  messages = 0;
  gaps = 0;

  constructor(filter) {
    this.filter = filter;
  }

  begins({ heads }) {
    this.#heads = heads;
  }

  message({ topic, seq, data }) {
    assert.ok(matches(this.filter, topic));
    const epoch = Number(data.split(':')[0]);
    assert.equal(data, `${epoch}:${seq}`);
    const [lastEpoch = epoch, last] = this.#seen.get(topic) ?? [epoch, seq - 1];
    assert.deepEqual([epoch, seq], [lastEpoch, last + 1], topic);
    this.#seen.set(topic, [epoch, seq]);
    this.messages++;
  }

  gap({ topic, from, to }) {
    this.gaps++;
    if (to === 0) {
      this.#seen.clear();
      this.#heads = {};
      return;
    }
    const [epoch, last] = this.#seen.get(topic) ?? [undefined, from - 1];
    assert.equal(from, last + 1, `${topic}: gap from ${from} after ${last}`);
    this.#seen.set(topic, [epoch, to]);
  }

  /** At the end everything must have come. */
  settled(server) {
    for (const [topic, { head }] of server.topics) {
      const [epoch = server.epoch, seq] = this.#seen.get(topic) ?? [undefined, this.#heads[topic]];
      if (!matches(this.filter, topic) || seq === undefined) continue;
      assert.deepEqual([epoch, seq], [server.epoch, head], `${topic} ends`);
    }
  }
}

async function play(t, seed, restarts) {
  const roll = dice(seed);
  const server = new Server(roll);
  const client = start(t);
  const judges = ['a', 's/a', 's/+', '#'].slice(roll(3)).map((filter) => new Judge(filter));
  const faults = [];
  const guard = (f) => (value) => { try { f(value); } catch (error) { faults.push(error); } };
  for (const judge of judges) {
    const listener = { message: guard((m) => judge.message(m)), gap: guard((g) => judge.gap(g)) };
    const subscribed = client.mw.subscribe({ topic: judge.filter, last: roll(4) }, listener);
    subscribed.then((ack) => judge.begins(ack), (error) => faults.push(error));
  }
  let socket = null;
  const listen = () => { for (const request of socket.requests()) server.answer(request); };
  const steps = {
    publish: () => server.publish(TOPICS[roll(TOPICS.length)]),
    deliver: async () => {
      for (let n = roll(6); socket && n > 0 && server.out.length > 0; n--) await socket.say(server.out.shift());
    },
    listen: () => socket && listen(),
    cut: async () => {
      if (!socket || roll(4) > 0) return;
      if (restarts && roll(3) === 0) server.restart();
      Object.assign(server, { filters: new Map(), out: [] }); // what was on its way is lost
      await socket.hangUp();
      socket = null;
    },
    wait: () => socket && client.tick(500),
    connect: async () => {
      if (socket) return;
      await client.tick(30_000);
      socket = await client.connected();
    },
  };
  const kinds = Object.values(steps);
  for (let i = 0; i < 400 && faults.length === 0; i++) await kinds[roll(kinds.length)]();
  server.busy = false;
  for (let i = 0; i < 5; i++) { // to the end
    await steps.connect();
    await client.tick(20_000); // what was postponed
    listen();
    while (server.out.length > 0) await socket.say(server.out.shift());
  }
  await settle();
  if (faults.length > 0) throw faults[0];
  for (const judge of judges) judge.settled(server);
  return judges;
}

for (const restarts of [false, true]) {
  test(`connections that break at random${restarts ? ', and servers that begin anew' : ''}`, async (t) => {
    let messages = 0;
    let gaps = 0;
    const first = Number(process.env.MEGAWIRE_SEED ?? Date.now() % 1e9);
    for (let seed = first; seed < first + 60; seed++) {
      await t.test(`MEGAWIRE_SEED=${seed}`, async (t) => {
        for (const judge of await play(t, seed, restarts)) {
          messages += judge.messages;
          gaps += judge.gaps;
        }
      });
    }
    assert.ok(messages > 2000 && gaps > 20, `${messages} messages and ${gaps} gaps: the test no longer tests`);
    t.diagnostic(`${messages} messages, ${gaps} gaps`);
  });
}
