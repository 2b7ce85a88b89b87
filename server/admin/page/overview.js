// The overview: the server's topics and the clients furthest behind, asked of the admin API every two seconds while the page is seen.

const refreshMs = 2000;
const topicsMax = 50; // rows shown
const clientsMax = 10;

const byId = (id) => document.getElementById(id);
const count = new Intl.NumberFormat('en-US');
const rate = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

async function ask(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
}

// fill replaces a table's rows. Whatever stands in a cell stands there as text.
function fill(id, rows) {
  byId(id).replaceChildren(...rows.map((cells) => {
    const row = document.createElement('tr');
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

function note(id, text) {
  byId(id).textContent = text;
  byId(id).hidden = text === '';
}

function newest({ last }) {
  if (!last) return '';
  if (last.truncated) return 'more than 4 KiB';
  if (last.bin !== undefined) return `base64: ${last.bin}`;
  return last.text ?? JSON.stringify(last.data);
}

async function showTopics() {
  const filter = byId('topic-filter').value.trim();
  try {
    const page = await ask(`/v1/topics?limit=${topicsMax}${filter && `&filter=${encodeURIComponent(filter)}`}`);
    if (byId('topic-filter').value.trim() !== filter) return; // typed on meanwhile
    fill('topic-rows', page.topics.map((t) => [
      t.topic, count.format(t.subscribers), rate.format(t.rate), count.format(t.messages), newest(t),
    ]));
    note('topic-note', page.next === undefined ? '' : `The first ${topicsMax}; there are more.`);
  } catch (error) {
    note('topic-note', error.message);
  }
}

const reasons = { not_reading: 'does not read', network: 'its network', catching_up: 'catches up' };

async function showClients() {
  try {
    const { clients } = await ask(`/v1/clients?sort=backlog&limit=${clientsMax}`);
    fill('client-rows', clients.map((c) => [
      c.client, c.address ?? '', count.format(c.backlog.messages), `${rate.format(c.backlog.ms / 1000)} s`,
      count.format(c.backlog.topics), count.format(c.waiting_bytes), reasons[c.backlog.why] ?? '',
    ]));
    note('client-note', clients.length > 0 ? '' : 'Nobody is behind.');
  } catch (error) {
    note('client-note', error.message);
  }
}

async function refresh() {
  if (!document.hidden) await Promise.all([showTopics(), showClients()]);
  setTimeout(refresh, refreshMs);
}

export function showOverview() {
  byId('topic-filter').oninput = showTopics;
  refresh();
}
