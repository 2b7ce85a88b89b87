import assert from 'node:assert/strict';
import test from 'node:test';

import { matches, Positions } from '../positions.js';

test('filters match as in MQTT', () => {
  for (const [filter, topic, want] of [
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a/', true], // an empty level is a level
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['+/b', 'a/b', true],
    ['+', 'a', true],
    ['#', 'a/b/c', true],
    ['a/#', 'a', true], // the parent too
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['+/#', 'a', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a/b/d', false],
    ['#', '$sys/x', false],
    ['+/x', '$sys/x', false],
    ['$sys/#', '$sys/x', true],
    ['$sys/+', '$sys/x', true],
  ]) {
    assert.equal(matches(filter, topic), want, `${filter} on ${topic}`);
  }
});

test('topics that are tracked are bounded; those subscribed to by name stay', () => {
  const handed = [];
  const positions = new Positions((_to, type, { topic, seq }) => handed.push(`${type} ${topic} ${seq}`), 10);
  positions.begins({ filter: 'first' }, {}, { epoch: 'e', seq: 5 });
  positions.begins({ filter: '#' }, {}, { epoch: 'e' });
  for (let i = 0; i < 100; i++) positions.message({ topic: `t/${i}`, seq: 1, ts: i });
  const { seqs } = positions.place('#', 1 << 20);
  assert.equal(Object.keys(seqs).length, 10);
  assert.ok('first' in seqs && 't/99' in seqs);
  assert.deepEqual(positions.place('first', 0), { epoch: 'e', seq: 5 });
  handed.length = 0;
  positions.message({ topic: 't/0', seq: 50, ts: 1 });
  assert.deepEqual(handed, ['message t/0 50'], 'one that was forgotten counts afresh');
});

test('a topic is tracked until nobody wants it', () => {
  const positions = new Positions(() => {});
  for (const filter of ['a', '+', '#']) positions.begins({ filter }, {}, { epoch: 'e', seq: 0 });
  positions.message({ topic: 'a', seq: 1, ts: 1 });
  positions.message({ topic: 'b/c', seq: 1, ts: 1 });
  const named = (filter) => Object.keys(positions.place(filter, 1000).seqs).sort().join();
  positions.forget('a');
  positions.forget('never/there');
  assert.equal(named('#'), 'a,b/c');
  positions.forget('#');
  assert.equal(positions.place('#'), undefined);
  assert.equal(named('+'), 'a');
  positions.begins({ filter: '#' }, {}, { epoch: 'e' });
  assert.equal(named('#'), 'a');
});
