// Tells what a client hears, a line each, until its standard input ends: node follow.mjs WS-URL FILTER...
import { createInterface } from 'node:readline';

import WebSocket from 'ws';

import { Megawire } from '../../../../client/js/megawire.js';

const [url, ...filters] = process.argv.slice(2);
const mw = new Megawire(`${url}/ws`, { WebSocket, backoffBaseMs: 20, backoffCapMs: 200 });
mw.addEventListener('state', ({ detail }) => console.log('state', detail.state, detail.code ?? ''));
mw.addEventListener('goaway', () => console.log('goaway'));
mw.addEventListener('message', ({ detail: { topic, seq, data } }) => console.log('message', topic, seq, data));
mw.addEventListener('gap', ({ detail: { topic, from, to, reason } }) => console.log('gap', topic, from, to, reason));
for (const filter of filters) console.log('subscribed', (await mw.subscribe(filter)).topic);
for await (const _ of createInterface({ input: process.stdin }));
mw.close();
