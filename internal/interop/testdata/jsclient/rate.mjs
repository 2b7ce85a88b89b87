// A client that asks for more than it may in a second: node rate.mjs WS-URL COUNT. It tells when it is subscribed to
// rate/0 and so on, and, after the first loss, once it has heard of each.
import { setTimeout as pause } from 'node:timers/promises';

import WebSocket from 'ws';

import { Megawire } from '../../../../client/js/megawire.js';

const [url, count] = process.argv.slice(2);
const mw = new Megawire(`${url}/ws`, { WebSocket, backoffBaseMs: 20, backoffCapMs: 200 });
const heard = new Map();
const listener = {
  message: ({ topic }) => {
    heard.set(topic, (heard.get(topic) ?? 0) + 1);
    if (heard.size === Number(count)) console.log('heard', Math.max(...heard.values()), 'of each');
  },
  gap: ({ topic, reason }) => console.log('gap', topic, reason),
};
mw.addEventListener('unsubscribed', ({ detail: { topic, code } }) => console.log('unsubscribed', topic, code));
let refused = 0;
async function subscribe(topic) {
  for (;;) {
    try {
      return await mw.subscribe(topic, listener);
    } catch (error) {
      if (error.code !== 'rate_limited' || !(error.retryAfter > 0)) throw error;
      refused++;
      await pause(error.retryAfter);
    }
  }
}
const topics = Array.from({ length: Number(count) }, (_, i) => `rate/${i}`);
for (let i = 0; i < topics.length; i += 1000) await Promise.all(topics.slice(i, i + 1000).map(subscribe));
console.log('subscribed,', refused > 0 ? 'after refusals' : 'at once');
for await (const _ of process.stdin);
mw.close();
