// client/js on a real server: node steps.mjs WS-URL. Writes "ok" last.
import assert from 'node:assert/strict';
import { once } from 'node:events';

import WebSocket from 'ws';

import { Megawire } from '../../../../client/js/megawire.js';

const url = `${process.argv[2]}/ws`;
const options = { WebSocket };

/** Subscribes, and returns what its listener hears, to be taken one by one. */
async function feed(mw, terms) {
  const heard = [];
  let wake = () => {};
  const hear = (event) => { heard.push(event); wake(); };
  const ack = await mw.subscribe(terms, { message: hear, gap: hear });
  const next = async () => {
    while (heard.length === 0) await new Promise((resolve) => { wake = resolve; });
    return heard.shift();
  };
  return { ack, next, heard };
}

const steps = {
  async publishing() {
    const mw = new Megawire(url, options);
    const { ack, next } = await feed(mw, 'js/kinds');
    assert.equal(ack.seq, 0);
    const receipt = await mw.publish('js/kinds', { data: { price: 1.5, list: [null] } });
    assert.deepEqual(receipt, { topic: 'js/kinds', epoch: ack.epoch, seq: 1 });
    assert.deepEqual((await next()).data, { price: 1.5, list: [null] });
    await mw.publish('js/kinds', { text: 'zwölf\n' });
    assert.equal((await next()).text, 'zwölf\n');
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    await mw.publish('js/kinds', { bin: bytes });
    assert.deepEqual((await next()).bin, bytes);
    await mw.publish('js/kinds', { data: 0 }, { echo: false });
    const gap = await next();
    assert.deepEqual([gap.from, gap.to, gap.reason], [4, 4, 'excluded']);
    await assert.rejects(mw.publish('js/#', { data: 0 }), { code: 'bad_topic' });
    await assert.rejects(mw.publish('$sys/x', { data: 0 }), { code: 'forbidden' });
    mw.close();
  },

  async asking() {
    const mw = new Megawire(url, options);
    await assert.rejects(mw.subscribe('js/#/x'), { code: 'bad_topic' });
    await assert.rejects(mw.subscribe({ topic: 'js/a', evry: 10 }), { code: 'bad_request', message: /evry/ });
    const ack = await mw.subscribe({ topic: 'js/a', every: 253 });
    assert.deepEqual([ack.mode, ack.every], ['latest', 300]);
    await mw.subscribe('js/+/b');
    assert.deepEqual((await mw.list()).map(({ topic }) => topic).sort(), ['js/+/b', 'js/a']);
    const { count, clients, truncated } = await mw.presence('js/a');
    assert.deepEqual([count, clients[0].client, truncated], [1, mw.clientId, false]);
    assert.ok((await mw.ping()) >= 0);
    await mw.unsubscribe('js/a');
    assert.equal((await mw.list()).length, 1);
    mw.close();
    await assert.rejects(mw.ping(), { code: 'closed' });
  },

  async snapshots() {
    const mw = new Megawire(url, options);
    for (let n = 1; n <= 5; n++) await mw.publish('js/snap/a', { data: n });
    await mw.publish('js/snap/b', { data: 1 });
    const { next, heard } = await feed(mw, { topic: 'js/snap/+', last: 2 });
    const came = [await next(), await next(), await next()].map(({ topic, seq }) => `${topic} ${seq}`);
    assert.deepEqual(came.sort(), ['js/snap/a 4', 'js/snap/a 5', 'js/snap/b 1']);
    await mw.publish('js/snap/b', { data: 2 });
    assert.equal((await next()).seq, 2);
    const place = JSON.parse(JSON.stringify(mw.position('js/snap/+')));
    assert.deepEqual(place.seqs, { 'js/snap/a': 5, 'js/snap/b': 2 });
    assert.equal(heard.length, 0);
    mw.close();

    const after = new Megawire(url, options); // the same page, after a reload
    await after.publish('js/snap/a', { data: 6 });
    await after.publish('js/snap/c', { data: 1 });
    const resumed = await feed(after, { topic: 'js/snap/+', since: place });
    const missed = [await resumed.next(), await resumed.next()].map(({ topic, seq }) => `${topic} ${seq}`);
    assert.deepEqual(missed.sort(), ['js/snap/a 6', 'js/snap/c 1']);
    const exact = await feed(after, { topic: 'js/snap/a', since: { epoch: place.epoch, seq: 3 } });
    assert.equal(exact.ack.recovered, true);
    assert.deepEqual([(await exact.next()).seq, (await exact.next()).seq, (await exact.next()).seq], [4, 5, 6]);
    after.close();
  },

  async many() {
    const readers = Array.from({ length: 50 }, () => new Megawire(url, options));
    const feeds = await Promise.all(readers.map((mw) => feed(mw, 'js/many')));
    const [publisher] = readers;
    for (let n = 0; n < 2000; n += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, i) => publisher.publish('js/many', { data: n + i })));
    }
    for (const { next } of feeds) for (let n = 0; n < 2000; n++) assert.equal((await next()).data, n);
    for (const mw of readers) mw.close();
  },

  async refusals() {
    if (!globalThis.WebSocket) assert.throws(() => new Megawire(url), /hand one in as options\.WebSocket/);
    for (const [path, reason] of [['/nowhere', /404/], ['/echo', /subprotocol/]]) {
      const mw = new Megawire(url.replace('/ws', path), options);
      await once(mw, 'state'); // connecting
      const [{ detail }] = await once(mw, 'state');
      assert.deepEqual([detail.state, detail.code], ['disconnected', 1006]);
      assert.match(detail.reason, reason);
      mw.close();
    }
  },
};

for (const [name, step] of Object.entries(steps)) {
  console.log(name);
  await step();
}
console.log('ok');
