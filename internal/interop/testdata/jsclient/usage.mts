// Not run: what the types of client/js let an application write, and what they do not.
import { Megawire, MegawireError } from '../../../../client/js/megawire.js';
import type { Gap, Message, PatternPosition, Position } from '../../../../client/js/megawire.js';

interface Ticker {
  price: number;
}

const mw = new Megawire('wss://push.example.com/ws', { token: async () => 'x', backoffCapMs: 5000 });
new Megawire(new URL('ws://localhost:8080/ws'), { WebSocket });

const ack = await mw.subscribe<Ticker>({ topic: 'ticker/+', last: 1, every: 250 }, (message) => {
  const price: number | undefined = message.data?.price;
  console.log(message.topic, message.seq, price, message.bin?.byteLength);
});
console.log(ack.epoch, ack.recovered === true, ack.mode === 'latest');
await mw.subscribe('chat/lobby', {
  message: (message: Message) => console.log(message.text?.length),
  gap: (gap: Gap) => console.log(gap.to - gap.from, gap.reason === 'slow'),
}, { signal: AbortSignal.timeout(5000) });

const place: Position | undefined = mw.position('ticker/+');
if (place && 'ts' in place) await mw.subscribe({ topic: 'ticker/+', since: place as PatternPosition });

mw.addEventListener('state', ({ detail: { state, retryInMs } }) => console.log(state, retryInMs?.toFixed()));
mw.addEventListener('gap', ({ detail }) => console.log(detail.from));
mw.addEventListener('message', function once(event) {
  mw.removeEventListener('message', once);
  console.log(event.detail.raw);
});

const { seq } = await mw.publish('chat/lobby', { bin: new Uint8Array(2) }, { echo: false });
const { clients } = await mw.presence('chat/lobby');
console.log(seq + 1, clients.map(({ client }) => client), (await mw.ping()).toFixed());
await mw.publish('a', { text: 'x' }).catch((error: unknown) => {
  if (error instanceof MegawireError) console.log(error.code, error.retryAfter);
});
mw.close();

// @ts-expect-error: one kind of payload alone
await mw.publish('a', { data: 1, text: 'x' });
// @ts-expect-error: a mode that there is not
await mw.subscribe({ topic: 'a', mode: 'some' });
// @ts-expect-error: no topic
await mw.subscribe({ last: 1 });
// @ts-expect-error: read only
mw.state = 'closed';
