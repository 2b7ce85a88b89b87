// The page: tiles for the demo's tickers and sensors, a list for any other topic, and what the connection is doing.
// Messages only change state; what is painted is painted once a frame, so that a fast feed costs no more than the screen shows.

import { Feed } from './feed.js';
import { showOverview } from './overview.js';
import { Spark } from './spark.js';

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const config = JSON.parse(byId('config').textContent);

const count = new Intl.NumberFormat('en-US');
const counters = { messages: 0, bytes: 0, told: 0, found: 0 };
const views = new Map(); // topic: its Tile or Row
const dirty = new Set(); // views to paint in the next frame

let colors = {};
function readColors() {
  const style = getComputedStyle(root);
  for (const name of ['up', 'down', 'quiet', 'accent']) colors[name] = style.getPropertyValue(`--${name}`).trim();
  for (const view of views.values()) dirty.add(view);
}

function element(tag, className, parent) {
  const e = document.createElement(tag);
  e.className = className;
  parent.append(e);
  return e;
}

// Tile shows one number of a topic: its value, something beside it, and the line it drew.
class Tile {
  constructor(topic, list, name) {
    this.topic = topic;
    this.item = element('li', '', list);
    this.item.title = topic;
    this.name = element('span', 'name', this.item);
    this.name.textContent = name;
    this.side = element('span', 'side', this.item);
    this.value = element('span', 'value', this.item);
    this.value.textContent = '–';
    this.spark = new Spark(element('canvas', '', this.item));
    this.direction = '';
  }

  update(number, text, sideText, sideClass) {
    this.spark.push(number);
    this.text = text;
    this.sideText = sideText;
    this.sideClass = sideClass;
  }

  paint() {
    if (this.text === undefined) return;
    this.value.textContent = this.text;
    this.value.className = `value ${this.direction}`;
    this.side.textContent = this.sideText;
    this.side.className = `side ${this.sideClass}`;
    this.spark.draw(colors[this.sideClass] || colors.accent);
  }
}

class Ticker extends Tile {
  constructor(topic) {
    super(topic, byId('tickers'), topic.slice('ticker/'.length));
    byId('tickers-section').hidden = false;
  }

  receive(m) {
    const price = Number(m.data?.price);
    const change = Number(m.data?.change);
    if (!Number.isFinite(price)) return;
    if (price !== this.price) this.direction = this.price === undefined ? '' : price > this.price ? 'up' : 'down';
    this.price = price;
    const up = change >= 0;
    this.update(price, formatPrice(price), Number.isFinite(change) ? `${up ? '▲' : '▼'} ${Math.abs(change).toFixed(2)}%` : '', up ? 'up' : 'down');
  }
}

class Sensor extends Tile {
  constructor(topic) {
    super(topic, byId('sensors'), topic.slice('sensors/'.length));
    byId('sensors-section').hidden = false;
  }

  receive(m) {
    const { temperature, humidity } = m.data ?? {};
    if (!Number.isFinite(temperature)) return;
    this.update(temperature, `${temperature.toFixed(2)} °C`, Number.isFinite(humidity) ? `${humidity.toFixed(1)} % rh` : '', '');
  }
}

// Row shows the newest message of a topic as it came.
class Row {
  constructor(topic) {
    this.item = element('li', '', byId('others'));
    const line = element('div', 'line', this.item);
    element('strong', '', line).textContent = topic;
    this.side = element('span', 'side', line);
    this.side.textContent = 'no message yet';
    const button = element('button', '', line);
    button.textContent = 'Unsubscribe';
    button.onclick = () => { feed.unsubscribe(topic); drop(topic); };
    this.code = element('code', '', this.item);
  }

  receive(m) { this.newest = m; }

  paint() {
    if (!this.newest) return;
    const { seq, ts, data, text, bin } = this.newest;
    this.side.textContent = `seq ${seq}, ${new Date(ts).toLocaleTimeString()}`;
    this.code.textContent = text ?? (bin === undefined ? JSON.stringify(data) : `base64: ${bin}`);
  }
}

function formatPrice(price) {
  const digits = price >= 100 ? 2 : price >= 1 ? 4 : price >= 0.01 ? 6 : price >= 0.0001 ? 8 : 10;
  return price.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function show(topic) {
  if (views.has(topic)) return;
  const Kind = !config.topics.includes(topic) ? Row : topic.startsWith('ticker/') ? Ticker : topic.startsWith('sensors/') ? Sensor : Row;
  views.set(topic, new Kind(topic));
}

function drop(topic) {
  views.get(topic)?.item.remove();
  views.delete(topic);
}

function notice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = text === '';
}

const feed = new Feed(`ws://${location.hostname}:${config.port}/ws`, {
  state(state, text) {
    root.dataset.state = state;
    byId('state-text').textContent = text;
    byId('connect').hidden = state !== 'closed';
  },
  message(m, bytes) {
    counters.messages++;
    counters.bytes += bytes;
    const view = views.get(m.topic);
    if (!view) return;
    view.receive(m);
    dirty.add(view);
  },
  gap() { counters.told++; },
  found() { counters.found++; },
  refused(topic, code, message) {
    notice(`${topic ? `${topic}: ` : ''}${code}${message ? `: ${message}` : ''}`);
    if (views.get(topic) instanceof Row) drop(topic);
  },
});

function paint() {
  for (const view of dirty) view.paint();
  dirty.clear();
  byId('messages').textContent = count.format(counters.messages);
  byId('bytes').textContent = `${count.format(Math.round(counters.bytes / 1000))} kB`;
  byId('gaps').textContent = `${counters.told} / ${counters.found}`;
  root.dataset.messages = counters.messages;
  root.dataset.gaps = counters.told + counters.found;
}

function frame() {
  paint();
  requestAnimationFrame(frame);
}

// A tab in the background gets no frames; its counters go on, slowly.
setInterval(() => { if (document.hidden) paint(); }, 1000);

function measureRate() {
  const line = new Spark(byId('rate-line'));
  let before = { messages: 0, at: performance.now() };
  let smooth = 0;
  setInterval(() => {
    const now = { messages: counters.messages, at: performance.now() };
    const rate = ((now.messages - before.messages) * 1000) / (now.at - before.at);
    before = now;
    smooth += (rate - smooth) / 2;
    byId('rate').textContent = count.format(Math.round(smooth));
    line.push(smooth);
    line.draw(colors.accent, 0);
  }, 500);
}

byId('filter').oninput = (event) => {
  const wanted = event.target.value.trim().toUpperCase();
  for (const view of views.values()) {
    if (view instanceof Ticker) {
      view.item.hidden = !view.topic.toUpperCase().includes(wanted);
      dirty.add(view);
    }
  }
};
byId('subscribe').onsubmit = (event) => {
  event.preventDefault();
  const topic = byId('topic').value;
  notice('');
  show(topic);
  feed.subscribe(topic);
  byId('topic').value = '';
};
byId('connect').onclick = () => feed.connect();
byId('empty').hidden = config.topics.length > 0;
byId('curl').textContent = `curl -H 'Content-Type: application/json' -d '{"topic":"chat/lobby","data":"hello"}' http://${location.host}/v1/publish`;
matchMedia('(prefers-color-scheme: dark)').onchange = readColors;
window.onresize = readColors; // every line is drawn anew at its new size

for (const topic of config.topics) {
  show(topic);
  feed.subscribe(topic);
}
readColors();
measureRate();
requestAnimationFrame(frame);
feed.connect();
showOverview();
