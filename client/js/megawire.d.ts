/** What a request asks for; a string is the topic or pattern alone. */
export interface Terms {
  /** A topic, or a pattern: + stands for one level, # (last) for any number. */
  topic: string;
  /** So many of the newest messages that are kept of each topic come first. Not together with since. */
  last?: number;
  /** What was published after it comes first; null is none. */
  since?: Position | null;
  /** all: every message. latest: when this client is slow, of each topic the newest. */
  mode?: 'all' | 'latest';
  /** At most one message of each topic in so many ms, always ending on the newest. */
  every?: number;
}

/** A place in a topic, or in the topics of a pattern. It can be stored as JSON. */
export type Position = TopicPosition | PatternPosition;

export interface TopicPosition {
  epoch: string;
  seq: number;
}

export interface PatternPosition {
  epoch: string;
  /** Unix ms at the server; for topics that seqs does not name. */
  ts: number;
  seqs?: Record<string, number>;
}

/** The server's answer to a subscribe. */
export interface Subscribed {
  topic: string;
  epoch: string;
  /** The topic's newest. A pattern has none. */
  seq?: number;
  /** Of a pattern: when it began, Unix ms at the server. */
  ts?: number;
  /** Stands where since was asked for: whether everything that was published after it is on its way. */
  recovered?: boolean;
  /** What holds, where it is not all: a rule of the server's, or rounding, may have made another of it. */
  mode?: 'all' | 'latest';
  every?: number;
}

interface MessageBase {
  topic: string;
  /** Rises within a topic and epoch. */
  seq: number;
  /** The seq of the topic's message before, where it is not seq - 1. */
  prev?: number;
  /** Unix ms at the server. */
  ts: number;
  /** The frame's text; for integers from 2^53 on, whose digits data does not keep. */
  raw: string;
}

/** One publication. It carries exactly one of data, text and bin. */
export interface Message<Data = any> extends MessageBase {
  /** JSON's value. */
  data?: Data;
  /** Text that is not JSON. */
  text?: string;
  bin?: Uint8Array;
}

/** Messages that will not come, both ends included. */
export interface Gap {
  /** The topic; or the filter, where from and to are 0. */
  topic: string;
  from: number;
  /** from and to are 0 where nobody knows what is missing, because the server counts anew. */
  to: number;
  /**
   * slow, expired, excluded: the server's. reconnect: published while there was no connection. lost: a number was
   * skipped on a standing connection.
   */
  reason: 'slow' | 'expired' | 'excluded' | 'reconnect' | 'lost' | (string & {});
}

export type Listener<Data = any> =
  | ((message: Message<Data>) => void)
  | { message?(message: Message<Data>): void; gap?(gap: Gap): void };

/** Exactly one of data (what JSON.stringify takes), text and bin. */
export type Payload =
  | { data: unknown; text?: never; bin?: never }
  | { text: string; data?: never; bin?: never }
  | { bin: Uint8Array | ArrayBuffer; data?: never; text?: never };

export interface Published {
  topic: string;
  epoch: string;
  seq: number;
}

export interface Presence {
  topic: string;
  count: number;
  clients: { client: string; sub?: string }[];
  /** Whether clients are some of them alone. */
  truncated: boolean;
}

/**
 * connecting; connected; disconnected, and about to try again; unauthorized, waiting for auth() with another token;
 * closed for good.
 */
export type State = 'connecting' | 'connected' | 'disconnected' | 'unauthorized' | 'closed';

export interface StateChange {
  state: State;
  /** Of a connection that was lost: the close code (1006: none came) and what is known beside it. */
  code?: number;
  reason?: string;
  /** When the next attempt is made. */
  retryInMs?: number;
  /** Of closed: why. */
  error?: MegawireError;
}

/** A connected WebSocket of any make: the browser's, Node 22's, npm ws's. */
export interface WebSocketConstructor {
  new (url: string, protocols: string[]): any;
}

export type Token = string | (() => string | Promise<string>);

export interface Options {
  /** The WebSocket to use. Default: globalThis.WebSocket. */
  WebSocket?: WebSocketConstructor;
  /** Who this is; a function is asked before each connection. */
  token?: Token;
  /** How long an attempt to connect may take. Default: 10,000. */
  connectTimeoutMs?: number;
  /** How long the connection may be silent before the server is asked for a sign of life. Default: 25,000. */
  pingAfterMs?: number;
  /** How long that may take. Default: 10,000. */
  pongTimeoutMs?: number;
  /** The first wait before a reconnect is random and at most this; each failure doubles it. Default: 500. */
  backoffBaseMs?: number;
  /** Up to this. Default: 30,000. */
  backoffCapMs?: number;
}

export interface Waiting {
  /** Ends the waiting for an answer: the promise is rejected with its reason, and a subscribe is taken back. */
  signal?: AbortSignal;
}

/**
 * A request that failed. code is the server's (bad_request, unauthorized, forbidden, bad_topic, too_many, too_large,
 * rate_limited, unavailable) or one of the client's own (connection_lost, queue_full, closed, policy, kicked,
 * not_megawire, connect).
 */
export class MegawireError extends Error {
  constructor(code: string, message?: string, retryAfter?: number);
  readonly code: string;
  /** In ms, where the server names a time. */
  readonly retryAfter?: number;
}

export interface MegawireEvents {
  message: CustomEvent<Message>;
  gap: CustomEvent<Gap>;
  state: CustomEvent<StateChange>;
  /** The server is about to close, and asks for this wait, which the client keeps by itself. */
  goaway: CustomEvent<{ reconnectAfterMs: number }>;
  /** A subscription has ended without being asked to. */
  unsubscribed: CustomEvent<{ topic: string; code: string; message?: string }>;
  /** An error of the server's about no request in particular. */
  error: CustomEvent<MegawireError>;
}

/** One connection to a server, made again when it breaks, until close(). */
export class Megawire extends EventTarget {
  constructor(url: string | URL, options?: Options);
  readonly state: State;
  /** The server's id of this connection, once it has told. */
  readonly clientId: string | undefined;
  subscribe<Data = any>(filter: string | Terms, listener?: Listener<Data>, options?: Waiting): Promise<Subscribed>;
  unsubscribe(filter: string, options?: Waiting): Promise<{ topic: string }>;
  position(filter: string): Position | undefined;
  publish(topic: string, payload: Payload, options?: Waiting & { echo?: boolean }): Promise<Published>;
  presence(topic: string, options?: Waiting): Promise<Presence>;
  list(options?: Waiting): Promise<Subscribed[]>;
  ping(options?: Waiting): Promise<number>;
  auth(token: string, options?: Waiting): Promise<void>;
  close(): void;
  addEventListener<K extends keyof MegawireEvents>(
    type: K,
    listener: (event: MegawireEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof MegawireEvents>(
    type: K,
    listener: (event: MegawireEvents[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
