/**
 * Megawire's client for browsers, Node and every other host of WebSocket: one connection that is made
 * again when it breaks, subscriptions that go on where they stopped, and a word about each message
 * that is missing.
 *
 *     const mw = new Megawire('wss://push.example.com/ws');
 *     await mw.subscribe({ topic: 'ticker/#', last: 1 }, (message) => show(message.topic, message.data));
 *
 * What the caller has to know:
 * - Listeners are called one after the other, in the server's order, as frames arrive. Nothing is queued
 *   here: what takes long in a listener holds up what comes behind it. A display that cannot follow asks
 *   for less: `mode: 'latest'`, or `every` so many ms.
 * - `data` is what JSON.parse makes of it: integers from 2^53 on lose digits. `raw` is the frame's text.
 * - Every message is handed on once. What is missing is told by a `gap`, in its place.
 */

import { Link } from './link.js';
import { overlap, Positions } from './positions.js';
import { asBody, parse, webSocketURL } from './wire.js';

const SUBPROTOCOL = 'megawire.v1'; // RFC 6455 §1.9: a server of this protocol confirms it
const PROTOCOL_BROKEN = 'the server broke the protocol';

// Bounds of what is held in memory. Text is counted in characters (UTF-16 units).
const REQUESTS_IN_FLIGHT_MAX = 1024;
const REQUESTS_WAITING_MAX = 1024;
const REQUEST_CHARS_MAX = 4 << 20; // of the requests in flight, and as much of those that wait; one always fits

// Bounds of one request that renews subscriptions; half of it may name the topics of one pattern. A server that finds
// it too long is told less.
const RENEWAL_FILTERS_MAX = 1024;
const RENEWAL_CHARS_MAX = 256 << 10;
const RENEWAL_CHARS_MIN = 4 << 10; // what every server takes

const RECONNECT_AFTER_MAX_MS = 5 * 60_000; // however long a server asks a client to stay away
// A connection has to last so long for the next loss to count as the first one again; otherwise a server
// that accepts and then closes would be called on at the shortest interval for ever.
const STEADY_AFTER_MS = 10_000;

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  pingAfterMs: 25_000,
  pongTimeoutMs: 10_000,
  backoffBaseMs: 500,
  backoffCapMs: 30_000,
};

/**
 * A request that failed. `code` is the server's (bad_request, unauthorized, forbidden, bad_topic, too_many,
 * too_large, rate_limited, unavailable) or the client's: connection_lost (a publication may have been made or
 * not), queue_full (too much waits for a connection), closed, policy and kicked (the server does not want this
 * client back), not_megawire (something else answers at the URL), connect (the host's WebSocket refuses the URL).
 * `retryAfter` is in ms, where the server names a time.
 */
