// Feed is one connection to /ws that speaks megawire.v1: it subscribes, checks the order of what comes, and reconnects by itself.
// It knows nothing of the page: what happens is told to the handlers it was given.

const backoffMs = { first: 500, longest: 15000 };
const noReconnect = new Set([1008, 4003]); // policy, and kicked by an operator: coming back would not help

export class Feed {
  // handlers: state(state, text), message(message, bytes), gap(topic, from, to), found(topic, missing), refused(topic, code, message)
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.topics = new Set();
    this.seqs = new Map(); // topic: seq of the newest message seen on this connection
    this.socket = null;
    this.timer = 0;
    this.attempts = 0;
    this.reconnectAfterMs = 0; // what a draining server asked for
    this.nextId = 1;
    this.asked = new Map(); // id of a request: its topics
  }

  // connect opens the connection now, unless there is one.
  connect() {
    clearTimeout(this.timer);
    if (this.socket) return;
    this.handlers.state('connecting', 'Connecting');
    this.seqs.clear();
    this.asked.clear();
    const socket = new WebSocket(this.url, 'megawire.v1');
    this.socket = socket;
    socket.onopen = () => {
      if (this.topics.size > 0) this.request('subscribe', [...this.topics]);
      else this.live();
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event);
  }

  subscribe(topic) {
    if (this.topics.has(topic)) return;
    this.topics.add(topic);
    if (this.socket?.readyState === WebSocket.OPEN) this.request('subscribe', [topic]);
  }

  unsubscribe(topic) {
    if (!this.topics.delete(topic)) return;
    this.seqs.delete(topic);
    if (this.socket?.readyState === WebSocket.OPEN) this.request('unsubscribe', [topic]);
  }

  request(op, topics) {
    const id = this.nextId++;
    this.asked.set(id, topics);
    this.socket.send(JSON.stringify({ op, id, topics }));
  }

  live() {
    this.attempts = 0;
    this.handlers.state('live', 'Live');
  }

  receive(data) {
    if (typeof data !== 'string') return; // the protocol is JSON in text frames
    const m = JSON.parse(data);
    switch (m.op) {
      case undefined: this.message(m, data.length); break;
      case 'ok': this.acknowledged(m); break;
      case 'error': this.failed(m); break;
      case 'gap':
        this.seqs.set(m.topic, m.to);
        this.handlers.gap(m.topic, m.from, m.to);
        break;
      case 'unsubscribed':
        this.topics.delete(m.topic);
        this.handlers.refused(m.topic, m.code, 'the server ended the subscription');
        break;
      case 'goaway':
        this.reconnectAfterMs = m.reconnect_after;
        this.handlers.state('live', 'Live, server draining');
        break;
    }
  }

  // A message follows the one named by prev, or seq-1; the first one seen is where counting starts.
  message(m, bytes) {
    const last = this.seqs.get(m.topic);
    const prev = m.prev ?? m.seq - 1;
    if (last !== undefined && prev !== last) this.handlers.found(m.topic, prev - last);
    this.seqs.set(m.topic, m.seq);
    this.handlers.message(m, bytes);
  }

  acknowledged(m) {
    this.asked.delete(m.id);
    for (const result of m.topics ?? []) {
      if (result.error) {
        this.topics.delete(result.topic);
        this.handlers.refused(result.topic, result.error, result.message ?? '');
      }
    }
    this.live();
  }

  failed(m) {
    for (const topic of this.asked.get(m.id) ?? []) this.topics.delete(topic);
    this.asked.delete(m.id);
    this.handlers.refused('', m.code, m.message ?? '');
    this.live();
  }

  closed(event) {
    this.socket = null;
    const why = event.reason || `code ${event.code}`;
    if (noReconnect.has(event.code)) {
      this.handlers.state('closed', `Closed by the server: ${why}`);
      return;
    }
    const wait = this.reconnectAfterMs || this.backoff();
    this.reconnectAfterMs = 0;
    this.handlers.state('closed', `Closed (${why}), again in ${(wait / 1000).toFixed(1)} s`);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  // backoff doubles, and is spread at random so that all pages do not come back in the same instant.
  backoff() {
    const ceiling = Math.min(backoffMs.longest, backoffMs.first * 2 ** this.attempts++);
    return ceiling * (0.5 + Math.random() / 2);
  }
}
