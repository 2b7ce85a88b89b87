// Values to text and back.

/** A frame's value, with its text where it is a message; undefined where it is not of the protocol. */
export function parse(text) {
  try {
    const frame = typeof text === 'string' ? JSON.parse(text) : null;
    if (frame === null || typeof frame !== 'object') return undefined;
    if (frame.op !== undefined) return frame;
    if (frame.bin !== undefined) frame.bin = bytesOf(frame.bin);
    return Object.assign(frame, { raw: text });
  } catch {
    return undefined;
  }
}

/** The keys of a publication that are its payload. */
export function asBody(payload) {
  const [kind, ...more] = Object.keys(payload ?? {});
  const value = payload?.[kind];
  if (more.length > 0 || value === undefined || !['data', 'text', 'bin'].includes(kind)) {
    throw new TypeError('megawire: a payload is one of { data }, { text } and { bin }');
  }
  if (kind !== 'bin') return { [kind]: value };
  if (value instanceof ArrayBuffer) return { bin: base64Of(new Uint8Array(value)) };
  if (value instanceof Uint8Array) return { bin: base64Of(value) };
  throw new TypeError('megawire: bin is a Uint8Array or an ArrayBuffer');
}

function base64Of(bytes) {
  if (bytes.toBase64) return bytes.toBase64();
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytesOf(base64) {
  return Uint8Array.fromBase64?.(base64) ?? Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** The URL that a WebSocket takes; a relative one is of the page. */
export function webSocketURL(url) {
  const full = new URL(url, globalThis.location?.href);
  full.protocol = full.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(full.protocol)) throw new TypeError(`megawire: ${url} is not a ws:, wss:, http: or https: URL`);
  if (full.href.includes('#')) throw new TypeError('megawire: a # in a URL is written %23');
  return full.href;
}