export class MegawireError extends Error {
  constructor(code, message, retryAfter) {
    super(message || code);
    this.name = 'MegawireError';
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * A client. It connects by itself as soon as it is made, and again after every loss, until close() or until
 * the server does not want it back. Events, each a CustomEvent whose `detail` says what happened: `message`,
 * `gap`, `state`, `goaway`, `unsubscribed`, `error` (of the server's, about no request in particular).
 */
export class Megawire extends EventTarget {
  #url;
  #WebSocket;
  #options;
  #token; // or what returns one
  #refused = null; // { token } that a close with 4001 answered
  #clientId;

  // The connection.
  #state = 'connecting';
  #link = null; // standing or attempted
  #attempt = 0; // counts
  #openedAt = 0;
  #failures = 0; // since a connection was steady
  #askedMs = 0; // by goaway, before the next attempt
  #timer; // of the next attempt
  #end = null; // why there will be no other

  // Requests in the order of their making: { id, op, frame, ok(reply), fail(error), once, own, filter,
  // subscription }.
  #lastId = 0;
  #inFlight = new Map(); // by id
  #inFlightChars = 0;
  #waiting = [];
  #waitingChars = 0;
  #renewing = 0; // renewals that are not answered; until then the application's requests wait
  #postponed = new Set(); // filters whose renewal the server has refused for the moment
  #renewalCharsMax = RENEWAL_CHARS_MAX;

  #positions = new Positions((subscriptions, type, detail) => this.#hand(subscriptions, type, detail));

  /** megawire.d.ts has the options. */
  constructor(url, options = {}) {
    super();
    this.#url = webSocketURL(url);
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof this.#WebSocket !== 'function') {
      throw new TypeError('megawire: no WebSocket here; hand one in as options.WebSocket, such as that of npm "ws"');
    }
    this.#options = { ...DEFAULTS };
    for (const name of Object.keys(DEFAULTS)) {
      const ms = options[name] ?? DEFAULTS[name];
      if (!(ms > 0 && ms < 2 ** 31)) throw new RangeError(`megawire: ${name} is a number of ms above 0 and below 2^31`);
      this.#options[name] = ms;
    }
    this.#token = options.token;
    queueMicrotask(() => this.#connect()); // so that listeners can be added before anything happens
  }

  /** connecting, connected, disconnected (another attempt follows), unauthorized (auth() is waited for), closed. */
  get state() {
    return this.#state;
  }

  /** The server's id of this connection, once a request has been answered with it. */
  get clientId() {
    return this.#clientId;
  }

  /**
   * Subscribes to a topic or pattern, given as a string or as { topic, last, since, mode, every }, and resolves to
   * the server's answer. The subscription lasts, over reconnects, until unsubscribe(). A filter has one
   * subscription: subscribing again changes its terms, and its listener where one is given. `listener` is a function
   * of messages, or an object with `message` and `gap`; it may be called before the promise is awaited.
   */
  async subscribe(filter, listener, { signal } = {}) {
    const terms = typeof filter === 'string' ? { topic: filter } : { ...filter };
    if (terms.since === null) delete terms.since; // what JSON and localStorage make of a place that nobody knew
    const asked = { filter: terms.topic, terms, listener: asListener(listener) };
    return this.#request('subscribe', { topics: [terms] }, {
      signal,
      filter: terms.topic,
      subscription: asked,
      abandoned: () => {
        asked.listener = null;
        if (!this.#positions.subscriptions.has(asked.filter)) this.unsubscribe(asked.filter).catch(() => {});
      },
      done: (reply) => {
        const result = only(reply.topics);
        asked.listener ??= this.#positions.subscriptions.get(asked.filter)?.listener;
        this.#positions.begins(asked, terms, result);
        return result;
      },
    });
  }

  /**
   * Says how far the application has come in a filter: a `since` that can be stored, as JSON, and given to subscribe()
   * by another client, such as that of the same page after a reload. undefined where nobody knows. A pattern's topics
   * are gone through: once a second is often enough.
   */
  position(filter) {
    return this.#positions.place(filter, RENEWAL_CHARS_MAX / 2);
  }

  /** Takes exactly this filter back. Its listener hears nothing from now on, events end with the answer. */
  async unsubscribe(filter, { signal } = {}) {
    const silence = (subscription) => { if (subscription?.filter === filter) subscription.listener = null; };
    silence(this.#positions.subscriptions.get(filter));
    for (const request of [...this.#inFlight.values(), ...this.#waiting]) silence(request.subscription);
    return this.#request('unsubscribe', { topics: [filter] }, {
      signal,
      filter,
      done: (reply) => {
        const result = only(reply.topics);
        this.#forget(filter);
        return result;
      },
    });
  }

  /**
   * Publishes { data }, { text } or { bin: Uint8Array } and resolves to { topic, epoch, seq } once the server has it.
   * With echo: false it does not come back to this client. Nothing is sent twice: after a rejection with
   * connection_lost nobody knows whether it was published.
   */
  async publish(topic, payload, { echo, signal } = {}) {
    return this.#request('publish', { topic, ...asBody(payload), echo }, {
      signal,
      once: true,
      done: ({ topic, epoch, seq }) => ({ topic, epoch, seq }),
    });
  }

  /** Resolves to { topic, count, clients, truncated }: who is subscribed to exactly this topic. */
  async presence(topic, { signal } = {}) {
    const done = ({ topic, count, clients, truncated = false }) => ({ topic, count, clients, truncated });
    return this.#request('presence', { topic }, { signal, done });
  }

  /** Resolves to the subscriptions of this connection, as the server sees them. */
  async list({ signal } = {}) {
    return this.#request('list', {}, { signal, done: (reply) => reply.topics });
  }

  /** Resolves to the ms from the call to the answer. */
  async ping({ signal } = {}) {
    const began = performance.now();
    return this.#request('ping', {}, { signal, done: () => performance.now() - began });
  }

  /** Takes a token in place of the former one. A client in the state unauthorized connects with it. */
  async auth(token, { signal } = {}) {
    this.#token = token;
    this.#refused = null;
    const answer = this.#request('auth', { token }, { signal, once: true, done: () => {} });
    if (this.#state === 'unauthorized') this.#connect();
    return answer;
  }

  /** Ends the connection and the client. What waits for an answer is rejected with the code closed. */
  close() {
    this.#finish(new MegawireError('closed', 'closed by the application'));
  }

  // --- The connection. Whatever tells the application comes last in a method, since it may call back. ---

  async #connect() {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    const outdated = () => attempt !== this.#attempt || this.#end !== null;
    if (this.#end) return;
    this.#changed('connecting');
    let token = this.#token;
    try {
      if (typeof token === 'function') token = await token();
    } catch (error) {
      if (!outdated()) this.#again({ reason: `no token: ${error?.message ?? error}` });
      return;
    }
    if (outdated()) return;
    if (this.#refused && this.#refused.token === token) {
      this.#changed('unauthorized', { code: 4001, reason: 'this token has been refused' });
      return;
    }
    try {
      this.#link = new Link(this.#WebSocket, this.#url, SUBPROTOCOL, this.#options, {
        open: (protocol) => this.#opened(protocol, token),
        frame: (text) => this.#frame(text),
        lost: (code, reason) => this.#lost(code, reason, token),
      });
    } catch (error) { // ws: from a page of https:, for one
      this.#finish(new MegawireError('connect', error.message));
    }
  }

