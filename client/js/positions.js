// How far this client has come in each topic: from where a subscription goes on, and how a message that is missing,
// or comes twice, is noticed. No sockets, timers or clocks.

const TOPICS_TRACKED_MAX = 100_000;

/** How much older a message may be than one that came before it, on another topic. */
const RESUME_MARGIN_MS = 2000;

/**
 * The subscriptions that stand, and the positions of their topics. `hand(subscriptions, type, detail)` is given, in
 * order, every message that has not come before, and a gap for each that will not come.
 *
 * A subscription is { filter, terms, listener } and what is noted of it here: wild; all, every message is owed; epoch;
 * from, the server's time since when those topics of a pattern are owed that nothing came of yet, while it is known.
 *
 * One that waits for its renewal after a lost connection has left, the newest timestamp before the loss. Others may
 * be renewed earlier: what comes by them is handed to it too, and says nothing of where it left. What it will not get
 * because of that, since it would come too late, it is told at once; blurred says that it was told so of topics that
 * nobody knew.
 *
 * A position is { seq, ts, counting, owed, lax, replay, connection } and who wants the topic. counting: what follows
 * seq is owed; otherwise counting starts with whatever comes first. owed: what is missing up to there was never
 * promised; lax: nor what is missing before the next message, since messages were passed over up to now. replay: { filter, seq },
 * the subscription that has asked for messages which came before, and how far it has come in them.
 */
export class Positions {
  subscriptions = new Map(); // by filter
  #generation = 1; // changes with them
  #topics = new Map(); // positions
  #topicsMax;
  #hand;
  #connection = 0; // counts
  #newest = 0; // timestamp in this epoch, Unix ms at the server

  constructor(hand, topicsMax = TOPICS_TRACKED_MAX) {
    this.#hand = hand;
    this.#topicsMax = topicsMax;
  }

  /** What is known now is of an earlier connection. */
  disconnected() {
    this.#connection++;
    for (const position of this.#topics.values()) position.counting = true;
    for (const subscription of this.subscriptions.values()) subscription.left ??= this.#newest;
  }

  /** A message came. */
  message(message) {
    const { topic, seq, ts, prev = seq - 1 } = message;
    const position = this.#at(topic);
    if (position.counting && seq <= position.seq) { // by time, a pattern resumes from a little before where it stopped
      this.#replay(position, seq, 'message', message);
      return;
    }
    this.#skipped(topic, position, prev);
    this.#overtakes(topic, position, prev);
    this.#advance(position, seq);
    position.ts = ts;
    this.#newest = Math.max(this.#newest, ts);
    for (const subscription of position.subscriptions) {
      if (subscription.left === undefined) subscription.from ??= Math.max(0, ts - RESUME_MARGIN_MS);
    }
    this.#hand(position.subscriptions, 'message', message);
  }

  /** The server says that messages will not come. */
  gap({ topic, from, to, reason }) {
    const position = this.#at(topic);
    if (position.counting && from <= position.seq) {
      const before = Math.min(to, position.seq);
      this.#replay(position, before, 'gap', { topic, from, to: before, reason });
      if (to <= position.seq) return;
    }
    this.#skipped(topic, position, from - 1);
    this.#overtakes(topic, position, from - 1);
    if (position.counting) from = Math.max(from, position.seq + 1, position.owed + 1);
    this.#advance(position, to);
    if (from <= to) this.#hand(position.subscriptions, 'gap', { topic, from, to, reason });
  }

  #advance(position, seq) {
    Object.assign(position, { seq, counting: true, owed: 0, lax: false, replay: null, connection: this.#connection });
  }

  /** Tells those that wait for their renewal what would come behind a message after prev, and so will not come. */
  #overtakes(topic, { counting, seq, replay, subscriptions }, prev) {
    const waiting = subscriptions.filter(({ left, all }) => left !== undefined && all);
    const standing = subscriptions.filter(({ left, all }) => left === undefined && all);
    for (const subscription of waiting) {
      const { filter, from, blurred } = subscription;
      const brought = standing.some((other) => other.from <= from); // all that it is owed, by another
      if (!counting && prev > 0 && !brought && !blurred) {
        subscription.blurred = true;
        this.#anew(subscription);
      } else if (counting && replay?.filter === filter && replay.seq < seq) {
        this.#hand([subscription], 'gap', { topic, from: replay.seq + 1, to: seq, reason: 'reconnect' });
      }
    }
  }

  /** Tells that nobody knows how much is missing. */
  #anew(subscription) {
    this.#hand([subscription], 'gap', { topic: subscription.filter, from: 0, to: 0, reason: 'reconnect' });
  }

