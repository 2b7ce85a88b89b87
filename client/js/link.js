/** A connection, from the attempt to the end. It calls on.open, on.frame and, exactly once, on.lost(code, reason). */
export class Link {
  #socket;
  #options;
  #on;
  #timers = new Set();
  #heardAt = 0;
  #fault = '';
  #ended = false;

  constructor(WebSocket, url, protocol, options, on) {
    this.#options = options;
    this.#on = on;
    const socket = new WebSocket(url, [protocol]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#open();
    socket.onmessage = (event) => {
      this.#heardAt = performance.now();
      on.frame(event.data);
    };
    socket.onclose = (event) => this.#end(event.code, event.reason || this.#fault);
    socket.onerror = (event) => { this.#fault = event.message ?? ''; }; // npm ws names the fault, browsers do not
    this.later(() => this.drop('no connection in time'), options.connectTimeoutMs);
  }

  send(frame) {
    this.#socket.send(frame);
  }

  /** Calls f after so many ms, unless the connection has ended by then. */
  later(f, ms) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      f();
    }, ms);
    this.#timers.add(timer);
  }

  /** Gives the connection up: a dead peer would leave the host's WebSocket waiting for minutes. */
  drop(reason) {
    this.#end(1006, reason);
  }

  /** Ends the connection without a word to on.lost. */
  close() {
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.onerror = () => {}; // npm ws would throw the error that nobody listens to
    this.#socket.close(1000);
  }

  #end(code, reason) {
    if (this.#ended) return;
    this.close();
    this.#on.lost(code, reason);
  }

  #open() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#heardAt = performance.now();
    this.#watch();
    this.#on.open(this.#socket.protocol);
  }

  // Browsers cannot send RFC 6455 pings and do not show those that they answer.
  #watch() {
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs < this.#options.pingAfterMs) {
      this.later(() => this.#watch(), this.#options.pingAfterMs - silentMs);
      return;
    }
    const before = this.#heardAt;
    this.send('{"op":"ping"}');
    this.later(() => {
      if (this.#heardAt === before) this.drop('no sign of life from the server');
      else this.#watch();
    }, this.#options.pongTimeoutMs);
  }
}