  #opened(protocol, token) {
    if (protocol !== SUBPROTOCOL) {
      this.#finish(new MegawireError('not_megawire', `what answers does not speak ${SUBPROTOCOL}`));
      return;
    }
    this.#openedAt = performance.now();
    const auth = this.#waiting.filter((request) => request.op === 'auth');
    if (auth.length === 0 && token !== undefined) auth.push(this.#authentication(token));
    // The server answers in order: first who this is, then what stood, then what was asked for meanwhile.
    this.#wait([...auth, ...this.#renewals(), ...this.#waiting.filter((request) => request.op !== 'auth')]);
    this.#changed('connected');
    this.#send();
  }

  #lost(code, reason, token) {
    const steady = this.#state === 'connected' && performance.now() - this.#openedAt >= STEADY_AFTER_MS;
    if (steady) this.#failures = 0;
    if (code === 1009 && this.#renewing > 0) {
      this.#renewalCharsMax = Math.max(RENEWAL_CHARS_MIN, this.#renewalCharsMax / 2);
    }
    this.#renewing = 0;
    this.#postponed.clear();
    this.#link = null;
    this.#positions.disconnected();
    const lost = [...this.#inFlight.values()].filter((request) => !request.own);
    this.#inFlight.clear();
    this.#inFlightChars = 0;
    this.#wait([...lost.filter((request) => !request.once), ...this.#waiting.filter((request) => !request.own)]);
    const unknown = new MegawireError('connection_lost', 'the connection was lost before the answer came');
    for (const request of lost) if (request.once) request.fail(unknown);
    if (code === 1008 || code === 4003) {
      this.#finish(new MegawireError(code === 1008 ? 'policy' : 'kicked', reason));
      return;
    }
    if (code === 4001) this.#refused = { token };
    if (code === 4001 && this.#token === token) this.#changed('unauthorized', { code, reason });
    else this.#again({ code, reason });
  }

  /** Full jitter under an exponential cap: clients that lost their server at one instant come back spread out. */
  #again(why) {
    const { backoffBaseMs, backoffCapMs } = this.#options;
    const askedMs = Math.min(this.#askedMs, RECONNECT_AFTER_MAX_MS);
    const jitterMs = Math.random() * Math.min(backoffCapMs, backoffBaseMs * 2 ** this.#failures);
    // The server has spread its clients already over the wait that it asks for.
    const retryInMs = askedMs > 0 && this.#failures === 0 ? askedMs : askedMs + jitterMs;
    this.#askedMs = 0;
    this.#failures++;
    this.#timer = setTimeout(() => this.#connect(), retryInMs);
    this.#changed('disconnected', { ...why, retryInMs });
  }

  #finish(error) {
    if (this.#end) return;
    this.#end = error;
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = null;
    const requests = [...this.#inFlight.values(), ...this.#waiting];
    this.#inFlight.clear();
    this.#wait([]);
    for (const request of requests) if (!request.own) request.fail(error);
    this.#changed('closed', { error });
  }

  #changed(state, detail) {
    this.#state = state;
    this.#tell('state', { state, ...detail });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // --- Requests ---

  #request(op, fields, { signal, once = false, filter, subscription, abandoned, done }) {
    return new Promise((resolve, reject) => {
      if (this.#end) throw this.#end;
      signal?.throwIfAborted();
      const abort = () => {
        if (this.#waiting.includes(request)) this.#wait(this.#waiting.filter((other) => other !== request));
        else abandoned?.();
        reject(signal.reason);
        this.#send(); // what it may have held up
      };
      const settled = () => signal?.removeEventListener('abort', abort);
      const request = this.#made(op, fields, {
        once,
        filter,
        subscription,
        ok: (reply) => {
          settled();
          try {
            resolve(done(reply));
          } catch (error) {
            reject(error);
          }
        },
        fail: (error) => {
          settled();
          reject(error);
        },
      });
      const chars = this.#waitingChars + request.frame.length;
      if (this.#waiting.length >= REQUESTS_WAITING_MAX || (this.#waiting.length > 0 && chars > REQUEST_CHARS_MAX)) {
        throw new MegawireError('queue_full', 'too many requests wait for the server');
      }
      signal?.addEventListener('abort', abort);
      this.#waiting.push(request);
      this.#waitingChars = chars;
      this.#send();
    });
  }

  #made(op, fields, more) {
    const id = ++this.#lastId;
    return { id, op, frame: JSON.stringify({ op, id, ...fields }), ...more };
  }

  #wait(requests) {
    this.#waiting = requests;
    this.#waitingChars = requests.reduce((sum, request) => sum + request.frame.length, 0);
  }

