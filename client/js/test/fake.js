// A server that a test plays by hand, and a client of it whose clock stands still until it is moved.
import assert from 'node:assert/strict';

import { Megawire } from '../megawire.js';

/** Lets promises that can settle do so. */
export const settle = () => new Promise((resolve) => { setImmediate(resolve); });

/** What happened, in a line. */
export function describe(type, detail) {
  switch (type) {
    case 'message':
      return `${detail.topic} ${detail.seq} ${detail.text ?? detail.bin ?? JSON.stringify(detail.data)}`;
    case 'gap':
      return `gap ${detail.topic} ${detail.from}-${detail.to} ${detail.reason}`;
    case 'state':
      return [detail.state, detail.code, detail.retryInMs, detail.error?.code].filter((v) => v !== undefined).join(' ');
    case 'goaway':
      return `goaway ${detail.reconnectAfterMs}`;
    case 'unsubscribed':
      return `unsubscribed ${detail.topic} ${detail.code}`;
    default:
      return `${type} ${detail.code}`;
  }
}

/**
 * Starts a client. Times stand still but for tick(ms), and what is random is one half. sockets are its connections,
 * oldest first; events what it told since they were looked at last.
 */
export function start(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  t.mock.method(Math, 'random', () => 0.5);
  const sockets = [];
  class FakeWebSocket {
    #sent = [];

    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      sockets.push(this);
    }

    send(frame) {
      this.#sent.push(frame);
    }

    close(code) {
      this.closed = code;
    }

    // From here on: what the server does.

    accept(protocol = 'megawire.v1') {
      this.protocol = protocol;
      this.onopen?.({});
      return this;
    }

    /** Frames, as values or as text. */
    say(...frames) {
      for (const frame of frames) this.onmessage?.({ data: typeof frame === 'object' ? JSON.stringify(frame) : frame });
      return settle();
    }

    hangUp(code = 1006, reason = '') {
      this.onclose?.({ code, reason });
      return settle();
    }

    /** What has come since the last look. */
    requests() {
      return this.#sent.splice(0).map((frame) => JSON.parse(frame));
    }

    /** Answers the oldest request, a subscribe, with a result for each of its topics, and returns all requests. */
    async ackFirst(...results) {
      const requests = this.requests();
      const [{ id, topics }] = requests;
      const answers = topics.map((asked, i) => ({ topic: asked.topic, epoch: 'e', ...results[i] }));
      await this.say({ op: 'ok', id, client: 'c1', topics: answers });
      return requests;
    }

    /** Answers the only request. */
    async ack(...results) {
      const [request, ...more] = await this.ackFirst(...results);
      assert.deepEqual(more, []);
      return request;
    }
  }
  const mw = new Megawire('ws://fake/ws', { WebSocket: FakeWebSocket, ...options });
  const told = [];
  for (const type of ['message', 'gap', 'state', 'goaway', 'unsubscribed', 'error']) {
    mw.addEventListener(type, ({ detail }) => told.push(describe(type, detail)));
  }
  t.after(() => mw.close());
  return {
    mw,
    sockets,
    events: () => told.splice(0).join('\n'),
    tick: (ms) => {
      t.mock.timers.tick(ms);
      return settle();
    },
    /** The newest connection, accepted. */
    async connected() {
      await settle();
      return sockets.at(-1).accept();
    },
  };
}

export const message = (topic, seq, more) => ({ topic, seq, ...more, ts: 100_000 + seq, data: seq });

/** Lines without the indentation of the source. */
export const lines = (text) => text.trim().split('\n').map((line) => line.trim()).join('\n');

/** Subscribes and reads the ack away. */
export async function subscribed(client, terms, ...results) {
  const answer = client.mw.subscribe(terms);
  await settle();
  const request = await client.sockets.at(-1).ack(...results);
  await answer;
  return request;
}

/** Breaks the connection and makes the next one; returns it with what the client asks for. */
export async function reconnected(client) {
  await client.sockets.at(-1).hangUp();
  await client.tick(30_000);
  const socket = await client.connected();
  assert.match(client.events(), /disconnected.*\nconnecting\nconnected$/);
  return socket;
}