  /** Hands what has come before, up to seq, to the subscription that has asked for it. */
  #replay({ replay }, seq, type, detail) {
    const subscription = this.subscriptions.get(replay?.filter);
    if (!subscription || seq <= replay.seq) return;
    replay.seq = seq;
    this.#hand([subscription], type, detail);
  }

  /** Tells of what is missing between what has come and prev, where every message is owed. */
  #skipped(topic, position, prev) {
    const from = Math.max(position.seq, position.owed) + 1;
    if (!position.counting || prev < from || !position.all || position.lax) return;
    const reason = position.connection === this.#connection ? 'lost' : 'reconnect';
    this.#hand(position.subscriptions, 'gap', { topic, from, to: prev, reason });
  }

  /**
   * Notes what the server has acknowledged, before the first message that it brings. result is the answer to terms,
   * which the application has asked for, or resumed() has given for a renewal.
   */
  begins(subscription, terms, result, renewal = false) {
    const { filter } = subscription;
    const { last = 0, since, mode, every } = terms;
    const anew = since !== undefined && (since.epoch !== result.epoch || since.seq > result.seq);
    const unplaced = renewal && since === undefined; // there was no place to ask for, or it was too much for the server
    const told = renewal && anew && since.epoch !== result.epoch && subscription.epoch === result.epoch; // by #waitAnew
    const known = unplaced ? undefined : this.subscriptions.get(filter)?.from;
    Object.assign(subscription, {
      left: undefined,
      blurred: false,
      wild: isPattern(filter),
      all: !(result.every ?? every) && (result.mode ?? mode) !== 'latest',
      epoch: result.epoch,
      // Where counting is anew the newest of each topic comes, and not one of them may have.
      from: anew ? 0 : known ?? since?.ts ?? (last > 0 ? 0 : result.ts),
    });
    this.subscriptions.set(filter, subscription);
    this.#generation++;
    if (anew && renewal) this.#newest = 0;
    const forget = renewal && (anew || unplaced);
    const replays = !renewal && (last > 0 || since !== undefined);
    if (subscription.wild) this.#beginsPattern(filter, terms, { forget, replays });
    else this.#beginsTopic(filter, terms, result.seq, { anew, forget, replays });
    // Nobody knows how much was missed then.
    if ((anew || unplaced) && subscription.all && !told) this.#anew(subscription);
    if (anew && renewal) this.#waitAnew(result.epoch);
  }

  /** Has those that still wait for their renewal begin in the epoch that the server counts in now. */
  #waitAnew(epoch) {
    for (const subscription of this.subscriptions.values()) {
      const { filter, wild, all, left } = subscription;
      if (left === undefined || subscription.epoch === epoch) continue;
      Object.assign(subscription, { epoch, from: 0, left: 0 });
      if (wild) this.#forgetOld(filter);
      else Object.assign(this.#at(filter), { seq: 0, counting: false, owed: 0, replay: null });
      if (all) this.#anew(subscription);
    }
  }

  #beginsPattern(filter, { last, since: { seqs = {} } = {} }, { forget, replays }) {
    for (const [topic, position] of this.#topics) {
      if (!matches(filter, topic)) continue;
      if (replays) position.replay = { filter, seq: last > 0 ? position.seq - last : seqs[topic] ?? 0 };
    }
    if (forget) {
      this.#forgetOld(filter);
      return;
    }
    for (const [topic, seq] of Object.entries(seqs)) {
      const position = this.#at(topic);
      if (!position.counting) Object.assign(position, { seq, counting: true, connection: this.#connection - 1 });
    }
  }

  /** Forgets the topics of a pattern that were not heard of on this connection. */
  #forgetOld(filter) {
    for (const [topic, { connection }] of this.#topics) {
      if (connection === this.#connection || this.subscriptions.has(topic)) continue;
      if (matches(filter, topic)) this.#topics.delete(topic);
    }
  }

  #beginsTopic(topic, { last = 0, since }, head, { anew, forget, replays }) {
    const position = this.#at(topic);
    if (position.counting && !forget) {
      if (replays) position.replay = { filter: topic, seq: last > 0 ? head - last : since.seq };
    } else if (since && !anew) {
      Object.assign(position, { seq: since.seq, counting: true, owed: 0, connection: this.#connection - 1 });
    } else {
      // What is to come from before the head comes by a resume, should the connection break first.
      const seq = Math.max(0, head - (anew ? 1 : last));
      Object.assign(position, { seq, counting: false, owed: head, replay: null });
    }
  }

  /** Where to go on with a filter, for `since`; undefined where nobody knows. */
  place(filter, charsMax) {
    const { wild, epoch, from, left: newest = this.#newest } = this.subscriptions.get(filter) ?? {};
    if (wild === undefined) return undefined;
    if (!wild) return { epoch, seq: goesOn(filter, this.#at(filter)) };
    if (from === undefined && newest === 0) return undefined;
    const recent = Math.max(0, newest - RESUME_MARGIN_MS);
    const { seqs, complete } = this.#seqs(filter, charsMax);
    return { epoch, ts: complete ? from ?? recent : Math.max(from ?? 0, recent), seqs };
  }

  /**
   * How far the topics of a pattern have come; where they do not fit, those that were heard of last. Of the others the
   * server is asked for what came since the newest message: some of that comes twice and is dropped.
   */
  #seqs(filter, charsMax) {
    const held = [...this.#topics].filter(([topic]) => matches(filter, topic));
    held.sort(([, a], [, b]) => b.ts - a.ts);
    const seqs = Object.create(null); // a topic may be called __proto__
    let chars = 0;
    for (const [topic, position] of held) {
      const seq = goesOn(filter, position);
      chars += JSON.stringify(topic).length + String(seq).length + 2;
      if (chars > charsMax) return { seqs, complete: false };
      seqs[topic] = seq;
    }
    return { seqs, complete: true };
  }

  /** The terms by which a subscription goes on where it stopped. */
  resumed({ filter, terms }, charsMax) {
    const { last: _last, ...resumed } = terms;
    return { ...resumed, since: this.place(filter, charsMax) };
  }

  /** A subscription is no more. */
  forget(filter) {
    this.subscriptions.delete(filter);
    this.#generation++;
    for (const topic of this.#topics.keys()) {
      if (matches(filter, topic) && this.#at(topic).subscriptions.length === 0) this.#topics.delete(topic);
    }
  }

  /** The position of a topic, made where there is none. Past the bound, what was noted first is forgotten. */
  #at(topic) {
    let position = this.#topics.get(topic);
    if (!position) {
      if (this.#topics.size >= this.#topicsMax) this.#forgetOne();
      const fresh = { seq: 0, ts: 0, counting: false, owed: 0, lax: false, replay: null, generation: 0 };
      position = { ...fresh, connection: this.#connection };
      this.#topics.set(topic, position);
    }
    if (position.generation !== this.#generation) {
      const exact = this.subscriptions.get(topic);
      const covering = ({ filter, wild }) => wild && matches(filter, topic);
      const subscriptions = [...this.subscriptions.values()].filter((s) => s === exact || covering(s));
      const all = exact ? exact.all : subscriptions.some((s) => s.all);
      const lax = position.lax || (all && position.all === false);
      Object.assign(position, { generation: this.#generation, subscriptions, all, lax });
    }
    return position;
  }

  #forgetOne() {
    for (const topic of this.#topics.keys()) {
      if (this.subscriptions.has(topic)) continue; // what is subscribed to by name goes on from its position
      this.#topics.delete(topic);
      return;
    }
  }
}

/** The number after which a filter goes on in a topic. */
const goesOn = (filter, { seq, replay }) => (replay?.filter === filter ? Math.max(0, Math.min(seq, replay.seq)) : seq);

const isPattern = (filter) => /[+#]/.test(filter);

/** MQTT 3.1.1 §4.7: + is one level, a last # any number, and neither stands for a first level that begins with $. */
export function matches(filter, topic) {
  if (filter === topic) return true;
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const levels = topic.split('/');
  const wanted = filter.split('/');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true; // of its parent too: "a/#" is also "a"
    if (i === levels.length || (wanted[i] !== '+' && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** Whether two filters may have a topic in common; of two patterns nobody looks closely. */
export const overlap = (a, b) => (isPattern(a) && isPattern(b)) || matches(a, b) || matches(b, a);