  #send() {
    while (this.#state === 'connected' && this.#waiting.length > 0) {
      const [{ own, op, filter, frame: { length } }] = this.#waiting;
      if (this.#renewing > 0 && !own && op !== 'auth') return;
      if (op === 'subscribe' && !own && this.#holdsUp(filter)) return;
      const full = this.#inFlight.size >= REQUESTS_IN_FLIGHT_MAX || this.#inFlightChars + length > REQUEST_CHARS_MAX;
      if (full && this.#inFlight.size > 0) return;
      const request = this.#waiting.shift();
      this.#waitingChars -= length;
      this.#inFlight.set(request.id, request);
      this.#inFlightChars += length;
      this.#link.send(request.frame);
    }
  }

  #reply(reply) {
    const request = this.#inFlight.get(reply.id);
    const error = reply.op === 'error' ? new MegawireError(reply.code, reply.message, reply.retry_after) : null;
    if (!request) {
      if (error && reply.id === undefined) this.#tell('error', error);
      return;
    }
    this.#inFlight.delete(request.id);
    this.#inFlightChars -= request.frame.length;
    if (typeof reply.client === 'string') this.#clientId = reply.client;
    if (error) request.fail(error);
    else request.ok(reply);
    this.#send();
  }

  #authentication(token) {
    return this.#made('auth', { token }, { own: true, ok: () => {}, fail: (error) => this.#tell('error', error) });
  }

  /** What asks for every subscription again, from where it stopped, in requests of bounded size. */
  #renewals() {
    const batches = [[]];
    let chars = 0;
    for (const subscription of this.#positions.subscriptions.values()) {
      const terms = this.#positions.resumed(subscription, this.#renewalCharsMax / 2);
      const { length } = JSON.stringify(terms);
      const batch = batches.at(-1);
      if (batch.length === RENEWAL_FILTERS_MAX || (batch.length > 0 && chars + length > this.#renewalCharsMax)) {
        batches.push([]);
        chars = 0;
      }
      batches.at(-1).push({ subscription, terms });
      chars += length;
    }
    const requests = batches.filter((batch) => batch.length > 0).map((batch) => this.#renewal(batch));
    this.#renewing = requests.length;
    return requests;
  }

  /** Asks for subscriptions ahead of what waits. */
  #renewFirst(batch, tries) {
    this.#renewing++;
    this.#wait([this.#renewal(batch, tries), ...this.#waiting]);
  }

