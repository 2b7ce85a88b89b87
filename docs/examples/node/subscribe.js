#!/usr/bin/env node
// A subscriber with npm ws: node subscribe.js [--count N] [TOPIC...]
'use strict';

const WebSocket = require('ws');

const server = process.env.MEGAWIRE_URL || 'ws://127.0.0.1:8080';
const stayAway = new Set([1008, 4003]); // close codes after which a client does not come back

const topics = process.argv.slice(2);
let left = Infinity;
const at = topics.indexOf('--count');
if (at >= 0) left = Number(topics.splice(at, 2)[1]);
if (topics.includes('--help') || !(left > 0)) {
  console.log('usage: node subscribe.js [--count N] [TOPIC...]');
  process.exit(topics.includes('--help') ? 0 : 2);
}
if (topics.length === 0) topics.push('ticker/BTC-USD', 'ticker/ETH-USD');

let attempt = 0;
let wait; // what the server asked for before the next connection, in ms

function connect() {
  const ws = new WebSocket(server + '/ws');
  ws.on('open', () => {
    attempt = 0;
    ws.send(JSON.stringify({ op: 'subscribe', id: 1, topics }));
  });
  ws.on('message', (frame) => {
    if (left <= 0) return; // closing: what was on its way still comes
    const message = JSON.parse(frame);
    switch (message.op) {
      case undefined:
        console.log(message.topic, message.seq, JSON.stringify(message.data));
        if (--left === 0) ws.close(1000);
        break;
      case 'ok':
        for (const t of message.topics) if (t.error) console.error('refused:', t.topic, t.message);
        break;
      case 'gap':
        console.error('missing:', message.topic, message.from, 'to', message.to);
        break;
      case 'goaway':
        wait = message.reconnect_after;
        break;
      case 'error':
        console.error('error:', message.code, message.message);
        break;
    }
  });
  ws.on('error', (error) => console.error('error:', error.message));
  ws.on('close', (code, reason) => {
    if (left <= 0) return;
    console.error('closed:', code, String(reason));
    if (stayAway.has(code)) return;
    const ms = wait ?? Math.random() * Math.min(30000, 500 * 2 ** attempt++);
    wait = undefined;
    setTimeout(connect, ms);
  });
}

connect();