  #renewal(batch, tries = 0) {
    const link = this.#link;
    return this.#made('subscribe', { topics: batch.map(({ terms }) => terms) }, {
      own: true,
      ok: ({ topics }) => {
        if (topics?.length !== batch.length) {
          link.drop(PROTOCOL_BROKEN);
          return;
        }
        this.#renewing--;
        const results = batch.map((entry, i) => ({ ...entry, result: topics[i] }));
        const busy = results.filter(({ result }) => isTemporary(result.error));
        this.#postpone(link, busy, tries, Math.max(0, ...busy.map(({ result }) => result.retry_after ?? 0)));
        // Where news of too many topics came since, a pattern is asked for without its place.
        const tooMuch = results.filter(({ subscription: { wild }, terms: { since }, result }) => (
          wild && since !== undefined && result.error === 'too_many'));
        const placeless = tooMuch.map(({ subscription, terms }) => (
          { subscription, terms: { ...terms, since: undefined } }));
        if (placeless.length > 0) this.#renewFirst(placeless, tries);
        for (const answered of results) {
          if (busy.includes(answered) || tooMuch.includes(answered)) continue;
          const { subscription, terms, result } = answered;
          this.#postponed.delete(subscription.filter);
          if (result.error) this.#dropped({ topic: subscription.filter, code: result.error, message: result.message });
          else this.#positions.begins(subscription, terms, result, true);
        }
      },
      fail: ({ code, message, retryAfter = 0 }) => {
        if (isTemporary(code)) {
          link.later(() => {
            this.#renewing--;
            this.#renewFirst(batch, tries);
            this.#send();
          }, Math.max(retryAfter, this.#options.backoffBaseMs));
          return;
        }
        this.#renewing--;
        for (const { terms } of batch) this.#dropped({ topic: terms.topic, code, message });
      },
    });
  }

  /** Asks again after a pause, which grows, for what the server has no time to renew. Requests go on meanwhile. */
  #postpone(link, entries, tries, retryAfter) {
    if (entries.length === 0) return;
    for (const { subscription: { filter } } of entries) this.#postponed.add(filter);
    const { backoffBaseMs, backoffCapMs } = this.#options;
    const leastMs = Math.min(Math.max(retryAfter, backoffBaseMs), RECONNECT_AFTER_MAX_MS);
    link.later(() => {
      for (const { op, filter } of [...this.#inFlight.values(), ...this.#waiting]) {
        if (op === 'unsubscribe') this.#postponed.delete(filter);
      }
      const still = entries.filter(({ subscription: { filter } }) => this.#postponed.has(filter));
      const again = still.map(({ subscription, terms }) => ({
        subscription,
        terms: terms.since ? this.#positions.resumed(subscription, this.#renewalCharsMax / 2) : terms,
      }));
      if (again.length > 0) this.#renewFirst(again, tries + 1);
      this.#send();
    }, leastMs + Math.random() * Math.min(backoffCapMs, backoffBaseMs * 2 ** tries));
  }

  /** Whether a subscribe has to wait: what it brings could come ahead of what a postponed renewal is owed. */
  #holdsUp(filter) {
    return [...this.#postponed].some((postponed) => overlap(postponed, String(filter)));
  }

  // --- What the server says ---

  #frame(text) {
    const frame = parse(text);
    if (!frame) {
      this.#link.drop(PROTOCOL_BROKEN);
      return;
    }
    switch (frame.op) {
      case undefined:
        this.#positions.message(frame);
        break;
      case 'gap':
        this.#positions.gap(frame);
        break;
      case 'ok':
      case 'error':
      case 'pong':
        this.#reply(frame);
        break;
      case 'goaway':
        this.#askedMs = Math.max(0, frame.reconnect_after) || 0;
        this.#tell('goaway', { reconnectAfterMs: this.#askedMs });
        break;
      case 'unsubscribed':
        this.#dropped(frame);
        break;
      default: // of a later version
    }
  }

  /** Hands something to the listeners of subscriptions, and to those of the event. */
  #hand(subscriptions, type, detail) {
    for (const { listener } of subscriptions) {
      try {
        listener?.[type]?.(detail);
      } catch (error) {
        queueMicrotask(() => { throw error; }); // reported as an event's listener's would be; others are not to suffer
      }
    }
    this.#tell(type, detail);
  }

  #forget(filter) {
    this.#postponed.delete(filter);
    this.#positions.forget(filter);
  }

  /** The server has ended a subscription, or does not renew it. */
  #dropped({ topic, code, message }) {
    this.#forget(topic);
    this.#tell('unsubscribed', { topic, code, message });
  }
}

/** Whether what was refused with this code may succeed later as it is. */
const isTemporary = (code) => code === 'rate_limited' || code === 'unavailable';

/** The result of a request that was about one filter. */
function only([result]) {
  if (result.error) throw new MegawireError(result.error, result.message, result.retry_after);
  return result;
}

function asListener(listener) {
  if (typeof listener === 'function') return { message: listener };
  if (listener === undefined || listener === null || typeof listener === 'object') return listener;
  throw new TypeError('megawire: a listener is a function, or an object with the functions message and gap');
}
